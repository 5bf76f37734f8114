#include "base/exact_math.h"

#include <bit>
#include <cmath>
#include <cstdint>

namespace pointsman {

namespace {
constexpr double kLn2High = 6.93147180369123816490e-01;  // ln 2 in two parts, the first with trailing zeros
constexpr double kLn2Low = 1.90821492927058770002e-10;
}  // namespace

double exact_log(double x) {
  // x = m 2^e, sqrt(1/2) <= m < sqrt(2); ln m = 2 atanh(s), s = (m-1)/(m+1), |s| < 0.172: the series to s^21 is below 1e-17.
  const auto bits = std::bit_cast<uint64_t>(x);
  int64_t e = static_cast<int64_t>(bits >> 52 & 0x7ff) - 1022;
  double m = std::bit_cast<double>((bits & 0x000fffffffffffffull) | 0x3fe0000000000000ull);
  if (m < 0.70710678118654752) {
    m *= 2;
    e -= 1;
  }
  const double s = (m - 1) / (m + 1), s2 = s * s;
  double sum = 0;
  for (int k = 21; k >= 3; k -= 2) sum = (sum + 1.0 / k) * s2;
  const double ln_m = 2 * s + 2 * s * sum;
  const auto exponent = static_cast<double>(e);
  return exponent * kLn2High + (ln_m + exponent * kLn2Low);
}

double exact_exp(double x) {
  // x = k ln 2 + r, |r| <= 0.35; e^r by its series to r^17 (below 1e-18).
  const auto k = static_cast<int64_t>(x * 1.4426950408889634 + (x < 0 ? -0.5 : 0.5));
  const double r = (x - static_cast<double>(k) * kLn2High) - static_cast<double>(k) * kLn2Low;
  double sum = 1;
  for (int n = 17; n >= 1; --n) sum = 1 + sum * r / n;
  return sum * std::bit_cast<double>(static_cast<uint64_t>(k + 1023) << 52);
}

double exact_sqrt(double x) { return std::sqrt(x); }  // correctly rounded by IEEE 754

double exact_cos2pi(double turns) {
  // Fold to [0, 1/8] of a turn, then cos or sin by series.
  constexpr double kTau = 6.283185307179586477;
  double t = turns < 0.5 ? turns : 1 - turns;  // cos is even around half a turn
  const bool negative = t > 0.25;
  if (negative) t = 0.5 - t;
  const bool use_sine = t > 0.125;
  const double a = kTau * (use_sine ? 0.25 - t : t), a2 = a * a;
  double sum = 1;
  if (use_sine) {
    for (int n = 18; n >= 2; n -= 2) sum = 1 - sum * a2 / (n * (n + 1));
    sum *= a;
  } else {
    for (int n = 18; n >= 2; n -= 2) sum = 1 - sum * a2 / (n * (n - 1));
  }
  return negative ? -sum : sum;
}

double exact_pow(double base, double exponent) { return exact_exp(exponent * exact_log(base)); }

double exact_tanh(double x) {
  if (x > 20) return 1;
  if (x < -20) return -1;
  const double e = exact_exp(2 * x);
  return (e - 1) / (e + 1);
}

}  // namespace pointsman

#include "base/rng.h"

#include "base/exact_math.h"
#include "base/hash.h"

namespace pointsman {

std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> c, std::array<uint32_t, 2> k) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t{0xD2511F53u} * c[0], b = uint64_t{0xCD9E8D57u} * c[2];
    c = {static_cast<uint32_t>(b >> 32) ^ c[1] ^ k[0], static_cast<uint32_t>(b), static_cast<uint32_t>(a >> 32) ^ c[3] ^ k[1],
         static_cast<uint32_t>(a)};
    k[0] += 0x9E3779B9u;
    k[1] += 0xBB67AE85u;
  }
  return c;
}

Rng::Rng(uint64_t seed, std::string_view name, uint64_t index) {
  const uint64_t h = Hash64{}.add(seed).add(name).value();
  key_ = {static_cast<uint32_t>(h), static_cast<uint32_t>(h >> 32)};
  counter_ = {0, 0, static_cast<uint32_t>(index), static_cast<uint32_t>(index >> 32)};
}

uint64_t Rng::next() {
  if (used_ >= 4) {
    block_ = philox4x32(counter_, key_);
    if (++counter_[0] == 0) ++counter_[1];
    used_ = 0;
  }
  const uint64_t low = block_[used_], high = block_[used_ + 1];
  used_ += 2;
  return high << 32 | low;
}

double Rng::uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }
double Rng::uniform(double low, double high) { return low + (high - low) * uniform(); }

uint64_t Rng::below(uint64_t n) {
  const uint64_t limit = -n % n;  // 2^64 mod n
  for (;;) {
    const uint64_t x = next();
    if (x >= limit) return x % n;
  }
}

int64_t Rng::between(int64_t low, int64_t high) { return low + static_cast<int64_t>(below(static_cast<uint64_t>(high - low) + 1)); }
double Rng::exponential(double mean) { return -mean * exact_log(1 - uniform()); }

double Rng::normal() {
  const double r = exact_sqrt(-2 * exact_log(1 - uniform()));
  return r * exact_cos2pi(uniform());
}

double Rng::lognormal(double mean, double sigma) { return mean * exact_exp(sigma * normal() - sigma * sigma / 2); }

double Rng::pareto(double alpha, double low, double high) {
  const double ratio = exact_pow(low / high, alpha);
  return low / exact_pow(1 - uniform() * (1 - ratio), 1 / alpha);
}

}  // namespace pointsman

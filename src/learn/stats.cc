#include "learn/stats.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>
#include <vector>

#include "base/exact_math.h"
#include "base/rng.h"

namespace pointsman {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

double sorted_quantile(std::span<const double> sorted, double q) {
  if (sorted.empty()) return kNaN;
  const double place = q * static_cast<double>(sorted.size() - 1);
  const auto below = std::min(static_cast<size_t>(place), sorted.size() - 1);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

// The x in [low, high] where an increasing function passes `target`.
template <typename F>
double invert(const F& increasing, double target, double low, double high) {
  for (int i = 0; i < 200 && low < high; ++i) {
    const double middle = low + (high - low) / 2;
    if (middle == low || middle == high) break;
    (increasing(middle) < target ? low : high) = middle;
  }
  return low + (high - low) / 2;
}

// Integral of cos^n from 0 to theta, by I_n = cos^(n-1) sin / n + (n-1)/n I_(n-2).
double cosine_power_integral(int n, double theta) {
  const double c = std::cos(theta), s = std::sin(theta);
  double integral = n % 2 == 0 ? theta : s;
  double power = n % 2 == 0 ? c : c * c;  // cos^(k-1) of the next k
  for (int k = n % 2 == 0 ? 2 : 3; k <= n; k += 2) {
    integral = power * s / k + (k - 1.0) / k * integral;
    power *= c * c;
  }
  return integral;
}

}  // namespace

double mean_of(std::span<const double> values) {
  if (values.empty()) return kNaN;
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double geomean_of(std::span<const double> values) {
  if (values.empty()) return kNaN;
  double sum = 0;
  for (const double v : values) {
    if (!(v > 0)) return kNaN;
    sum += exact_log(v);
  }
  return exact_exp(sum / static_cast<double>(values.size()));
}

double deviation_of(std::span<const double> values) {
  if (values.size() < 2) return kNaN;
  const double mean = mean_of(values);
  double sum = 0;
  for (const double v : values) sum += (v - mean) * (v - mean);
  return exact_sqrt(sum / static_cast<double>(values.size() - 1));
}

double quantile_of(std::span<const double> values, double q) {
  std::vector<double> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  return sorted_quantile(sorted, q);
}

double jain_of(std::span<const double> values) {
  double sum = 0, squares = 0;
  for (const double v : values) {
    sum += v;
    squares += v * v;
  }
  return squares > 0 ? sum * sum / (static_cast<double>(values.size()) * squares) : kNaN;
}

double normal_cdf(double z) { return .5 * std::erfc(-z / std::numbers::sqrt2); }
double normal_quantile(double p) { return invert(normal_cdf, p, -40, 40); }

double student_t_quantile(double p, int dof) {
  if (p < .5) return -student_t_quantile(1 - p, dof);
  // t = sqrt(dof) tan(theta) makes an angle of it, with density proportional to cos^(dof-1): closed for whole degrees of freedom, and the
  // search is bounded.
  const double whole = cosine_power_integral(dof - 1, std::numbers::pi / 2);
  const double theta = invert([&](double x) { return .5 + .5 * cosine_power_integral(dof - 1, x) / whole; }, p, 0, std::numbers::pi / 2);
  return std::sqrt(static_cast<double>(dof)) * std::tan(theta);
}

Interval bootstrap(uint32_t blocks, const BlockStatistic& statistic, const BootstrapOptions& options) {
  std::vector<uint32_t> sample(blocks);
  std::iota(sample.begin(), sample.end(), 0u);
  Interval out{blocks > 0 ? statistic(sample) : kNaN, kNaN, kNaN};
  if (blocks < 2 || options.resamples < 1 || std::isnan(out.value)) return out;

  std::vector<double> draws;
  draws.reserve(static_cast<size_t>(options.resamples));
  for (int b = 0; b < options.resamples; ++b) {
    Rng rng(options.seed, "bootstrap", static_cast<uint64_t>(b));
    for (uint32_t& index : sample) index = static_cast<uint32_t>(rng.below(blocks));
    if (const double value = statistic(sample); !std::isnan(value)) draws.push_back(value);
  }
  if (static_cast<double>(draws.size()) < .95 * options.resamples) return out;
  std::sort(draws.begin(), draws.end());

  double low = (1 - options.level) / 2, high = (1 + options.level) / 2;
  if (options.kind == BootstrapOptions::Kind::kBca) {
    // Bias: how far the data's own value lies from the median of the draws; ties count half.
    const auto [first, last] = std::equal_range(draws.begin(), draws.end(), out.value);
    const auto n = static_cast<double>(draws.size());
    const double below = static_cast<double>(first - draws.begin()) + static_cast<double>(last - first) / 2;
    const double bias = normal_quantile(std::clamp(below / n, .5 / n, 1 - .5 / n));
    // Acceleration: skewness of the leave-one-out values.
    std::vector<double> left(blocks);
    sample.resize(blocks - 1);
    for (uint32_t out_index = 0; out_index < blocks; ++out_index) {
      for (uint32_t i = 0; i + 1 < blocks; ++i) sample[i] = i < out_index ? i : i + 1;
      left[out_index] = statistic(sample);
    }
    const double centre = mean_of(left);
    double squares = 0, cubes = 0;
    for (const double v : left) {
      const double d = centre - v;
      squares += d * d;
      cubes += d * d * d;
    }
    if (std::isnan(squares)) return out;  // not defined without some block: its interval is not either
    const double acceleration = squares > 0 ? cubes / (6 * squares * std::sqrt(squares)) : 0;
    const auto moved = [&](double p) {
      const double z = bias + normal_quantile(p);
      return normal_cdf(bias + z / std::max(1 - acceleration * z, 1e-9));
    };
    low = moved(low);
    high = moved(high);
  }
  out.low = sorted_quantile(draws, low);
  out.high = sorted_quantile(draws, high);
  return out;
}

Interval bootstrap_mean(std::span<const double> values, const BootstrapOptions& options) {
  return bootstrap(
      static_cast<uint32_t>(values.size()),
      [&](std::span<const uint32_t> blocks) {
        double sum = 0;
        for (const uint32_t b : blocks) sum += values[b];
        return sum / static_cast<double>(blocks.size());
      },
      options);
}

Interval paired_t(std::span<const double> differences, double level) {
  Interval out{mean_of(differences), kNaN, kNaN};
  const auto n = static_cast<int>(differences.size());
  if (n < 2) return out;
  const double half = student_t_quantile((1 + level) / 2, n - 1) * deviation_of(differences) / std::sqrt(static_cast<double>(n));
  out.low = out.value - half;
  out.high = out.value + half;
  return out;
}

double wilcoxon_p(std::span<const double> differences) {
  std::vector<double> d;
  for (const double v : differences)
    if (v != 0 && !std::isnan(v)) d.push_back(v);
  const size_t n = d.size();
  if (n == 0) return 1;
  std::sort(d.begin(), d.end(), [](double a, double b) { return std::abs(a) < std::abs(b); });
  // Ranks are kept doubled, so that shared ones are whole.
  std::vector<size_t> rank(n);
  double tie_sum = 0;
  for (size_t i = 0; i < n;) {
    size_t j = i;
    while (j < n && std::abs(d[j]) == std::abs(d[i])) ++j;
    for (size_t k = i; k < j; ++k) rank[k] = i + j + 1;
    const auto t = static_cast<double>(j - i);
    tie_sum += t * t * t - t;
    i = j;
  }
  size_t positive = 0, total = 0;
  for (size_t i = 0; i < n; ++i) {
    total += rank[i];
    if (d[i] > 0) positive += rank[i];
  }
  const size_t smaller = std::min(positive, total - positive);
  if (n <= 40) {
    std::vector<double> ways(total + 1);
    ways[0] = 1;
    size_t reach = 0;
    for (const size_t r : rank) {
      reach += r;
      for (size_t s = reach; s + 1 > r; --s) {
        ways[s] = (ways[s] + ways[s - r]) / 2;
        if (s == r) break;
      }
      for (size_t s = 0; s < r; ++s) ways[s] /= 2;
    }
    double below = 0;
    for (size_t s = 0; s <= smaller; ++s) below += ways[s];
    return std::min(1.0, 2 * below);
  }
  const auto m = static_cast<double>(n);
  const double mean = m * (m + 1) / 4, variance = m * (m + 1) * (2 * m + 1) / 24 - tie_sum / 48;
  const double z = (static_cast<double>(smaller) / 2 + .5 - mean) / std::sqrt(variance);
  return std::min(1.0, 2 * normal_cdf(z));
}

std::vector<double> holm(std::span<const double> p) {
  std::vector<size_t> order(p.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return p[a] < p[b]; });
  std::vector<double> out(p.size());
  double largest = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    largest = std::max(largest, std::min(1.0, static_cast<double>(p.size() - i) * p[order[i]]));
    out[order[i]] = largest;
  }
  return out;
}

Interval gap_closed(std::span<const GapBlock> blocks, const BootstrapOptions& options) {
  return bootstrap(
      static_cast<uint32_t>(blocks.size()),
      [&](std::span<const uint32_t> sample) {
        double gained = 0, gap = 0;
        for (const uint32_t b : sample) {
          gained += blocks[b].rival - blocks[b].agent;
          gap += blocks[b].rival - blocks[b].oracle;
        }
        return gap > 1e-9 * static_cast<double>(sample.size()) ? gained / gap : kNaN;
      },
      options);
}

}  // namespace pointsman

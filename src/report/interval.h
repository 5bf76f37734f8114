// Interval: a mean with the ends of its confidence interval, as reports read it. NaN: not known. Whoever measures computes it; reports only
// print.
#pragma once

#include <cmath>
#include <functional>
#include <limits>
#include <span>
#include <vector>

namespace pointsman::report {

inline constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();

struct Interval {
  double mean = kMissing;
  double low = kMissing, high = kMissing;

  [[nodiscard]] bool known() const { return std::isfinite(mean); }
  [[nodiscard]] bool bounded() const { return std::isfinite(low) && std::isfinite(high); }
  [[nodiscard]] bool includes(double value) const { return bounded() && low <= value && value <= high; }
};

// Mean of values, one per block, with its interval. The statistics live with whoever measures; they are handed in.
using IntervalOf = std::function<Interval(std::span<const double>)>;

inline std::vector<double> known_of(std::span<const double> values) {
  std::vector<double> out;
  for (const double v : values)
    if (std::isfinite(v)) out.push_back(v);
  return out;
}
// Blocks whose value is not known do not count; none left: not known.
inline Interval over_known(std::span<const double> values, const IntervalOf& interval_of) {
  const std::vector<double> known = known_of(values);
  return known.empty() ? Interval{} : interval_of(known);
}
// From logarithms of ratios to ratios.
inline Interval exp_of(const Interval& ln) { return {std::exp(ln.mean), std::exp(ln.low), std::exp(ln.high)}; }

}  // namespace pointsman::report

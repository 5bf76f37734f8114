// Interval: a mean with the ends of its confidence interval, as reports read it. NaN: not known. Whoever measures computes it; reports only
// print.
#pragma once

#include <cmath>
#include <functional>
#include <limits>
#include <span>

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

}  // namespace pointsman::report

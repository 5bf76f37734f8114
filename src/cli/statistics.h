// The statistics that reports are handed: means over blocks with bootstrap intervals, always with the same seed.
#pragma once

#include <span>

#include "learn/stats.h"
#include "report/interval.h"

namespace pointsman {

inline report::Interval to_report(const Interval& interval) { return {interval.value, interval.low, interval.high}; }
inline report::Interval interval_of_mean(std::span<const double> values) { return to_report(bootstrap_mean(values)); }

}  // namespace pointsman

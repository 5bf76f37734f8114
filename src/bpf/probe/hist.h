// Quantiles of the probe's log-linear histograms (probe.intf.h).
#pragma once

#include <span>

#include "bpf/probe/probe.intf.h"

namespace pointsman {

// The least value of a bucket; the bucket after the last would begin at hist_low_ns(PM_HIST_BUCKETS), which is the histogram's end.
constexpr double hist_low_ns(int bucket) {
  if (bucket <= 0) return 0;
  const int octave = (bucket - 1) / PM_HIST_SUB, sub = (bucket - 1) % PM_HIST_SUB;
  const int last = PM_HIST_HIGH - PM_HIST_LOW;
  if (octave >= last) return static_cast<double>(1ull << PM_HIST_HIGH);
  return static_cast<double>((1ull << (PM_HIST_LOW + octave)) / PM_HIST_SUB * static_cast<unsigned>(PM_HIST_SUB + sub));
}

// The value below which the share `q` (0..1) of the entries lies, linear within a bucket; 0 of an empty histogram. Values from 2^35 ns on are told as 2^35.
inline double hist_quantile_ns(std::span<const uint64_t, PM_HIST_BUCKETS> counts, double q) {
  double total = 0;
  for (const uint64_t n : counts) total += static_cast<double>(n);
  if (!(total > 0)) return 0;
  double left = (q < 0 ? 0 : q > 1 ? 1 : q) * total;
  int bucket = 0;
  for (int i = 0; i < PM_HIST_BUCKETS; ++i) {
    if (counts[static_cast<size_t>(i)] == 0) continue;
    bucket = i;
    const double n = static_cast<double>(counts[static_cast<size_t>(i)]);
    if (left <= n) return hist_low_ns(i) + left / n * (hist_low_ns(i + 1) - hist_low_ns(i));
    left -= n;
  }
  return hist_low_ns(bucket + 1);  // rounding used the last entries up
}

}  // namespace pointsman

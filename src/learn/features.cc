#include "learn/features.h"

#include <algorithm>
#include <cmath>

#include "base/exact_math.h"
#include "bpf/probe/hist.h"

namespace pointsman {
namespace {

// In the order of features_of. d(x) is the growth of the probe's sum x over the window of length t seconds on n CPUs; log1p throughout for what spans decades.
constexpr FeatureSpec kCatalogue[kFeatures] = {
    {"forks", "log 1/s/cpu", "log1p(d(forks) / t / n)"},
    {"exits", "log 1/s/cpu", "log1p(d(exits) / t / n)"},
    {"wakeups", "log 1/s/cpu", "log1p(d(wakeups) / t / n)"},
    {"switches", "log 1/s/cpu", "log1p((d(voluntary) + d(involuntary)) / t / n)"},
    {"involuntary_share", "ratio", "d(involuntary) / (d(voluntary) + d(involuntary)); 0 without switches"},
    {"burst_mean", "log us", "log1p(d(burst_us) / d(bursts)); 0 without bursts"},
    {"burst_cv", "log ratio", "log1p(deviation / mean of the bursts); 0 without bursts"},
    {"burst_below_1ms_share", "ratio", "d(bursts_1ms) / d(bursts); 0 without bursts"},
    {"burst_below_5ms_share", "ratio", "d(bursts_5ms) / d(bursts); 0 without bursts"},
    {"burst_p50", "log us", "log1p(median of d(burst_hist))"},
    {"burst_p90", "log us", "log1p(90th percentile of d(burst_hist))"},
    {"burst_p99", "log us", "log1p(99th percentile of d(burst_hist))"},
    {"exit_cpu_mean", "log us", "log1p(d(exit_us) / d(exits)); 0 without exits"},
    {"exit_cpu_cv", "log ratio", "log1p(deviation / mean of CPU time at exit); -0.5 with fewer than 3 exits"},
    {"idle_share", "ratio", "d(idle_ns) / (t n), at most 1"},
    {"young_share", "ratio", "d(young_ns) / d(busy_ns), at most 1; 0 when nothing ran"},
    {"small_share", "ratio", "d(small_ns) / d(busy_ns), at most 1; 0 when nothing ran"},
    {"nice_share", "ratio", "d(nice_ns) / d(busy_ns), at most 1; 0 when nothing ran"},
    {"runnable_mean", "log tasks/cpu", "log1p(time integral of `runnable` over the window / t / n)"},
    {"wait_per_busy", "log ratio", "log1p(d(wait_ns) / d(busy_ns)); at least 1 ms counts as busy"},
};

constexpr double kMillisecondNs = 1e6;
constexpr double kFewExits = -0.5;

double growth(uint64_t before, uint64_t after) { return after > before ? static_cast<double>(after - before) : 0; }
double log1p_exact(double x) { return exact_log(1 + x); }
double ratio(double part, double whole) { return whole > 0 ? part / whole : 0; }
double share(double part, double whole) { return std::min(1.0, ratio(part, whole)); }

struct Moments {
  double mean = 0, cv = 0;
};
Moments moments_of(double count, double sum, double squares) {
  if (!(count > 0)) return {};
  const double mean = sum / count;
  const double variance = std::max(0.0, squares / count - mean * mean);
  return {mean, exact_sqrt(variance) / std::max(mean, 1.0)};  // below a microsecond the mean is nothing to divide by
}

// T * runnable - moment, modulo 2^64, is the integral since load: only its growth is taken, and what is larger than any machine can have is damage.
double runnable_integral_ns(const WindowInput& w) {
  const auto at = [](const pm_probe& p, int64_t moment_ns) {
    return static_cast<uint64_t>(moment_ns) * static_cast<uint64_t>(p.runnable) - p.runnable_moment_ns;
  };
  const auto grown = static_cast<int64_t>(at(w.after, w.after_ns) - at(w.before, w.before_ns));
  return grown > 0 ? static_cast<double>(grown) : 0;
}

}  // namespace

std::span<const FeatureSpec> feature_catalogue() { return kCatalogue; }

FeatureVector features_of(const WindowInput& w) {
  FeatureVector out{};
  if (w.after_ns <= w.before_ns) return out;
  const pm_probe &a = w.before, &b = w.after;
  const double elapsed_ns = static_cast<double>(w.after_ns) - static_cast<double>(w.before_ns);
  const double capacity_ns = elapsed_ns * std::max(w.cpus, 1);
  const auto rate = [&](double count) { return log1p_exact(count * 1e9 / capacity_ns); };
  const double voluntary = growth(a.voluntary, b.voluntary), involuntary = growth(a.involuntary, b.involuntary);
  const double busy_ns = growth(a.busy_ns, b.busy_ns);
  const double bursts = growth(a.bursts, b.bursts), exits = growth(a.exits, b.exits);
  const Moments burst = moments_of(bursts, growth(a.burst_us, b.burst_us), growth(a.burst_us2, b.burst_us2));
  const Moments at_exit = moments_of(exits, growth(a.exit_us, b.exit_us), growth(a.exit_us2, b.exit_us2));
  uint64_t hist[PM_HIST_BUCKETS];
  for (int i = 0; i < PM_HIST_BUCKETS; ++i) hist[i] = b.burst_hist[i] > a.burst_hist[i] ? b.burst_hist[i] - a.burst_hist[i] : 0;
  const auto quantile_us = [&](double q) { return log1p_exact(hist_quantile_ns(hist, q) / 1000); };

  out = {
      rate(growth(a.forks, b.forks)),
      rate(exits),
      rate(growth(a.wakeups, b.wakeups)),
      rate(voluntary + involuntary),
      ratio(involuntary, voluntary + involuntary),
      log1p_exact(burst.mean),
      log1p_exact(burst.cv),
      share(growth(a.bursts_1ms, b.bursts_1ms), bursts),
      share(growth(a.bursts_5ms, b.bursts_5ms), bursts),
      quantile_us(0.5),
      quantile_us(0.9),
      quantile_us(0.99),
      log1p_exact(at_exit.mean),
      exits < 3 ? kFewExits : log1p_exact(at_exit.cv),
      share(growth(a.idle_ns, b.idle_ns), capacity_ns),
      share(growth(a.young_ns, b.young_ns), busy_ns),
      share(growth(a.small_ns, b.small_ns), busy_ns),
      share(growth(a.nice_ns, b.nice_ns), busy_ns),
      log1p_exact(runnable_integral_ns(w) / capacity_ns),
      log1p_exact(growth(a.wait_ns, b.wait_ns) / std::max(busy_ns, kMillisecondNs)),
  };
  return out;
}

bool nearly_idle(const WindowInput& w) {
  if (w.after_ns <= w.before_ns) return true;
  return growth(w.before.busy_ns, w.after.busy_ns) < 0.02 * (static_cast<double>(w.after_ns) - static_cast<double>(w.before_ns));
}

}  // namespace pointsman

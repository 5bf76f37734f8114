// The catalogue: every metric by its one canonical name, what it is, where it comes from, what it means under which scheduler, and its value over a run of
// snapshots. First the nineteen T_* features that this project set out from (where their list spells a name in two ways, one is canonical and the other an
// alias), then what that list lacked. docs/metrics.md is made from it.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/snapshot.h"

namespace pointsman {

enum class MetricKind {
  kGauge,    // a level at a moment
  kCounter,  // grows since boot: only its growth means anything, so it has no change in percent
  kShare,    // a level over an interval, computed from two snapshots
};
std::string_view name_of(MetricKind kind);

struct MetricSpec {
  std::string_view name;        // without the statistic: T_cpu_percent
  std::string_view canonical;   // the feature: T_cpu_percent_avg; of what is no T_* the name
  std::span<const std::string_view> aliases;  // other spellings of the feature
  MetricKind kind;
  std::string_view unit, source, formula;
  std::string_view eevdf, ext;  // what it means while the kernel's own scheduler, or a sched_ext one, is in charge
  std::string_view psutil;      // the call and versions whose value it equals, or how that one differs
  std::string_view trap;
  bool of_seed = false;  // one of the nineteen
};
std::span<const MetricSpec> metric_catalogue();
// By name, canonical name or alias; nullptr when there is none.
const MetricSpec* find_metric(std::string_view name);
// The probe is its only source or its best one.
bool probe_helps(const MetricSpec& spec);

struct MetricValue {
  const MetricSpec* spec = nullptr;
  // avg: the mean of the samples of a gauge, a share over the whole span, the mean growth of a counter from one sample to the next. delta: last - first; of a
  // counter its growth. rate: delta / seconds. pct_change: 100 * delta / first, not of counters, not from zero.
  std::optional<double> avg, delta, rate, pct_change;
  std::optional<double> last;  // the level at the last sample; of a counter since its beginning
  std::string_view via;        // which of several sources gave it
  std::string caveat;          // what is biased about that source, with its figure where one is known
  std::string absent;          // why there is no value
  int backwards = 0;           // intervals in which a counter fell; each counts as no growth
};
// In the catalogue's order, one value each; two snapshots at least for anything but averages of gauges.
std::vector<MetricValue> evaluate_metrics(std::span<const Snapshot> snapshots);

}  // namespace pointsman

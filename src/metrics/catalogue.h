// The catalogue: every T_* metric by its one canonical name, what it is, where it comes from, and its value over a run of snapshots.
// Source of the names: the list of features that this project set out from; where that list spells a name in two ways, one is canonical and the other an alias.
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
  kCounter,  // grows since boot: only its growth means anything, so it has no average and no change in percent
  kShare,    // a level over an interval, computed from two snapshots
};
std::string_view name_of(MetricKind kind);

struct MetricSpec {
  std::string_view name;        // without the statistic: T_cpu_percent
  std::string_view canonical;   // the feature: T_cpu_percent_avg
  std::span<const std::string_view> aliases;  // other spellings of the feature
  MetricKind kind;
  std::string_view unit, source, formula, trap;
};
std::span<const MetricSpec> metric_catalogue();
// By name, canonical name or alias; nullptr when there is none.
const MetricSpec* find_metric(std::string_view name);

struct MetricValue {
  const MetricSpec* spec = nullptr;
  // avg: the mean of the samples of a gauge, a share over the whole span. delta: last - first; of a counter its growth. rate: delta / seconds.
  // pct_change: 100 * delta / first, not of counters, not from zero.
  std::optional<double> avg, delta, rate, pct_change;
  std::string_view via;  // which of several sources gave it
  std::string absent;    // why there is no value
  int backwards = 0;     // intervals in which a counter fell; each counts as no growth
};
// In the catalogue's order, one value each; two snapshots at least for anything but averages of gauges.
std::vector<MetricValue> seed_metrics(std::span<const Snapshot> snapshots);

}  // namespace pointsman

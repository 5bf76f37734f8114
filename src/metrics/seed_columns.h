// Seed columns: the very columns of the tables that this project set out from, per-core means and changes of counters in percent included, each with what is wrong
// about it. For comparing with those tables, not for use.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/catalogue.h"

namespace pointsman {

struct SeedColumn {
  std::string name;  // as spelled there: T_iowait_percent_avg
  std::optional<double> value, normalized;  // `normalized`: divided by the number of CPUs
  std::string_view wrong;                   // empty: nothing
  std::string absent;
};
// Both switch columns are /proc/stat's ctxt, as they were there.
std::vector<SeedColumn> seed_columns(std::span<const MetricValue> metrics, std::span<const Snapshot> snapshots);

}  // namespace pointsman

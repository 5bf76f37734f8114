// The metrics of a run of snapshots as a table for people and as JSON for programs.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "metrics/catalogue.h"

namespace pointsman {

// One line a metric; below it, what is missing and why.
std::string to_table(std::span<const MetricValue> metrics, std::span<const Snapshot> snapshots);
nlohmann::json to_json(std::span<const MetricValue> metrics, std::span<const Snapshot> snapshots);

}  // namespace pointsman

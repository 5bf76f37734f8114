// The metrics of a run of snapshots as text for people, and as JSON, CSV and Prometheus' text format for programs.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "metrics/catalogue.h"

namespace pointsman {

// One line a metric; below it, what is missing and why, and what is biased.
std::string to_table(std::span<const MetricValue> metrics, std::span<const Snapshot> snapshots);
nlohmann::json to_json(std::span<const MetricValue> metrics, std::span<const Snapshot> snapshots);

// The shares of each CPU that was on line at both ends; a CPU that came or went in between is left out.
std::string cpu_table(std::span<const Snapshot> snapshots);
nlohmann::json cpus_json(std::span<const Snapshot> snapshots);

struct CsvOptions {
  bool per_cpu = false;  // columns for the CPUs that are on line in the first snapshot
};
// Columns that do not depend on what this machine has: an absent value is an empty field.
std::string csv_header(std::span<const MetricValue> metrics, std::span<const Snapshot> snapshots, const CsvOptions& options = {});
std::string csv_row(std::span<const MetricValue> metrics, std::span<const Snapshot> snapshots, const CsvOptions& options = {});

struct PrometheusOptions {
  bool per_cpu = false;
};
// Source: the text exposition format 0.0.4. Counters as they stand, gauges and shares as their average over the snapshots; what is absent is left out.
std::string to_prometheus(std::span<const MetricValue> metrics, std::span<const Snapshot> snapshots, const PrometheusOptions& options = {});

// What the probe would add to these values: metrics that have none without it, and those that are only sampled or walked for.
struct ProbeWouldAdd {
  std::vector<std::string_view> missing, inexact;
};
ProbeWouldAdd probe_would_add(std::span<const MetricValue> metrics);

}  // namespace pointsman

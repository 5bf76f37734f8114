#include "metrics/seed_columns.h"

#include <algorithm>

namespace pointsman {
namespace {

constexpr std::string_view kOneCounter = "not this kind of switch: the counter of all switches, read twice under two names; see T_vcsw_total and T_nvcsw_total";
constexpr std::string_view kSinceBoot = "change in percent of a counter since boot: shrinks as the machine stays up, whatever runs";
constexpr std::string_view kPerCore = "per-core mean of something that is averaged over the CPUs already";
constexpr std::string_view kPerCoreBytes = "memory divided by the number of CPUs means nothing";
constexpr std::string_view kCollinear = "T_mem_used + T_mem_available is constant: one of the two columns carries nothing; divided by CPUs it means nothing";
constexpr std::string_view kState = "a state, not activity: constant while nothing is swapped";
constexpr std::string_view kCarryOver = "carries over what earlier runs left behind: wait for it to settle, or leave it out";
constexpr std::string_view kWriteBack = "written back up to 30 s later: a short run measures earlier ones";

enum class Statistic { kAverage, kDelta, kChange };
struct Column {
  std::string_view name, metric;
  Statistic statistic;
  std::string_view wrong;
};
constexpr Column kColumns[] = {
    {"T_nvcsw_total_delta", "switches_total", Statistic::kDelta, kOneCounter},
    {"T_nvcsw_total_pct_change", "switches_total", Statistic::kChange, kSinceBoot},
    {"T_vcsw_total_delta", "switches_total", Statistic::kDelta, kOneCounter},
    {"T_vcsw_total_pct_change", "switches_total", Statistic::kChange, kSinceBoot},
    {"T_cpu_percent_avg", "T_cpu_percent", Statistic::kAverage, kPerCore},
    {"T_iowait_percent_avg", "T_io_wait_percent", Statistic::kAverage, kPerCore},
    {"T_mem_used_avg", "T_mem_used", Statistic::kAverage, kCollinear},
    {"T_mem_available_avg", "T_mem_available", Statistic::kAverage, kCollinear},
    {"T_mem_available_delta", "T_mem_available", Statistic::kDelta, kCarryOver},
    {"T_mem_available_pct_change", "T_mem_available", Statistic::kChange, kCarryOver},
    {"T_swap_used_avg", "T_swap_used", Statistic::kAverage, kState},
    {"T_cache_mem_avg", "T_cache_mem", Statistic::kAverage, kPerCoreBytes},
    {"T_cache_mem_delta", "T_cache_mem", Statistic::kDelta, kCarryOver},
    {"T_cache_mem_pct_change", "T_cache_mem", Statistic::kChange, kCarryOver},
    {"T_buffers_mem_avg", "T_buffers_mem", Statistic::kAverage, kPerCoreBytes},
    {"T_buffers_mem_delta", "T_buffers_mem", Statistic::kDelta, kCarryOver},
    {"T_buffers_mem_pct_change", "T_buffers_mem", Statistic::kChange, kCarryOver},
    {"T_io_write_total_delta", "T_io_write_total", Statistic::kDelta, kWriteBack},
    {"T_io_write_total_pct_change", "T_io_write_total", Statistic::kChange, kSinceBoot},
};

}  // namespace

std::vector<SeedColumn> seed_columns(std::span<const MetricValue> metrics, std::span<const Snapshot> snapshots) {
  const size_t cpus = snapshots.empty() ? 0 : snapshots.back().cpu.each.size();
  std::vector<SeedColumn> out;
  for (const Column& column : kColumns) {
    SeedColumn& one = out.emplace_back();
    one.name = column.name;
    one.wrong = column.wrong;
    const auto m = std::find_if(metrics.begin(), metrics.end(), [&](const MetricValue& v) { return v.spec->name == column.metric; });
    if (m == metrics.end()) continue;
    one.absent = m->absent;
    switch (column.statistic) {
      case Statistic::kAverage: one.value = m->avg; break;
      case Statistic::kDelta: one.value = m->delta; break;
      case Statistic::kChange:
        // Of a counter the catalogue has none, for good reason.
        if (m->delta && m->last && *m->last > *m->delta) one.value = 100 * *m->delta / (*m->last - *m->delta);
        break;
    }
    if (one.value && cpus > 0) one.normalized = *one.value / static_cast<double>(cpus);
  }
  return out;
}

}  // namespace pointsman

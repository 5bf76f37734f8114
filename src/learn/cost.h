// Costs over the jobs of one run. Definitions: TAT = completion - arrival; RT = first run - arrival; slowdown = TAT / service; fairness
// of a job = 1 / slowdown.
// No cost is neutral. Run-to-completion saves in TAT what it pays in RT, so under the seed's L it can never win a batch of equal jobs;
// under the slowdown it can. The choice is the user's; the default is the mean of ln slowdown: minus the mean log fairness, without a unit.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pointsman {

struct JobOutcome {
  int64_t tat_ns = 0, rt_ns = 0, service_ns = 0;
  uint16_t kind = 0, phase = 0;
};

// Means are NaN when there are no jobs. A job without service or without turnaround has no slowdown: it counts in TAT and RT, is left out
// of slowdown and fairness, and is counted in `unscored`.
struct Costs {
  int jobs = 0, unscored = 0;
  double log_slowdown = 0;  // mean of ln(TAT / service): the default objective
  double mean_tat_s = 0, mean_rt_s = 0;
  double cv_fairness = 0;  // deviation (ddof 1) / mean of 1/slowdown; 0 for a single job
  double seed_l = 0;       // mean TAT [s] + mean RT [s] + CV of fairness, to the letter
  double mean_slowdown = 0;
  double p99_rt_short_s = 0;  // over jobs with service <= 5 ms; NaN when there are none
  double p99_tat_s = 0;
  double makespan_s = 0;  // set by the caller, who knows
};
inline constexpr int64_t kShortJobNs = 5'000'000;

Costs costs_of(std::span<const JobOutcome> jobs);

enum class JobGrouping { kKind, kPhase };
std::map<uint16_t, Costs> costs_by(JobGrouping group, std::span<const JobOutcome> jobs);

enum class CostKind { kLogSlowdown, kMeanTat, kMeanSlowdown, kP99RtShort, kSeedL, kLogRatioL };
std::string_view name_of(CostKind kind);
std::span<const CostKind> cost_kinds();
// Errors: kNotFound, with the names that exist.
Result<CostKind> find_cost(std::string_view name);

// What is minimised. Weights and floors are the user's.
struct Objective {
  CostKind kind = CostKind::kLogSlowdown;
  // The three terms of L, in both of its forms.
  double tat_weight = 1, rt_weight = 1, cv_weight = 1;
  // Below these a difference of RT or CV is noise, of which a logarithm would make much (log-ratio form); the third likewise for p99 RT.
  double rt_floor_s = .005, cv_floor = .1, p99_floor_s = .001;
  // Constraint: p99 RT of short jobs at most this multiple of the reference's. 0: none.
  double p99_rt_short_limit = 0;
};

// ln of the ratio of `mine` to `reference` (by custom eevdf on the same jobs) under the objective; negative = better.
//   log_slowdown   difference of the mean ln slowdowns
//   seed_l         ln ratio of (tat_weight TAT + rt_weight RT + cv_weight CV)
//   log_ratio_l    weighted mean of the ln ratios of TAT, RT and CV, the latter two not below their floors
// nullopt where it is not defined on one side (no jobs, no short jobs).
std::optional<double> log_cost(const Costs& mine, const Costs& reference, const Objective& objective);

// nullopt: no limit is set, or no short jobs.
std::optional<bool> breaks_p99_limit(const Costs& mine, const Costs& reference, const Objective& objective);

// Each group (kind or phase) counts once, however many jobs it has; groups in which the cost is not defined are left out; nullopt when none
// is left.
std::optional<double> grouped_log_cost(const std::map<uint16_t, Costs>& mine, const std::map<uint16_t, Costs>& reference,
                                       const Objective& objective);

// Families count equally: first the mean within each name, then over the names. nullopt when there are none.
struct NamedCost {
  std::string family{};
  double log_cost = 0;
};
std::optional<double> mean_over_families(std::span<const NamedCost> costs);

}  // namespace pointsman

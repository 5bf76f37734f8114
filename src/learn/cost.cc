#include "learn/cost.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "base/exact_math.h"
#include "learn/stats.h"

namespace pointsman {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr std::array kKinds{CostKind::kLogSlowdown, CostKind::kMeanTat, CostKind::kMeanSlowdown,
                            CostKind::kP99RtShort,  CostKind::kSeedL,   CostKind::kLogRatioL};

double seconds(int64_t ns) { return static_cast<double>(ns) / 1e9; }

std::optional<double> log_ratio(double mine, double reference, double floor = 0) {
  mine = std::max(mine, floor);  // std::max(NaN, floor) is NaN: the comparison is false
  reference = std::max(reference, floor);
  if (!(mine > 0) || !(reference > 0)) return std::nullopt;
  return exact_log(mine / reference);
}

double weighted_l(const Costs& c, const Objective& o) {
  return o.tat_weight * c.mean_tat_s + o.rt_weight * c.mean_rt_s + o.cv_weight * c.cv_fairness;
}

}  // namespace

Costs costs_of(std::span<const JobOutcome> jobs) {
  Costs out;
  out.jobs = static_cast<int>(jobs.size());
  std::vector<double> tat, rt, slowdown, log_slowdown, fairness, short_rt;
  for (const JobOutcome& job : jobs) {
    tat.push_back(seconds(job.tat_ns));
    rt.push_back(seconds(job.rt_ns));
    if (job.service_ns <= kShortJobNs) short_rt.push_back(seconds(job.rt_ns));
    if (job.tat_ns <= 0 || job.service_ns <= 0) {
      ++out.unscored;
      continue;
    }
    const double s = static_cast<double>(job.tat_ns) / static_cast<double>(job.service_ns);
    slowdown.push_back(s);
    log_slowdown.push_back(exact_log(s));
    fairness.push_back(1 / s);
  }
  out.log_slowdown = mean_of(log_slowdown);
  out.mean_tat_s = mean_of(tat);
  out.mean_rt_s = mean_of(rt);
  out.cv_fairness = fairness.size() == 1 ? 0 : deviation_of(fairness) / mean_of(fairness);
  out.seed_l = out.mean_tat_s + out.mean_rt_s + out.cv_fairness;
  out.mean_slowdown = mean_of(slowdown);
  out.p99_rt_short_s = quantile_of(short_rt, .99);
  out.p99_tat_s = quantile_of(tat, .99);
  return out;
}

std::map<uint16_t, Costs> costs_by(JobGrouping group, std::span<const JobOutcome> jobs) {
  std::map<uint16_t, std::vector<JobOutcome>> groups;
  for (const JobOutcome& job : jobs) groups[group == JobGrouping::kKind ? job.kind : job.phase].push_back(job);
  std::map<uint16_t, Costs> out;
  for (const auto& [key, members] : groups) out[key] = costs_of(members);
  return out;
}

std::string_view name_of(CostKind kind) {
  switch (kind) {
    case CostKind::kLogSlowdown:
      return "log_slowdown";
    case CostKind::kMeanTat:
      return "mean_tat";
    case CostKind::kMeanSlowdown:
      return "mean_slowdown";
    case CostKind::kP99RtShort:
      return "p99_rt_short";
    case CostKind::kSeedL:
      return "seed_l";
    case CostKind::kLogRatioL:
      return "log_ratio_l";
  }
  return "unknown";
}

std::span<const CostKind> cost_kinds() { return kKinds; }

Result<CostKind> find_cost(std::string_view name) {
  std::string names;
  for (const CostKind kind : kKinds) {
    if (name_of(kind) == name) return kind;
    names += ' ';
    names += name_of(kind);
  }
  return fail(ErrorCode::kNotFound, "there is no cost '{}' (there are:{})", name, names);
}

std::optional<double> log_cost(const Costs& mine, const Costs& reference, const Objective& o) {
  switch (o.kind) {
    case CostKind::kLogSlowdown: {
      const double difference = mine.log_slowdown - reference.log_slowdown;
      return std::isfinite(difference) ? std::optional(difference) : std::nullopt;
    }
    case CostKind::kMeanTat:
      return log_ratio(mine.mean_tat_s, reference.mean_tat_s);
    case CostKind::kMeanSlowdown:
      return log_ratio(mine.mean_slowdown, reference.mean_slowdown);
    case CostKind::kP99RtShort:
      return log_ratio(mine.p99_rt_short_s, reference.p99_rt_short_s, o.p99_floor_s);
    case CostKind::kSeedL:
      return log_ratio(weighted_l(mine, o), weighted_l(reference, o));
    case CostKind::kLogRatioL: {
      const auto tat = log_ratio(mine.mean_tat_s, reference.mean_tat_s);
      const auto rt = log_ratio(mine.mean_rt_s, reference.mean_rt_s, o.rt_floor_s);
      const auto cv = log_ratio(mine.cv_fairness, reference.cv_fairness, o.cv_floor);
      const double weights = o.tat_weight + o.rt_weight + o.cv_weight;
      if (!tat || !rt || !cv || !(weights > 0)) return std::nullopt;
      return (o.tat_weight * *tat + o.rt_weight * *rt + o.cv_weight * *cv) / weights;
    }
  }
  return std::nullopt;
}

std::optional<bool> breaks_p99_limit(const Costs& mine, const Costs& reference, const Objective& o) {
  if (o.p99_rt_short_limit <= 0) return std::nullopt;
  const auto ratio = log_ratio(mine.p99_rt_short_s, reference.p99_rt_short_s, o.p99_floor_s);
  if (!ratio) return std::nullopt;
  return *ratio > exact_log(o.p99_rt_short_limit);
}

std::optional<double> grouped_log_cost(const std::map<uint16_t, Costs>& mine, const std::map<uint16_t, Costs>& reference,
                                       const Objective& objective) {
  std::vector<double> costs;
  for (const auto& [key, group] : mine) {
    const auto other = reference.find(key);
    if (other == reference.end()) continue;
    if (const auto cost = log_cost(group, other->second, objective)) costs.push_back(*cost);
  }
  if (costs.empty()) return std::nullopt;
  return mean_of(costs);
}

std::optional<double> mean_over_families(std::span<const NamedCost> costs) {
  if (costs.empty()) return std::nullopt;
  std::map<std::string_view, std::vector<double>> families;
  for (const NamedCost& cost : costs) families[cost.family].push_back(cost.log_cost);
  std::vector<double> means;
  for (const auto& [family, members] : families) means.push_back(mean_of(members));
  return mean_of(means);
}

}  // namespace pointsman

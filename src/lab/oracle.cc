#include "lab/oracle.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "lab/splits.h"

namespace pointsman {

FamilyCosts family_costs_of(std::span<const LedgerRun> matrix) {
  using Key = std::tuple<std::string, uint64_t, uint64_t>;
  std::map<Key, std::map<std::string, double>> blocks;
  for (const LedgerRun& run : matrix)
    if (run.selftest_ok && run.rejected.empty() && !run.costs.empty())
      blocks[{run.key.scenario, run.key.seed, run.key.draw}][run.key.controller] = run.costs.front().log_slowdown;
  std::map<std::string, std::array<std::pair<double, int>, kChoosable>> sums;
  for (const auto& [key, by_arm] : blocks) {
    const auto eevdf = by_arm.find(std::string(arms()[kEevdf].name));
    if (eevdf == by_arm.end()) continue;
    auto& sum = sums[std::get<0>(key)];
    for (size_t arm = 0; arm < kChoosable; ++arm)
      if (const auto own = by_arm.find(std::string(arms()[arm].name)); own != by_arm.end()) {
        sum[arm].first += own->second - eevdf->second;
        ++sum[arm].second;
      }
  }
  FamilyCosts costs;
  for (const auto& [family, sum] : sums)
    for (size_t arm = 0; arm < kChoosable; ++arm)
      costs[family][arm] = sum[arm].second > 0 ? sum[arm].first / sum[arm].second : std::numeric_limits<double>::quiet_NaN();
  return costs;
}

Result<std::vector<ScheduleEntry>> oracle_plan(const Scenario& scenario, const FamilyCosts& costs, const OracleOptions& options) {
  const auto switch_cost = [&](ArmId from, ArmId to, int64_t length_ns) {
    if (from == to) return 0.0;
    const int64_t ns = from == kEevdf || to == kEevdf ? options.warm_ns : options.hot_ns;
    return static_cast<double>(ns) / static_cast<double>(length_ns);
  };
  constexpr double kNever = std::numeric_limits<double>::infinity();
  std::array<double, kChoosable> best{};  // of all plans that end under this arm
  std::vector<std::array<ArmId, kChoosable>> came_from;
  for (size_t phase = 0; phase < scenario.phases.size(); ++phase) {
    const auto found = costs.find(scenario.phases[phase].family);
    if (found == costs.end()) return fail(ErrorCode::kNotFound, "the matrix has no runs of {}, which the oracle needs", scenario.phases[phase].family);
    std::array<double, kChoosable> next{};
    std::array<ArmId, kChoosable> from{};
    for (ArmId to = 0; to < kChoosable; ++to) {
      double least = kNever;
      for (ArmId before = 0; before < kChoosable; ++before) {
        const double total = best[static_cast<size_t>(before)] + (phase == 0 ? 0 : switch_cost(before, to, scenario.phases[phase].length_ns));
        if (total < least) {
          least = total;
          from[static_cast<size_t>(to)] = before;
        }
      }
      const double own = found->second[static_cast<size_t>(to)];
      next[static_cast<size_t>(to)] = least + (std::isfinite(own) ? own : kNever);
    }
    best = next;
    came_from.push_back(from);
  }
  std::vector<ArmId> chosen(scenario.phases.size());
  auto arm = static_cast<ArmId>(std::min_element(best.begin(), best.end()) - best.begin());
  for (size_t phase = chosen.size(); phase-- > 0;) {
    chosen[phase] = arm;
    arm = came_from[phase][static_cast<size_t>(arm)];
  }
  std::vector<ScheduleEntry> plan;
  int64_t at_ns = 0;
  for (size_t phase = 0; phase < chosen.size(); ++phase) {
    if (plan.empty() || plan.back().arm != chosen[phase]) plan.push_back({at_ns, chosen[phase]});
    at_ns += scenario.phases[phase].length_ns;
  }
  return plan;
}

Result<Scenario> draw_held_out_scenario(uint64_t seed, int64_t phase_ns) {
  std::vector<std::string_view> families(held_out_families().begin(), held_out_families().end());
  // Lengths come from the common rule: a scenario of as many phases, of which only the families are replaced.
  auto scenario = draw_scenario("mixed", seed, static_cast<int>(families.size()), phase_ns);
  if (!scenario) return scenario;
  Rng rng(seed, "held-out order");
  for (size_t i = families.size(); i > 1; --i) std::swap(families[i - 1], families[rng.below(i)]);
  for (size_t i = 0; i < families.size(); ++i) scenario->phases[i].family = families[i];
  scenario->name = fmt::format("held-out-{}", seed);
  return scenario;
}

}  // namespace pointsman

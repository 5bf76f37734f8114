#include "learn/oracle.h"

#include <algorithm>
#include <array>
#include <limits>

namespace pointsman {

std::map<std::string, ArmCosts> family_costs(const Dataset& matrix) {
  std::map<std::string, ArmCosts> out;
  std::map<std::string, int> blocks;
  for (const Block& block : matrix.blocks) {
    ArmCosts& sum = out[block.family];
    for (size_t arm = 0; arm < kChoosable; ++arm) sum[arm] += block.log_cost[arm] - block.log_cost[kEevdf];
    ++blocks[block.family];
  }
  for (auto& [family, sum] : out)
    for (double& cost : sum) cost /= blocks.at(family);
  return out;
}

Result<std::vector<ScheduleEntry>> oracle_schedule(std::span<const OraclePhase> phases, const std::map<std::string, ArmCosts>& costs,
                                                   const OracleOptions& options) {
  if (phases.empty()) return fail(ErrorCode::kInvalidArgument, "an oracle without phases has nothing to know");
  std::vector<ArmCosts> phase_costs;
  for (size_t p = 0; p < phases.size(); ++p) {
    const OraclePhase& phase = phases[p];
    if (phase.length_ns <= 0 || (p > 0 && phase.from_ns <= phases[p - 1].from_ns))
      return fail(ErrorCode::kInvalidArgument, "phase {} ({}): phases have a length and follow one another", p + 1, phase.family);
    const auto known = costs.find(phase.family);
    if (known == costs.end()) return fail(ErrorCode::kNotFound, "the matrix has no costs of family '{}'", phase.family);
    phase_costs.push_back(known->second);
  }
  // While it swaps, a phase costs what it costs under the old arm, or under eevdf when eevdf is crossed; who comes late to a dearer arm
  // loses nothing.
  const auto swap_loss = [&](size_t p, ArmId from, ArmId to) {
    if (from == to) return 0.0;
    const bool warm = from == kEevdf || to == kEevdf;
    const int64_t swap_ns = warm ? options.warm_swap_ns : options.hot_swap_ns;
    const double share = std::min(1.0, static_cast<double>(swap_ns) / static_cast<double>(phases[p].length_ns));
    const ArmCosts& cost = phase_costs[p];
    return share * std::max(0.0, cost[static_cast<size_t>(warm ? kEevdf : from)] - cost[static_cast<size_t>(to)]);
  };

  std::array<double, kChoosable> total = phase_costs[0];  // the first arm is there from the start
  std::vector<std::array<ArmId, kChoosable>> came_from(phases.size());
  for (size_t p = 1; p < phases.size(); ++p) {
    std::array<double, kChoosable> next;
    next.fill(std::numeric_limits<double>::infinity());
    for (ArmId to = 0; to < kChoosable; ++to)
      for (ArmId from = 0; from < kChoosable; ++from) {
        const auto f = static_cast<size_t>(from), t = static_cast<size_t>(to);
        const double cost = total[f] + swap_loss(p, from, to) + phase_costs[p][t];
        // Ties stay: a swap that brings nothing is not made.
        if (cost < next[t] || (cost == next[t] && from == to)) {
          next[t] = cost;
          came_from[p][t] = from;
        }
      }
    total = next;
  }
  auto arm = static_cast<ArmId>(std::min_element(total.begin(), total.end()) - total.begin());
  std::vector<ArmId> chosen(phases.size());
  for (size_t p = phases.size(); p-- > 0;) {
    chosen[p] = arm;
    if (p > 0) arm = came_from[p][static_cast<size_t>(arm)];
  }
  std::vector<ScheduleEntry> out{{0, chosen[0]}};
  for (size_t p = 1; p < phases.size(); ++p)
    if (chosen[p] != out.back().arm)
      out.push_back({std::max<int64_t>(phases[p].from_ns - options.ahead_ns, out.back().at_ns + 1), chosen[p]});
  return out;
}

}  // namespace pointsman

#include "lab/rivals.h"

#include "lab/splits.h"
#include "learn/oracle.h"

namespace pointsman {

Result<std::vector<ScheduleEntry>> oracle_plan(const Scenario& scenario, const std::map<std::string, ArmCosts>& costs) {
  // What a swap is taken to cost: hot as measured, warm as measured under load.
  constexpr int64_t kHotSwapNs = 2'000'000, kWarmSwapNs = 150'000'000;
  std::vector<OraclePhase> phases;
  int64_t at_ns = 0;
  for (const Phase& phase : scenario.phases) {
    phases.push_back({phase.family, at_ns, phase.length_ns});
    at_ns += phase.length_ns;
  }
  return oracle_schedule(phases, costs, {.hot_swap_ns = kHotSwapNs, .warm_swap_ns = kWarmSwapNs});
}

std::string train_static_of(const Dataset& matrix) {
  Dataset train;
  for (const Block& block : matrix.blocks)
    if (split_of(block.family, block.seed) == "train") train.blocks.push_back(block);
  return std::string(arm_name(best_static(train)));
}

}  // namespace pointsman

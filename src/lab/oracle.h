// Oracle: knows the boundaries of the phases and the matrix, and pays for its swaps. What a perfect chooser without any learning to do would reach.
#pragma once

#include <array>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "learn/dataset.h"
#include "learn/schedule.h"
#include "store/run.h"
#include "workload/scenario.h"

namespace pointsman {

// Mean ln cost of every choosable arm in each family, as ratio to eevdf: what the matrix says. NaN where an arm has no sound run.
using FamilyCosts = std::map<std::string, ArmCosts>;
FamilyCosts family_costs_of(std::span<const LedgerRun> matrix);

struct OracleOptions {
  // What a swap takes from the phase that it opens, as time under the old arm or under none: hot is negligible, warm was measured under load.
  int64_t hot_ns = 2 * kMillisecond, warm_ns = 300 * kMillisecond;
};

// The arms of least total cost over the phases, switches included (exact, by dynamic programming). Errors: kNotFound (a family that the matrix lacks).
Result<std::vector<ScheduleEntry>> oracle_plan(const Scenario& scenario, const FamilyCosts& costs, const OracleOptions& options);

// The six families that no training has seen, each once, in an order drawn by seed; phase lengths as draw_scenario has them.
Result<Scenario> draw_held_out_scenario(uint64_t seed, int64_t phase_ns);

}  // namespace pointsman

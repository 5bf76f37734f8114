// Rivals: what an agent's episodes in the lab are held against: the oracle, and the static arm that the data of train would have chosen.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "learn/dataset.h"
#include "learn/schedule.h"
#include "workload/scenario.h"

namespace pointsman {

// What the oracle does in a scenario, by the matrix's costs (family_costs) and what swaps cost here. Errors: those of oracle_schedule.
Result<std::vector<ScheduleEntry>> oracle_plan(const Scenario& scenario, const std::map<std::string, ArmCosts>& costs);
// The static arm that is best on the blocks of the split train.
std::string train_static_of(const Dataset& matrix);

}  // namespace pointsman

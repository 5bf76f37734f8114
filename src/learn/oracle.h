// Oracle: the schedule of one who knows the phases and what every arm costs in each family. With swap costs it stays where a crossing does
// not pay for itself. Source of the search: dynamic programming over (phase, arm); Bellman, 1957.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "learn/dataset.h"
#include "learn/schedule.h"

namespace pointsman {

// Mean cost of each choosable arm in each family of a matrix, ln ratio to eevdf.
std::map<std::string, ArmCosts> family_costs(const Dataset& matrix);

struct OraclePhase {
  std::string family;
  int64_t from_ns = 0, length_ns = 0;
};
struct OracleOptions {
  int64_t ahead_ns = 2'000'000;  // how long before a boundary it swaps
  // How long a swap takes to take effect; 0: swaps are free.
  int64_t hot_swap_ns = 0;   // between policies of the portfolio
  int64_t warm_swap_ns = 0;  // to and from eevdf
};
// Phases count equally, as in the evaluation. Errors: kInvalidArgument (no phases, times that do not rise), kNotFound (a family that the
// matrix does not have).
Result<std::vector<ScheduleEntry>> oracle_schedule(std::span<const OraclePhase> phases, const std::map<std::string, ArmCosts>& costs,
                                                   const OracleOptions& options);

}  // namespace pointsman

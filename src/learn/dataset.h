// Dataset: what a policy is learned from and judged by: blocks in which the cost of every choosable arm is known (full information), with
// the windows seen under each.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "learn/features.h"
#include "sched/arm.h"

namespace pointsman {

using ArmCosts = std::array<double, kChoosable>;

// One draw of one family: the same jobs under every arm.
struct Block {
  std::string family{};
  uint64_t seed = 0, draw = 0;
  double weight = 1;     // of its family beside the others, the same in all its blocks
  ArmCosts log_cost{};  // of the whole run under each arm, as ln ratio to a common reference (eevdf)
  std::array<std::vector<FeatureVector>, kChoosable> windows{};  // busy ones, in order of time; those of arm a were seen while a was active
};

struct Dataset {
  std::vector<Block> blocks{};
};

// Errors: kInvalidArgument (no blocks; a cost or feature that is not finite; a block without windows under any arm), naming the block.
Result<Unit> check(const Dataset& dataset);

// The choosable arm of least mean cost, families counting by their weights: what one would install who may install one thing. Ties go to the first.
ArmId best_static(const Dataset& dataset);

// Identity of the feature catalogue: names and formulas in order. What was recorded or learned on other features means nothing here.
std::string feature_catalogue_hash();

}  // namespace pointsman

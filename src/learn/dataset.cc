#include "learn/dataset.h"

#include <cmath>
#include <map>

#include "base/hash.h"

namespace pointsman {

Result<Unit> check(const Dataset& dataset) {
  if (dataset.blocks.empty()) return fail(ErrorCode::kInvalidArgument, "the data set has no blocks");
  for (const Block& block : dataset.blocks) {
    size_t windows = 0;
    if (!(block.weight > 0) || !std::isfinite(block.weight))
      return fail(ErrorCode::kInvalidArgument, "{} seed {} draw {} has the weight {}", block.family, block.seed, block.draw, block.weight);
    for (size_t arm = 0; arm < kChoosable; ++arm) {
      if (!std::isfinite(block.log_cost[arm]))
        return fail(ErrorCode::kInvalidArgument, "{} seed {} draw {}: the cost under {} is not a number", block.family, block.seed,
                    block.draw, arms()[arm].name);
      windows += block.windows[arm].size();
      for (const FeatureVector& window : block.windows[arm])
        for (size_t f = 0; f < kFeatures; ++f)
          if (!std::isfinite(window[f]))
            return fail(ErrorCode::kInvalidArgument, "{} seed {} draw {} under {}: feature '{}' is not a number", block.family, block.seed,
                        block.draw, arms()[arm].name, feature_catalogue()[f].name);
    }
    if (windows == 0) return fail(ErrorCode::kInvalidArgument, "{} seed {} draw {} has no windows", block.family, block.seed, block.draw);
  }
  return Unit{};
}

ArmId best_static(const Dataset& dataset) {
  struct Sum {
    ArmCosts cost{};
    double blocks = 0, weight = 1;
  };
  std::map<std::string_view, Sum> families;
  for (const Block& block : dataset.blocks) {
    Sum& sum = families[block.family];
    for (size_t arm = 0; arm < kChoosable; ++arm) sum.cost[arm] += block.log_cost[arm];
    sum.blocks += 1;
    sum.weight = block.weight;
  }
  ArmCosts total{};
  for (const auto& [family, sum] : families)
    for (size_t arm = 0; arm < kChoosable; ++arm) total[arm] += sum.weight * sum.cost[arm] / sum.blocks;
  ArmId best = 0;
  for (ArmId arm = 1; arm < kChoosable; ++arm)
    if (total[static_cast<size_t>(arm)] < total[static_cast<size_t>(best)]) best = arm;
  return best;
}

std::string feature_catalogue_hash() {
  Hash64 hash;
  for (const FeatureSpec& feature : feature_catalogue()) hash.add(feature.name).add(feature.formula);
  return hash.hex();
}

}  // namespace pointsman

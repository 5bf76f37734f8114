// A data set with a known answer, for the tests of learners and judges.
#pragma once

#include <string>

#include "base/rng.h"
#include "learn/dataset.h"

namespace pointsman {

// A world with a known answer: each family sits at a place in feature space, moved by the active arm and blurred by noise; its costs are
// known, its best arm differs.
struct World {
  double noise = .5;
  double shift = .5;  // by the active arm
  double cost_noise = .02;
};
inline constexpr ArmCosts kCosts[] = {
    {0, -.1, -.6, .3, -.5, -.2},   // las
    {0, -.4, .0, -.5, -.1, -.2},   // age, hyb close behind
    {0, .3, .4, .3, .2, .3},       // eevdf
    {0, -.3, -.1, .6, -.1, -.6},   // ipre
    {0, -.2, -.2, -.2, -.2, -.2},  // nothing to gain
};

inline Dataset make_world(const World& world, uint64_t first_seed, int seeds, int windows = 12, int families = 5) {
  Dataset out;
  for (int family = 0; family < families; ++family) {
    Rng place(77, "place", static_cast<uint64_t>(family));
    FeatureVector centre{};
    for (double& v : centre) v = 2 * place.normal();
    for (int s = 0; s < seeds; ++s) {
      Block block;
      block.family = "family" + std::to_string(family);
      block.seed = first_seed + static_cast<uint64_t>(s);
      Rng rng(block.seed, "block", static_cast<uint64_t>(family));
      for (size_t arm = 0; arm < kChoosable; ++arm) {
        block.log_cost[arm] = arm == kEevdf ? 0 : kCosts[family][arm] + world.cost_noise * rng.normal();
        for (int w = 0; w < windows; ++w) {
          FeatureVector x = centre;
          for (size_t f = 0; f < kFeatures; ++f) x[f] += world.noise * rng.normal() + (f % kChoosable == arm ? world.shift : 0);
          block.windows[arm].push_back(x);
        }
      }
      out.blocks.push_back(block);
    }
  }
  return out;
}

}  // namespace pointsman

#include "learn/importance.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace pointsman {
namespace {

// Feature 7 says which of two arms is best, feature 12 repeats it with noise, the rest is noise.
Dataset world(uint64_t seed) {
  Dataset out;
  for (int b = 0; b < 24; ++b) {
    Rng rng(seed, "world", static_cast<uint64_t>(b));
    Block block{.family = b % 2 == 0 ? "one" : "other", .seed = static_cast<uint64_t>(b)};
    const double side = b % 4 < 2 ? 1 : -1;
    block.log_cost.fill(0);
    block.log_cost[2] = -.5 * side;
    block.log_cost[3] = .5 * side;
    for (auto& windows : block.windows)
      for (int w = 0; w < 6; ++w) {
        FeatureVector f{};
        for (double& v : f) v = rng.normal();
        f[7] = side + .1 * rng.normal();
        f[12] = side + 1.5 * rng.normal();
        windows.push_back(f);
      }
    out.blocks.push_back(std::move(block));
  }
  return out;
}

TrainOptions options() {
  TrainOptions out;
  out.algorithm = "ridge";
  out.rule = {.deviations = 0, .margin = .02, .ewma = 0};
  return out;
}

TEST(Importance, WhatAModelLeansOnIsMissedWhenItIsShuffled) {
  const Dataset seen = world(1), unseen = world(2);
  auto model = train(seen, options());
  ASSERT_TRUE(model) << model.error().message;
  const auto all = permutation_importance(*model, unseen);
  ASSERT_EQ(all.size(), static_cast<size_t>(kFeatures));
  EXPECT_EQ(all.front().feature, 7u);
  EXPECT_GT(all.front().loss, .3);
  for (size_t i = 1; i < all.size(); ++i) EXPECT_LT(all[i].loss, .1) << feature_catalogue()[all[i].feature].name;
  const auto again = permutation_importance(*model, unseen);
  EXPECT_EQ(again.front().loss, all.front().loss);
}

TEST(Importance, SelectionTakesWhatIsNotRedundant) {
  const Dataset seen = world(1), unseen = world(2);
  auto chosen = forward_selection(seen, unseen, options(), {.steps = 2});
  ASSERT_TRUE(chosen) << chosen.error().message;
  ASSERT_EQ(chosen->size(), 2u);
  EXPECT_EQ(chosen->front().feature, 7u);
  EXPECT_GT(chosen->front().outer, .9);
}

}  // namespace
}  // namespace pointsman

#include "learn/online_policy.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/rng.h"
#include "learn/softmax.h"
#include "learn/world_for_test.h"

namespace pointsman {
namespace {

constexpr std::array<bool, kChoosable> kAll{true, true, true, true, true, true};

// Lives of a few decisions each, one family after the other; a cost is that of the arm that was taken, and no other is told.
void play(OnlinePolicy& policy, const Dataset& data, int lives) {
  const size_t blocks = data.blocks.size();
  for (int life = 0; life < lives; ++life) {
    const Block& block = data.blocks[static_cast<size_t>(life) * 7 % blocks];
    ArmId active = kDefaultArm;
    for (int step = 0; step < 3; ++step) {
      const auto& windows = block.windows[static_cast<size_t>(active)];
      const OnlinePolicy::Drawn drawn = policy.draw(windows, active);
      policy.learn({.windows = windows, .active = active, .taken = drawn.arm, .propensity = drawn.propensity,
                    .cost = block.log_cost[static_cast<size_t>(drawn.arm)] - block.log_cost[kDefaultArm]});
      active = drawn.arm;
    }
  }
}

double mean_cost(const OnlinePolicy& policy, const Dataset& data) {
  double sum = 0;
  for (const Block& block : data.blocks) sum += block.log_cost[static_cast<size_t>(policy.best(block.windows[kDefaultArm], kDefaultArm))] - block.log_cost[kDefaultArm];
  return sum / static_cast<double>(data.blocks.size());
}
double least_cost(const Dataset& data) {
  double sum = 0;
  for (const Block& block : data.blocks) sum += *std::min_element(block.log_cost.begin(), block.log_cost.end()) - block.log_cost[kDefaultArm];
  return sum / static_cast<double>(data.blocks.size());
}

TEST(OnlinePolicy, FindsMostOfWhatThereIsFromTheCostOfWhatItTookAlone) {
  const Dataset seen = make_world({}, 1, 8, 6), unseen = make_world({}, 101, 6, 6);
  auto policy = OnlinePolicy::make({.offered = kAll});
  ASSERT_TRUE(policy);
  const double before = mean_cost(*policy, unseen);
  play(*policy, seen, 80);
  EXPECT_LT(mean_cost(*policy, unseen), .8 * least_cost(unseen)) << "of " << least_cost(unseen) << ", and " << before << " before it learned";
  EXPECT_GT(before, .5 * least_cost(unseen)) << "an untrained one must not pass this test";
  EXPECT_EQ(policy->outcomes(), 240u);
}

TEST(OnlinePolicy, ExploresWithOneOverTheRootOfN) {
  auto policy = OnlinePolicy::make({.offered = kAll});
  ASSERT_TRUE(policy);
  const Dataset data = make_world({}, 1, 1, 2);
  for (int n = 1; n <= 100; ++n) {
    const auto drawn = policy->draw(data.blocks[0].windows[0], kDefaultArm);
    EXPECT_NEAR(drawn.exploring, 1 / std::sqrt(n), 1e-12);
    EXPECT_NEAR(drawn.propensity, (1 - drawn.exploring) * drawn.policy[static_cast<size_t>(drawn.arm)] + drawn.exploring / kChoosable, 1e-12);
  }
}

TEST(OnlinePolicy, ArmsThatCannotBeHadAreNeverTakenNorByItsModel) {
  std::array<bool, kChoosable> offered{};
  offered[kEevdf] = offered[3] = true;
  auto policy = OnlinePolicy::make({.offered = offered});
  ASSERT_TRUE(policy);
  const Dataset data = make_world({}, 1, 4);
  play(*policy, data, 15);
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(offered[static_cast<size_t>(policy->draw(data.blocks[0].windows[0], kEevdf).arm)]);
  const Model model = policy->model();
  for (const Block& block : data.blocks)
    for (const FeatureVector& window : block.windows[2]) {
      const Prediction p = model.predict(window, 2);
      for (size_t a = 0; a < kChoosable; ++a)
        if (!offered[a]) {
          EXPECT_GT(p.regret[0][a], 20) << "-ln of its probability";
        }
    }
}

TEST(OnlinePolicy, ItsModelSaysWhatItSaysAndSurvivesItsFile) {
  auto policy = OnlinePolicy::make({.offered = kAll, .hidden = {}});
  ASSERT_TRUE(policy);
  const Dataset data = make_world({}, 1, 4);
  play(*policy, data, 10);
  auto model = decode_model(encode_model(policy->model()));
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ(model->kind, ModelKind::kPolicy);
  const FeatureVector& window = data.blocks[1].windows[4][0];
  const auto mine = policy->draw({&window, 1}, 4).policy;
  const Prediction its = model->predict(window, 4);
  for (size_t a = 0; a < kChoosable; ++a) EXPECT_NEAR(mine[a], std::exp(-static_cast<double>(its.regret[0][a])), 1e-4);
}

TEST(OnlinePolicy, SameSeedSameBits) {
  const Dataset data = make_world({}, 1, 2);
  const auto trained = [&](uint64_t seed) {
    auto policy = OnlinePolicy::make({.offered = kAll, .seed = seed});
    play(*policy, data, 10);
    return encode_model(policy->model());
  };
  EXPECT_EQ(trained(5), trained(5));
  EXPECT_NE(trained(5), trained(6));
}

TEST(OnlinePolicy, WithoutWindowsItDrawsEvenlyAndLearnsNothing) {
  auto policy = OnlinePolicy::make({.offered = kAll, .explore = {}});
  ASSERT_TRUE(policy);
  EXPECT_NEAR(policy->draw({}, kDefaultArm).propensity, 1.0 / kChoosable, 1e-12);
  policy->learn({.windows = {}, .taken = 2, .cost = -1});
  EXPECT_EQ(policy->outcomes(), 0u);
}

TEST(OnlinePolicy, RefusesWhatCannotWork) {
  std::array<bool, kChoosable> one{};
  one[kEevdf] = true;
  EXPECT_EQ(OnlinePolicy::make({.offered = one}).error().message, "a policy chooses among at least two arms, not 1");
  EXPECT_EQ(OnlinePolicy::make({.offered = kAll, .explore = {.kind = Exploration::Kind::kUcb1}}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(OnlinePolicy::make({.offered = kAll, .hidden = {100000}}).error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace pointsman

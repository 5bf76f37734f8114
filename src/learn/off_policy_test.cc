#include "learn/off_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/rng.h"
#include "learn/explore.h"
#include "learn/softmax.h"

namespace pointsman {
namespace {

// A world whose truth is known: contexts x, costs by arm and context, a logging policy that leans, a target that leans elsewhere.
struct World {
  std::vector<LoggedDecision> log;
  double truth = 0;
};
World make(uint64_t seed, int blocks, int per_block, double model_error) {
  World w;
  Rng rng(seed, "off-policy world");
  for (int b = 0; b < blocks; ++b) {
    const double block_level = .3 * rng.normal();
    for (int i = 0; i < per_block; ++i) {
      const double x = rng.uniform(-1, 1);
      ArmCosts costs{}, logging{}, target{};
      for (size_t a = 0; a < kChoosable; ++a) {
        costs[a] = block_level + .2 * static_cast<double>(a) - .5 * x * (a % 2 == 0 ? 1 : -1);
        logging[a] = .3 * static_cast<double>(a) + x;
        target[a] = -.5 * static_cast<double>(a) - 2 * x * (a % 2 == 0 ? -1 : 1);
      }
      const ArmCosts mu = Explorer({.kind = Exploration::Kind::kConstant, .rate = .2}).mix(softmax(logging)), pi = softmax(target);
      LoggedDecision d{.block = static_cast<uint32_t>(b), .arm = draw_arm(mu, rng.uniform()), .target = pi};
      const auto arm = static_cast<size_t>(d.arm);
      d.propensity = mu[arm];
      d.cost = costs[arm] + .2 * rng.normal();
      for (size_t a = 0; a < kChoosable; ++a) {
        w.truth += pi[a] * costs[a] / (blocks * per_block);
        d.predicted[a] = costs[a] + model_error * (a < 2 ? 1 : -1);
      }
      w.log.push_back(d);
    }
  }
  return w;
}

TEST(OffPolicy, EveryEstimateFindsTheTruth) {
  double ips = 0, snips = 0, robust = 0, naive = 0;
  int covered = 0;
  const int worlds = 40;
  for (uint64_t seed = 0; seed < worlds; ++seed) {
    const World w = make(seed, 60, 20, .5);  // the model is badly off: only the weights can mend it
    const auto e = off_policy(w.log, {.resamples = 400});
    ASSERT_TRUE(e) << e.error().message;
    ips += (e->ips.value - w.truth) / worlds;
    snips += (e->snips.value - w.truth) / worlds;
    robust += (e->doubly_robust.value - w.truth) / worlds;
    naive += (e->logged - w.truth) / worlds;
    covered += e->doubly_robust.low <= w.truth && w.truth <= e->doubly_robust.high;
  }
  EXPECT_NEAR(ips, 0, .02);
  EXPECT_NEAR(snips, 0, .02);
  EXPECT_NEAR(robust, 0, .02);
  EXPECT_GT(naive, .2);
  EXPECT_GE(covered, 33);
}

TEST(OffPolicy, AGoodModelMakesTheDoublyRobustEstimateNarrow) {
  double good = 0, bad = 0;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    const World sharp = make(seed, 60, 20, 0), off = make(seed, 60, 20, 1);
    good += std::pow(off_policy(sharp.log, {.resamples = 0})->doubly_robust.value - sharp.truth, 2);
    bad += std::pow(off_policy(off.log, {.resamples = 0})->doubly_robust.value - off.truth, 2);
  }
  EXPECT_LT(good, bad / 3);
}

TEST(OffPolicy, TheSamePolicyCostsWhatItCost) {
  World w = make(1, 20, 20, 0);
  for (LoggedDecision& d : w.log) {
    d.propensity = 1.0 / 6;
    d.target.fill(1.0 / 6);
  }
  const auto e = off_policy(w.log, {.resamples = 0});
  EXPECT_NEAR(e->ips.value, e->logged, 1e-9);
  EXPECT_NEAR(e->snips.value, e->logged, 1e-9);
  EXPECT_NEAR(e->effective_decisions, 400, 1e-6);
  EXPECT_NEAR(e->largest_weight, 1, 1e-12);
}

TEST(OffPolicy, SaysWhatTheLogCannotSpeakFor) {
  std::vector<LoggedDecision> log;
  for (uint32_t i = 0; i < 10; ++i) log.push_back({.block = i, .arm = 1, .propensity = 1, .cost = .5, .target = {0, .25, .75, 0, 0, 0}});
  EXPECT_NEAR(off_policy(log)->unsupported, .75, 1e-12);
}

TEST(OffPolicy, RefusesALogWithHoles) {
  LoggedDecision good{.arm = 1, .propensity = .5, .cost = 1, .target = {0, 1, 0, 0, 0, 0}};
  EXPECT_EQ(off_policy({}).error().message, "off-policy evaluation: the log has no decisions");
  LoggedDecision bad = good;
  bad.propensity = 0;
  EXPECT_EQ(off_policy(std::vector{good, bad}).error().message,
            "off-policy evaluation: decision 2: its propensity is not in (0, 1]: what was not drawn tells nothing");
  bad = good;
  bad.target[2] = .5;
  EXPECT_EQ(off_policy(std::vector{bad}).error().message,
            "off-policy evaluation: decision 1: the target's probabilities do not add up to 1");
  bad = good;
  bad.cost = std::nan("");
  EXPECT_FALSE(off_policy(std::vector{bad}));
  bad = good;
  bad.arm = 9;
  EXPECT_FALSE(off_policy(std::vector{bad}));
}

}  // namespace
}  // namespace pointsman

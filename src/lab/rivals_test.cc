#include "lab/rivals.h"

#include <gtest/gtest.h>

namespace pointsman {
namespace {

ArmCosts dear_but(ArmId arm, double cost) {
  ArmCosts out;
  out.fill(0);
  out[static_cast<size_t>(arm)] = cost;
  return out;
}

TEST(Rivals, TheOracleTakesEachPhasesBestArmAtItsBeginning) {
  Scenario scenario;
  scenario.phases.resize(3);
  const ArmId las = *find_arm("las"), age = *find_arm("age");
  const char* names[] = {"inter", "batch", "inter"};
  for (size_t i = 0; i < 3; ++i) {
    scenario.phases[i].family = names[i];
    scenario.phases[i].length_ns = 4'011'000'000;
  }
  const auto plan = oracle_plan(scenario, {{"inter", dear_but(las, -1)}, {"batch", dear_but(age, -1)}});
  ASSERT_TRUE(plan) << plan.error().message;
  ASSERT_EQ(plan->size(), 3u);
  EXPECT_EQ((*plan)[0].at_ns, 0);
  EXPECT_EQ((*plan)[0].arm, las);
  EXPECT_EQ((*plan)[1].arm, age);
  EXPECT_NEAR(static_cast<double>((*plan)[1].at_ns), 4.011e9, 5e6);
  EXPECT_EQ((*plan)[2].arm, las);
  EXPECT_EQ(oracle_plan(scenario, {{"inter", dear_but(las, -1)}}).error().code, ErrorCode::kNotFound);
}

TEST(Rivals, TheStaticArmOfTrainIsBlindToEverythingElse) {
  const auto block = [](const char* family, uint64_t seed, ArmId best) {
    Block out;
    out.family = family;
    out.seed = seed;
    out.log_cost = dear_but(best, -1);
    return out;
  };
  const ArmId las = *find_arm("las"), age = *find_arm("age");
  Dataset matrix;
  matrix.blocks = {block("batch", 1, las), block("batch", 100, age), block("inter", 1000, age), block("mail", 1, age)};
  EXPECT_EQ(train_static_of(matrix), "las");
}

}  // namespace
}  // namespace pointsman

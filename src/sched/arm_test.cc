#include "sched/arm.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "bpf/portfolio/portfolio.intf.h"

namespace pointsman {
namespace {

TEST(Arms, EveryPolicyIsAnArmOnce) {
  std::set<int> policies;
  for (const Arm& arm : arms()) {
    if (arm.kind == ArmKind::kPolicy) policies.insert(arm.policy);
  }
  EXPECT_EQ(policies.size(), static_cast<size_t>(PM_POLICIES));
  EXPECT_EQ(*policies.begin(), 0);
  EXPECT_EQ(*policies.rbegin(), PM_POLICIES - 1);
  EXPECT_EQ(arms().size(), policies.size() + 1);
}

TEST(Arms, NamesLeadBackToTheArm) {
  for (ArmId id = 0; id < static_cast<ArmId>(arms().size()); id++) {
    EXPECT_EQ(*find_arm(arms()[id].name), id);
    if (arms()[id].kind == ArmKind::kPolicy) {
      EXPECT_EQ(*arm_of_policy(arms()[id].policy), id);
    }
  }
}

TEST(Arms, AWrongNameIsAnsweredWithTheRightOnes) {
  const auto arm = find_arm("cfs");
  ASSERT_FALSE(arm);
  EXPECT_EQ(arm.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(arm.error().message, "no arm 'cfs' (there are: eevdf, hyb, las, age, sjf, ipre, rtc, rr, vtime, dl)");
}

}  // namespace
}  // namespace pointsman

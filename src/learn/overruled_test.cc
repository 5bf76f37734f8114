#include "learn/overruled.h"

#include <gtest/gtest.h>

#include "base/clock.h"
#include "learn/controllers.h"

namespace pointsman {
namespace {

Context at(int64_t since_start_ns) {
  Context context;
  context.since_start_ns = since_start_ns;
  return context;
}

TEST(Overruled, is_the_inner_controller_outside_its_span_and_the_given_arm_inside) {
  auto inner = make_controller("random:every=1", 7), twin = make_controller("random:every=1", 7);
  ASSERT_TRUE(inner && twin);
  const ArmId las = *find_arm("las");
  Overruled overruled(std::move(*inner), {.from_ns = 3 * kSecond, .until_ns = 6 * kSecond, .arm = las});
  EXPECT_EQ(overruled.first_arm(), (*twin)->first_arm());
  int different = 0;
  for (int64_t second = 0; second < 12; ++second) {
    const Decision alone = (*twin)->decide(at(second * kSecond)), decision = overruled.decide(at(second * kSecond));
    if (second >= 3 && second < 6) {
      EXPECT_EQ(decision.arm, las) << second;
      EXPECT_EQ(decision.propensity, 1) << second;
      different += alone.arm != las ? 1 : 0;
    } else {
      EXPECT_EQ(decision.arm, alone.arm) << second << ": being overruled must not change what it draws later";
      EXPECT_EQ(decision.propensity, alone.propensity) << second;
    }
  }
  EXPECT_GT(different, 0);
}

TEST(Overruled, says_what_was_wanted) {
  auto inner = make_controller("age");
  ASSERT_TRUE(inner);
  Overruled overruled(std::move(*inner), {.from_ns = 0, .until_ns = 1, .arm = *find_arm("sjf")});
  EXPECT_EQ(overruled.decide(at(0)).why, "overruled: sjf instead of age");
  EXPECT_TRUE(overruled.literal());
}

}  // namespace
}  // namespace pointsman

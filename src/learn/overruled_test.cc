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

// What the inner one records and replays is part of the past that both runs share.
TEST(Overruled, asks_for_what_the_inner_one_asks_for) {
  Context ended = at(5 * kSecond);
  ended.cost_window_ended = true;
  for (const char* bursts : {"no", "asleep", "recorded", "yes"}) {
    auto inner = make_controller(std::string("static:arm=hyb,bursts=") + bursts), twin = make_controller(std::string("static:arm=hyb,bursts=") + bursts);
    ASSERT_TRUE(inner && twin);
    const Overruled overruled(std::move(*inner), {.from_ns = 0, .until_ns = 1, .arm = kEevdf});
    EXPECT_EQ(overruled.wants_bursts(), (*twin)->wants_bursts()) << bursts;
    EXPECT_EQ(overruled.wants_live_cost(), (*twin)->wants_live_cost()) << bursts;
    for (const Context& context : {at(0), at(5 * kSecond), ended}) {
      EXPECT_EQ(overruled.wants_recording(context), (*twin)->wants_recording(context)) << bursts;
      EXPECT_EQ(overruled.replays_from_ns(context), (*twin)->replays_from_ns(context)) << bursts;
    }
  }
  const auto mode = [](const char* spec) { return std::move(*make_controller(spec)); };
  EXPECT_FALSE(mode("static:arm=hyb,bursts=asleep")->wants_recording(ended));
  EXPECT_TRUE(mode("static:arm=hyb,bursts=recorded")->wants_recording(ended));
  EXPECT_EQ(mode("static:arm=hyb,bursts=recorded")->replays_from_ns(ended), std::nullopt);
  EXPECT_EQ(mode("static:arm=hyb,bursts=yes")->replays_from_ns(ended), 0);
  EXPECT_EQ(make_controller("static:arm=hyb,bursts=maybe").error().message, "controller 'static': bursts=maybe is none of no, asleep, recorded, yes");
}

}  // namespace
}  // namespace pointsman

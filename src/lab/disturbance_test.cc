#include "lab/disturbance.h"

#include <gmock/gmock.h>

#include "base/clock.h"

namespace pointsman {
namespace {

using testing::HasSubstr;

TEST(Disturbance, IsReadAndSpelledAlike) {
  for (const char* text : {"hogs@1000000us-3000000us:12", "nappers@0us-500000us:32", "fork_bomb@250us-2000000us:2000", "sysrq@1500000us", "foreign@1us-2us"}) {
    auto parsed = parse_disturbance(text);
    ASSERT_TRUE(parsed) << parsed.error().message;
    EXPECT_EQ(spell(*parsed), text);
  }
  auto bomb = parse_disturbance("fork_bomb@500ms-2.5s");
  ASSERT_TRUE(bomb);
  EXPECT_EQ(bomb->kind, Disturbance::Kind::kForkBomb);
  EXPECT_EQ(bomb->from_ns, 500 * kMillisecond);
  EXPECT_EQ(bomb->until_ns, 2500 * kMillisecond);
  EXPECT_EQ(bomb->count, 200);
}

TEST(Disturbance, WhatIsWrongIsSaid) {
  const auto complaint = [](const char* text) {
    auto parsed = parse_disturbance(text);
    EXPECT_FALSE(parsed) << text;
    if (!parsed) { EXPECT_EQ(parsed.error().code, ErrorCode::kInvalidArgument); }
    return parsed ? std::string() : parsed.error().message;
  };
  EXPECT_THAT(complaint("hogs"), HasSubstr("has no @"));
  EXPECT_THAT(complaint("pigs@1s-2s"), HasSubstr("there is no kind 'pigs'"));
  EXPECT_THAT(complaint("hogs@1s"), HasSubstr("has no end"));
  EXPECT_THAT(complaint("hogs@2s-1s"), HasSubstr("ends before it begins"));
  EXPECT_THAT(complaint("hogs@1s-2s:0"), HasSubstr("allowed are 1 to 2000"));
  EXPECT_THAT(complaint("hogs@1s-2s:3x"), HasSubstr("'3x'"));
  EXPECT_THAT(complaint("foreign@1s-2s:3"), HasSubstr("has no count"));
  EXPECT_THAT(complaint("sysrq@1s-2s"), HasSubstr("happens once"));
  EXPECT_THAT(complaint("hogs@soon-2s"), HasSubstr("soon"));
}

}  // namespace
}  // namespace pointsman

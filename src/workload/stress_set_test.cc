#include "workload/stress_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace pointsman {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

StressSetOptions seeded(uint64_t seed) {
  StressSetOptions options;
  options.seed = seed;
  return options;
}

TEST(StressSet, OneSeedIsOneSetAndWorkIsFixed) {
  std::set<std::string> commands;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    auto set = draw_stress_set(seeded(seed)), again = draw_stress_set(seeded(seed));
    ASSERT_TRUE(set && again);
    ASSERT_EQ(set->size(), 4u);
    EXPECT_EQ(command_of(*set, seeded(seed)), command_of(*again, seeded(seed)));
    std::set<std::string> names;
    std::string command;
    for (const std::string& word : command_of(*set, seeded(seed))) command += word + " ";
    for (const Stressor& s : *set) {
      EXPECT_TRUE(names.insert(s.name).second) << s.name << " twice";
      EXPECT_THAT(s.instances, testing::AllOf(testing::Ge(1), testing::Le(4)));
      EXPECT_GE(s.ops, s.instances);
      EXPECT_THAT(command, HasSubstr("--" + s.name + "-ops "));
    }
    EXPECT_THAT(command, HasSubstr("--no-rand-seed"));
    EXPECT_EQ(censored(command), "");
    commands.insert(command);
  }
  EXPECT_GT(commands.size(), 18u);
}

TEST(StressSet, AnyStressorByNameButItsWorkMustBeKnown) {
  StressSetOptions options;
  options.named = {"pipe:2:500", "cpu", "sockpair:1:10"};
  auto set = draw_stress_set(options);
  ASSERT_TRUE(set) << set.error().message;
  EXPECT_EQ((*set)[0].ops, 500);
  EXPECT_GT((*set)[1].ops, 0);
  EXPECT_EQ((*set)[2].name, "sockpair");
  options.named = {"sockpair"};
  EXPECT_THAT(draw_stress_set(options).error().message, HasSubstr("give it as NAME:INSTANCES:OPS"));
  options.timeout_s = 5;
  EXPECT_TRUE(draw_stress_set(options));
}

TEST(StressSet, WhatOperationsDoNotEndHasNoFixedWork) {
  StressSetOptions options;
  options.named = {"sem:1:100"};
  EXPECT_THAT(draw_stress_set(options).error().message, HasSubstr("sem-sysv can"));
  options.timeout_s = 5;
  EXPECT_TRUE(draw_stress_set(options));
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    const auto set = draw_stress_set(seeded(seed));
    for (const Stressor& s : *set) EXPECT_NE(s.name, "sem") << "seed " << seed;
  }
}

TEST(StressSet, SaysWhatIsWrong) {
  StressSetOptions options;
  for (const char* text : {"", "--help", "cpu;reboot", "cpu:0", "cpu:1:2:3", "cpu:x", "cpu:1:-4", "CPU"}) {
    options.named = {text};
    auto set = draw_stress_set(options);
    ASSERT_FALSE(set) << text;
    EXPECT_EQ(set.error().code, ErrorCode::kInvalidArgument);
  }
  options = {};
  options.kinds = 100;
  EXPECT_FALSE(draw_stress_set(options));
  options = {};
  options.timeout_s = -1;
  EXPECT_FALSE(draw_stress_set(options));
}

TEST(StressSet, TheSeedsOwnFormIsAcceptedAndFlagged) {
  StressSetOptions options;
  options.timeout_s = 5;
  options.named = {"cpu:2"};
  auto set = draw_stress_set(options);
  ASSERT_TRUE(set);
  EXPECT_THAT(command_of(*set, options), ElementsAre("stress-ng", "--no-rand-seed", "--cpu", "2", "--timeout", "5"));
  for (const char* command : {"stress-ng --cpu 2 --timeout 5", "stress-ng --cpu 2 -t 5s", "/usr/bin/stress-ng -t5 --io 1", "sh -c 'stress-ng --vm 1 --timeout=1m'"})
    EXPECT_THAT(censored(command), HasSubstr("censored")) << command;
  for (const char* command : {"stress-ng --cpu 2 --cpu-ops 100", "stress-ng --cpu 1 --cpu-ops 5 --timeout 0", "timeout -t 5 make", "make -t", ""}) EXPECT_EQ(censored(command), "") << command;
}

}  // namespace
}  // namespace pointsman

#include "sched/swap_storm.h"

#include <gtest/gtest.h>

namespace pointsman {
namespace {

TEST(StormOptions, AnEmptyRequestIsTheStandardCrowd) {
  const auto options = storm_options_from(nlohmann::json::object());
  ASSERT_TRUE(options);
  EXPECT_EQ(options->crowd.hogs + options->crowd.nappers + options->crowd.io, 200);
  EXPECT_EQ(options->swap, StormOptions::Swap::kFlip);
}

TEST(StormOptions, EveryKeyArrives) {
  const auto options = storm_options_from({{"swap", "cross"},
                                           {"policy", 2},
                                           {"period_us", 500},
                                           {"most_swaps", 7},
                                           {"hotplug", true},
                                           {"kernel_work", true},
                                           {"limit_s", 9},
                                           {"hogs", 1},
                                           {"nappers", 2},
                                           {"io", 3},
                                           {"work_ms", 4},
                                           {"varied", true},
                                           {"seed", 5}});
  ASSERT_TRUE(options) << options.error().message;
  EXPECT_EQ(options->swap, StormOptions::Swap::kCross);
  EXPECT_EQ(options->first_policy, 2);
  EXPECT_EQ(options->period_ns, 500 * kMicrosecond);
  EXPECT_EQ(options->most_swaps, 7);
  EXPECT_TRUE(options->hotplug && options->kernel_work && options->crowd.varied);
  EXPECT_EQ(options->limit_ns, 9 * kSecond);
  EXPECT_EQ(options->crowd.hogs, 1);
  EXPECT_EQ(options->crowd.nappers, 2);
  EXPECT_EQ(options->crowd.io, 3);
  EXPECT_EQ(options->crowd.work_ns, 4 * kMillisecond);
  EXPECT_EQ(options->crowd.seed, 5u);
}

TEST(StormOptions, WhatIsWrongIsNamedWithWhatIsAllowed) {
  EXPECT_EQ(storm_options_from({{"policy", 9}}).error().message, "storm: policy is 9, allowed are 0 to 8");
  EXPECT_EQ(storm_options_from({{"swap", "dance"}}).error().message, "storm: swap is \"dance\", allowed are none, flip, store, cross");
  EXPECT_EQ(storm_options_from({{"hogs", "many"}}).error().message, "storm: hogs is \"many\", allowed are 0 to 10000");
  EXPECT_EQ(storm_options_from({{"varied", 1}}).error().message, "storm: varied is 1, allowed are true and false");
}

}  // namespace
}  // namespace pointsman

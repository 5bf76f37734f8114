#include "learn/live_cost.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/rng.h"

namespace pointsman {
namespace {

constexpr int64_t kMs = 1'000'000;

RecordedBurst burst(uint32_t task, double wake_ms, double end_ms) {
  return {.wake_ns = static_cast<int64_t>(wake_ms * kMs), .end_ns = static_cast<int64_t>(end_ms * kMs), .cpu_ns = kMs, .task = task};
}

TEST(LiveCost, FinishedEpisodesCountTheirTurnaround) {
  // Two bursts with a nap of 1 ms between them are one episode of 10 ms; a sleep of 5 ms begins another, of 4 ms.
  const std::vector<RecordedBurst> bursts{burst(1, 10, 15), burst(1, 16, 20), burst(1, 25, 29)};
  const auto cost = live_cost(bursts, 0, 100 * kMs);
  ASSERT_TRUE(cost);
  EXPECT_EQ(cost->arrivals, 2);
  EXPECT_NEAR(cost->log_turnaround, (std::log(10e6) + std::log(4e6)) / 2, 1e-12);
}

TEST(LiveCost, UnfinishedWorkIsChargedWithItsGrowth) {
  // Under way since 10 ms: in (20, 40] its turnaround grows from 10 to 30 ms.
  const auto cost = live_cost(std::vector{burst(1, 10, 40)}, 20 * kMs, 40 * kMs);
  ASSERT_TRUE(cost);
  EXPECT_EQ(cost->arrivals, 0);
  EXPECT_NEAR(cost->log_turnaround, std::log(3), 1e-12);
}

TEST(LiveCost, WhatTheFloorHidesCostsNothing) {
  const auto cost = live_cost(std::vector{burst(1, 10, 10.01), burst(2, 20, 20.04)}, 0, 100 * kMs);
  EXPECT_NEAR(cost->log_turnaround, std::log(50e3), 1e-12);
}

TEST(LiveCost, NothingThereNoCost) {
  EXPECT_FALSE(live_cost({}, 0, kMs));
  EXPECT_FALSE(live_cost(std::vector{burst(1, 10, 20)}, 30 * kMs, 40 * kMs));
  EXPECT_FALSE(live_cost(std::vector{burst(1, 50, 60)}, 30 * kMs, 40 * kMs));
}

TEST(LiveCost, WindowsAddUpToTheWholeRun) {
  Rng rng(1, "live cost");
  std::vector<RecordedBurst> bursts;
  for (uint32_t task = 1; task <= 20; ++task) {
    double at = rng.uniform(0, 100);
    while (at < 900) {
      const double end = at + rng.exponential(20);
      bursts.push_back(burst(task, at, end));
      at = end + rng.exponential(8);
    }
  }
  const auto whole = live_cost(bursts, -kMs, 5000 * kMs);
  ASSERT_TRUE(whole);
  double sum = 0;
  int arrivals = 0;
  for (int64_t at = -1; at < 5000; at += 67) {
    const auto part = live_cost(bursts, at * kMs, std::min<int64_t>(at + 67, 5000) * kMs);
    if (!part) continue;
    sum += part->log_turnaround * std::max(part->arrivals, 1);
    arrivals += part->arrivals;
  }
  EXPECT_EQ(arrivals, whole->arrivals);
  EXPECT_NEAR(sum, whole->log_turnaround * whole->arrivals, 1e-6);
}

}  // namespace
}  // namespace pointsman

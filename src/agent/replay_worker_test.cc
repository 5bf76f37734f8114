#include "agent/replay_worker.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/clock.h"

namespace pointsman {
namespace {

// Equal processes that come together: first come, first served ends them soonest in the mean.
std::vector<RecordedBurst> batch(uint32_t first, uint32_t count, int64_t wake_ns = 0) {
  std::vector<RecordedBurst> out;
  for (uint32_t task = first; task < first + count; ++task)
    out.push_back({.wake_ns = wake_ns,
                   .end_ns = wake_ns + kSecond,
                   .cpu_ns = 60 * kMillisecond,
                   .task = task,
                   .process_start_ns = task,
                   .newborn = true});
  return out;
}

Comparison directly(const std::vector<RecordedBurst>& bursts) { return Replay::of(bursts, {.cpus = 4})->compare(); }

std::optional<ReplayWorker::Answer> wait_for(ReplayWorker& worker) {
  for (;;) {
    if (auto answer = worker.take()) return answer;
    std::this_thread::yield();
  }
}

TEST(ReplayWorker, AnswersWhatAReplayAtOnceWould) {
  for (const bool background : {false, true}) {
    ReplayWorker worker({.background = background});
    EXPECT_FALSE(worker.take());
    for (int64_t round = 1; round <= 5; ++round) {
      const auto bursts = batch(1, static_cast<uint32_t>(4 + 4 * round));
      ASSERT_TRUE(worker.submit(bursts, 4, round));
      const auto answer = wait_for(worker);
      EXPECT_EQ(answer->recorded_to_ns, round);
      ASSERT_TRUE(answer->comparison);
      EXPECT_EQ(answer->comparison->gain, directly(bursts).gain);
      EXPECT_FALSE(worker.take()) << "once";
    }
    EXPECT_EQ(worker.cpu_ns() > 0, background) << "what is done in submit is the caller's own time";
  }
}

TEST(ReplayWorker, ABusyOneTakesNoMore) {
  ReplayWorker worker({.background = true});
  // Long enough to be under way when the next comes; if it ever is not, both are answered.
  ASSERT_TRUE(worker.submit(batch(1, 1500), 4, 1));
  int taken = 1, refused = 0;
  while (refused == 0 && taken < 1000) worker.submit(batch(1, 1500), 4, 2) ? ++taken : ++refused;
  EXPECT_EQ(refused, 1);
  EXPECT_TRUE(wait_for(worker)->comparison);
}

TEST(ReplayWorker, OfALongRecordingTheEndCounts) {
  ReplayWorker worker({.background = false, .most_bursts = 24});
  auto bursts = batch(1, 24, 10 * kSecond);
  const Comparison of_the_end = directly(bursts);
  const auto before = batch(100, 500);
  bursts.insert(bursts.end(), before.begin(), before.end());
  ASSERT_TRUE(worker.submit(bursts, 4, 1));
  EXPECT_EQ(worker.take()->comparison->gain, of_the_end.gain);
}

TEST(ReplayWorker, WhatCannotBeReplayedIsSaid) {
  ReplayWorker worker({.background = true});
  auto bursts = batch(1, 2);
  bursts[1].task = 1;
  ASSERT_TRUE(worker.submit(bursts, 4, 1));
  EXPECT_EQ(wait_for(worker)->comparison.error().code, ErrorCode::kCorrupt);
}

TEST(ReplayWorker, EndsInTheMiddleOfItsWork) {
  ReplayWorker worker({.background = true});
  ASSERT_TRUE(worker.submit(batch(1, 1500), 4, 1));
}

}  // namespace
}  // namespace pointsman

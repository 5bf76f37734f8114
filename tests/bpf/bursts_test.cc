// The recorder of bursts on the running kernel: needs root and BPF. Other processes run meanwhile; only our own threads are looked at.
#include "metrics/bursts.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <set>
#include <thread>

#include "base/clock.h"
#include "learn/replay.h"
#include "tests/bpf/children.h"

namespace pointsman {
namespace {

class BurstsTest : public testing::Test {
 protected:
  void SetUp() override {
    auto recorder = BurstRecorder::open();
    if (!recorder && recorder.error().code == ErrorCode::kPermissionDenied) GTEST_SKIP() << recorder.error().message;
    ASSERT_TRUE(recorder) << recorder.error().message;
    recorder_.emplace(std::move(*recorder));
    ASSERT_TRUE(recorder_->start());
    nap(kMillisecond);  // our own burst that was under way counts from the start only: begin another
  }
  BurstRecording read() {
    auto recording = recorder_->read(3600 * kSecond);
    EXPECT_TRUE(recording) << recording.error().message;
    return recording ? *recording : BurstRecording{};
  }
  static std::vector<pm_burst> of(const BurstRecording& recording, pid_t task) {
    std::vector<pm_burst> out;
    for (const pm_burst& b : recording.bursts)
      if (b.task == static_cast<uint32_t>(task)) out.push_back(b);
    std::sort(out.begin(), out.end(), [](const pm_burst& a, const pm_burst& b) { return a.wake_ns < b.wake_ns; });
    return out;
  }
  // Reads until the thread has `n` bursts that ended: a parent hears of a child's end a little before the child's last switch.
  std::vector<pm_burst> wait_for(pid_t task, size_t n) {
    std::vector<pm_burst> out;
    for (int i = 0; i < 2000; ++i) {
      out = of(read(), task);
      std::erase_if(out, [](const pm_burst& b) { return b.unfinished; });
      if (out.size() >= n) break;
      nap(kMillisecond);
    }
    return out;
  }
  std::optional<BurstRecorder> recorder_;
};

TEST_F(BurstsTest, IsVerifiedAndSmall) {
  expect_verified_and_small(recorder_->object());
}

TEST_F(BurstsTest, RecordsWhatAChildDoes) {
  const pid_t child = start([] {
    for (int i = 0; i < 5; ++i) {
      burn(3 * kMillisecond);
      nap(5 * kMillisecond);
    }
  });
  finish(child);
  const auto bursts = wait_for(child, 6);
  ASSERT_GE(bursts.size(), 6u);  // five, and the one in which it exits
  EXPECT_TRUE(bursts[0].newborn);
  EXPECT_EQ(bursts[0].waker, static_cast<uint32_t>(::getpid()));
  EXPECT_GT(bursts[0].waker_ran_ns, 0u);
  uint64_t attained = 0;
  size_t long_ones = 0;
  for (size_t i = 0; i < bursts.size(); ++i) {
    const pm_burst& b = bursts[i];
    EXPECT_LT(b.wake_ns, b.end_ns);
    EXPECT_LE(b.cpu_ns, b.end_ns - b.wake_ns + 100 * kMicrosecond);
    EXPECT_EQ(b.attained_ns, attained);
    attained += b.cpu_ns;
    if (i > 0) {
      EXPECT_LE(bursts[i - 1].end_ns, b.wake_ns);
      EXPECT_FALSE(b.newborn);
    }
    long_ones += b.cpu_ns >= 2900 * kMicrosecond;
  }
  EXPECT_GE(long_ones, 5u);
  EXPECT_GT(bursts.back().usual_ns, kMillisecond);
}

TEST_F(BurstsTest, KnowsWhoWokeWhomAndWhatATimerDid) {
  int there[2], back[2];
  ASSERT_EQ(::pipe(there), 0);
  ASSERT_EQ(::pipe(back), 0);
  const pid_t echo = start([&] {
    char c = 0;
    for (int i = 0; i < 20; ++i)
      if (::read(there[0], &c, 1) != 1 || ::write(back[1], &c, 1) != 1) ::_exit(1);
  });
  for (int i = 0; i < 20; ++i) {
    nap(kMillisecond);
    char c = 'x';
    ASSERT_EQ(::write(there[1], &c, 1), 1);
    ASSERT_EQ(::read(back[0], &c, 1), 1);
  }
  finish(echo);
  for (const int fd : {there[0], there[1], back[0], back[1]}) ::close(fd);
  const auto bursts = wait_for(echo, 18);
  const auto me = static_cast<uint32_t>(::gettid());
  size_t by_me = 0;
  for (const pm_burst& b : bursts) by_me += b.waker == me && b.waker_ran_ns > 0;
  EXPECT_GE(by_me, 15u);
  size_t by_echo = 0, by_timer = 0;
  for (const pm_burst& b : of(read(), ::gettid())) {
    by_echo += b.waker == static_cast<uint32_t>(echo);
    by_timer += b.waker == 0;
  }
  EXPECT_GE(by_echo, 3u);    // its answers, but for those that were there before we asked
  EXPECT_GE(by_timer, 15u);  // the naps
}

TEST_F(BurstsTest, WhatIsUnderWayIsToldToo) {
  const pid_t child = start([] {
    nap(kMillisecond);
    for (;;) burn(kMillisecond);
  });
  std::optional<pm_burst> seen;
  for (int i = 0; i < 2000 && !seen; ++i) {
    nap(kMillisecond);
    for (const pm_burst& b : of(read(), child))
      if (b.unfinished && b.cpu_ns > 5 * kMillisecond) seen = b;
  }
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ASSERT_TRUE(seen);
  EXPECT_LE(seen->cpu_ns, seen->end_ns - seen->wake_ns + kMillisecond);
}

TEST_F(BurstsTest, WhoeverRunsThroughASleepIsAdopted) {
  const pid_t child = start([] {
    nap(kMillisecond);
    for (;;) burn(kMillisecond);
  });
  const auto under_way = [&](uint64_t cpu_ns) {
    std::optional<pm_burst> seen;
    for (int i = 0; i < 2000 && !seen; ++i) {
      nap(kMillisecond);
      for (const pm_burst& b : of(read(), child))
        if (b.unfinished && b.cpu_ns > cpu_ns) seen = b;
    }
    return seen;
  };
  const auto before = under_way(20 * kMillisecond);
  recorder_->sleep();
  EXPECT_EQ(recorder_->read(kSecond).error().code, ErrorCode::kUnsupported);
  for (int i = 0; i < 20; ++i) nap(kMillisecond);
  const int64_t woken_ns = SystemClock().now_ns();
  ASSERT_TRUE(recorder_->start());
  const auto after = under_way(2 * kMillisecond);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ASSERT_TRUE(before && after);
  EXPECT_GE(after->wake_ns, static_cast<uint64_t>(woken_ns));
  EXPECT_LE(after->cpu_ns, after->end_ns - after->wake_ns);
  EXPECT_GE(after->attained_ns + 4 * kMillisecond, before->attained_ns + before->cpu_ns) << "but for what its last tick has not counted yet";
  EXPECT_EQ(after->waker, 0u);
  const auto ended = wait_for(child, 1);
  ASSERT_EQ(ended.size(), 1u);
  EXPECT_EQ(ended[0].wake_ns, after->wake_ns);
  EXPECT_GE(ended[0].cpu_ns, after->cpu_ns);
  EXPECT_LE(ended[0].cpu_ns, ended[0].end_ns - ended[0].wake_ns);
}

TEST_F(BurstsTest, NothingIsRecordedAsleepAndNothingOldIsToldAfterwards) {
  const auto life = [] {
    for (int i = 0; i < 5; ++i) {
      burn(kMillisecond);
      nap(2 * kMillisecond);
    }
  };
  const pid_t early = start(life);
  finish(early);
  EXPECT_GE(wait_for(early, 6).size(), 6u);
  recorder_->sleep();
  const pid_t meanwhile = start(life);
  finish(meanwhile);
  ASSERT_TRUE(recorder_->start());
  const pid_t late = start(life);
  finish(late);
  EXPECT_GE(wait_for(late, 6).size(), 6u);
  const BurstRecording recording = read();
  EXPECT_TRUE(of(recording, early).empty());
  EXPECT_TRUE(of(recording, meanwhile).empty());
  EXPECT_GT(recording.complete_from_ns, 0);
  for (const pm_burst& b : recording.bursts) EXPECT_GE(b.wake_ns, static_cast<uint64_t>(recording.complete_from_ns));
  EXPECT_EQ(recording.lost, 0u);
}

TEST_F(BurstsTest, AFullRingForgetsTheOldestAndSaysSo) {
  std::thread busy([] {
    for (int i = 0; i < 2 * PM_BURST_SLOTS + 500; ++i) nap(1);
  });
  busy.join();
  const BurstRecording all = read();
  EXPECT_GT(all.complete_from_ns, all.moment_ns - 3600 * kSecond);
  std::set<std::pair<uint32_t, uint64_t>> distinct;
  for (const pm_burst& b : all.bursts) EXPECT_TRUE(distinct.insert({b.task, b.wake_ns}).second);
  EXPECT_EQ(all.lost, 0u);
  // What ended after complete_from_ns is all there: a short span reaches back far enough.
  const auto recent = recorder_->read(kMillisecond);
  ASSERT_TRUE(recent);
  EXPECT_EQ(recent->complete_from_ns, recent->moment_ns - kMillisecond);
}

TEST_F(BurstsTest, ARecordingCanBeReplayedUnderEveryArm) {
  std::vector<pid_t> children;
  for (int i = 0; i < 4; ++i)
    children.push_back(start([i] {
      for (int k = 0; k < 20; ++k) {
        burn((1 + i) * 300 * kMicrosecond);
        nap((k % 3 == 0 ? 4 : 1) * kMillisecond);
      }
    }));
  for (const pid_t child : children) finish(child);
  const BurstRecording recording = read();
  const auto bursts = recorded_bursts(recording.bursts, recording.complete_from_ns);
  const auto replay = Replay::of(bursts, {.cpus = 2});
  ASSERT_TRUE(replay) << replay.error().message;
  const auto by_naps = Replay::of(bursts, {.cpus = 2, .newborn_is_one_job = false});
  ASSERT_TRUE(by_naps) << by_naps.error().message;
  EXPECT_GE(by_naps->episodes(), replay->episodes() + 4 * 6) << "each child's six longer naps, when those end an episode";
  EXPECT_GT(replay->edges(), 0);
  const int jobs = replay->run(kDefaultArm).jobs;
  EXPECT_GE(jobs, 4) << "each child is one, with its naps";
  for (ArmId arm = 0; arm < kChoosable; ++arm) EXPECT_EQ(replay->run(arm).jobs, jobs);
}

}  // namespace
}  // namespace pointsman

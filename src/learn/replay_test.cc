#include "learn/replay.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "base/rng.h"

namespace pointsman {
namespace {

constexpr int64_t kMs = 1'000'000;
constexpr ArmId kEev = 0, kHyb = 1, kLas = 2, kAge = 3, kSjf = 4, kIpre = 5;

RecordedBurst burst(uint32_t task, int64_t wake_ms, int64_t end_ms, int64_t cpu_ms) {
  return {.wake_ns = wake_ms * kMs,
          .end_ns = end_ms * kMs,
          .cpu_ns = cpu_ms * kMs,
          .task = task,
          .process_start_ns = wake_ms * kMs,
          .newborn = true};
}

// Of a thread that was there before the recording began.
RecordedBurst served(uint32_t task, int64_t wake_ms, int64_t end_ms, int64_t cpu_ms) {
  RecordedBurst out = burst(task, wake_ms, end_ms, cpu_ms);
  out.newborn = false;
  return out;
}

std::vector<ReplayStint> schedule(const std::vector<RecordedBurst>& bursts, ArmId arm, const ReplayOptions& options = {}) {
  const auto replay = Replay::of(bursts, options);
  EXPECT_TRUE(replay) << (replay ? "" : replay.error().message);
  std::vector<ReplayStint> stints;
  if (replay) replay->run(arm, &stints);
  return stints;
}

// "1:0-30 2:30-60": task, from and to in ms.
std::string text(const std::vector<ReplayStint>& stints) {
  std::string out;
  for (const ReplayStint& s : stints)
    out += fmt::format("{}{}:{:g}-{:g}", out.empty() ? "" : " ", s.task, static_cast<double>(s.from_ns) / kMs,
                       static_cast<double>(s.to_ns) / kMs);
  return out;
}

const ReplayOptions kOneCpu{.cpus = 1};

TEST(Replay, AgeRunsEqualJobsOneAfterTheOther) {
  // Whatever order they were recorded in: the process that began first runs first.
  std::vector<RecordedBurst> bursts{burst(1, 0, 90, 30), burst(2, 0, 90, 30), burst(3, 0, 90, 30)};
  bursts[1].process_start_ns = 2;
  bursts[2].process_start_ns = 1;
  EXPECT_EQ(text(schedule(bursts, kAge, kOneCpu)), "1:0-30 3:30-60 2:60-90");
  const auto replay = Replay::of(bursts, kOneCpu);
  const ReplayRun run = replay->run(kAge);
  EXPECT_EQ(run.jobs, 3);
  EXPECT_EQ(run.makespan_ns, 90 * kMs);
  EXPECT_NEAR(run.mean_log_turnaround, (std::log(30e6) + std::log(60e6) + std::log(90e6)) / 3, 1e-12);
}

TEST(Replay, LasLetsTheYoungPass) {
  // Task 1 has run for 40 ms when task 2 comes at 40 ms: it yields at once, until 2 is done after 6 ms.
  const std::vector<RecordedBurst> bursts{burst(1, 0, 100, 80), burst(2, 40, 50, 6)};
  EXPECT_EQ(text(schedule(bursts, kLas, kOneCpu)), "1:0-40 2:40-46 1:46-86");
  // Two equals share: by the end neither is ahead of the other by more than a slice and a tick.
  const auto shared = schedule({burst(1, 0, 60, 30), burst(2, 0, 60, 30)}, kLas, kOneCpu);
  EXPECT_GT(shared.size(), 4u);
  EXPECT_GE(shared.back().to_ns - shared[shared.size() - 2].to_ns, 0);
  // Attained service counts for life: an old daemon waits for the young.
  std::vector<RecordedBurst> daemon{burst(1, 0, 20, 5), burst(2, 1, 30, 20)};
  daemon[0].attained_ns = 1000 * kMs;
  EXPECT_EQ(text(schedule(daemon, kLas, kOneCpu)), "1:0-1 2:1-21 1:21-25");
}

TEST(Replay, SjfRunsTheShortestExpectedFirst) {
  std::vector<RecordedBurst> bursts{burst(9, 0, 100, 2), burst(1, 1, 100, 30), burst(2, 1, 100, 10), burst(3, 1, 100, 20)};
  bursts[1].usual_ns = 30 * kMs;
  bursts[2].usual_ns = 10 * kMs;
  bursts[3].usual_ns = 20 * kMs;
  EXPECT_EQ(text(schedule(bursts, kSjf, kOneCpu)), "9:0-2 2:2-12 3:12-32 1:32-62");
}

TEST(Replay, HybRunsShortOnesFirstThenTheOldest) {
  std::vector<RecordedBurst> bursts{burst(9, 0, 100, 2), burst(1, 1, 100, 30), burst(2, 1, 100, 30), burst(3, 1, 100, 3)};
  bursts[1].usual_ns = bursts[2].usual_ns = 30 * kMs;
  bursts[1].process_start_ns = 2 * kMs;
  bursts[2].process_start_ns = 1 * kMs;
  bursts[3].usual_ns = 3 * kMs;
  EXPECT_EQ(text(schedule(bursts, kHyb, kOneCpu)), "9:0-2 3:2-5 2:5-35 1:35-65");
}

TEST(Replay, HybTakesTheCpuFromABatchTaskForAShortOne) {
  std::vector<RecordedBurst> bursts{burst(1, 0, 100, 40), burst(2, 10, 100, 1)};
  bursts[0].usual_ns = 40 * kMs;
  EXPECT_EQ(text(schedule(bursts, kHyb, kOneCpu)), "1:0-10 2:10-11 1:11-41");
  EXPECT_EQ(text(schedule(bursts, kAge, kOneCpu)), "1:0-40 2:40-41");
}

TEST(Replay, NicedTasksStandBehindUnderAge) {
  std::vector<RecordedBurst> bursts{burst(9, 0, 100, 2), burst(1, 1, 100, 10), burst(2, 1, 100, 10)};
  bursts[1].process_start_ns = 0;
  bursts[1].nice = 10;
  EXPECT_EQ(text(schedule(bursts, kAge, kOneCpu)), "9:0-2 2:2-12 1:12-22");
}

TEST(Replay, EevdfSharesByWeightOnTicks) {
  // Two hogs on one CPU take turns at ticks of 4 ms (a slice of .7 ms has long been used).
  const auto equal = schedule({burst(1, 0, 80, 40), burst(2, 0, 80, 40)}, kEev, kOneCpu);
  ASSERT_GT(equal.size(), 8u);
  for (size_t i = 0; i + 1 < equal.size(); ++i) {
    EXPECT_EQ(equal[i].to_ns % (4 * kMs), 0);
    EXPECT_NE(equal[i].task, equal[i + 1].task);
  }
  // nice 5 has a third of the weight: three quarters of the first 400 ms go to the other.
  std::vector<RecordedBurst> bursts{burst(1, 0, 2000, 1000), burst(2, 0, 2000, 1000)};
  bursts[1].nice = 5;
  int64_t first = 0;
  for (const ReplayStint& s : schedule(bursts, kEev, kOneCpu))
    if (s.task == 1 && s.to_ns <= 400 * kMs) first += s.to_ns - s.from_ns;
  EXPECT_NEAR(static_cast<double>(first) / kMs, 300, 20);
}

TEST(Replay, EevdfDoesNotInterruptASliceForAWakeUp) {
  const std::vector<RecordedBurst> bursts{burst(1, 0, 100, 40), burst(2, 9, 100, 1)};
  // 1 was picked anew at 8 ms; its slice of .7 ms is over at 9 ms, when 2 comes and is owed time.
  EXPECT_EQ(text(schedule(bursts, kEev, kOneCpu)).substr(0, 10), "1:0-9 2:9-");
  std::vector<RecordedBurst> sooner = bursts;
  sooner[1].wake_ns = 8 * kMs + 300'000;
  EXPECT_EQ(text(schedule(sooner, kEev, kOneCpu)).substr(0, 8), "1:0-12 2");
}

TEST(Replay, NapsKeepTheirLengthLongSleepsTheirMoment) {
  // Task 1: 10 ms, a nap of 1 ms, 10 ms; task 2 sleeps until 200 ms. Under age both wait for 3, which is older.
  std::vector<RecordedBurst> bursts{served(3, 0, 50, 50), served(1, 1, 11, 10), served(1, 12, 22, 10), served(2, 2, 5, 1),
                                    served(2, 200, 203, 3)};
  EXPECT_EQ(text(schedule(bursts, kAge, kOneCpu)), "3:0-50 1:50-60 2:60-61 1:61-71 2:200-203");
  const auto replay = Replay::of(bursts, kOneCpu);
  EXPECT_EQ(replay->episodes(), 4);  // the nap ends none
  const ReplayRun run = replay->run(kAge);
  EXPECT_EQ(run.jobs, 4);
  EXPECT_NEAR(run.mean_log_turnaround, (std::log(50e6) + std::log(70e6) + std::log(59e6) + std::log(3e6)) / 4, 1e-12);
}

TEST(Replay, ALateServersRequestArrivesWhenItArrived) {
  // Requests at 0, 10, 20 ms of 15 ms each: the second is 5 ms late when it begins, the third 10.
  const std::vector<RecordedBurst> bursts{served(1, 0, 5, 15), served(1, 10, 15, 15), served(1, 20, 25, 15)};
  const auto replay = Replay::of(bursts, kOneCpu);
  ASSERT_TRUE(replay);
  EXPECT_NEAR(replay->run(kHyb).mean_log_turnaround, (std::log(15e6) + std::log(20e6) + std::log(25e6)) / 3, 1e-12);
}

TEST(Replay, AWakerWakesInTheReplayToo) {
  // 1 runs 10 ms and wakes 2 after 6 of them; recorded beside a hog that made 1 late. Without the hog's delay 2 begins earlier too.
  std::vector<RecordedBurst> bursts{burst(1, 0, 40, 10), burst(2, 36, 44, 4)};
  bursts[1].waker = 1;
  bursts[1].waker_ran_ns = 6 * kMs;
  const ReplayOptions two{.cpus = 2};
  EXPECT_EQ(Replay::of(bursts, two)->edges(), 1);
  std::vector<ReplayStint> stints = schedule(bursts, kAge, two);
  EXPECT_EQ(text(stints), "1:0-10 2:6-10");
  EXPECT_EQ(text(schedule(bursts, kAge, {.cpus = 2, .edges = false})), "1:0-10 2:36-40");
  // A waker that is not in the recording, or had not run that far: the recorded moment stands.
  bursts[1].waker = 7;
  EXPECT_EQ(Replay::of(bursts, two)->edges(), 0);
  bursts[1].waker = 1;
  bursts[1].waker_ran_ns = 11 * kMs;
  EXPECT_EQ(Replay::of(bursts, two)->edges(), 0);
}

TEST(Replay, WhoIsBornInTheRecordingIsOneJob) {
  // A compiler that reads a file for 20 ms in the middle, beside another that has the CPU all the time: its read begins when its first half is done, and what it
  // took is counted once.
  std::vector<RecordedBurst> bursts{burst(1, 0, 50, 50), burst(2, 1, 11, 10), burst(2, 31, 41, 10)};
  const auto replay = Replay::of(bursts, kOneCpu);
  ASSERT_TRUE(replay);
  EXPECT_EQ(text(schedule(bursts, kAge, kOneCpu)), "1:0-50 2:50-60 2:80-90");
  EXPECT_EQ(replay->run(kAge).jobs, 2);
  EXPECT_NEAR(replay->run(kAge).mean_log_turnaround, (std::log(50e6) + std::log(89e6)) / 2, 1e-12);
  EXPECT_EQ(text(schedule(bursts, kAge, {.cpus = 1, .newborn_is_one_job = false})), "1:0-50 2:50-70") << "a server's request would have come meanwhile";
}

TEST(Replay, WhoIsWokenWorksOnTheWakersJob) {
  // A client (1) asks a server (2) at 0 and 50 ms; a hog (3) is older than both.
  std::vector<RecordedBurst> bursts{served(1, 0, 2, 2), served(2, 2, 6, 4), served(1, 50, 52, 2), served(2, 52, 56, 4), served(3, 0, 20, 20)};
  bursts[1].waker = bursts[3].waker = 1;
  bursts[1].waker_ran_ns = bursts[3].waker_ran_ns = 2 * kMs;
  for (RecordedBurst& b : bursts) b.process_start_ns = -static_cast<int64_t>(b.task) * kMs;
  const auto replay = Replay::of(bursts, kOneCpu);
  ASSERT_TRUE(replay) << replay.error().message;
  EXPECT_EQ(replay->edges(), 2);
  EXPECT_EQ(text(schedule(bursts, kAge, kOneCpu)), "3:0-20 1:20-22 2:22-26 1:50-52 2:52-56");
  const ReplayRun run = replay->run(kAge);
  EXPECT_EQ(run.jobs, 3);
  EXPECT_NEAR(run.mean_log_turnaround, (std::log(20e6) + std::log(26e6) + std::log(6e6)) / 3, 1e-12);
  EXPECT_EQ(Replay::of(bursts, {.cpus = 1, .wakers_share_jobs = false})->run(kAge).jobs, 5);
}

TEST(Replay, FewJobsOrJobsThatDisagreeAreLittleToGoBy) {
  // One long job and one short: las helps one and hurts the other.
  const auto two = Replay::of(std::vector<RecordedBurst>{burst(1, 0, 40, 30), burst(2, 1, 40, 10)}, kOneCpu)->compare();
  EXPECT_EQ(two.jobs, 2);
  EXPECT_EQ(two.gain[kHyb], 0);
  EXPECT_EQ(two.deviation[kHyb], 0);
  const auto one = Replay::of(std::vector<RecordedBurst>{burst(1, 0, 40, 30)}, kOneCpu)->compare();
  EXPECT_EQ(one.deviation[kLas], Comparison::kUnknown);
  // By hand: the mean of the differences of logarithms, and the deviation of that mean.
  const auto replay = Replay::of(std::vector<RecordedBurst>{burst(1, 0, 100, 40), burst(2, 1, 100, 20), burst(3, 2, 100, 12)}, kOneCpu);
  const Comparison c = replay->compare();
  const auto costs = replay->costs();
  for (size_t a = 0; a < kChoosable; ++a) EXPECT_NEAR(c.gain[a], costs[a], 1e-12);
  EXPECT_GT(c.deviation[kSjf] + c.deviation[kLas] + c.deviation[kAge], 0);
}

TEST(Replay, ABarrierHoldsUnderEveryArm) {
  // Four workers, thrice: the coordinator (1) wakes them, the last to finish wakes it.
  std::vector<RecordedBurst> bursts;
  int64_t at = 0;
  for (int round = 0; round < 3; ++round) {
    RecordedBurst lead = burst(1, at, at + 2, 2);
    if (round > 0) {
      lead.waker = 5;
      lead.waker_ran_ns = 13 * kMs;
    }
    bursts.push_back(lead);
    for (uint32_t worker = 2; worker <= 5; ++worker) {
      RecordedBurst b = burst(worker, at + 1, at + 1 + 8 + worker, 8 + worker);
      b.waker = 1;
      b.waker_ran_ns = kMs;
      bursts.push_back(b);
    }
    at += 14;  // worker 5 ends then
  }
  const auto replay = Replay::of(bursts);
  ASSERT_TRUE(replay) << replay.error().message;
  EXPECT_EQ(replay->edges(), 14);
  for (ArmId arm = 0; arm < kChoosable; ++arm) {
    std::vector<ReplayStint> stints;
    replay->run(arm, &stints);
    std::map<uint32_t, int64_t> ran;
    for (const ReplayStint& s : stints) {
      if (s.task == 1 && s.from_ns > 0 && ran[1] % (2 * kMs) == 0) {
        EXPECT_EQ(ran[5] % (13 * kMs), 0) << "the coordinator ran before the barrier";
      }
      ran[s.task] += s.to_ns - s.from_ns;
    }
  }
}

// Random recordings: bursts laid end to end with sleeps between them, some woken by others.
std::vector<RecordedBurst> random_recording(uint64_t seed, int tasks, int64_t length_ns) {
  std::vector<RecordedBurst> out;
  for (int task = 1; task <= tasks; ++task) {
    Rng rng(seed, "recording", static_cast<uint64_t>(task));
    const double mean_burst = rng.lognormal(3e6, 1.2), mean_sleep = rng.lognormal(8e6, 1);
    int64_t at = rng.between(0, length_ns / 4), attained = rng.between(0, 50 * kMs);
    const int nice = rng.below(5) == 0 ? 10 : 0;
    const int64_t start = rng.between(-1000 * kMs, at);
    while (at < length_ns) {
      const int64_t cpu = std::max<int64_t>(1000, static_cast<int64_t>(rng.exponential(mean_burst)));
      const int64_t waited = static_cast<int64_t>(rng.exponential(1e6));
      RecordedBurst b{.wake_ns = at,
                      .end_ns = at + cpu + waited,
                      .cpu_ns = cpu,
                      .task = static_cast<uint32_t>(task),
                      .process_start_ns = start,
                      .attained_ns = attained,
                      .usual_ns = static_cast<int64_t>(mean_burst),
                      .nice = nice};
      if (rng.below(3) == 0) {
        b.waker = static_cast<uint32_t>(1 + rng.below(static_cast<uint64_t>(tasks)));
        b.waker_ran_ns = static_cast<int64_t>(rng.exponential(mean_burst / 4));
      }
      out.push_back(b);
      attained += cpu;
      at = b.end_ns + static_cast<int64_t>(rng.exponential(mean_sleep));
    }
  }
  return out;
}

TEST(Replay, EveryArmRunsAllTheWorkWithoutIdlingAndInOrder) {
  for (uint64_t seed = 0; seed < 12; ++seed) {
    const auto bursts = random_recording(seed, 3 + static_cast<int>(seed) * 2, 400 * kMs);
    std::map<uint32_t, int64_t> wanted;
    for (const RecordedBurst& b : bursts) wanted[b.task] += b.cpu_ns;
    const int cpus = 1 + static_cast<int>(seed % 4);
    const auto replay = Replay::of(bursts, {.cpus = cpus});
    ASSERT_TRUE(replay) << replay.error().message;
    for (ArmId arm = 0; arm < kChoosable; ++arm) {
      std::vector<ReplayStint> stints;
      const ReplayRun run = replay->run(arm, &stints);
      EXPECT_LE(run.jobs, replay->episodes());
      EXPECT_GT(run.jobs, 0);
      std::map<uint32_t, int64_t> ran;
      std::map<int, int64_t> free_at;
      std::map<uint32_t, int64_t> task_free_at;
      std::sort(stints.begin(), stints.end(), [](const ReplayStint& a, const ReplayStint& b) { return a.from_ns < b.from_ns; });
      for (const ReplayStint& s : stints) {
        ran[s.task] += s.to_ns - s.from_ns;
        if (free_at.contains(s.cpu)) {
          EXPECT_LE(free_at[s.cpu], s.from_ns) << "two on one CPU";
        }
        if (task_free_at.contains(s.task)) {
          EXPECT_LE(task_free_at[s.task], s.from_ns) << "one on two CPUs";
        }
        free_at[s.cpu] = s.to_ns;
        task_free_at[s.task] = s.to_ns;
      }
      EXPECT_EQ(ran, wanted) << "seed " << seed << " arm " << arm;
    }
  }
}

// Jobs that all wait from the start: no arm may leave a CPU idle before the work is done, so all end at the same moment on one CPU.
TEST(Replay, WorkIsConserved) {
  std::vector<RecordedBurst> bursts;
  int64_t total = 0;
  Rng rng(3, "conserved");
  for (uint32_t task = 1; task <= 20; ++task) {
    RecordedBurst b = burst(task, 0, 1000, rng.between(1, 40));
    total += b.cpu_ns;
    bursts.push_back(b);
  }
  for (ArmId arm = 0; arm < kChoosable; ++arm) {
    EXPECT_EQ(Replay::of(bursts, kOneCpu)->run(arm).makespan_ns, total) << arm;
    // On several CPUs: none idles while one waits, so the last to finish had at most its own length to go when the first CPU ran dry.
    const int64_t spread = Replay::of(bursts, {.cpus = 4})->run(arm).makespan_ns;
    EXPECT_GE(spread, total / 4);
    EXPECT_LE(spread, total / 4 + 40 * kMs);
  }
}

TEST(Replay, RanksArmsAsTheoryDoes) {
  // A batch of equal jobs: one after the other beats sharing (age against las: about ln of a half to two thirds).
  std::vector<RecordedBurst> batch;
  for (uint32_t task = 1; task <= 24; ++task) {
    batch.push_back(burst(task, 0, 1000, 60));
    batch.back().process_start_ns = task;
  }
  ArmCosts costs = Replay::of(batch)->costs();
  EXPECT_EQ(costs[kHyb], 0);
  EXPECT_LT(costs[kAge] - costs[kLas], -.4);
  EXPECT_LT(costs[kAge] - costs[kEev], -.4);
  // Heavy tails: least attained service beats first come.
  std::vector<RecordedBurst> tail;
  Rng rng(5, "tail");
  int64_t at = 0;
  for (uint32_t task = 1; task <= 300; ++task) {
    at += static_cast<int64_t>(rng.exponential(2e6));
    const auto cpu = static_cast<int64_t>(rng.pareto(1.1, .3e6, 400e6));
    tail.push_back({.wake_ns = at, .end_ns = at + 2 * cpu, .cpu_ns = cpu, .task = task, .process_start_ns = at, .newborn = true});
  }
  costs = Replay::of(tail, kOneCpu)->costs();
  EXPECT_LT(costs[kLas] - costs[kAge], -.3);
  EXPECT_LT(costs[kIpre], costs[kAge]);
}

TEST(Replay, ARecordingIsCutWhereItBegins) {
  std::vector<pm_burst> kernel(3);
  kernel[0].task = 1;
  kernel[0].end_ns = kernel[0].cpu_ns = 10;
  kernel[1].task = 2;
  kernel[1].wake_ns = 10;
  kernel[1].end_ns = 50;
  kernel[1].cpu_ns = 20;
  kernel[1].attained_ns = 100;
  kernel[1].waker = 1;
  kernel[1].nice = -5;
  kernel[1].newborn = 1;
  kernel[2].task = 3;
  kernel[2].wake_ns = 40;
  kernel[2].end_ns = 60;
  kernel[2].cpu_ns = 5;
  kernel[2].usual_ns = 7;
  kernel[2].waker = 2;
  kernel[2].waker_ran_ns = 3;
  kernel[2].unfinished = 1;
  const auto bursts = recorded_bursts(kernel, 30);
  ASSERT_EQ(bursts.size(), 2u);
  EXPECT_EQ(bursts[0].wake_ns, 30);
  EXPECT_EQ(bursts[0].cpu_ns, 10);
  EXPECT_EQ(bursts[0].attained_ns, 110);
  EXPECT_EQ(bursts[0].waker, 0u);
  EXPECT_FALSE(bursts[0].newborn);
  EXPECT_EQ(bursts[0].nice, -5);
  EXPECT_EQ(bursts[1].waker, 2u);
  EXPECT_EQ(bursts[1].waker_ran_ns, 3);
  EXPECT_EQ(bursts[1].usual_ns, 7);
  EXPECT_TRUE(bursts[1].unfinished);
  EXPECT_FALSE(bursts[0].unfinished);
}

RecordedBurst waiting(uint32_t task, int64_t used_ms, bool newborn, uint32_t waker = 0) {
  RecordedBurst out = burst(task, 900, 1000, used_ms);
  out.newborn = newborn;
  out.waker = waker;
  out.unfinished = true;
  return out;
}

TEST(Replay, WhoWaitsIsExpectedToNeedWhatItsLikeNeeded) {
  // Newborn ones needed 10, 20, ... 100 ms; the last six of them were forked by task 7.
  std::vector<RecordedBurst> bursts;
  for (int i = 1; i <= 10; ++i) {
    bursts.push_back(burst(static_cast<uint32_t>(100 + i), 10 * i, 10 * i + 5, 10 * i));
    if (i > 4) bursts.back().waker = 7;
  }
  bursts.push_back(served(50, 0, 5, 1));
  const size_t known = bursts.size();
  const auto expected_ms = [&](std::vector<RecordedBurst> under_way) {
    std::vector<RecordedBurst> all = bursts;
    all.insert(all.end(), under_way.begin(), under_way.end());
    expect_rest(all);
    for (size_t i = 0; i < known; ++i) EXPECT_EQ(all[i].cpu_ns, bursts[i].cpu_ns) << "what has ended is known";
    std::vector<int64_t> out;
    for (size_t i = known; i < all.size(); ++i) out.push_back(all[i].cpu_ns / kMs);
    return out;
  };
  RecordedBurst usual = waiting(50, 3, false);
  usual.usual_ns = 8 * kMs;
  EXPECT_EQ(expected_ms({usual}), std::vector<int64_t>{8}) << "a thread's own habit comes first";
  const auto ten = expected_ms(std::vector<RecordedBurst>(10, waiting(1, 0, true)));
  EXPECT_GE(std::set<int64_t>(ten.begin(), ten.end()).size(), 8u) << "as unequal as those that are known";
  EXPECT_NEAR(std::accumulate(ten.begin(), ten.end(), 0.) / 10, 55, 6);
  for (const int64_t ms : expected_ms(std::vector<RecordedBurst>(20, waiting(1, 45, true)))) EXPECT_GE(ms, 50) << "more than it has used";
  for (const int64_t ms : expected_ms(std::vector<RecordedBurst>(20, waiting(1, 0, true, 7)))) EXPECT_GE(ms, 50) << "a child of the same parent";
  for (const int64_t ms : expected_ms(std::vector<RecordedBurst>(20, waiting(1, 75, true, 7)))) EXPECT_GE(ms, 80) << "too few of the same parent: all that were born";
  EXPECT_EQ(expected_ms({waiting(1, 150, true)}), std::vector<int64_t>{300}) << "nobody needed so much";
  EXPECT_EQ(expected_ms({waiting(51, 4, false)}), std::vector<int64_t>{8}) << "no newborn";
  std::vector<RecordedBurst> alone{waiting(1, 0, false)};
  expect_rest(alone);
  EXPECT_EQ(alone[0].cpu_ns, kMs);
}

TEST(Replay, AQueueThatGrowsCosts) {
  // Four long jobs hold the CPUs of the recording, twenty have waited since 900 ms. Unless they are expected to need something, it does not matter who goes first.
  std::vector<RecordedBurst> bursts;
  for (uint32_t i = 1; i <= 40; ++i) bursts.push_back(burst(i, i, i + 60, i % 10 == 0 ? 200 : 4));
  for (uint32_t i = 41; i <= 60; ++i) bursts.push_back(waiting(i, 0, true));
  const double before = Replay::of(bursts, kOneCpu)->run(kLas).mean_log_turnaround;
  expect_rest(bursts);
  EXPECT_GT(Replay::of(bursts, kOneCpu)->run(kLas).mean_log_turnaround, before + .5);
}

TEST(Replay, RefusesWhatCannotHaveBeenRecorded) {
  EXPECT_EQ(Replay::of({}).error().message, "replay: no bursts were recorded");
  EXPECT_EQ(Replay::of(std::vector{burst(1, 0, 5, 5)}, {.cpus = 0}).error().message, "replay: 0 CPUs");
  const auto overlap = Replay::of(std::vector{burst(1, 0, 10, 5), burst(1, 8, 20, 5)});
  EXPECT_EQ(overlap.error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(overlap.error().message, "replay: bursts of task 1 overlap at 8000000 ns: the recording has holes");
  EXPECT_EQ(Replay::of(std::vector{burst(1, 10, 5, 5)}).error().code, ErrorCode::kCorrupt);
  RecordedBurst bad = burst(1, 0, 5, 5);
  bad.nice = 99;
  EXPECT_EQ(Replay::of(std::vector{bad}).error().code, ErrorCode::kCorrupt);
}

TEST(Replay, SameRecordingSameBits) {
  auto bursts = random_recording(7, 12, 500 * kMs);
  const ArmCosts once = Replay::of(bursts)->costs();
  EXPECT_EQ(once, Replay::of(bursts)->costs());
  std::reverse(bursts.begin(), bursts.end());
  EXPECT_EQ(once, Replay::of(bursts)->costs());
}

}  // namespace
}  // namespace pointsman

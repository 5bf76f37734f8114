// The probe on the running kernel: needs root and BPF. Other processes run meanwhile and only add to the sums, so what we cause is a lower bound; what must
// hold for everything together (time, switches, histograms against their counts) is held exactly.
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <numeric>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "metrics/probe.h"
#include "metrics/sampler.h"
#include "tests/bpf/children.h"

namespace pointsman {
namespace {

uint64_t entries(const uint64_t (&hist)[PM_HIST_BUCKETS]) { return std::accumulate(std::begin(hist), std::end(hist), uint64_t{0}); }

class ProbeTest : public testing::Test {
 protected:
  void SetUp() override {
    auto probe = Probe::open();
    if (!probe && probe.error().code == ErrorCode::kPermissionDenied) GTEST_SKIP() << probe.error().message;
    ASSERT_TRUE(probe) << probe.error().message;
    probe_.emplace(std::move(*probe));
    before_ = read();
  }
  ProbeReading read() {
    auto reading = probe_->read();
    EXPECT_TRUE(reading) << reading.error().message;
    return *reading;
  }
  // Reads until `enough` or two seconds have passed: a parent hears of a child's end a little before the child's last switch.
  ProbeReading read_until(const std::function<bool(const pm_probe&)>& enough) {
    ProbeReading r = read();
    for (int i = 0; i < 2000 && !enough(r.sums); ++i) {
      nap(kMillisecond);
      r = read();
    }
    return r;
  }
  uint64_t grown(uint64_t pm_probe::*field, const ProbeReading& after) const { return after.sums.*field - before_.sums.*field; }
  // At most: where the kernel tells nobody of a switch to a task, what it runs until the next one is nobody's.
  int64_t hidden_ns(const ProbeReading& after) const { return static_cast<int64_t>(grown(&pm_probe::unseen, after)) * 40 * kMillisecond; }

  std::optional<Probe> probe_;
  ProbeReading before_;
};

// The levels of threads alive and asleep, which only who asks for them pays for.
class StatesTest : public testing::Test {
 protected:
  void SetUp() override {
    auto probe = Probe::open({.states = true});
    if (!probe && probe.error().code == ErrorCode::kPermissionDenied) GTEST_SKIP() << probe.error().message;
    ASSERT_TRUE(probe) << probe.error().message;
    probe_.emplace(std::move(*probe));
  }
  pm_probe read() {
    auto reading = probe_->read();
    EXPECT_TRUE(reading) << reading.error().message;
    return reading->sums;
  }
  std::optional<Probe> probe_;
};

TEST_F(StatesTest, ThreadsAliveAreThoseThatTheKernelHas) {
  // Where a virtual machine's own agent is process 1, its kernel may hide it from BPF (as it hides its switches: pm_probe.unseen), so it may be missing.
  // A reading counts when the walks before and after it agree: other processes come and go.
  const auto user_threads = [] {
    int64_t threads = 0;
    for (const auto& process : std::filesystem::directory_iterator("/proc")) {
      if (process.path().filename().string().find_first_not_of("0123456789") != std::string::npos) continue;
      std::ifstream memory(process.path() / "statm");
      long pages = 0;
      if (!(memory >> pages) || pages == 0) continue;  // the kernel's, or a zombie
      std::error_code error;
      for (const auto& task : std::filesystem::directory_iterator(process.path() / "task", error)) threads += std::filesystem::exists(task.path()) ? 1 : 0;
    }
    return threads;
  };
  for (int attempt = 0; attempt < 200; ++attempt) {
    const int64_t before = user_threads(), alive = read().alive, after = user_threads();
    if (before != after) continue;
    std::error_code error;
    const auto first = std::distance(std::filesystem::directory_iterator("/proc/1/task", error), std::filesystem::directory_iterator());
    EXPECT_GE(alive, before - first - 2) << "but for real-time tasks and the dead that nobody has waited for";
    EXPECT_LE(alive, before + 2);
    return;
  }
  GTEST_SKIP() << "this machine does not hold still";
}

TEST_F(StatesTest, ForksAndExitsMoveTheLevelOfTheLiving) {
  const int64_t before = read().alive;
  std::atomic<bool> end{false};
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 50; ++i) threads.emplace_back([&] { end.wait(false); });
    const auto grown_by_50 = [&] { return read().alive - before >= 45; };
    for (int i = 0; i < 2000 && !grown_by_50(); ++i) nap(kMillisecond);
    EXPECT_GE(read().alive - before, 45);
    end = true;
    end.notify_all();
  }
  for (int i = 0; i < 2000 && read().alive - before > 5; ++i) nap(kMillisecond);
  EXPECT_LE(read().alive - before, 5);
}

// A parent of vfork waits in state D until its child has made way.
TEST_F(StatesTest, UninterruptibleSleepIsWeightedByTime) {
  const auto reading_before = probe_->read();
  ASSERT_TRUE(reading_before);
  const pid_t child = start([] {
    const pid_t grandchild = ::vfork();
    if (grandchild == 0) {
      nap(300 * kMillisecond);
      ::_exit(0);
    }
    ::waitpid(grandchild, nullptr, 0);
  });
  finish(child);
  const auto reading_after = probe_->read();
  ASSERT_TRUE(reading_after);
  const auto integral = [](const ProbeReading& r) {
    return static_cast<uint64_t>(r.moment_ns) * static_cast<uint64_t>(r.sums.uninterruptible) - r.sums.uninterruptible_moment_ns;
  };
  EXPECT_GE(static_cast<int64_t>(integral(*reading_after) - integral(*reading_before)), 290 * kMillisecond);
  EXPECT_GE(reading_after->sums.uninterruptible, 0);
  EXPECT_GE(reading_after->sums.io_blocked, 0);
}

TEST_F(ProbeTest, EveryProgramIsVerified) {
  auto programs = probe_->programs();
  ASSERT_TRUE(programs) << programs.error().message;
  ASSERT_EQ(programs->size(), 5u);
  for (const auto& program : *programs) EXPECT_GT(program.bytes, 0u) << program.name;
  expect_verified_and_small(probe_->object());
}

TEST_F(ProbeTest, CountsForksAndExits) {
  constexpr int kChildren = 200;
  for (int i = 0; i < kChildren; ++i) finish(start([] {}));
  const auto after = read_until([&](const pm_probe& p) { return p.exits - before_.sums.exits >= kChildren; });
  EXPECT_GE(grown(&pm_probe::forks, after), kChildren);
  EXPECT_GE(grown(&pm_probe::exits, after), kChildren);
  EXPECT_GE(grown(&pm_probe::first_runs, after) + grown(&pm_probe::unseen, after), kChildren);  // a first run may follow a switch that nobody was told of
  EXPECT_EQ(grown(&pm_probe::lost, after), 0u);
  EXPECT_GT(grown(&pm_probe::rt_ns, after), 0u);
  EXPECT_GT(grown(&pm_probe::tat_ns, after), grown(&pm_probe::rt_ns, after));
}

TEST_F(ProbeTest, NeverCountsMoreForksThanTheKernel) {
  auto sampler = Sampler::open({});
  ASSERT_TRUE(sampler);
  const uint64_t kernel_before = sampler->tick().cpu.forks;
  before_ = read();
  for (int i = 0; i < 50; ++i) finish(start([] {}));
  const auto after = read();
  const uint64_t kernel = sampler->tick().cpu.forks - kernel_before;
  EXPECT_LE(grown(&pm_probe::forks, after), kernel);
  EXPECT_GE(grown(&pm_probe::forks, after) + 20, kernel) << "kernel threads are the only forks that do not count";
}

TEST_F(ProbeTest, ThreadsAreTasks) {
  constexpr int kThreads = 40;
  for (int i = 0; i < kThreads; ++i) std::thread([] {}).join();
  const auto after = read_until([&](const pm_probe& p) { return p.exits - before_.sums.exits >= kThreads; });
  EXPECT_GE(grown(&pm_probe::forks, after), kThreads);
  EXPECT_GE(grown(&pm_probe::exits, after), kThreads);
}

TEST_F(ProbeTest, ExecIsNeitherForkNorExit) {
  constexpr int kChildren = 20;
  auto sampler = Sampler::open({});
  ASSERT_TRUE(sampler);
  const uint64_t kernel_before = sampler->tick().cpu.forks;
  before_ = read();
  for (int i = 0; i < kChildren; ++i) {
    // Burns before and after: all of it is one task's CPU time at its exit.
    finish(start([] {
      burn(2 * kMillisecond);
      ::execl("/bin/true", "true", nullptr);
      ::_exit(1);
    }));
  }
  const auto after = read_until([&](const pm_probe& p) { return p.exits - before_.sums.exits >= kChildren; });
  EXPECT_GE(grown(&pm_probe::exits, after), kChildren);
  EXPECT_LE(grown(&pm_probe::forks, after), sampler->tick().cpu.forks - kernel_before);
  EXPECT_GE(grown(&pm_probe::exit_us, after), kChildren * 2000u);
}

TEST_F(ProbeTest, TellsVoluntaryFromInvoluntary) {
  const rusage sleeper = finish(start([] {
    for (int i = 0; i < 50; ++i) nap(100 * kMicrosecond);
  }));
  const rusage yielder = finish(start([] {
    pin_to(0);
    const pid_t rival = start([] {
      for (int i = 0; i < 300; ++i) ::sched_yield();
    });
    for (int i = 0; i < 300; ++i) ::sched_yield();
    ::waitpid(rival, nullptr, 0);
  }));
  const auto after = read();
  const uint64_t unseen = grown(&pm_probe::unseen, after);
  EXPECT_GE(sleeper.ru_nvcsw, 25) << "a nap whose timer fires before the task has left the CPU is none";
  EXPECT_GE(grown(&pm_probe::voluntary, after) + unseen, static_cast<uint64_t>(sleeper.ru_nvcsw + yielder.ru_nvcsw));
  EXPECT_GE(yielder.ru_nivcsw, 100);
  EXPECT_GE(grown(&pm_probe::involuntary, after) + unseen, static_cast<uint64_t>(sleeper.ru_nivcsw + yielder.ru_nivcsw));
  EXPECT_GE(grown(&pm_probe::wakeups, after) + unseen, static_cast<uint64_t>(sleeper.ru_nvcsw));
}

TEST_F(ProbeTest, EverySwitchOfTheKernelIsSeen) {
  auto sampler = Sampler::open({});
  ASSERT_TRUE(sampler);
  const uint64_t kernel_before = sampler->tick().cpu.switches;
  before_ = read();
  const rusage sleeper = finish(start([] {
    for (int i = 0; i < 500; ++i) nap(50 * kMicrosecond);
  }));
  const auto after = read();
  const uint64_t kernel = sampler->tick().cpu.switches - kernel_before;
  const uint64_t seen = grown(&pm_probe::switches, after), unseen = grown(&pm_probe::unseen, after);
  EXPECT_GE(sleeper.ru_nvcsw, 250) << "a nap whose timer fires before the task has left the CPU is none";
  EXPECT_GE(seen + unseen, static_cast<uint64_t>(sleeper.ru_nvcsw));
  EXPECT_LE(seen, kernel);
  // Between the kernel's reading and ours other CPUs go on switching.
  EXPECT_GE(seen + unseen + 40 + kernel / 100, kernel) << "unseen " << unseen;
  const auto s = after.sums;
  EXPECT_LE(s.voluntary + s.involuntary + s.other_voluntary + s.other_involuntary, s.switches);
}

TEST_F(ProbeTest, RealTimeTasksAreNotCounted) {
  const auto sleeper = [](int policy) {
    return [policy] {
      const sched_param p{.sched_priority = policy == SCHED_FIFO ? 10 : 0};
      if (::sched_setscheduler(0, policy, &p) != 0) ::_exit(1);
      for (int i = 0; i < 200; ++i) nap(50 * kMicrosecond);
    };
  };
  const rusage usage = finish(start(sleeper(SCHED_FIFO)));
  const auto after = read();
  EXPECT_GE(usage.ru_nvcsw, 100);
  EXPECT_GE(grown(&pm_probe::other_voluntary, after) + grown(&pm_probe::unseen, after), static_cast<uint64_t>(usage.ru_nvcsw));
  EXPECT_GE(after.sums.runnable, 0);
}

TEST_F(ProbeTest, TimeOfAllCpusAddsUpAlsoInTheMiddleOfStints) {
  const pid_t hog = start([] { burn(300 * kMillisecond); });
  ProbeReading last = before_;
  for (int i = 0; i < 20; ++i) {
    nap(10 * kMillisecond);
    const ProbeReading now = read();
    const auto all = [](const ProbeReading& r) { return r.sums.idle_ns + r.sums.busy_ns + r.sums.other_ns; };
    const auto elapsed = static_cast<double>(now.moment_ns - last.moment_ns) * probe_->cpus();
    // Each CPU's copy is of a moment a few microseconds after the reading's; this thread may lose its CPU in between.
    EXPECT_NEAR(static_cast<double>(all(now) - all(last)), elapsed, 0.002 * elapsed + 50'000);
    last = now;
  }
  finish(hog);
}

// The kernel's fast clock, which the programs read, and that of a reader may differ by some ns while the clock is being steered.
TEST_F(ProbeTest, SumsNeverFallByMoreThanTheClocksDiffer) {
  constexpr uint64_t kClocksNs = 2000;
  const std::jthread noise([](const std::stop_token& stop) {
    while (!stop.stop_requested()) nap(10 * kMicrosecond);
  });
  ProbeReading last = read();
  for (int i = 0; i < 20'000; ++i) {
    const ProbeReading now = read();
    ASSERT_GE(now.moment_ns, last.moment_ns);
    ASSERT_GE(now.sums.idle_ns + kClocksNs, last.sums.idle_ns) << i;
    ASSERT_GE(now.sums.busy_ns + kClocksNs, last.sums.busy_ns) << i;
    ASSERT_GE(now.sums.young_ns + kClocksNs, last.sums.young_ns) << i;
    ASSERT_GE(now.sums.small_ns + kClocksNs, last.sums.small_ns) << i;
    ASSERT_GE(now.sums.switches, last.sums.switches) << i;
    ASSERT_GE(now.sums.wakeups, last.sums.wakeups) << i;
    last = now;
  }
}

TEST_F(ProbeTest, SeesTheCpuTimeOfAHogThatStillRuns) {
  // The hog tells its own CPU time through shared memory while it burns.
  auto* used = static_cast<std::atomic<int64_t>*>(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(used, MAP_FAILED);
  const pid_t hog = start([used] {
    for (const int64_t begin = cpu_used_ns(); cpu_used_ns() < begin + 200 * kMillisecond;) used->store(cpu_used_ns());
  });
  int64_t told = 0;
  do {
    nap(kMillisecond);
    told = used->load();
  } while (told < 100 * kMillisecond);
  const auto after = read();
  EXPECT_GE(grown(&pm_probe::busy_ns, after), static_cast<uint64_t>(told - kMillisecond));
  finish(hog);
  ::munmap(used, 4096);
}

TEST_F(ProbeTest, CpuTimeAtExitIsThatOfRusage) {
  std::vector<pid_t> children;
  for (int i = 0; i < 3; ++i) children.push_back(start([] { burn(40 * kMillisecond); }));
  int64_t children_ns = 0;
  for (const pid_t child : children) children_ns += used_ns(finish(child));
  // The last stint of each is charged at its last switch, which comes after its exit.
  const auto after = read_until([&](const pm_probe& p) {
    return p.exits - before_.sums.exits >= 3 && static_cast<int64_t>(p.young_ns - before_.sums.young_ns) >= children_ns - 5 * kMillisecond;
  });
  EXPECT_GE(children_ns, 120 * kMillisecond);
  EXPECT_GE(static_cast<int64_t>(grown(&pm_probe::exit_us, after)), children_ns / kMicrosecond - 500);
  EXPECT_GE(grown(&pm_probe::exit_us2, after), 3 * 39'000ull * 39'000ull);
  // The process's first second, and all of it under nice 0.
  EXPECT_GE(static_cast<int64_t>(grown(&pm_probe::young_ns, after)) + hidden_ns(after), children_ns - 5 * kMillisecond);
}

TEST_F(ProbeTest, SharesOfNiceAndSmallTasks) {
  int64_t nice_ns = 0, small_ns = 0;
  nice_ns += used_ns(finish(start([] {
    if (::setpriority(PRIO_PROCESS, 0, 5) != 0) ::_exit(1);
    burn(60 * kMillisecond);
  })));
  for (int i = 0; i < 20; ++i) small_ns += used_ns(finish(start([] { burn(3 * kMillisecond); })));
  const auto after = read_until([&](const pm_probe& p) { return static_cast<int64_t>(p.small_ns - before_.sums.small_ns) >= small_ns * 9 / 10; });
  EXPECT_GE(static_cast<int64_t>(grown(&pm_probe::nice_ns, after)) + hidden_ns(after), nice_ns * 9 / 10);
  EXPECT_GE(static_cast<int64_t>(grown(&pm_probe::small_ns, after)) + hidden_ns(after), small_ns * 9 / 10);
  EXPECT_LE(grown(&pm_probe::small_ns, after), grown(&pm_probe::busy_ns, after));
  EXPECT_LE(grown(&pm_probe::nice_ns, after), grown(&pm_probe::busy_ns, after));
}

// A child that naps and burns, and what it saw of that itself: the CPU time of each of its bursts, shortest first. A nap whose timer fires before the task has
// left the CPU ends no burst, and a machine that stands still for a moment makes one longer.
std::vector<int64_t> bursts_of(int naps, int64_t nap_ns, int64_t burn_ns) {
  struct Told {
    std::atomic<int> count;
    int64_t cpu_ns[64];
  };
  EXPECT_LE(naps, 64);
  auto* told = static_cast<Told*>(::mmap(nullptr, sizeof(Told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  if (told == MAP_FAILED) return {};
  finish(start([=] {
    const auto sleeps = [] {
      rusage usage{};
      ::getrusage(RUSAGE_THREAD, &usage);
      return usage.ru_nvcsw;
    };
    nap(kMillisecond);
    int64_t begin_ns = cpu_used_ns();
    for (int i = 0; i < naps; ++i) {
      const auto before = sleeps();
      burn(burn_ns);
      nap(nap_ns);
      if (sleeps() == before) continue;
      const int64_t now_ns = cpu_used_ns();
      told->cpu_ns[told->count++] = now_ns - begin_ns;
      begin_ns = now_ns;
    }
  }));
  std::vector<int64_t> bursts(told->cpu_ns, told->cpu_ns + told->count);
  ::munmap(told, sizeof(Told));
  std::sort(bursts.begin(), bursts.end());
  return bursts;
}

TEST_F(ProbeTest, BurstsFallIntoTheirBuckets) {
  constexpr int kBursts = 30;
  const auto bursts = bursts_of(kBursts, 100 * kMicrosecond, 2 * kMillisecond);
  const auto after = read();
  ASSERT_GE(bursts.size(), kBursts / 2u);
  uint64_t counted = grown(&pm_probe::unseen, after);
  pm_u32 bucket = pm_hist_bucket(1'900'000);
  for (size_t i = 0; i < bursts.size(); ++i) {
    for (; bucket <= pm_hist_bucket(static_cast<pm_u64>(bursts[i])) + 1; ++bucket) counted += after.sums.burst_hist[bucket] - before_.sums.burst_hist[bucket];
    EXPECT_GE(counted, i + 1) << "bursts of up to " << bursts[i] << " ns";
  }
  EXPECT_GE(grown(&pm_probe::burst_us, after), bursts.size() * 2000u);
}

// What naps for less than 2 ms goes on with the same piece of work, and is a short one no longer when that has used 5 ms.
TEST_F(ProbeTest, AJobThatNapsIsNoRowOfShortOnes) {
  constexpr int kBursts = 30;
  struct Seen {
    uint64_t sleeps, pieces, bursts;  // told by the kernel: bursts below 5 ms, those of them that were short pieces of work; told by the child: bursts surely below 5 ms
  };
  const auto seen_of = [&](int64_t nap_ns) {
    const auto before = read();
    const auto bursts = bursts_of(kBursts, nap_ns, 2 * kMillisecond);
    const auto after = read();
    const auto below_5ms = std::count_if(bursts.begin(), bursts.end(), [](int64_t ns) { return ns < 4'900'000; });
    const auto unseen = after.sums.unseen - before.sums.unseen;
    return Seen{after.sums.bursts_5ms - before.sums.bursts_5ms, entries(after.sums.short_wait_hist) - entries(before.sums.short_wait_hist),
                static_cast<uint64_t>(below_5ms) - std::min<uint64_t>(unseen, static_cast<uint64_t>(below_5ms))};
  };
  const auto one_job = seen_of(100 * kMicrosecond);
  EXPECT_LE(one_job.pieces + kBursts / 2, one_job.sleeps) << "after three of its bursts it is long";
  const auto many_jobs = seen_of(5 * kMillisecond);
  EXPECT_GE(many_jobs.pieces, many_jobs.bursts);
  EXPECT_LE(many_jobs.pieces, many_jobs.sleeps + 5);
}

TEST_F(ProbeTest, HistogramsAgreeWithTheirCounts) {
  for (int i = 0; i < 50; ++i) finish(start([] { nap(100 * kMicrosecond); }));
  const auto s = read().sums;
  EXPECT_EQ(entries(s.burst_hist), s.bursts);
  EXPECT_EQ(entries(s.tat_hist), s.exits);
  EXPECT_LE(entries(s.wait_hist), s.waits);
  EXPECT_LE(entries(s.short_wait_hist), s.bursts);
  EXPECT_LE(s.bursts_1ms, s.bursts_5ms);
  EXPECT_LE(s.bursts_5ms, s.bursts);
  // These two were counted on different CPUs, whose sums are read one after the other.
  EXPECT_LE(s.bursts, s.wakeups + s.forks + 5);
  EXPECT_LE(s.first_runs, s.forks + 5);
}

double mean_runnable(const ProbeReading& a, const ProbeReading& b) {
  const auto integral = [](const ProbeReading& r) {
    return static_cast<uint64_t>(r.moment_ns) * static_cast<uint64_t>(r.sums.runnable) - r.sums.runnable_moment_ns;
  };
  return static_cast<double>(static_cast<int64_t>(integral(b) - integral(a))) / static_cast<double>(b.moment_ns - a.moment_ns);
}

TEST_F(ProbeTest, FourHogsOnOneCpuAreFourRunnableAndThreeWaiting) {
  std::vector<pid_t> hogs;
  for (int i = 0; i < 4; ++i) {
    hogs.push_back(start([] {
      pin_to(0);
      burn(120 * kMillisecond);
    }));
  }
  nap(20 * kMillisecond);  // all have been forked and moved; together they have 480 ms to burn on that CPU
  const auto first = read();
  uint64_t oldest = 0;
  for (int i = 0; i < 10; ++i) {
    nap(10 * kMillisecond);
    auto waits = probe_->oldest_wait();
    ASSERT_TRUE(waits) << waits.error().message;
    oldest = std::max<uint64_t>(oldest, waits->wait_ns);
    EXPECT_LE(waits->short_wait_ns, waits->wait_ns);
  }
  const auto last = read();
  for (const pid_t hog : hogs) finish(hog);
  EXPECT_GE(mean_runnable(first, last), 3.5);
  EXPECT_GE(last.sums.wait_ns - first.sums.wait_ns, 100u * 1000 * 1000) << "at least two of them wait at any time, for 100 ms";
  EXPECT_GT(oldest, 1'000'000u) << "someone waits for more than a millisecond";
}

TEST_F(ProbeTest, TasksAliveBeforeItCountFromWhenTheyAreSeen) {
  probe_.reset();
  auto* stop = static_cast<std::atomic<bool>*>(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(stop, MAP_FAILED);
  const pid_t hog = start([stop] {  // runs without a break, from before the probe is there until it is told to stop
    while (!stop->load()) burn(kMillisecond);
  });
  nap(20 * kMillisecond);
  auto probe = Probe::open();
  if (!probe) stop->store(true);
  ASSERT_TRUE(probe) << probe.error().message;
  probe_.emplace(std::move(*probe));
  before_ = read();
  nap(50 * kMillisecond);
  const auto now = read();
  stop->store(true);
  const rusage usage = finish(hog);
  EXPECT_GE(mean_runnable(before_, now), 0.9);
  const auto after = read_until([&](const pm_probe& p) { return p.exits > before_.sums.exits; });
  // What it used before it was watched counts at its exit: that is its CPU time.
  EXPECT_GE(static_cast<int64_t>(grown(&pm_probe::exit_us, after)), used_ns(usage) / kMicrosecond - 500);
  ::munmap(stop, 4096);
}

TEST_F(ProbeTest, NothingStaysAttachedWhenItIsGone) {
  probe_.reset();
  auto again = Probe::open();
  ASSERT_TRUE(again) << again.error().message;
  auto reading = again->read();
  ASSERT_TRUE(reading);
  EXPECT_LT(reading->sums.switches, 10'000u) << "a new probe begins at zero";
}

}  // namespace
}  // namespace pointsman

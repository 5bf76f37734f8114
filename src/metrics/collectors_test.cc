#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <map>
#include <new>

#include "base/file.h"
#include "base/rng.h"
#include "metrics/catalogue.h"
#include "metrics/fake_tree.h"
#include "metrics/print.h"
#include "metrics/sampler.h"

namespace {
thread_local bool counting = false;
thread_local long allocations = 0;
}  // namespace
// Counts this thread's allocations while `counting`. Not inlined: the compiler would pair free() with its own operator new and warn.
[[gnu::noinline]] void* operator new(size_t size) {
  if (counting) ++allocations;
  if (void* p = std::malloc(size)) return p;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, size_t) noexcept { std::free(p); }

namespace pointsman {
namespace {

const std::string kRoot = POINTSMAN_SOURCE_DIR "/tests/data/root";

class Collectors : public testing::Test {
 protected:
  Collectors() {
    tree_.overlay(kRoot + "/sys", "sys");
    tree_.overlay(kRoot + "/0/proc", "proc");
  }
  Sampler open() {
    auto sampler = Sampler::open({.roots = tree_.roots(), .probe = nullptr, .probe_absent = "no probe in this test", .clock = &clock_});
    EXPECT_TRUE(sampler) << sampler.error().message;
    return std::move(*sampler);
  }
  FakeTree tree_;
  FakeClock clock_;
};

std::string status_of(char state, int voluntary, int involuntary, int threads = 1) {
  return "Name:\ta: b\nState:\t" + std::string(1, state) + " (whatever)\nThreads:\t" + std::to_string(threads) + "\nvoluntary_ctxt_switches:\t" + std::to_string(voluntary) +
         "\nnonvoluntary_ctxt_switches:\t" + std::to_string(involuntary) + "\n";
}

TEST_F(Collectors, WalkAddsUpWhatItSawHappen) {
  tree_.write("proc/10/status", status_of('S', 1000, 100));
  tree_.write("proc/20/status", status_of('R', 50, 5, 2));
  tree_.write("proc/20/task/20/status", status_of('R', 50, 5, 2));
  tree_.write("proc/20/task/21/status", status_of('D', 7, 0, 2));
  auto sampler = Sampler::open({.roots = tree_.roots(), .walk = true, .clock = &clock_});
  ASSERT_TRUE(sampler);
  WalkTopic walk = sampler->tick().walk;
  EXPECT_EQ(walk.threads, 3u);
  EXPECT_EQ(walk.sleeping, 1u);
  EXPECT_EQ(walk.running, 1u);
  EXPECT_EQ(walk.uninterruptible, 1u);
  EXPECT_EQ(walk.voluntary, 0u) << "what was before the first walk is nobody's";

  tree_.write("proc/10/status", status_of('S', 1010, 101));
  tree_.write("proc/20/task/21/status", status_of('S', 9, 0, 2));
  tree_.write("proc/30/status", status_of('S', 3, 2));  // born since
  const Snapshot& skipped = sampler->tick({.walk = false});
  EXPECT_TRUE(skipped.of(Topic::kWalk).skipped);
  walk = sampler->tick().walk;
  EXPECT_EQ(walk.voluntary, 10u + 2 + 3);
  EXPECT_EQ(walk.involuntary, 1u + 2);
  EXPECT_EQ(walk.born, 1u);

  tree_.remove("proc/20");                                // ended: what it did is kept
  tree_.write("proc/10/status", status_of('S', 4, 0));  // another process under the same number
  walk = sampler->tick().walk;
  EXPECT_EQ(walk.voluntary, 15u + 4);
  EXPECT_EQ(walk.born, 2u);
  EXPECT_EQ(walk.threads, 2u);
}

TEST_F(Collectors, AWalkThatFailedHalfwayLosesNoSwitches) {
  tree_.write("proc/10/status", status_of('S', 100, 10));
  auto sampler = Sampler::open({.roots = tree_.roots(), .walk = true, .clock = &clock_});
  ASSERT_TRUE(sampler);
  ASSERT_TRUE(sampler->tick().of(Topic::kWalk).ok);
  tree_.write("proc/10/status", status_of('S', 107, 12));
  tree_.write("proc/11/status", "State:\tS\n");
  ASSERT_FALSE(sampler->tick().of(Topic::kWalk).ok);
  tree_.remove("proc/11");
  tree_.write("proc/10/status", status_of('S', 108, 12));
  const WalkTopic walk = sampler->tick().walk;
  EXPECT_EQ(walk.voluntary, 8u);
  EXPECT_EQ(walk.involuntary, 2u);
}

TEST_F(Collectors, AWalkIsNotMisledByNames) {
  tree_.write("proc/10/status", "Name:\tState: R Threads: 9 voluntary_ctxt_switches: 5\n" + status_of('D', 12, 3));
  auto sampler = Sampler::open({.roots = tree_.roots(), .walk = true, .clock = &clock_});
  ASSERT_TRUE(sampler);
  ASSERT_TRUE(sampler->tick().of(Topic::kWalk).ok);
  tree_.write("proc/10/status", "Name:\tState: R Threads: 9 voluntary_ctxt_switches: 5\n" + status_of('D', 14, 8));
  const WalkTopic walk = sampler->tick().walk;
  EXPECT_EQ(walk.uninterruptible, 1u);
  EXPECT_EQ(walk.threads, 1u);
  EXPECT_EQ(walk.voluntary, 2u);
  EXPECT_EQ(walk.involuntary, 5u);
}

TEST_F(Collectors, WalkSaysWhichFileIsGarbled) {
  tree_.write("proc/10/status", status_of('S', 1, 1));
  tree_.write("proc/11/status", "State:\tS\nvoluntary_ctxt_switches:\tmany\nnonvoluntary_ctxt_switches:\t1\n");
  auto sampler = Sampler::open({.roots = tree_.roots(), .walk = true, .clock = &clock_});
  ASSERT_TRUE(sampler);
  const TopicStatus status = sampler->tick().of(Topic::kWalk);
  EXPECT_FALSE(status.ok);
  EXPECT_NE(status.trouble.find("11/status: expected State and both counts"), std::string::npos) << status.trouble;
  tree_.remove("proc/10");
  tree_.remove("proc/11");
  EXPECT_NE(sampler->tick().of(Topic::kWalk).trouble.find("no readable PID/status"), std::string::npos);
}

TEST_F(Collectors, ReadEveryTopic) {
  Sampler sampler = open();
  const Snapshot& s = sampler.tick();
  for (int i = 0; i < kTopics; ++i) {
    const auto topic = static_cast<Topic>(i);
    if (topic == Topic::kWalk) continue;  // not asked for
    EXPECT_EQ(s.of(topic).ok, topic != Topic::kProbe) << name_of(topic) << ": " << s.of(topic).trouble;
  }
  EXPECT_EQ(s.of(Topic::kProbe).trouble, "no probe in this test");
  EXPECT_EQ(s.cpu.all.user, 41210u);
  EXPECT_EQ(s.cpu.all.steal, 12u);
  ASSERT_EQ(s.cpu.each.size(), 2u);
  EXPECT_EQ(s.cpu.each[1].id, 1);
  EXPECT_EQ(s.cpu.each[1].ticks.idle, 438800u);
  EXPECT_EQ(s.cpu.switches, 21034567u);
  EXPECT_EQ(s.cpu.forks, 81234u);
  EXPECT_EQ(s.cpu.running, 3u);
  EXPECT_EQ(s.cpu.io_blocked, 1u);
  EXPECT_EQ(s.cpu.interrupts, 8123456u);
  EXPECT_EQ(s.load.threads, 412u);
  EXPECT_DOUBLE_EQ(s.load.one_minute, 0.84);
  EXPECT_EQ(s.memory.available_bytes, 5300000ull * 1024);
  EXPECT_EQ(s.memory.reclaimable_slab_bytes, 210000ull * 1024);
  EXPECT_EQ(s.paging.swapped_out_pages, 127000u);
  EXPECT_EQ(s.pressure.io.full_us, 700123u);
  EXPECT_EQ(s.schedstat.waiting_ns, 21034567890u + 19812345678u);
}

TEST_F(Collectors, SumDevicesWhereDataEndsOnce) {
  Sampler sampler = open();
  const Snapshot& s = sampler.tick();
  // sda and nvme0n1; not its partitions, not dm-0 on top of sda2, not the hidden path nvme0c0n1, not loop0 and zram0.
  EXPECT_EQ(s.disks.devices, 2);
  EXPECT_EQ(s.disks.read_bytes, (8012344ull + 400) * 512);
  EXPECT_EQ(s.disks.written_bytes, (18012344ull + 800) * 512);
}

TEST_F(Collectors, DeviceThatLeavesAndComesBackNeverMakesTheSumFall) {
  Sampler sampler = open();
  const auto line = [](const char* name, int sectors) {
    return " 8 0 " + std::string(name) + " 1 0 " + std::to_string(sectors) + " 0 1 0 " + std::to_string(sectors) + " 0 0 0 0\n";
  };
  tree_.write("proc/diskstats", line("sda", 100) + line("nvme0n1", 50));
  EXPECT_EQ(sampler.tick().disks.read_bytes, 150u * 512u);
  tree_.write("proc/diskstats", line("sda", 110));
  EXPECT_EQ(sampler.tick().disks.read_bytes, 160u * 512u);
  tree_.write("proc/diskstats", line("nvme0n1", 7) + line("sda", 110));  // plugged in again, counts from zero
  EXPECT_EQ(sampler.tick().disks.read_bytes, 167u * 512u);
}

TEST_F(Collectors, WithoutSysfsDisksSayWhyAndTheRestGoesOn) {
  tree_.remove("sys/block");
  Sampler sampler = open();
  const Snapshot& s = sampler.tick();
  EXPECT_FALSE(s.of(Topic::kDisks).ok);
  EXPECT_NE(s.of(Topic::kDisks).trouble.find("--sysfs"), std::string::npos) << s.of(Topic::kDisks).trouble;
  EXPECT_TRUE(s.of(Topic::kCpu).ok);
}

TEST_F(Collectors, MissingFilesNameWhatWouldHelpAndHeal) {
  tree_.remove("proc/pressure");
  tree_.remove("proc/schedstat");
  Sampler sampler = open();
  {
    const Snapshot& s = sampler.tick();
    EXPECT_NE(s.of(Topic::kPressure).trouble.find("CONFIG_PSI"), std::string::npos) << s.of(Topic::kPressure).trouble;
    EXPECT_NE(s.of(Topic::kSchedstat).trouble.find("CONFIG_SCHEDSTATS"), std::string::npos);
    EXPECT_TRUE(s.of(Topic::kMemory).ok);
  }
  tree_.overlay(kRoot + "/0/proc/pressure", "proc/pressure");
  EXPECT_NE(sampler.tick().of(Topic::kPressure).trouble.find("CONFIG_PSI"), std::string::npos);  // still known to be absent
  clock_.advance(Sampler::kAbsentNs);
  EXPECT_TRUE(sampler.tick().of(Topic::kPressure).ok);
  EXPECT_TRUE(sampler.tick().of(Topic::kPressure).trouble.empty());
}

TEST_F(Collectors, NoProcAtAllIsRefused) {
  auto sampler = Sampler::open({.roots = {.procfs = "/no/such/proc"}});
  ASSERT_FALSE(sampler);
  EXPECT_EQ(sampler.error().code, ErrorCode::kNotFound);
  EXPECT_NE(sampler.error().message.find("/no/such/proc/stat"), std::string::npos);
}

TEST_F(Collectors, MalformedLinesAreNamedByFileAndLine) {
  struct Case {
    const char *file, *content, *expected;
    Topic topic;
  };
  const Case cases[] = {
      {"proc/stat", "cpu 1 2 3 4\ncpu0 1 2 x 4\n", "stat:2: expected 'cpuN'", Topic::kCpu},
      {"proc/stat", "cpu 1 2 3\n", "stat:1: expected 'cpu'", Topic::kCpu},
      {"proc/stat", "cpu 1 2 3 4\nctxt 99999999999999999999\n", "stat:2: expected a name and a number", Topic::kCpu},
      {"proc/stat", "cpu 1 2 3 4\nctxt 1\nprocesses 1\nprocs_running 1\n", "no line 'procs_blocked'", Topic::kCpu},
      {"proc/stat", "", "no line 'cpu'", Topic::kCpu},
      {"proc/loadavg", "0.1 0.2 0.3 4\n", "loadavg:1: expected three averages", Topic::kLoad},
      {"proc/loadavg", "", "loadavg:0: expected three averages", Topic::kLoad},
      {"proc/meminfo", "MemTotal: 12 pages\n", "meminfo:1: expected a name and a number of kB", Topic::kMemory},
      {"proc/meminfo", "MemTotal: 12 kB\nMemFree: 99999999999999999 kB\n", "meminfo:2:", Topic::kMemory},
      {"proc/meminfo", "MemTotal: 12 kB\nMemFree: 1 kB\nBuffers: 1 kB\n", "no line 'MemAvailable:'", Topic::kMemory},
      {"proc/vmstat", "pgpgin -1\n", "vmstat:1: expected a name and a number", Topic::kPaging},
      {"proc/diskstats", "8 0 sda 1 2\n", "diskstats:1: expected a device", Topic::kDisks},
      {"proc/pressure/io", "some avg10=0.00\n", "io:1: expected 'some' or 'full'", Topic::kPressure},
      {"proc/pressure/cpu", "full total=3\n", "no line 'some'", Topic::kPressure},
      {"proc/schedstat", "version 17\ncpu0 1 2 3\n", "schedstat:2: expected 'cpuN' and nine numbers", Topic::kSchedstat},
  };
  Sampler sampler = open();
  for (const Case& c : cases) {
    tree_.write(c.file, c.content);
    const TopicStatus& status = sampler.tick().of(c.topic);
    EXPECT_FALSE(status.ok) << c.content;
    EXPECT_NE(status.trouble.find(c.expected), std::string::npos) << status.trouble;
    EXPECT_EQ(status.trouble.find('\n'), std::string::npos);
    tree_.write(c.file, *read_file(kRoot + "/0/" + c.file));
    clock_.advance(Sampler::kAbsentNs);  // a kernel before MemAvailable is asked again then
    EXPECT_TRUE(sampler.tick().of(c.topic).ok);
  }
}

TEST_F(Collectors, OldKernelsWithFewerColumnsAreRead) {
  tree_.write("proc/stat", "cpu 10 20 30 40\ncpu0 10 20 30 40\nctxt 1\nprocesses 2\nprocs_running 1\nprocs_blocked 0\n");
  Sampler sampler = open();
  const Snapshot& s = sampler.tick();
  EXPECT_TRUE(s.of(Topic::kCpu).ok) << s.of(Topic::kCpu).trouble;
  EXPECT_EQ(s.cpu.all.idle, 40u);
  EXPECT_EQ(s.cpu.all.softirq, 0u);
}

// Every byte of every file may be anything: no crash, and each topic is either read or in trouble with one line that says so; metrics stay finite.
TEST_F(Collectors, SurviveGarbage) {
  constexpr uint64_t kSeed = 4242;
  const std::string files[] = {"stat", "loadavg", "meminfo", "vmstat", "diskstats", "pressure/cpu", "pressure/memory", "pressure/io", "schedstat"};
  std::map<std::string, std::string> content;
  for (const auto& file : files) content[file] = *read_file(kRoot + "/0/proc/" + file);
  Rng rng(kSeed, "garbage");
  std::vector<Snapshot> seen;
  Sampler sampler = open();
  int refused = 0;
  for (int round = 0; round < 100; ++round) {
    for (const auto& file : files) {
      std::string text = content[file];
      for (uint64_t edits = rng.below(4); edits > 0 && !text.empty(); --edits) {
        const size_t at = rng.below(text.size());
        switch (rng.below(5)) {
          case 0: text[at] = static_cast<char>(rng.below(256)); break;
          case 1: text.erase(at, rng.below(40)); break;
          case 2: text.insert(at, std::string(rng.below(30), "9 \n\t-.x\0"[rng.below(8)])); break;
          case 3: text.resize(at); break;
          default: text.insert(at, text.substr(rng.below(text.size()), rng.below(200))); break;
        }
      }
      tree_.write("proc/" + file, text);
    }
    clock_.advance(50 * kMillisecond);
    seen.push_back(sampler.tick());
    for (const auto& status : seen.back().status) {
      EXPECT_EQ(status.ok, status.trouble.empty()) << "seed " << kSeed;
      refused += status.ok ? 0 : 1;
    }
    const auto metrics = evaluate_metrics(std::span(seen).last(std::min<size_t>(seen.size(), 1 + rng.below(4))));
    for (const auto& m : metrics) {
      for (const auto& value : {m.avg, m.delta, m.rate, m.pct_change}) {
        ASSERT_TRUE(!value || std::isfinite(*value)) << m.spec->name << " round " << round << " seed " << kSeed;
      }
    }
    ASSERT_FALSE(to_table(metrics, seen).empty());
  }
  EXPECT_GT(refused, 100 + 20);  // the probe is refused every time; garbage must be noticed often
}

TEST_F(Collectors, TickDoesNotAllocate) {
  Sampler sampler = open();
  sampler.tick();
  sampler.tick();
  allocations = 0;
  counting = true;
  const Snapshot& s = sampler.tick();
  counting = false;
  EXPECT_TRUE(s.of(Topic::kDisks).ok);
  EXPECT_EQ(allocations, 0);
}

}  // namespace
}  // namespace pointsman

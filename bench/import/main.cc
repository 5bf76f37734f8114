// How fast is perf's text read? Asked for: 100 MB a second, in memory that does not grow.
#include <fmt/core.h>
#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/rng.h"
#include "bench/import/naive.h"
#include "report/perf_text.h"

namespace {

using namespace pointsman;

// As perf sched script prints it: switches, run times, wake-ups, forks and ends of short processes.
std::string text(size_t bytes) {
  Rng rng(1, "perf text");
  std::string out;
  int64_t us = 1'000'000;
  int child = 1000;
  while (out.size() < bytes) {
    const auto at = [&] {
      us += rng.between(1, 60);
      return fmt::format("{}.{:06}", us / 1'000'000, us % 1'000'000);
    };
    const int a = static_cast<int>(rng.between(100, 400)), b = static_cast<int>(rng.between(100, 400)), cpu = static_cast<int>(rng.below(4));
    out += fmt::format("         worker-{0} {0:5} [{2:03}] {3}: sched:sched_stat_runtime: comm=worker-{0} pid={0} runtime={4} [ns]\n", a, b, cpu, at(), rng.between(1000, 90000));
    out += fmt::format("         worker-{0} {0:5} [{2:03}] {3}:       sched:sched_waking: comm=worker-{1} pid={1} prio=120 target_cpu={2:03}\n", a, b, cpu, at());
    out += fmt::format("         worker-{0} {0:5} [{2:03}] {3}:       sched:sched_switch: prev_comm=worker-{0} prev_pid={0} prev_prio=120 prev_state=S ==> next_comm=worker-{1} next_pid={1} next_prio=120\n", a, b, cpu, at());
    if (rng.below(20) == 0) {
      ++child;
      out += fmt::format("         worker-{0} {0:5} [{2:03}] {3}: sched:sched_process_fork: comm=worker-{0} pid={0} child_comm=worker-{0} child_pid={1}\n", b, child, cpu, at());
      out += fmt::format("         worker-{0} {0:5} [{2:03}] {3}:       sched:sched_switch: prev_comm=worker-{0} prev_pid={0} prev_prio=120 prev_state=R ==> next_comm=job next_pid={1} next_prio=120\n", b, child, cpu, at());
      out += fmt::format("                job {1:5} [{2:03}] {3}:       sched:sched_switch: prev_comm=job prev_pid={1} prev_prio=120 prev_state=Z ==> next_comm=worker-{0} next_pid={0} next_prio=120\n", b, child, cpu, at());
    }
  }
  return out;
}

// This thread's own CPU time: it means more than real time while others want the CPU.
int64_t cpu_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return now.tv_sec * kSecond + now.tv_nsec;
}

long resident_kib() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

}  // namespace

int main() {
  const std::string part = text(32 << 20);
  // Equal answers first.
  report::PerfText checked;
  checked.feed(part);
  checked.finish();
  const bench::NaiveCounts naive = bench::read_naively(part);
  if (checked.counts().malformed != 0 || naive.events != checked.counts().events) {
    std::fprintf(stderr, "the two do not read the same: %llu and %llu events\n", static_cast<unsigned long long>(naive.events), static_cast<unsigned long long>(checked.counts().events));
    return 1;
  }
  std::vector<double> ours, theirs;
  const long before = resident_kib();
  for (int round = 0; round < 7; ++round) {
    int64_t begin = cpu_ns();
    report::PerfText reader;
    for (size_t at = 0; at < part.size(); at += 1 << 20) {
      reader.feed(std::string_view(part).substr(at, 1 << 20));
      reader.take();
    }
    reader.finish();
    ours.push_back(static_cast<double>(part.size()) / static_cast<double>(cpu_ns() - begin) * 1e3);
    begin = cpu_ns();
    if (bench::read_naively(part).events == 0) return 1;
    theirs.push_back(static_cast<double>(part.size()) / static_cast<double>(cpu_ns() - begin) * 1e3);
  }
  std::sort(ours.begin(), ours.end());
  std::sort(theirs.begin(), theirs.end());
  std::printf("import: median %.0f MB/s, best %.0f MB a second of CPU time (asked for: 100); the standard library's streams: %.1f MB/s; %ld KiB more for %.0f MB read\n", ours[3], ours[6], theirs[3],
              resident_kib() - before, 7 * static_cast<double>(part.size()) / 1e6);
  return 0;
}

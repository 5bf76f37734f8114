// Snapshot: everything that one tick saw of the machine; values as the kernel counts them, not yet rates.
// A topic whose status is not ok holds nothing of use: its values are those of an earlier tick or zero.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bpf/probe/probe.intf.h"

namespace pointsman {

enum class Topic { kCpu, kLoad, kMemory, kPaging, kDisks, kPressure, kSchedstat, kProbe, kWalk };
inline constexpr int kTopics = 9;
std::string_view name_of(Topic topic);

struct TopicStatus {
  bool ok = false;
  bool skipped = false;  // not looked at in this tick, on purpose
  int64_t duration_ns = 0;
  std::string trouble;  // when not ok: what failed, and what would help
};

// Source: fs/proc/stat.c. In units of 1/USER_HZ; `user` includes `guest`, `nice` includes `guest_nice`. `iowait` may go backwards.
struct CpuTicks {
  uint64_t user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0, guest = 0, guest_nice = 0;
};
struct OneCpu {
  int id = 0;
  CpuTicks ticks;
};
struct CpuTopic {
  CpuTicks all;
  std::vector<OneCpu> each;  // those on line
  uint64_t interrupts = 0, softirqs = 0;
  uint64_t switches = 0;                // `ctxt`: voluntary, involuntary and away from idle, all in one
  uint64_t forks = 0;                   // `processes`: clones, so threads too
  uint64_t running = 0, io_blocked = 0;  // threads: runnable (running included), in io_schedule
};

struct LoadTopic {
  double one_minute = 0, five_minutes = 0, fifteen_minutes = 0;
  uint64_t runnable = 0, threads = 0;
};

struct MemoryTopic {
  uint64_t total_bytes = 0, free_bytes = 0, available_bytes = 0, buffers_bytes = 0, cached_bytes = 0, reclaimable_slab_bytes = 0;
  uint64_t swap_total_bytes = 0, swap_free_bytes = 0;
};

struct PagingTopic {
  uint64_t swapped_in_pages = 0, swapped_out_pages = 0;
  uint64_t paged_in_kib = 0, paged_out_kib = 0;  // `pgpgin`, `pgpgout`: what block devices moved, in KiB
  uint64_t major_faults = 0;
};

// Sums over the devices where data ends: see disks.cc for which count. Counted from the first tick that saw a device; a device that leaves stays in the sum.
struct DisksTopic {
  uint64_t read_bytes = 0, written_bytes = 0, reads = 0, writes = 0;
  int devices = 0;
};

struct Stall {
  uint64_t some_us = 0, full_us = 0;
};
struct PressureTopic {
  Stall cpu, memory, io;
};

// Source: kernel/sched/stats.c, fields 7 to 9 of each CPU's line.
struct SchedstatTopic {
  uint64_t running_ns = 0, waiting_ns = 0, timeslices = 0;
};

struct ProbeTopic {
  int64_t moment_ns = 0;
  pm_probe sums{};
  bool states = false;  // the levels of threads alive and asleep are kept
};

// From a walk over all threads. Switches are those that were seen to happen: what a thread had done before its first walk is not among them, unless it was born
// since the walk before. What happens between a thread's last walk and its end is missed, and so are threads that live between two walks.
struct WalkTopic {
  uint64_t voluntary = 0, involuntary = 0;  // switches since the first walk
  uint64_t born = 0;                        // threads met for the first time, since the first walk
  uint64_t threads = 0, running = 0, sleeping = 0, uninterruptible = 0;  // now, by state: R, S, D
};

struct Snapshot {
  int64_t taken_ns = 0;     // CLOCK_MONOTONIC, at the tick's beginning
  int64_t duration_ns = 0;  // of the whole tick
  std::array<TopicStatus, kTopics> status;
  CpuTopic cpu;
  LoadTopic load;
  MemoryTopic memory;
  PagingTopic paging;
  DisksTopic disks;
  PressureTopic pressure;
  SchedstatTopic schedstat;
  ProbeTopic probe;
  WalkTopic walk;

  [[nodiscard]] const TopicStatus& of(Topic topic) const { return status[static_cast<size_t>(topic)]; }
  [[nodiscard]] TopicStatus& of(Topic topic) { return status[static_cast<size_t>(topic)]; }
};

// Shares of the time between two readings, 0..1. A field that went backwards counts as still; nothing elapsed is 0.
struct CpuShares {
  double busy = 0;  // neither idle nor waiting for I/O
  double iowait = 0, irq = 0, softirq = 0, steal = 0;
};
CpuShares shares_between(const CpuTicks& before, const CpuTicks& after);
// The busy share of the busiest CPU that was on line both times.
double busiest_cpu_ratio(const CpuTopic& before, const CpuTopic& after);

}  // namespace pointsman

// What is counted of each group of threads (a cgroup, a command name, a job tag, or all), shared by groups.bpf.c and its reader: one pm_group a group and CPU, whose sums
// grow since load; a reader adds the CPUs up and takes differences. Times in ns unless named otherwise; ratios as whole numbers of 2^-20.
// Counted are threads of user space under the fair or ext class; a group is that to which a thread belongs at the moment of the event.
#pragma once

#include "bpf/probe/probe.intf.h"

enum { PM_BY_ALL = 0, PM_BY_CGROUP = 1, PM_BY_COMMAND = 2, PM_BY_JOB = 3 };

struct pm_group_key {
  pm_u64 id;      // of PM_BY_CGROUP: the cgroup; of PM_BY_JOB: the tag, 0: none
  char name[16];  // of PM_BY_COMMAND
};

#define PM_UNIT (1ull << 20) /* 1.0 of a ratio */

struct pm_group {
  pm_u64 forks, exits, first_runs, wakeups, voluntary, involuntary;
  pm_u64 cpu_ns, wait_ns, waits;
  pm_u64 tat_ns, rt_ns;          // at exit: fork to exit; at first run: fork to first run
  // Of threads that exited with a fork that was seen: CPU time / TAT, which is fairness, 1 / slowdown; TAT / CPU time, at most 2^20.
  pm_u64 ended, fairness, fairness2, slowdown;
  // Of threads that wanted a CPU for at least half of the span between two walks: CPU time / (weight x time wanted), 1024 being the weight of nice 0.
  pm_u64 sharers, share, share2;
  pm_u64 alive;                  // summed over walks, by the CPU that walked: the difference between two is the level
  pm_u64 wait_hist[PM_HIST_BUCKETS], tat_hist[PM_HIST_BUCKETS], rt_hist[PM_HIST_BUCKETS];
};

struct pm_group_losses {
  pm_u64 groups;   // events of groups for which the map had no room
  pm_u64 threads;  // events of threads that had no storage
};

// The argument of the program `walk`. The span is that since the walk before.
struct pm_group_walk {
  pm_u64 span_ns;
  pm_u64 threads;  // out: how many it saw
};

// The argument of the program `tag`: the process and those that descend from it get this job tag; what they fork inherits it.
struct pm_group_tag {
  pm_u64 tag;
  pm_u32 tgid, threads;  // out: how many got it
};

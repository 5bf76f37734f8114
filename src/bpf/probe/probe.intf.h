// What the probe counts, shared by probe.bpf.c and its reader. All fields are sums since load, one struct a CPU; a reader adds the CPUs up and takes differences.
// Times in ns unless named otherwise. Kernel threads, idle and real-time tasks (prio < 100) are not counted except in switches and idle_ns.
#pragma once

#ifndef __BPF__
#include <cstdint>
using __u64 = uint64_t;
using __s64 = int64_t;
using __u32 = uint32_t;
#endif

// Log-linear histograms: 4 sub-buckets an octave (relative error <= 12.5 % at the middle of a bucket) over 2^10 .. 2^35 ns (1 us .. 34 s).
#define PM_HIST_SUB 4
#define PM_HIST_LOW 10
#define PM_HIST_BUCKETS (25 * PM_HIST_SUB + 2) /* the first holds all below 2^10, the last all from 2^35 */

struct pm_probe {
  __u64 switches, voluntary, involuntary, wakeups, forks, exits, migrations;
  __u64 idle_ns, busy_ns;
  __u64 young_ns;        // CPU time of processes younger than 1 s
  __u64 small_ns;        // CPU time of tasks that had used less than 5 ms in their life
  __u64 nice_ns;         // CPU time of tasks with nice > 0
  __u64 wait_ns, waits;  // run delay: from runnable to running
  __u64 bursts, burst_us, burst_us2;  // CPU time between wake-up and sleep: count, sum, sum of squares (us)
  __u64 bursts_1ms, bursts_5ms;       // shorter than this
  __u64 exit_us, exit_us2;            // CPU time at a task's exit: sum, sum of squares (us); the count is `exits`
  __u64 tat_ns, rt_ns;   // at exit: fork to exit; at first run: fork to first run
  __u64 first_runs;
  __s64 runnable;        // +1 when a task becomes runnable, -1 when it no longer is; over all CPUs: tasks runnable now
  __s64 runnable_moment_us;  // sum of delta * time (us): the time integral of `runnable` to T is T * runnable - this
  __u64 lost;            // events without task storage
  __u64 burst_hist[PM_HIST_BUCKETS];
  __u64 wait_hist[PM_HIST_BUCKETS];       // run delay after a wake-up
  __u64 short_wait_hist[PM_HIST_BUCKETS]; // the same for tasks whose last burst was <= 5 ms: the guard's p99
  __u64 tat_hist[PM_HIST_BUCKETS];
};

// What the probe counts, shared by probe.bpf.c and its readers: one pm_cpu a CPU, whose sums grow since load; a reader adds the CPUs up and takes differences.
// Times in ns unless named otherwise. Counted are tasks of user space under the fair or ext class: kernel threads, idle and real-time tasks (prio < 100) enter
// only `switches`, `idle_ns` and the fields named other_*. Tasks are threads: a process with four threads is four forks and four exits.
// Source: kernel/sched/core.c: __schedule() counts a switch as voluntary when it was no preemption and the state was not TASK_RUNNING; so do we.
#pragma once

#ifdef __BPF__
typedef unsigned long long pm_u64;
typedef long long pm_s64;
typedef unsigned int pm_u32;
#else
#include <cstdint>
using pm_u64 = uint64_t;
using pm_s64 = int64_t;
using pm_u32 = uint32_t;
#endif
#define PM_INLINE static inline __attribute__((always_inline))

// Log-linear histograms: 4 sub-buckets an octave (relative error <= 12.5 % at the middle of a bucket) over 2^10 .. 2^35 ns (1 us .. 34 s).
#define PM_HIST_SUB 4
#define PM_HIST_LOW 10
#define PM_HIST_HIGH 35
#define PM_HIST_BUCKETS (25 * PM_HIST_SUB + 2) /* the first holds all below 2^10, the last all from 2^35 */

#define PM_YOUNG_NS 1000000000ull
#define PM_SHORT_NS 5000000ull
#define PM_PIECE_GAP_NS 2000000ull

// A piece of work is a task's bursts merged over sleeps < 2 ms: a long job that reads files is no row of short ones.
struct pm_probe {
  pm_u64 switches, voluntary, involuntary, wakeups, forks, exits, migrations;
  pm_u64 other_voluntary, other_involuntary;  // of kernel threads and real-time tasks; the rest of `switches` are switches away from idle
  pm_u64 idle_ns, busy_ns, other_ns;          // together: all the time of all CPUs since load
  pm_u64 young_ns;        // CPU time in a process's first second
  pm_u64 small_ns;        // CPU time among the first 5 ms that a task used in its life
  pm_u64 nice_ns;         // CPU time of tasks with nice > 0
  pm_u64 wait_ns, waits;  // run delay: from runnable to running
  pm_u64 bursts, burst_us, burst_us2;  // CPU time between wake-up and sleep: count, sum, sum of squares (us)
  pm_u64 bursts_1ms, bursts_5ms;       // shorter than this
  pm_u64 exit_us, exit_us2;            // CPU time at a task's exit: sum, sum of squares (us); the count is `exits`
  pm_u64 tat_ns, rt_ns;                // at exit: fork to exit; at first run: fork to first run
  pm_u64 first_runs;
  // +1 when a task becomes runnable (waiting or running), -1 when it no longer is; over all CPUs: tasks runnable now. A task that waited for a CPU when the probe
  // was attached joins when it first runs.
  pm_s64 runnable;
  // Sum of delta * time, modulo 2^64. The time integral of `runnable` from load to T is T * runnable - this, modulo 2^64: exact over any window.
  pm_u64 runnable_moment_ns;
  // In the same manner, kept only when the reader asked for states: threads alive; asleep in state D; asleep in io_schedule (there the kernel's threads count too).
  pm_s64 alive, uninterruptible, io_blocked;
  pm_u64 alive_moment_ns, uninterruptible_moment_ns, io_blocked_moment_ns;
  pm_u64 lost;    // events without task storage
  pm_u64 unseen;  // switches of which the kernel told nobody: some virtual machines hide their own agent's threads when they go to sleep
  pm_u64 burst_hist[PM_HIST_BUCKETS];
  pm_u64 wait_hist[PM_HIST_BUCKETS];        // run delay after a wake-up or fork, entered when the task gets a CPU
  pm_u64 short_wait_hist[PM_HIST_BUCKETS];  // the same, entered when the burst that it began has ended, if its piece of work was <= 5 ms: the guard's p99
  pm_u64 tat_hist[PM_HIST_BUCKETS];
};

// What a CPU runs now. A stint that is still under way is in no sum yet; pm_accrue adds it, in the kernel at each switch, in a reader up to its own moment.
enum { PM_UNKNOWN = 0, PM_IDLE = 1, PM_COUNTED = 2, PM_OTHER = 3 };
struct pm_running {
  pm_u64 since_ns;
  pm_u64 young_until_ns;  // its process is younger than 1 s up to here
  pm_u64 small_until_ns;  // it will have used 5 ms in its life here
  pm_u32 kind, nice, pid, pad;
};

// The kernel raises `started`, writes, then raises `completed`; a reader loads `completed`, copies, then loads `started`: equal means an undisturbed copy.
struct pm_cpu {
  pm_u64 completed;
  struct pm_probe sums;
  struct pm_running running;
  pm_u64 started;
} __attribute__((aligned(64)));

// The argument of the program `oldest_wait`. Short is a task whose last piece of work was <= 5 ms so far; tasks that have not slept yet are not known to be.
struct pm_oldest {
  pm_u64 short_wait_ns, wait_ns;
};

// The argument of the program `seed_states`: what was alive and asleep before the probe was attached, all at one moment.
struct pm_states {
  pm_u64 moment_ns;
  pm_s64 alive, uninterruptible, io_blocked;
};

PM_INLINE pm_u64 pm_least(pm_u64 a, pm_u64 b) { return a < b ? a : b; }

PM_INLINE void pm_accrue(struct pm_probe* sums, struct pm_running* running, pm_u64 now_ns) {
  const pm_u64 since = running->since_ns;
  if (running->kind == PM_UNKNOWN || now_ns <= since) return;
  const pm_u64 ns = now_ns - since;
  if (running->kind == PM_IDLE) {
    sums->idle_ns += ns;
  } else if (running->kind == PM_OTHER) {
    sums->other_ns += ns;
  } else {
    sums->busy_ns += ns;
    if (running->nice) sums->nice_ns += ns;
    if (running->young_until_ns > since) sums->young_ns += pm_least(now_ns, running->young_until_ns) - since;
    if (running->small_until_ns > since) sums->small_ns += pm_least(now_ns, running->small_until_ns) - since;
  }
  running->since_ns = now_ns;
}

PM_INLINE pm_u32 pm_hist_bucket(pm_u64 ns) {
  if (ns < (1ull << PM_HIST_LOW)) return 0;
  if (ns >> PM_HIST_HIGH) return PM_HIST_BUCKETS - 1;
  pm_u32 octave = 0;
  pm_u64 rest = ns >> PM_HIST_LOW;
  if (rest >> 16) octave += 16, rest >>= 16;
  if (rest >> 8) octave += 8, rest >>= 8;
  if (rest >> 4) octave += 4, rest >>= 4;
  if (rest >> 2) octave += 2, rest >>= 2;
  if (rest >> 1) octave += 1;
  const pm_u32 sub = (ns >> (octave + PM_HIST_LOW - 2)) & (PM_HIST_SUB - 1);
  return 1 + octave * PM_HIST_SUB + sub;
}

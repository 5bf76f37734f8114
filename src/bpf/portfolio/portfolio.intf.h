// What the portfolio shares with the process that loads it: the policies, the state that is mapped into both, the arguments of its syscall
// programs. Times in ns of scx_bpf_now(): only differences mean anything, and none to a clock of user space.
#pragma once

#ifndef __BPF__
#include <linux/types.h>
#endif

enum pm_policy { PM_HYB, PM_LAS, PM_AGE, PM_SJF, PM_IPRE, PM_RTC, PM_RR, PM_VTIME, PM_DL, PM_POLICIES };

enum {
  PM_MAX_CPUS = 64,
  PM_REASON_BYTES = 64,
  PM_MESSAGE_BYTES = 1024,
};

// Why the kernel ended it; written once, in ops.exit. kind 0: still attached, or never was.
struct pm_exit {
  __u64 exit_code;
  __u32 kind;  // enum scx_exit_kind
  char reason[PM_REASON_BYTES];
  char message[PM_MESSAGE_BYTES];
};

struct pm_on_cpu {
  __u64 key;           // of the task that runs
  __u64 since;         // when its key was that
  __u64 growth;        // struct pm_rank
  __u64 longest_wait;  // of the tasks that waited when the last swap was done or before, and ran here since
  __u64 preempts;      // wake-ups that took this CPU from a running task
  __u32 policy;        // by which `key` was made
  __u32 takeable;      // a woken task may take this CPU
  __u64 unused[2];     // one cache line each
};

// Section .data.st. Only `active` may be written by user space, and only before an attachment (a flip goes through the program `flip`);
// the tests store into it while it runs, to prove that even then nothing is lost.
struct pm_state {
  __u64 active;             // enum pm_policy
  __u64 swap_at;            // when the last flip or attachment began
  __u64 swap_done;          // when everything had moved and all CPUs were kicked; 0 while it runs
  __u64 first_dispatch_at;  // when a CPU first took or kept a task by the new policy; 0 until then
  __u64 all_cpus_at;        // when the last online CPU had asked the new policy
  __u64 cpus;               // bit a CPU: asked since the flip
  __u64 online;             // bit a CPU
  __u64 swap_moved;         // tasks moved to the new queue by this flip, by whichever CPU
  __u64 moved;              // all tasks ever moved between queues of policies
  __u64 rescues;            // times that the periodic check found tasks behind a flip's back
  __u64 aged;               // tasks that had waited 3 s and went to the urgent queue
  struct pm_exit exit;
  struct pm_on_cpu cpu[PM_MAX_CPUS] __attribute__((aligned(64)));
};

// Program `flip`, by bpf_prog_test_run. Returns 0, or -22 for a policy that does not exist.
struct pm_flip_args {
  __u32 policy;
};

// Program `watch`: notes the beginning (begin = 1) or the end (0) of a warm swap.
struct pm_watch_args {
  __u32 begin;
};

// Section .data.watch, used by the program watch_switch (attached around a warm swap only).
struct pm_watch {
  __u64 began;         // 0: nothing is watched
  __u64 done;          // the end of the swap; 0 while it runs
  __u64 longest_wait;  // as in pm_state, in every scheduling class, by the kernel's own record of when a task was queued
};

// SPDX-License-Identifier: GPL-2.0
// What every policy knows of a task, kept for all policies all the time so that a flip starts warm, and what a policy answers.
#pragma once

// clang-format off: the kernel's types come first
#include "vmlinux.h"
// clang-format on
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/portfolio/portfolio.intf.h"

enum : u64 {
  PM_US = 1000,
  PM_MS = 1000 * PM_US,
  PM_NEVER = ~0ull,  // as a margin: a wake-up never takes a CPU away
};

// Life-long CPU time is not here: p->se.sum_exec_runtime is kept by the kernel in every class and survives a stay under eevdf.
struct pm_task {
  u64 vruntime;     // CPU time at weight 100
  u64 awake;        // the same, since it last woke up
  u64 burst;        // CPU time since it last woke up
  u64 usual_burst;  // moving average of bursts, 1/4 new
  u64 wake_rate;    // wake-ups per 100 ms, moving average, 0..64
  u64 woke_at;
  u64 on_cpu_at;      // charged up to here; 0 when it is not on a CPU
  u64 waiting_since;  // 0 when it is not waiting
  u64 place_at;       // when it took its place in line; a task that is pushed aside within its slice keeps it
  u64 used;           // of `quantum`, since it took its place
  u64 quantum;        // as its policy gave it
  u64 key;            // its order in the active queue, smallest first
  u64 growth;         // struct pm_rank
  u32 policy;         // by which key and growth were made
  u32 returning;      // it comes from a CPU, not from sleep
  u32 yielded;
};

struct pm_rank {
  u64 key;      // smallest runs first
  u64 slice;    // ns until it must ask again; it ends on the kernel's tick
  u64 quantum;  // CPU time for which it keeps its place in line when something pushes it aside; 0: the slice
  u64 growth;   // how fast the key grows on a CPU: per mille of the time that it runs
};

// How the policy treats the one that runs.
struct pm_manners {
  u64 margin;   // a woken task takes a CPU whose key is worse by more than this; PM_NEVER: it waits
  bool strict;  // the end of a slice takes the CPU from a task only when a better key waits
};

static __always_inline bool pm_before(u64 a, u64 b) { return (s64)(a - b) < 0; }

static __always_inline u64 pm_weight(struct task_struct* p) {
  u64 weight = p->scx.weight;  // 1..10000; nice 0 is 100
  return weight ? weight : 1;
}

static __always_inline u64 pm_clamp(u64 value, u64 low, u64 high) { return value < low ? low : value > high ? high : value; }

// The longer of what it did this time and what it usually does: a task cannot hide behind a good past, nor behind one good burst.
static __always_inline u64 pm_expected_burst(struct pm_task* t) { return t->burst > t->usual_burst ? t->burst : t->usual_burst; }

// Sleepers are brought up to `lag` behind the front: they come first, but cannot save up a whole sleep.
static __always_inline u64 pm_floored_vruntime(struct pm_task* t, u64 front, u64 lag) {
  if (pm_before(t->vruntime, front - lag)) t->vruntime = front - lag;
  return t->vruntime;
}

// Processes in the order of their start; those with nice > 0 behind all others.
static __always_inline u64 pm_process_age_key(struct task_struct* p) {
  return p->group_leader->start_time + (pm_weight(p) < 100 ? 1ull << 50 : 0);
}

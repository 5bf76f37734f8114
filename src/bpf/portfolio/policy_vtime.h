// SPDX-License-Identifier: GPL-2.0
// vtime: weighted fair queueing: least virtual runtime first, sleepers at most one slice behind the front.
// Source: the idea of scx_simple in the kernel's tools (Tejun Heo), itself start-time fair queueing (Goyal, Guo, Vin 1996).
// Wins: fairness among unequal weights; a literature baseline.
// Poison: short bursts wait out 20 ms slices, since a wake-up takes no CPU away.
#pragma once

#include "bpf/portfolio/task.h"

static __always_inline struct pm_rank pm_vtime_rank(struct task_struct* p, struct pm_task* t, u64 front) {
  return (struct pm_rank){.key = pm_floored_vruntime(t, front, 20 * PM_MS), .slice = 20 * PM_MS};
}

static __always_inline struct pm_manners pm_vtime_manners(void) { return (struct pm_manners){.margin = PM_NEVER, .strict = false}; }

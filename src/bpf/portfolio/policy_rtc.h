// SPDX-License-Identifier: GPL-2.0
// rtc: run to completion: first come first served by burst, up to 5 s.
// Source: first come first served, the oldest baseline (Silberschatz, Operating System Concepts).
// Wins: equal jobs at once.
// Poison: one hog in front of anything short. A literature baseline: never a choice for untrusted work.
#pragma once

#include "bpf/portfolio/task.h"

static __always_inline struct pm_rank pm_rtc_rank(struct task_struct* p, struct pm_task* t) {
  return (struct pm_rank){.key = t->place_at, .slice = 20 * PM_MS, .quantum = 5000 * PM_MS};
}

static __always_inline struct pm_manners pm_rtc_manners(void) { return (struct pm_manners){.margin = PM_NEVER, .strict = true}; }

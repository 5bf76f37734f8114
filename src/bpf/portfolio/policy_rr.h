// SPDX-License-Identifier: GPL-2.0
// rr: round robin, 20 ms each.
// Source: time sharing's first policy (Corbato et al., CTSS 1962).
// Wins: nothing in particular, loses little on equal hogs; a literature baseline.
// Poison: short work behind a long queue waits for the whole round.
#pragma once

#include "bpf/portfolio/task.h"

static __always_inline struct pm_rank pm_rr_rank(struct task_struct* p, struct pm_task* t) {
  return (struct pm_rank){.key = t->place_at, .slice = 20 * PM_MS};
}

static __always_inline struct pm_manners pm_rr_manners(void) { return (struct pm_manners){.margin = PM_NEVER, .strict = true}; }

// SPDX-License-Identifier: GPL-2.0
// dl: a deadline from virtual runtime and from the time since the last wake-up; who wakes often may lag further behind and so comes sooner.
// Source: the idea of scx_bpfland (Andrea Righi): vruntime floored by a lag that grows with the wake-up rate and shrinks with the queue,
// plus awake time. Wins: desktops at moderate load; a literature baseline here. Poison: slices end on the tick, so its 1 ms acts like 4 ms,
// and every slice is a switch.
#pragma once

#include "bpf/portfolio/task.h"

// `queued`: tasks waiting in this policy's queue; `front`: the largest virtual runtime that has run.
static __always_inline u64 pm_dl_key(struct task_struct* p, struct pm_task* t, u64 front, u64 queued) {
  u64 weight = pm_weight(p), rate = t->wake_rate ? t->wake_rate : 1;
  u64 credit = queued > 500 ? 1 : rate * 500 / (500 + queued);
  u64 lag = (credit ? credit : 1) * 40 * PM_MS * weight / 100;
  u64 most = 40 * PM_MS * 100 / weight;
  return pm_floored_vruntime(t, front, lag) + (t->awake < most ? t->awake : most);
}

static __always_inline struct pm_rank pm_dl_rank(struct task_struct* p, struct pm_task* t, u64 front, u64 queued) {
  return (struct pm_rank){.key = pm_dl_key(p, t, front, queued), .slice = 1 * PM_MS};
}

static __always_inline struct pm_manners pm_dl_manners(void) { return (struct pm_manners){.margin = PM_NEVER, .strict = false}; }

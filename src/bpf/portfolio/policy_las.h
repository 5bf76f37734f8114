// SPDX-License-Identifier: GPL-2.0
// las: least attained service: who has used the least CPU time in its life runs first.
// Source: Kleinrock, Queueing Systems vol. 2 (1976), "foreground-background"; Nuijens and Wierman (2008) on its optimality for heavy tails.
// Wins: heavy-tailed and unknown job sizes, streams of short jobs beside long ones, builds.
// Poison: equal jobs at once (it shares among all of them and none ends early), and old daemons under a stream of young processes.
#pragma once

#include "bpf/portfolio/task.h"

static __always_inline struct pm_rank pm_las_rank(struct task_struct* p, struct pm_task* t) {
  u64 attained = p->se.sum_exec_runtime, weight = pm_weight(p);
  // The slice grows with age: old tasks of like age would otherwise take turns at the tick.
  return (struct pm_rank){
      .key = attained * 100 / weight, .slice = pm_clamp(attained / 4, 3 * PM_MS, 50 * PM_MS), .growth = 100000 / weight};
}

static __always_inline struct pm_manners pm_las_manners(void) { return (struct pm_manners){.margin = 1 * PM_MS, .strict = true}; }

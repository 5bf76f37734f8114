// SPDX-License-Identifier: GPL-2.0
// sjf: shortest expected burst first; a new task counts as short until it has shown otherwise.
// Source: shortest job first with an exponential average of past bursts (Silberschatz, Operating System Concepts, CPU scheduling).
// Wins: servers and shells: many short bursts of steady length beside long ones.
// Poison: hogs with tiny sleeps, whose bursts look short; equal long jobs, among which it shares.
#pragma once

#include "bpf/portfolio/task.h"

static __always_inline struct pm_rank pm_sjf_rank(struct task_struct* p, struct pm_task* t) {
  u64 weight = pm_weight(p);
  return (struct pm_rank){.key = pm_expected_burst(t) * 100 / weight, .slice = 4 * PM_MS, .growth = 100000 / weight};
}

static __always_inline struct pm_manners pm_sjf_manners(void) { return (struct pm_manners){.margin = 1 * PM_MS, .strict = true}; }

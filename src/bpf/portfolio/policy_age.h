// SPDX-License-Identifier: GPL-2.0
// age: the oldest process runs first and keeps the CPU while it can use it; nice > 0 stands behind all others.
// Source: first come first served by process rather than by burst (as batch systems do); ours in this form.
// Wins: equal jobs at once, also with I/O in them, and gangs whose threads must run together.
// Poison: heavy tails (a long old job blocks all young ones) and hogs older than what is interactive.
#pragma once

#include "bpf/portfolio/task.h"

static __always_inline struct pm_rank pm_age_rank(struct task_struct* p, struct pm_task* t) {
  return (struct pm_rank){.key = pm_process_age_key(p), .slice = 20 * PM_MS};
}

static __always_inline struct pm_manners pm_age_manners(void) { return (struct pm_manners){.margin = 0, .strict = true}; }

// SPDX-License-Identifier: GPL-2.0
// ipre: the deadline of dl, with a longer slice, kept while it is best, and with preemption by wake-ups.
// Source: ours, from scx_bpfland's deadline (policy_dl.h).
// Wins: pipelines and interactive work beside hogs; the lowest mean slowdown of the single policies.
// Poison: batch of equal jobs, among which it shares; storms of short bursts, for which its switches are dear.
#pragma once

#include "bpf/portfolio/policy_dl.h"

static __always_inline struct pm_rank pm_ipre_rank(struct task_struct* p, struct pm_task* t, u64 front, u64 queued) {
  return (struct pm_rank){.key = pm_dl_key(p, t, front, queued), .slice = 3 * PM_MS, .growth = 1000};
}

static __always_inline struct pm_manners pm_ipre_manners(void) { return (struct pm_manners){.margin = 1 * PM_MS, .strict = true}; }

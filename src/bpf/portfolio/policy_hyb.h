// SPDX-License-Identifier: GPL-2.0
// hyb: short bursts first, shortest of all foremost; everything else runs in the order of process age.
// Source: ours, from shortest job first (Conway, Maxwell, Miller 1967) and first come first served, split at a burst of 5 ms.
// Wins: as the default: interactive work beside batch, bimodal service times, equal jobs at once.
// Poison: hogs whose bursts are cut by tiny sleeps pass as interactive; a frame server that falls behind never sleeps, counts as batch and
// may not recover.
#pragma once

#include "bpf/portfolio/task.h"

enum : u64 { PM_HYB_SHORT = 5 * PM_MS, PM_HYB_BATCH = 1ull << 45 };

static __always_inline struct pm_rank pm_hyb_rank(struct task_struct* p, struct pm_task* t) {
  u64 burst = pm_expected_burst(t), weight = pm_weight(p);
  if (burst <= PM_HYB_SHORT) return (struct pm_rank){.key = burst * 100 / weight, .slice = 5 * PM_MS, .growth = 100000 / weight};
  return (struct pm_rank){.key = PM_HYB_BATCH + pm_process_age_key(p), .slice = 20 * PM_MS};
}

static __always_inline struct pm_manners pm_hyb_manners(void) { return (struct pm_manners){.margin = 1 * PM_MS, .strict = true}; }

// SPDX-License-Identifier: GPL-2.0
// The table of policies. Adding one: its file, its name in portfolio.intf.h, its two lines here.
#pragma once

#include "bpf/portfolio/policy_age.h"
#include "bpf/portfolio/policy_dl.h"
#include "bpf/portfolio/policy_hyb.h"
#include "bpf/portfolio/policy_ipre.h"
#include "bpf/portfolio/policy_las.h"
#include "bpf/portfolio/policy_rr.h"
#include "bpf/portfolio/policy_rtc.h"
#include "bpf/portfolio/policy_sjf.h"
#include "bpf/portfolio/policy_vtime.h"

// `front` and `queued` as in policy_dl.h.
static __always_inline struct pm_rank pm_rank_by(u32 policy, struct task_struct* p, struct pm_task* t, u64 front, u64 queued) {
  switch (policy) {
    case PM_LAS:
      return pm_las_rank(p, t);
    case PM_AGE:
      return pm_age_rank(p, t);
    case PM_SJF:
      return pm_sjf_rank(p, t);
    case PM_IPRE:
      return pm_ipre_rank(p, t, front, queued);
    case PM_RTC:
      return pm_rtc_rank(p, t);
    case PM_RR:
      return pm_rr_rank(p, t);
    case PM_VTIME:
      return pm_vtime_rank(p, t, front);
    case PM_DL:
      return pm_dl_rank(p, t, front, queued);
    default:
      return pm_hyb_rank(p, t);
  }
}

static __always_inline struct pm_manners pm_manners_of(u32 policy) {
  switch (policy) {
    case PM_LAS:
      return pm_las_manners();
    case PM_AGE:
      return pm_age_manners();
    case PM_SJF:
      return pm_sjf_manners();
    case PM_IPRE:
      return pm_ipre_manners();
    case PM_RTC:
      return pm_rtc_manners();
    case PM_RR:
      return pm_rr_manners();
    case PM_VTIME:
      return pm_vtime_manners();
    case PM_DL:
      return pm_dl_manners();
    default:
      return pm_hyb_manners();
  }
}

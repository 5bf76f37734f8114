#include "sched/arm.h"

#include <string>

#include "bpf/portfolio/portfolio.intf.h"

namespace pointsman {
namespace {

constexpr Arm kArms[] = {
    {"eevdf", ArmKind::kKernel, -1, true, "the kernel's own scheduler: earliest eligible virtual deadline first"},
    {"hyb", ArmKind::kPolicy, PM_HYB, true, "short bursts first, all else oldest process first"},
    {"las", ArmKind::kPolicy, PM_LAS, true, "least CPU time used in its life first"},
    {"age", ArmKind::kPolicy, PM_AGE, true, "oldest process first"},
    {"sjf", ArmKind::kPolicy, PM_SJF, true, "shortest expected burst first"},
    {"ipre", ArmKind::kPolicy, PM_IPRE, true, "deadline with preemption by wake-ups"},
    {"rtc", ArmKind::kPolicy, PM_RTC, false, "run to completion, first come first served"},
    {"rr", ArmKind::kPolicy, PM_RR, false, "round robin, 20 ms"},
    {"vtime", ArmKind::kPolicy, PM_VTIME, false, "weighted fair queueing, as scx_simple does"},
    {"dl", ArmKind::kPolicy, PM_DL, false, "deadline from wake-up rate, as scx_bpfland does"},
};

constexpr bool choosable_come_first() {
  int i = 0;
  for (const Arm& arm : kArms) {
    if (arm.choosable != (i++ < kChoosable)) return false;
  }
  return true;
}
static_assert(choosable_come_first());
static_assert(kArms[kEevdf].kind == ArmKind::kKernel && kArms[kDefaultArm].policy == PM_HYB);

}  // namespace

std::span<const Arm> arms() { return kArms; }

Result<ArmId> find_arm(std::string_view name) {
  std::string known;
  for (ArmId id = 0; id < static_cast<ArmId>(std::size(kArms)); id++) {
    if (kArms[id].name == name) return id;
    known += id == 0 ? "" : ", ";
    known += kArms[id].name;
  }
  return fail(ErrorCode::kNotFound, "no arm '{}' (there are: {})", name, known);
}

Result<ArmId> arm_of_policy(int policy) {
  for (ArmId id = 0; id < static_cast<ArmId>(std::size(kArms)); id++) {
    if (kArms[id].kind == ArmKind::kPolicy && kArms[id].policy == policy) return id;
  }
  return fail(ErrorCode::kNotFound, "no arm has policy {}", policy);
}

}  // namespace pointsman

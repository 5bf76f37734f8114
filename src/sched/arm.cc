#include "sched/arm.h"

#include <deque>
#include <string>
#include <utility>
#include <vector>

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
static_assert(std::size(kArms) == kBuiltInArms);
static_assert(kArms[kEevdf].kind == ArmKind::kKernel && kArms[kDefaultArm].policy == PM_HYB);

constexpr size_t kMost = 64;

struct Catalogue {
  Catalogue() {
    arms.reserve(kMost);  // spans of it stay valid
    arms.assign(std::begin(kArms), std::end(kArms));
  }
  std::vector<Arm> arms;
  std::deque<std::string> words;  // what the added ones' names and summaries point to
};

Catalogue& catalogue() {
  static Catalogue the;
  return the;
}

}  // namespace

std::span<const Arm> arms() { return catalogue().arms; }

Result<ArmId> add_external_arm(std::string name, std::string summary) {
  Catalogue& all = catalogue();
  if (find_arm(name)) return fail(ErrorCode::kInvalidArgument, "there is an arm '{}' already", name);
  if (all.arms.size() == kMost) return fail(ErrorCode::kInvalidArgument, "'{}' is one arm too many: there may be {}", name, kMost);
  const auto id = static_cast<ArmId>(all.arms.size());
  all.words.push_back(std::move(name));
  const std::string_view kept_name = all.words.back();
  all.words.push_back(std::move(summary));
  all.arms.push_back({kept_name, ArmKind::kExternal, kFirstExternal + id - kBuiltInArms, false, all.words.back()});
  return id;
}

Result<ArmId> find_arm(std::string_view name) {
  std::string known;
  for (ArmId id = 0; id < static_cast<ArmId>(arms().size()); id++) {
    if (arms()[id].name == name) return id;
    known += id == 0 ? "" : ", ";
    known += arms()[id].name;
  }
  return fail(ErrorCode::kNotFound, "no arm '{}' (there are: {})", name, known);
}

Result<ArmId> arm_of_policy(int policy) {
  for (ArmId id = 0; id < static_cast<ArmId>(arms().size()); id++) {
    if (arms()[id].kind != ArmKind::kKernel && arms()[id].policy == policy) return id;
  }
  return fail(ErrorCode::kNotFound, "no arm has policy {}", policy);
}

std::string_view arm_name(ArmId arm) { return arms()[static_cast<size_t>(arm)].name; }

}  // namespace pointsman

// The catalogue of arms: every choice that an agent or an experiment can have. Adding one is one line in arm.cc.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/result.h"

namespace pointsman {

using ArmId = int;  // index into arms(); stable within a build, stored by name

enum class ArmKind {
  kKernel,  // eevdf: no sched_ext scheduler attached
  kPolicy,  // a policy of our portfolio: hot swap
  kExternal,  // another sched_ext scheduler (external_arm.h): warm or cold swap
};

struct Arm {
  std::string_view name;
  ArmKind kind{};
  int policy = -1;         // enum pm_policy (bpf/portfolio/portfolio.intf.h); kFirstExternal.. for external ones; -1 for the kernel's own
  bool choosable = false;  // the agent, random and the oracle may take it; the others are static rows only
  std::string_view summary;
};

// The choosable ones first: eevdf hyb las age sjf ipre, then the literature's baselines rtc rr vtime dl, then what was added.
std::span<const Arm> arms();
inline constexpr int kBuiltInArms = 10;
inline constexpr int kFirstExternal = 1000;
// One more, of kind kExternal. Before the first thread and whatever keeps one entry for each arm. Errors: kInvalidArgument (the name is
// taken, or there are too many).
Result<ArmId> add_external_arm(std::string name, std::string summary);
inline constexpr int kChoosable = 6;
inline constexpr ArmId kEevdf = 0;
inline constexpr ArmId kDefaultArm = 1;  // hyb
// Errors: kNotFound, with the names that exist.
Result<ArmId> find_arm(std::string_view name);
Result<ArmId> arm_of_policy(int policy);
std::string_view arm_name(ArmId arm);  // of one that is in the catalogue

}  // namespace pointsman

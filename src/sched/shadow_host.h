// ShadowHost: looks, never touches. For an agent that only says what it would do, on any kernel, with or without sched_ext.
#pragma once

#include <string>

#include "sched/host.h"

namespace pointsman {

class ShadowHost : public SchedulerHost {
 public:
  explicit ShadowHost(std::string sysfs) : sysfs_(std::move(sysfs)) {}

  // A kernel without sched_ext reads as disabled: it runs eevdf, which is the truth.
  Result<KernelState> read_state() override;
  Result<SwapTimes> attach(int) override { return refuse(); }
  Result<SwapTimes> detach() override { return refuse(); }
  Result<SwapTimes> flip(int) override { return refuse(); }
  SwapTimes last_times() override { return {}; }
  std::optional<Ejection> ejection() override { return std::nullopt; }

 private:
  static Result<SwapTimes> refuse() { return fail(ErrorCode::kUnsupported, "a shadow never swaps"); }
  std::string sysfs_;
};

}  // namespace pointsman

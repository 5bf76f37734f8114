// FakeHost: an in-memory kernel with sched_ext's real rules, for tests of whatever swaps.
//   One scheduler at a time: attaching while any is there is kBusy; from one struct_ops to another the way leads through eevdf.
//   enable_seq counts attachments only, and moves a little after the state reads "enabled".
//   Ours may be thrown out at any moment (stall, error, SysRq-S); an attachment can fail although the call returned a link.
#pragma once

#include <string>

#include "sched/host.h"

namespace pointsman {

class FakeHost : public SchedulerHost {
 public:
  static constexpr const char* kOps = "pointsman";
  static constexpr const char* kExternalOps = "external";  // whatever external arm it is

  Result<KernelState> read_state() override;
  Result<SwapTimes> attach(int policy) override;
  Result<SwapTimes> detach() override;
  Result<SwapTimes> flip(int policy) override;
  SwapTimes last_times() override { return times_; }
  std::optional<Ejection> ejection() override { return ejection_; }

  // What happens in the world. Each returns whether it could.
  bool eject(Ejection why);  // ours only
  bool sysrq();              // whatever is attached
  bool attach_foreign(const std::string& ops);
  bool detach_foreign();
  void hotplug() { truth_.hotplug_seq++; }
  // The next attachment returns a link, and the scheduler fails while it is enabled.
  void fail_next_enable(Ejection why) { next_enable_fails_ = std::move(why); }
  void clear_next_enable() { next_enable_fails_.reset(); }
  // How many readings after the next attachments still show "enabling", and after these how many the old enable_seq.
  void set_lag(int enabling, int sequence) {
    lag_enabling_ = enabling;
    lag_sequence_ = sequence;
  }
  // The truth, without lag.
  [[nodiscard]] const KernelState& truth() const { return truth_; }

 private:
  void begin(KernelState state);
  void end(std::optional<Ejection> why);
  KernelState truth_;
  std::optional<Ejection> ejection_;
  std::optional<Ejection> next_enable_fails_;
  SwapTimes times_;
  int attachments_ = 0;
  int lag_enabling_ = 0;
  int lag_sequence_ = 0;
  int enabling_left_ = 0;
  int sequence_left_ = 0;
};

// What Linux says when SysRq-S ends a scheduler.
Ejection sysrq_ejection();

}  // namespace pointsman

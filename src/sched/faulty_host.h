// FaultyHost: any host, with calls that go wrong: refused before anything happened, done but reported as failed, or reported as done and
// not done.
#pragma once

#include <deque>

#include "sched/host.h"

namespace pointsman {

class FaultyHost : public SchedulerHost {
 public:
  enum class Fault { kNone, kRefuse, kDoneButFailed, kClaimed };
  explicit FaultyHost(SchedulerHost& host) : host_(host) {}
  // One entry is used up by each attach, detach and flip; when none is left, calls go through.
  void plan(Fault fault) { faults_.push_back(fault); }
  // The next `n` readings fail.
  void blind(int n) { blind_ = n; }
  void heal() {
    faults_.clear();
    blind_ = 0;
  }

  Result<KernelState> read_state() override;
  std::string obstacle(int policy) override { return host_.obstacle(policy); }
  Result<SwapTimes> attach(int policy) override;
  Result<SwapTimes> detach() override;
  Result<SwapTimes> flip(int policy) override;
  SwapTimes last_times() override { return host_.last_times(); }
  std::optional<Ejection> ejection() override { return host_.ejection(); }

 private:
  template <typename Call>
  Result<SwapTimes> faulty(Call call);
  SchedulerHost& host_;
  std::deque<Fault> faults_;
  int blind_ = 0;
};

}  // namespace pointsman

#include "sched/fake_host.h"

#include "bpf/portfolio/portfolio.intf.h"
#include "sched/arm.h"

namespace pointsman {

using Phase = KernelState::Phase;

Ejection sysrq_ejection() { return {.kind = 67, .reason = "disabled by sysrq-S", .message = ""}; }

Result<KernelState> FakeHost::read_state() {
  KernelState seen = truth_;
  if (truth_.phase == Phase::kEnabled && enabling_left_ + sequence_left_ > 0) {
    if (enabling_left_ > 0) seen.phase = Phase::kEnabling;
    --(enabling_left_ > 0 ? enabling_left_ : sequence_left_);
    seen.enable_seq--;
    seen.ours = false;
    seen.policy = -1;
  }
  return seen;
}

Result<SwapTimes> FakeHost::attach(int policy) {
  const bool external = policy >= kFirstExternal;
  if (policy < 0 || (policy >= PM_POLICIES && !external)) return fail(ErrorCode::kInvalidArgument, "there is no policy {}", policy);
  if (truth_.phase != Phase::kDisabled) return fail(ErrorCode::kBusy, "another scheduler is attached: {}", truth_.ops);
  ejection_.reset();
  attachments_++;
  times_ = {.call_ns = 25'000'000, .attach_ns = 10'000'000};
  if (next_enable_fails_) {
    ejection_ = std::exchange(next_enable_fails_, std::nullopt);
    ejection_->attachment = attachments_;
    if (external) ejection_->policy = policy;
    return times_;
  }
  begin({Phase::kEnabled, external ? kExternalOps : kOps, truth_.enable_seq + 1, policy, true, truth_.hotplug_seq});
  return times_;
}

void FakeHost::begin(KernelState state) {
  truth_ = std::move(state);
  enabling_left_ = lag_enabling_;
  sequence_left_ = lag_sequence_;
}

void FakeHost::end(std::optional<Ejection> why) {
  if (truth_.ours && why) {
    ejection_ = std::move(why);
    ejection_->attachment = attachments_;
    if (truth_.policy >= kFirstExternal) ejection_->policy = truth_.policy;
  }
  truth_ = {Phase::kDisabled, "", truth_.enable_seq, -1, false, truth_.hotplug_seq};
}

Result<SwapTimes> FakeHost::detach() {
  if (!truth_.ours) return fail(ErrorCode::kNotFound, "{} is not attached", kOps);
  end(std::nullopt);
  times_ = {.call_ns = 15'000'000, .detach_ns = 15'000'000};
  return times_;
}

Result<SwapTimes> FakeHost::flip(int policy) {
  if (policy < 0 || policy >= PM_POLICIES) return fail(ErrorCode::kInvalidArgument, "there is no policy {}", policy);
  if (!truth_.ours || truth_.policy >= PM_POLICIES) return fail(ErrorCode::kNotFound, "{} is not attached", kOps);
  truth_.policy = policy;
  times_ = {.call_ns = 300'000, .first_dispatch_ns = 1'000'000, .all_cpus_ns = 3'000'000, .longest_wait_ns = 4'000'000, .moved = 1};
  return times_;
}

bool FakeHost::eject(Ejection why) {
  if (!truth_.ours) return false;
  end(std::move(why));
  return true;
}

bool FakeHost::sysrq() {
  if (truth_.phase == Phase::kDisabled) return false;
  end(sysrq_ejection());
  return true;
}

bool FakeHost::attach_foreign(const std::string& ops) {
  if (truth_.phase != Phase::kDisabled) return false;
  begin({Phase::kEnabled, ops, truth_.enable_seq + 1, -1, false, truth_.hotplug_seq});
  return true;
}

bool FakeHost::detach_foreign() {
  if (truth_.phase == Phase::kDisabled || truth_.ours) return false;
  end(std::nullopt);
  return true;
}

}  // namespace pointsman

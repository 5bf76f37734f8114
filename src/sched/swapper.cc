#include "sched/swapper.h"

#include <utility>

namespace pointsman {
namespace {

using Phase = KernelState::Phase;
using Verdict = Outcome::Verdict;

constexpr int kSysrq = 67;  // enum scx_exit_kind

std::optional<ArmId> arm_of(const KernelState& state) {
  if (state.phase == Phase::kDisabled) return kEevdf;
  if (!state.ours || state.phase != Phase::kEnabled) return std::nullopt;
  const auto arm = arm_of_policy(state.policy);
  if (!arm) return std::nullopt;
  return *arm;
}

std::string describe(const KernelState& state) {
  if (state.phase == Phase::kDisabled) return "eevdf";
  const std::string ops = state.ops.empty() ? "an unnamed scheduler" : state.ops;
  if (const auto arm = arm_of(state)) return fmt::format("{} ({})", ops, arms()[*arm].name);
  return fmt::format("{} ({})", ops, name_of(state.phase));
}

std::string describe(const Ejection& ejection) {
  return fmt::format("the kernel ended it: {}{}{} (kind {})", ejection.reason, ejection.message.empty() ? "" : ": ", ejection.message,
                     ejection.kind);
}

}  // namespace

const char* name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::kConfirmed:
      return "confirmed";
    case Verdict::kRefused:
      return "refused";
    case Verdict::kEjected:
      return "ejected";
  }
  return "?";
}

Swapper::Swapper(SchedulerHost& host, Clock& clock, Options options) : host_(host), clock_(clock), options_(options) { look(); }
Swapper::Swapper(SchedulerHost& host, Clock& clock) : Swapper(host, clock, Options{}) {}

void Swapper::read() {
  auto state = host_.read_state();
  const bool first = !readable_ && kernel_.hotplug_seq == 0;
  readable_ = state.has_value();
  pending_.unreadable = !readable_;
  if (readable_) {
    if (!first && kernel_.hotplug_seq != state->hotplug_seq) pending_.hotplug = true;
    kernel_ = std::move(*state);
  }
  current_ = readable_ ? arm_of(kernel_) : std::nullopt;
  auto ejection = host_.ejection();
  if (!ejection || ejection->attachment == last_ejection_) return;
  last_ejection_ = ejection->attachment;
  if (ejection->by_person()) {
    vetoed_ = true;
    veto_ = ejection->kind == kSysrq ? "SysRq-S" : fmt::format("ours was ended: {}", ejection->reason);
    pending_.vetoed = true;
  }
  if (ejection->by_error()) (ejection->policy < 0 ? quarantined_until_ns_ : external_until_ns_[ejection->policy]) = clock_.now_ns() + options_.quarantine_ns;
  pending_.ejection = std::move(ejection);
}

void Swapper::note_foreign() {
  if (!readable_) return;
  const std::string foreign = kernel_.phase != Phase::kDisabled && !kernel_.ours ? describe(kernel_) : "";
  if (foreign == foreign_) return;
  if (foreign.empty()) pending_.foreign_gone = true;
  pending_.foreign = foreign;
  foreign_ = foreign;
}

void Swapper::look() {
  read();
  note_foreign();
}

Notice Swapper::check() {
  look();
  return std::exchange(pending_, Notice{});
}

std::string Swapper::objection(ArmId to) const {
  if (to < 0 || to >= static_cast<ArmId>(arms().size())) return fmt::format("there is no arm {}", to);
  if (!readable_) return "the kernel's sched_ext state could not be read";
  if (!foreign_.empty()) return fmt::format("{} is attached and is not ours", foreign_);
  if (arms()[to].kind == ArmKind::kKernel) return "";
  const Arm& arm = arms()[to];
  const bool external = arm.kind == ArmKind::kExternal;
  if (vetoed_) return "a person ended the portfolio; it waits to be released";
  const auto quarantine = external_until_ns_.find(arm.policy);
  const int64_t left = (!external ? quarantined_until_ns_ : quarantine == external_until_ns_.end() ? 0 : quarantine->second) - clock_.now_ns();
  if (left > 0)
    return fmt::format("{} is in quarantine for another {:.1f} s", external ? arm.name : "the portfolio", static_cast<double>(left) / 1e9);
  return host_.obstacle(arm.policy);
}

Result<SwapTimes> Swapper::carry_out(ArmId from, ArmId to) {
  const Arm& arm = arms()[to];
  if (to == kEevdf) return host_.detach();
  if (from == kEevdf) return host_.attach(arm.policy);
  if (arms()[from].kind == ArmKind::kPolicy && arm.kind == ArmKind::kPolicy) return host_.flip(arm.policy);
  auto detached = host_.detach();
  if (!detached) return detached;
  auto attached = host_.attach(arm.policy);
  if (!attached) return attached;
  attached->detach_ns = detached->detach_ns;
  attached->call_ns += detached->call_ns;
  return attached;
}

Outcome Swapper::swap(ArmId to) {
  look();
  Outcome outcome;
  outcome.to = to;
  outcome.from = current_;
  const auto finish = [&](Verdict verdict, std::string why) {
    note_foreign();
    outcome.verdict = verdict;
    outcome.why = std::move(why);
    outcome.after = kernel_;
    outcome.read_back = readable_;
    return outcome;
  };
  if (auto why = objection(to); !why.empty()) return finish(Verdict::kRefused, std::move(why));
  if (!current_) return finish(Verdict::kRefused, fmt::format("the kernel runs {}", describe(kernel_)));
  if (*current_ == to) return finish(Verdict::kConfirmed, "");

  const int ejection_before = last_ejection_;
  auto done = carry_out(*current_, to);
  outcome.times = done ? *done : host_.last_times();
  if (!done && arms()[to].kind == ArmKind::kExternal) external_until_ns_[arms()[to].policy] = clock_.now_ns() + options_.restart_ns;

  // A hot swap shows at once; after a warm one the files lag. When the host reports an error, what the kernel says next stands.
  const int64_t deadline = clock_.now_ns() + options_.settle_ns;
  for (;;) {
    read();
    if (current_ == to || last_ejection_ != ejection_before || (readable_ && !done) || clock_.now_ns() >= deadline) break;
    clock_.sleep_until_ns(clock_.now_ns() + options_.poll_ns);
  }
  if (last_ejection_ != ejection_before) {
    outcome.ejection = pending_.ejection;
    return finish(to == kEevdf && current_ == to ? Verdict::kConfirmed : Verdict::kEjected,
                  outcome.ejection ? describe(*outcome.ejection) : "");
  }
  if (current_ == to) return finish(Verdict::kConfirmed, "");
  if (!done) return finish(Verdict::kRefused, done.error().message);
  return finish(Verdict::kRefused, readable_ ? fmt::format("the call succeeded, but the kernel runs {}", describe(kernel_))
                                             : "the kernel's sched_ext state could not be read");
}

}  // namespace pointsman

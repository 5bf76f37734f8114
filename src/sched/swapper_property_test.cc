// Random histories of swaps, ejections, vetoes, foreign schedulers and faults against a small model of what must be true.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "sched/fake_host.h"
#include "sched/faulty_host.h"
#include "sched/swapper.h"

namespace pointsman {
namespace {

using Verdict = Outcome::Verdict;
using Phase = KernelState::Phase;

// What the world is and what the swapper may do, in the words of the safety rules.
struct Model {
  static constexpr ArmId kForeign = -1;
  ArmId runs = kEevdf;
  bool vetoed = false;
  int64_t quarantine_end = 0;

  [[nodiscard]] bool allows(ArmId to, int64_t now) const {
    if (runs == kForeign) return false;
    return to == kEevdf || (!vetoed && now >= quarantine_end);
  }
  void thrown_out(bool by_person, int64_t now, int64_t quarantine) {
    runs = kEevdf;
    if (by_person)
      vetoed = true;
    else
      quarantine_end = now + quarantine;
  }
};

constexpr int64_t kQuarantine = 5 * kSecond;

struct World {
  FakeHost kernel;
  FaultyHost host{kernel};
  FakeClock clock;
  Swapper swapper{host, clock, {.quarantine_ns = kQuarantine}};
  Model model;

  void agree() {
    const KernelState& truth = kernel.truth();
    if (model.runs == kEevdf)
      RC_ASSERT(truth.phase == Phase::kDisabled);
    else if (model.runs == Model::kForeign)
      RC_ASSERT(truth.ops == "scx_foreign" && !truth.ours);
    else
      RC_ASSERT(truth.ours && truth.policy == arms()[model.runs].policy);
  }
  void reported(const Outcome& outcome) {
    if (!outcome.read_back) return;
    const KernelState& truth = kernel.truth();
    RC_ASSERT(outcome.after.phase == truth.phase);
    RC_ASSERT(outcome.after.ops == truth.ops);
    RC_ASSERT(outcome.after.enable_seq == truth.enable_seq);
    RC_ASSERT(outcome.after.policy == truth.policy);
    if (outcome.verdict == Verdict::kConfirmed) RC_ASSERT(swapper.current() == outcome.to);
  }
};

RC_GTEST_PROP(SwapperProperty, HistoriesWithoutFaultsFollowTheModel, ()) {
  World w;
  const auto steps =
      *rc::gen::container<std::vector<std::pair<int, int>>>(rc::gen::pair(rc::gen::inRange(0, 9), rc::gen::inRange(0, 1000)));
  for (const auto& [what, number] : steps) {
    const int64_t now = w.clock.now_ns();
    switch (what) {
      case 0:
      case 1:
      case 2: {
        const ArmId to = number % static_cast<int>(arms().size());
        const bool fails = number % 7 == 0;
        if (fails) w.kernel.fail_next_enable({.kind = 1024, .reason = "runtime error", .message = "init"});
        const bool allowed = w.model.allows(to, now);
        const bool attaches = allowed && w.model.runs == kEevdf && to != kEevdf;
        const Outcome outcome = w.swapper.swap(to);
        if (!allowed)
          RC_ASSERT(outcome.verdict == Verdict::kRefused && !outcome.why.empty());
        else if (attaches && fails) {
          RC_ASSERT(outcome.verdict == Verdict::kEjected);
          w.model.thrown_out(false, now, kQuarantine);
        } else {
          RC_ASSERT(outcome.verdict == Verdict::kConfirmed);
          w.model.runs = to;
        }
        if (fails && !attaches) w.kernel.clear_next_enable();
        w.reported(outcome);
        break;
      }
      case 3:
        if (w.kernel.eject({.kind = 1026, .reason = "runnable task stall", .message = std::to_string(number)})) {
          w.model.thrown_out(false, now, kQuarantine);
          const Notice notice = w.swapper.check();
          RC_ASSERT(notice.ejection && notice.ejection->message == std::to_string(number));
        }
        break;
      case 4:
        if (w.model.runs != kEevdf) {
          const bool ours = w.model.runs != Model::kForeign;
          RC_ASSERT(w.kernel.sysrq());
          if (ours) w.model.thrown_out(true, now, kQuarantine);
          w.model.runs = kEevdf;
          RC_ASSERT(w.swapper.check().vetoed == ours);
        }
        break;
      case 5:
        w.kernel.set_lag(0, 0);  // a report made while a foreign scheduler comes up may say so
        if (w.kernel.attach_foreign("scx_foreign")) w.model.runs = Model::kForeign;
        break;
      case 6:
        if (w.kernel.detach_foreign()) w.model.runs = kEevdf;
        break;
      case 7:
        w.swapper.release();
        w.model.vetoed = false;
        break;
      default:
        w.clock.advance(number * kMillisecond * 10);
        break;
    }
    w.kernel.set_lag(number % 3, number % 5);
    w.agree();
  }
}

RC_GTEST_PROP(SwapperProperty, WithFaultsNothingForeignIsTouchedAndReportsAreTrue, ()) {
  World w;
  const auto steps =
      *rc::gen::container<std::vector<std::pair<int, int>>>(rc::gen::pair(rc::gen::inRange(0, 10), rc::gen::inRange(0, 1000)));
  bool vetoed = false;
  for (const auto& [what, number] : steps) {
    const KernelState before = w.kernel.truth();
    const bool foreign = before.phase != Phase::kDisabled && !before.ours;
    switch (what) {
      case 0:
      case 1:
      case 2:
      case 3: {
        const Outcome outcome = w.swapper.swap(number % static_cast<int>(arms().size()));
        if (foreign) RC_ASSERT(w.kernel.truth().ops == before.ops && w.kernel.truth().enable_seq == before.enable_seq);
        if (vetoed && before.phase == Phase::kDisabled) RC_ASSERT(w.kernel.truth().phase == Phase::kDisabled);
        // Whatever went wrong, the machine is on eevdf, on the previous arm, or where it was sent.
        const KernelState& truth = w.kernel.truth();
        const bool where_sent = truth.ours && truth.policy == arms()[outcome.to].policy;
        RC_ASSERT(truth.phase == Phase::kDisabled || truth.policy == before.policy || where_sent);
        w.reported(outcome);
        break;
      }
      case 4:
        w.kernel.eject({.kind = 1025, .reason = "scx_bpf_error", .message = "x"});
        break;
      case 5:
        if (before.ours) vetoed = true;
        w.kernel.sysrq();
        break;
      case 6:
        w.kernel.attach_foreign("scx_foreign");
        break;
      case 7:
        w.kernel.detach_foreign();
        break;
      case 8:
        w.host.plan(static_cast<FaultyHost::Fault>(number % 4));
        break;
      default:
        w.host.blind(number % 3);
        break;
    }
  }
  // When the faults end, one look is enough to know the truth again.
  w.host.heal();
  w.swapper.check();
  RC_ASSERT(w.swapper.kernel().phase == w.kernel.truth().phase && w.swapper.kernel().policy == w.kernel.truth().policy);
}

}  // namespace
}  // namespace pointsman

#include "sched/swapper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bpf/portfolio/portfolio.intf.h"
#include "sched/fake_host.h"
#include "sched/faulty_host.h"

namespace pointsman {
namespace {

using Verdict = Outcome::Verdict;
using Phase = KernelState::Phase;
using Fault = FaultyHost::Fault;

ArmId arm(std::string_view name) { return *find_arm(name); }

struct SwapperTest : testing::Test {
  FakeHost kernel;
  FaultyHost host{kernel};
  FakeClock clock;
  Swapper swapper{host, clock, {.quarantine_ns = 10 * kSecond}};
};

TEST_F(SwapperTest, ComesUpOnWhatTheKernelRuns) { EXPECT_EQ(swapper.current(), kEevdf); }

TEST_F(SwapperTest, WarmThenHotThenWarmBack) {
  Outcome warm = swapper.swap(arm("hyb"));
  EXPECT_EQ(warm.verdict, Verdict::kConfirmed) << warm.why;
  EXPECT_EQ(warm.from, kEevdf);
  EXPECT_EQ(warm.after.policy, PM_HYB);
  EXPECT_EQ(warm.times.attach_ns, 10'000'000);
  Outcome hot = swapper.swap(arm("las"));
  EXPECT_EQ(hot.verdict, Verdict::kConfirmed) << hot.why;
  EXPECT_EQ(hot.from, arm("hyb"));
  EXPECT_EQ(hot.times.moved, 1);
  EXPECT_EQ(kernel.truth().policy, PM_LAS);
  EXPECT_EQ(kernel.truth().enable_seq, 1u);
  Outcome back = swapper.swap(kEevdf);
  EXPECT_EQ(back.verdict, Verdict::kConfirmed) << back.why;
  EXPECT_EQ(kernel.truth().phase, Phase::kDisabled);
}

TEST_F(SwapperTest, TheSameArmIsConfirmedWithoutTouchingAnything) {
  ASSERT_EQ(swapper.swap(arm("hyb")).verdict, Verdict::kConfirmed);
  host.plan(Fault::kRefuse);
  EXPECT_EQ(swapper.swap(arm("hyb")).verdict, Verdict::kConfirmed);
}

TEST_F(SwapperTest, WaitsForTheSequenceThatLagsBehindTheState) {
  kernel.set_lag(3, 4);
  const Outcome outcome = swapper.swap(arm("age"));
  EXPECT_EQ(outcome.verdict, Verdict::kConfirmed) << outcome.why;
  EXPECT_EQ(outcome.after.enable_seq, 1u);
  EXPECT_TRUE(swapper.check().empty()) << "our own attachment must not look like a foreign scheduler";
}

TEST_F(SwapperTest, GivesUpWaitingAfterTheBound) {
  kernel.set_lag(0, 1 << 20);
  const int64_t began = clock.now_ns();
  const Outcome outcome = swapper.swap(arm("age"));
  EXPECT_EQ(outcome.verdict, Verdict::kRefused);
  EXPECT_THAT(outcome.why, testing::HasSubstr("the call succeeded, but the kernel runs pointsman"));
  EXPECT_LE(clock.now_ns() - began, 3 * kSecond);
}

TEST_F(SwapperTest, NeverDisplacesAForeignScheduler) {
  ASSERT_TRUE(kernel.attach_foreign("scx_lavd"));
  const Notice notice = swapper.check();
  EXPECT_EQ(notice.foreign, "scx_lavd (enabled)");
  EXPECT_EQ(swapper.current(), std::nullopt);
  for (const ArmId to : {arm("hyb"), kEevdf}) {
    const Outcome outcome = swapper.swap(to);
    EXPECT_EQ(outcome.verdict, Verdict::kRefused);
    EXPECT_EQ(outcome.why, "scx_lavd (enabled) is attached and is not ours");
    EXPECT_EQ(kernel.truth().ops, "scx_lavd");
  }
  ASSERT_TRUE(kernel.detach_foreign());
  EXPECT_TRUE(swapper.check().foreign_gone);
  EXPECT_EQ(swapper.swap(arm("hyb")).verdict, Verdict::kConfirmed);
}

TEST_F(SwapperTest, AnErrorQuarantinesTheWholePortfolioForAWhile) {
  ASSERT_EQ(swapper.swap(arm("las")).verdict, Verdict::kConfirmed);
  ASSERT_TRUE(kernel.eject({.kind = 1026, .reason = "runnable task stall", .message = "hog[7] failed to run for 16.1s"}));
  const Notice notice = swapper.check();
  ASSERT_TRUE(notice.ejection);
  EXPECT_EQ(notice.ejection->message, "hog[7] failed to run for 16.1s");
  EXPECT_FALSE(notice.vetoed);
  EXPECT_EQ(swapper.current(), kEevdf);
  EXPECT_TRUE(swapper.check().empty()) << "an ejection is told once";
  const Outcome early = swapper.swap(arm("hyb"));
  EXPECT_EQ(early.verdict, Verdict::kRefused);
  EXPECT_EQ(early.why, "the portfolio is in quarantine for another 10.0 s");
  clock.advance(10 * kSecond);
  EXPECT_EQ(swapper.swap(arm("hyb")).verdict, Verdict::kConfirmed);
}

TEST_F(SwapperTest, SysrqIsAVetoUntilReleased) {
  ASSERT_EQ(swapper.swap(arm("las")).verdict, Verdict::kConfirmed);
  ASSERT_TRUE(kernel.sysrq());
  EXPECT_TRUE(swapper.check().vetoed);
  clock.advance(1000 * kSecond);
  EXPECT_EQ(swapper.swap(arm("hyb")).verdict, Verdict::kRefused);
  EXPECT_EQ(swapper.swap(kEevdf).verdict, Verdict::kConfirmed);
  swapper.release();
  EXPECT_EQ(swapper.swap(arm("hyb")).verdict, Verdict::kConfirmed);
}

TEST_F(SwapperTest, AnAttachmentThatFailsAfterTheLinkIsAnEjection) {
  kernel.fail_next_enable({.kind = 1024, .reason = "runtime error", .message = "ops.init_task() failed (-12)"});
  const Outcome outcome = swapper.swap(arm("hyb"));
  EXPECT_EQ(outcome.verdict, Verdict::kEjected);
  EXPECT_EQ(outcome.why, "the kernel ended it: runtime error: ops.init_task() failed (-12) (kind 1024)");
  EXPECT_EQ(outcome.after.phase, Phase::kDisabled);
  EXPECT_EQ(swapper.swap(arm("hyb")).verdict, Verdict::kRefused) << "quarantined";
}

TEST_F(SwapperTest, ReturnCodesAreNotBelieved) {
  host.plan(Fault::kDoneButFailed);
  EXPECT_EQ(swapper.swap(arm("hyb")).verdict, Verdict::kConfirmed) << "it failed by its own account, and the kernel runs it";
  host.plan(Fault::kClaimed);
  const Outcome claimed = swapper.swap(arm("las"));
  EXPECT_EQ(claimed.verdict, Verdict::kRefused);
  EXPECT_EQ(claimed.why, "the call succeeded, but the kernel runs pointsman (hyb)");
  EXPECT_EQ(swapper.current(), arm("hyb"));
  host.plan(Fault::kRefuse);
  const Outcome refused = swapper.swap(kEevdf);
  EXPECT_EQ(refused.verdict, Verdict::kRefused);
  EXPECT_EQ(refused.why, "fault: refused");
  EXPECT_EQ(refused.after.policy, PM_HYB);
}

TEST_F(SwapperTest, UnreadableIsSaidAndHeals) {
  ASSERT_EQ(swapper.swap(arm("hyb")).verdict, Verdict::kConfirmed);
  host.blind(1);
  EXPECT_TRUE(swapper.check().unreadable);
  EXPECT_EQ(swapper.current(), std::nullopt);
  host.blind(1);
  EXPECT_EQ(swapper.swap(arm("las")).why, "the kernel's sched_ext state could not be read");
  EXPECT_EQ(swapper.swap(arm("las")).verdict, Verdict::kConfirmed);
}

TEST_F(SwapperTest, HotplugIsNoticedOnce) {
  kernel.hotplug();
  EXPECT_TRUE(swapper.check().hotplug);
  EXPECT_FALSE(swapper.check().hotplug);
  EXPECT_EQ(swapper.swap(99).why, "there is no arm 99");
}

}  // namespace
}  // namespace pointsman

#include "agent/agent.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>

#include "base/file.h"
#include "sched/fake_host.h"

namespace pointsman {
namespace {

ArmId arm(std::string_view name) { return *find_arm(name); }

class ScriptedSensor : public Sensor {
 public:
  explicit ScriptedSensor(const Clock& clock) : clock_(clock) {}
  Result<Reading> read() override {
    if (blind) return fail(ErrorCode::kBusy, "no reading");
    state.moment_ns = clock_.now_ns();
    state.probe.busy_ns = static_cast<uint64_t>(2 * state.moment_ns);  // two busy CPUs: never idle
    return state;
  }
  [[nodiscard]] int cpus() const override { return 4; }
  // One cost window in which short jobs waited `ms`.
  void wait_short(double ms, int jobs) { state.probe.short_wait_hist[pm_hist_bucket(static_cast<uint64_t>(ms * 1e6))] += static_cast<uint64_t>(jobs); }
  Result<Unit> record_bursts() override {
    if (!records) return fail(ErrorCode::kUnsupported, "none here");
    recording = true;
    ++recordings;
    return Unit{};
  }
  void ignore_bursts() override { recording = false; }
  // One task that runs 10 ms of every 50, as long as anyone looks back.
  Result<std::vector<pm_burst>> recent_bursts(int64_t span_ns) override {
    std::vector<pm_burst> out;
    for (int64_t end = clock_.now_ns(); end > clock_.now_ns() - span_ns; end -= 50 * kMillisecond) {
      pm_burst b{};
      b.task = 7;
      b.end_ns = static_cast<uint64_t>(end);
      b.wake_ns = static_cast<uint64_t>(end - 20 * kMillisecond);
      b.cpu_ns = 10 * kMillisecond;
      out.push_back(b);
    }
    return out;
  }
  Reading state;
  bool blind = false, records = true, recording = false;
  int recordings = 0;

 private:
  const Clock& clock_;
};

class ScriptedController : public Controller {
 public:
  [[nodiscard]] std::string name() const override { return "scripted"; }
  Decision decide(const Context& context) override {
    seen.push_back(context);
    Decision d;
    d.arm = wanted;
    d.why = "script";
    if (predicted) d.predicted = *predicted;
    return d;
  }
  [[nodiscard]] bool literal() const override { return is_literal; }
  [[nodiscard]] bool wants_bursts() const override { return curious; }
  [[nodiscard]] bool wants_recording(const Context& context) const override { return curious && (!curious_under || context.active == *curious_under); }
  [[nodiscard]] std::optional<int64_t> replays_from_ns(const Context& context) const override { return context.cost_window_ended ? replays_from : std::nullopt; }
  ArmId wanted = kEevdf;
  std::optional<int64_t> replays_from = 0;
  bool is_literal = false, curious = false;
  std::optional<ArmId> curious_under;
  std::vector<Context> seen;
  std::optional<std::array<double, kChoosable>> predicted;
};

class Notes : public Recorder {
 public:
  void on_window(const WindowRecord& window) override { windows.push_back(window); }
  std::vector<WindowRecord> windows;
};

class FixedPin : public PinSource {
 public:
  Pin read() override { return pin; }
  Pin pin;
};

class AgentTest : public testing::Test {
 protected:
  void start(AgentOptions options = {}) {
    options.replay.background = false;
    agent.emplace(clock, sensor, swapper, controller, pin, notes, options);
  }
  void go(int64_t ns) {
    for (int64_t t = 0; t < ns; t += 50 * kMillisecond) {
      clock.advance(50 * kMillisecond);
      agent->tick(clock.now_ns());
    }
  }
  FakeClock clock;
  FakeHost host;
  Swapper swapper{host, clock};
  ScriptedSensor sensor{clock};
  ScriptedController controller;
  FixedPin pin;
  Notes notes;
  std::optional<Agent> agent;
};

TEST_F(AgentTest, WhoWantsBurstsIsToldTheLiveCostAndTheReplayOncePerCostWindow) {
  controller.curious = true;
  start();
  go(5 * kSecond);
  EXPECT_TRUE(sensor.recording);
  int costs = 0, replays = 0;
  for (const Context& c : controller.seen) {
    costs += c.live_cost.has_value();
    replays += c.replayed.has_value();
    if (c.live_cost) {
      EXPECT_NEAR(*c.live_cost, std::log(20e6), .2);
    }
  }
  EXPECT_GE(costs, 4);
  EXPECT_EQ(costs, replays);
  EXPECT_LE(costs, 5);
}

TEST_F(AgentTest, AReplayIsOfWhatTheControllerWantsOrNotMade) {
  controller.curious = true;
  controller.replays_from.reset();
  start();
  go(3 * kSecond);
  const auto replays = [&] { return std::count_if(controller.seen.begin(), controller.seen.end(), [](const Context& c) { return c.replayed.has_value(); }); };
  EXPECT_EQ(replays(), 0);
  EXPECT_TRUE(std::any_of(controller.seen.begin(), controller.seen.end(), [](const Context& c) { return c.live_cost.has_value(); }));
  controller.replays_from = 2 * kSecond;
  go(2 * kSecond);
  EXPECT_EQ(replays(), 2);
  for (const Context& c : controller.seen)
    if (c.replayed) {
      EXPECT_EQ(c.replayed_to_ns, c.since_start_ns) << "made at once here";
    }
  controller.replays_from = kSecond * 1000;
  const auto before = replays();
  go(2 * kSecond);
  EXPECT_EQ(replays(), before) << "nothing has been recorded since a moment that is yet to come";
}

TEST_F(AgentTest, BurstsAreRecordedOnlyWhileTheControllerWantsThem) {
  controller.curious = true;
  controller.curious_under = kEevdf;
  start();
  go(2 * kSecond);
  EXPECT_TRUE(sensor.recording);
  EXPECT_EQ(controller.seen.back().recording_since_ns, 0);
  controller.wanted = arm("las");
  go(2 * kSecond);
  EXPECT_FALSE(sensor.recording);
  EXPECT_EQ(controller.seen.back().recording_since_ns, std::nullopt);
  const size_t asleep = controller.seen.size();
  go(2 * kSecond);
  for (size_t i = asleep; i < controller.seen.size(); ++i) EXPECT_FALSE(controller.seen[i].live_cost || controller.seen[i].replayed);
  controller.wanted = kEevdf;
  go(2 * kSecond);
  EXPECT_TRUE(sensor.recording);
  EXPECT_EQ(sensor.recordings, 2);
  ASSERT_TRUE(controller.seen.back().recording_since_ns);
  EXPECT_GE(*controller.seen.back().recording_since_ns, 6 * kSecond - 300 * kMillisecond);
}

TEST_F(AgentTest, AnArmThatHadOnlyPartOfACostWindowIsNotChargedWithIt) {
  controller.curious = true;
  start();
  go(2600 * kMillisecond);
  controller.wanted = arm("las");  // swapped in the middle of the third cost window
  const size_t before = controller.seen.size();
  go(800 * kMillisecond);
  for (size_t i = before; i < controller.seen.size(); ++i) EXPECT_FALSE(controller.seen[i].live_cost);
  go(kSecond);
  EXPECT_TRUE(std::any_of(controller.seen.begin() + static_cast<ptrdiff_t>(before), controller.seen.end(), [](const Context& c) { return c.live_cost.has_value(); }));
}

TEST_F(AgentTest, WithoutARecorderTheControllerIsAskedAllTheSame) {
  controller.curious = true;
  sensor.records = false;
  start();
  go(3 * kSecond);
  EXPECT_GE(controller.seen.size(), 10u);
  for (const Context& c : controller.seen) EXPECT_FALSE(c.live_cost || c.replayed);
}

TEST_F(AgentTest, SwapsWhenTheControllerAsksAndReadsBack) {
  start();
  controller.wanted = arm("las");
  go(1 * kSecond);
  EXPECT_EQ(swapper.current(), arm("las"));
  EXPECT_EQ(host.truth().phase, KernelState::Phase::kEnabled);
  EXPECT_EQ(agent->swaps(), 1);
}

TEST_F(AgentTest, ShadowNeverTouchesTheKernel) {
  start({.shadow = true, .guard = {}});
  controller.wanted = arm("las");
  go(2 * kSecond);
  EXPECT_EQ(host.truth().phase, KernelState::Phase::kDisabled);
  EXPECT_EQ(host.truth().enable_seq, 0u);
  EXPECT_EQ(notes.windows.back().taken, arm("las"));
}

TEST_F(AgentTest, APinOutranksTheController) {
  start();
  controller.wanted = arm("las");
  pin.pin.arm = arm("age");
  go(2 * kSecond);
  EXPECT_EQ(swapper.current(), arm("age"));
  EXPECT_EQ(notes.windows.back().held_back, "pinned by a person");
  pin.pin = {.arm = std::nullopt, .releases = 1};
  go(1 * kSecond);
  EXPECT_EQ(swapper.current(), arm("las"));
}

TEST_F(AgentTest, SysrqIsAVetoUntilReleased) {
  start();
  controller.wanted = arm("las");
  go(1 * kSecond);
  ASSERT_TRUE(host.sysrq());
  go(3 * kSecond);
  EXPECT_EQ(host.truth().phase, KernelState::Phase::kDisabled);
  EXPECT_NE(notes.windows.back().held_back.find("SysRq-S"), std::string::npos);
  pin.pin.releases = 1;
  go(1 * kSecond);
  EXPECT_EQ(swapper.current(), arm("las"));
}

TEST_F(AgentTest, AForeignSchedulerIsNeverDisplaced) {
  start();
  ASSERT_TRUE(host.attach_foreign("bpfland_1.1"));
  controller.wanted = arm("las");
  pin.pin.arm = arm("age");  // not even for a person's pin: it was a person who attached it
  go(3 * kSecond);
  EXPECT_EQ(host.truth().ops, "bpfland_1.1");
  EXPECT_NE(notes.windows.back().held_back.find("bpfland_1.1"), std::string::npos);
  ASSERT_TRUE(host.detach_foreign());
  pin.pin.arm.reset();
  go(1 * kSecond);
  EXPECT_EQ(swapper.current(), arm("las"));
}

TEST_F(AgentTest, AnEjectionEndsOnEevdfAndKeepsAway) {
  start();
  controller.wanted = arm("las");
  go(1 * kSecond);
  ASSERT_TRUE(host.eject({.kind = 1026, .exit_code = 0, .reason = "runnable task stall", .message = "hog failed to run for 8 s"}));
  go(5 * kSecond);
  EXPECT_EQ(host.truth().phase, KernelState::Phase::kDisabled);
  bool told = false;
  for (const WindowRecord& w : notes.windows) told = told || (w.notice.ejection && w.notice.ejection->message == "hog failed to run for 8 s");
  EXPECT_TRUE(told);
}

TEST_F(AgentTest, DwellAndHysteresisHoldSwapsBack) {
  start();
  controller.wanted = arm("las");
  go(500 * kMillisecond);
  controller.predicted = std::array<double, kChoosable>{};
  controller.wanted = arm("sjf");  // predicted equal: no gain
  go(2 * kSecond);
  EXPECT_EQ(swapper.current(), arm("las"));
  EXPECT_NE(notes.windows.back().held_back.find("hysteresis"), std::string::npos);
  (*controller.predicted)[static_cast<size_t>(arm("sjf"))] = -.03;
  go(1 * kSecond);
  EXPECT_EQ(swapper.current(), arm("las")) << "within the hysteresis";
  (*controller.predicted)[static_cast<size_t>(arm("sjf"))] = -.1;
  go(1 * kSecond);
  EXPECT_EQ(swapper.current(), arm("sjf"));
}

TEST_F(AgentTest, ASwapThatCostsMoreThanItBringsIsNotMade) {
  AgentOptions options;
  options.expected_dwell_ns = 1 * kSecond;
  options.hysteresis = 0;
  start(options);
  controller.wanted = arm("hyb");
  go(1 * kSecond);
  controller.predicted = std::array<double, kChoosable>{};
  (*controller.predicted)[kEevdf] = -.01;  // 10 ms over the dwell; crossing to eevdf is taken to cost 100 ms until it is measured
  controller.wanted = kEevdf;
  go(300 * kMillisecond);
  EXPECT_EQ(swapper.current(), arm("hyb"));
  EXPECT_NE(notes.windows.back().held_back.find("more than it brings"), std::string::npos);
}

TEST_F(AgentTest, OnlyTheArmsThatMayBeChosenAreTaken) {
  AgentOptions options;
  options.choosable[static_cast<size_t>(arm("las"))] = false;
  start(options);
  controller.is_literal = true;
  controller.wanted = arm("las");
  go(kSecond);
  EXPECT_EQ(swapper.current(), kEevdf);
  EXPECT_EQ(notes.windows.back().held_back, "las is not among the arms that may be chosen");
  controller.wanted = arm("hyb");
  go(kSecond);
  EXPECT_EQ(swapper.current(), arm("hyb"));
  pin.pin.arm = arm("las");
  go(kSecond);
  EXPECT_EQ(swapper.current(), arm("las")) << "a person may";
}

TEST_F(AgentTest, TheGuardLeavesAnArmAfterTwoBadCostWindowsAndQuarantinesIt) {
  AgentOptions options;
  options.guard.reference_ns = 10 * kMillisecond;  // limit 100 ms
  start(options);
  controller.wanted = arm("hyb");
  go(1 * kSecond);
  ASSERT_EQ(swapper.current(), arm("hyb"));
  sensor.wait_short(500, 100);
  go(1 * kSecond);
  EXPECT_EQ(swapper.current(), arm("hyb")) << "one bad window is not enough";
  sensor.wait_short(500, 100);
  go(1 * kSecond);
  EXPECT_EQ(swapper.current(), kEevdf);
  go(1 * kSecond);
  EXPECT_EQ(swapper.current(), kEevdf) << "the controller still wants it, the quarantine holds";
  EXPECT_NE(notes.windows.back().held_back.find("quarantined"), std::string::npos);
  go(2 * kSecond);
  EXPECT_EQ(swapper.current(), arm("hyb")) << "and ends";
}

TEST_F(AgentTest, ARelapseIsQuarantinedTwiceAsLongAMinuteOfGoodConductForgets) {
  AgentOptions options;
  options.guard.reference_ns = 10 * kMillisecond;
  options.guard.least_reference_ns = 10 * kMillisecond;
  start(options);
  controller.wanted = arm("hyb");
  go(1 * kSecond);
  const auto seconds_out = [&] {
    for (int ticks = 0; swapper.current() != kEevdf && ticks < 200; ++ticks) {
      sensor.wait_short(500, 100);
      go(50 * kMillisecond);
    }
    int ticks = 0;
    for (; swapper.current() == kEevdf && ticks < 1000; ++ticks) go(50 * kMillisecond);
    return ticks / 20.0;
  };
  EXPECT_NEAR(seconds_out(), 2, .3);
  EXPECT_NEAR(seconds_out(), 4, .3);
  EXPECT_NEAR(seconds_out(), 8, .3);
  go(61 * kSecond);
  EXPECT_NEAR(seconds_out(), 2, .3);
}

TEST_F(AgentTest, TheGuardMeasuresEevdfByItsOwnWindowsAndForgetsWhatIsOld) {
  Guard guard{GuardOptions{}};
  Reading before, after;
  const auto judged = [&](ArmId active, int64_t since_ns, double wait_ms) {
    before = after;
    after.moment_ns += kSecond;
    after.probe.short_wait_hist[pm_hist_bucket(static_cast<uint64_t>(wait_ms * 1e6))] += 100;
    return guard.judge(active, since_ns, before, after);
  };
  EXPECT_EQ(guard.limit_ns(0), 250 * kMillisecond);
  judged(kEevdf, kSecond / 2, 900);  // it took over within this window
  EXPECT_EQ(guard.limit_ns(after.moment_ns), 250 * kMillisecond);
  judged(kEevdf, kSecond / 2, 50);
  EXPECT_NEAR(static_cast<double>(guard.limit_ns(after.moment_ns)), 500e6, 63e6) << "ten times 50 ms, within a bucket";
  EXPECT_FALSE(judged(arm("las"), after.moment_ns, 400));
  EXPECT_FALSE(judged(arm("las"), after.moment_ns, 400)) << "eevdf made them wait as well";
  EXPECT_EQ(guard.limit_ns(after.moment_ns + 10 * kSecond), 250 * kMillisecond);
}

TEST_F(AgentTest, WhereTheChoiceIsQuarantinedTheNextBestArmIsTakenIfItSurelyBeatsEevdf) {
  AgentOptions options;
  options.guard.reference_ns = 10 * kMillisecond;
  options.guard.quarantine_ns = 10 * kSecond;
  start(options);
  controller.wanted = arm("hyb");
  controller.predicted = std::array<double, kChoosable>{.4, 0, .39, .5, .1, .3};  // eevdf hyb las age sjf ipre
  go(1 * kSecond);
  for (int i = 0; i < 2; ++i) {
    sensor.wait_short(500, 100);
    go(1 * kSecond);
  }
  EXPECT_TRUE(std::any_of(notes.windows.begin(), notes.windows.end(), [](const WindowRecord& w) { return w.taken == kEevdf && w.active != kEevdf; }))
      << "the guard's way leads to eevdf";
  go(1 * kSecond);
  EXPECT_EQ(swapper.current(), arm("sjf"));
  EXPECT_NE(notes.windows.back().held_back.find("hyb is quarantined by the guard; sjf is the best of the others"), std::string::npos) << notes.windows.back().held_back;
  controller.predicted = std::array<double, kChoosable>{.09, 0, .1, .5, .1, .3};
  swapper.swap(kEevdf);
  go(1 * kSecond);
  EXPECT_EQ(swapper.current(), kEevdf) << "nothing is surely better";
}

TEST_F(AgentTest, TheGuardSeesStarvationBeforeAnyWaitHasEnded) {
  AgentOptions options;
  options.guard.reference_ns = 10 * kMillisecond;
  start(options);
  controller.wanted = arm("hyb");
  go(1 * kSecond);
  sensor.state.oldest_short_wait_ns = 900 * kMillisecond;  // nothing in the histogram
  go(2 * kSecond);
  EXPECT_EQ(swapper.current(), kEevdf);
}

TEST_F(AgentTest, WithoutEyesNothingIsDecidedAndAfterASecondItIsEevdf) {
  start();
  controller.wanted = arm("las");
  go(1 * kSecond);
  const size_t windows = notes.windows.size();
  sensor.blind = true;
  go(500 * kMillisecond);
  EXPECT_EQ(swapper.current(), arm("las"));
  go(1 * kSecond);
  EXPECT_EQ(host.truth().phase, KernelState::Phase::kDisabled);
  EXPECT_EQ(notes.windows.size(), windows);
}

TEST(PinFile, RoundTripAndDamage) {
  const std::string path = testing::TempDir() + "pointsman_pin_test";
  ASSERT_TRUE(write_pin(path, {.arm = find_arm("las").value(), .releases = 3}));
  auto pin = read_pin(path);
  ASSERT_TRUE(pin);
  EXPECT_EQ(pin->arm, find_arm("las").value());
  EXPECT_EQ(pin->releases, 3u);
  ASSERT_TRUE(write_file(path, "nosuch\n1\n"));
  auto wrong = read_pin(path);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, ErrorCode::kCorrupt);
  ASSERT_TRUE(write_file(path, ""));
  EXPECT_FALSE(read_pin(path));
  EXPECT_FALSE(PinFile(path).read().arm) << "a damaged pin pins nothing";
}

}  // namespace
}  // namespace pointsman

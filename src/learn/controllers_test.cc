#include "learn/controllers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "base/clock.h"
#include "learn/schedule.h"

namespace pointsman {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::unique_ptr<Controller> make(std::string_view spec, uint64_t seed = 1) {
  auto made = make_controller(spec, seed);
  EXPECT_TRUE(made) << (made ? "" : made.error().message);
  return made ? std::move(*made) : nullptr;
}

std::string refusal(std::string_view spec) {
  auto made = make_controller(spec);
  EXPECT_FALSE(made) << spec;
  return made ? "" : made.error().message;
}

Context at(int64_t ns) {
  Context c;
  c.since_start_ns = ns;
  return c;
}

TEST(Controllers, AnArmsNameIsThatStaticArm) {
  for (const Arm& arm : arms()) {
    const auto c = make(arm.name);
    ASSERT_TRUE(c);
    EXPECT_EQ(c->name(), arm.name);
    EXPECT_TRUE(c->literal());
    EXPECT_EQ(arm_name(c->first_arm()), arm.name);
    const Decision d = c->decide(at(kSecond));
    EXPECT_EQ(d.arm, c->first_arm());
    EXPECT_EQ(d.propensity, 1);
    EXPECT_FALSE(d.why.empty());
  }
}

TEST(Controllers, RefusesInOneClearLine) {
  EXPECT_THAT(refusal("fifo"), HasSubstr("there is no controller 'fifo' (there are: static schedule"));
  EXPECT_EQ(refusal("static"), "controller 'static' needs arm=NAME");
  EXPECT_THAT(refusal("static:arm=fifo"), AllOf(HasSubstr("controller 'static': "), HasSubstr("no arm 'fifo'")));
  EXPECT_EQ(refusal("random:every"), "controller 'random:every': 'every' is not KEY=VALUE");
  EXPECT_EQ(refusal("random:"), "controller 'random:': '' is not KEY=VALUE");
  EXPECT_EQ(refusal("random:each=3"), "controller 'random' has no option 'each' (it has: every seed)");
  EXPECT_EQ(refusal("random:every=2,every=3"), "controller 'random': 'every' is given twice");
  EXPECT_EQ(refusal("random:every=0"), "controller 'random': every=0 is not a whole number in 1 .. 1000000");
  EXPECT_EQ(refusal("random:every=3x"), "controller 'random': every=3x is not a whole number in 1 .. 1000000");
  EXPECT_EQ(refusal("scx_loader:scale=nan"), "controller 'scx_loader': scale=nan is not a number in 0.001 .. 1000");
  EXPECT_EQ(refusal("schedule"), "controller 'schedule': a schedule begins with an arm at 0");
  EXPECT_EQ(refusal("schedule:1s=hyb"), "controller 'schedule': a schedule begins with an arm at 0");
  EXPECT_EQ(refusal("schedule:0=hyb,2s=las,2s=age"), "controller 'schedule': a schedule's moments rise: 2000000000 ns after 2000000000 ns");
  EXPECT_EQ(refusal("schedule:0=hyb,5=las"), "controller 'schedule': '5' is not a duration (for example 2.5s, 250ms, 10us, 0)");
}

TEST(Durations, Parse) {
  EXPECT_EQ(*parse_duration("0"), 0);
  EXPECT_EQ(*parse_duration("2.5s"), 2'500'000'000);
  EXPECT_EQ(*parse_duration("250ms"), 250'000'000);
  EXPECT_EQ(*parse_duration("10us"), 10'000);
  EXPECT_EQ(*parse_duration("4998000001ns"), 4'998'000'001);
  for (const char* bad : {"", "s", "-1s", "1h", "1 s", "nans", "1e30s"}) EXPECT_FALSE(parse_duration(bad)) << bad;
}

TEST(Schedule, ChangesAtItsMoments) {
  const auto c = make("schedule:0=hyb,4.998s=age,10s=eevdf");
  EXPECT_TRUE(c->literal());
  EXPECT_EQ(c->first_arm(), *find_arm("hyb"));
  EXPECT_EQ(c->decide(at(4'997'999'999)).arm, *find_arm("hyb"));
  EXPECT_EQ(c->decide(at(4'998'000'000)).arm, *find_arm("age"));
  EXPECT_EQ(c->decide(at(60 * kSecond)).arm, *find_arm("eevdf"));
  EXPECT_EQ(c->decide(at(0)).arm, *find_arm("hyb"));
  EXPECT_EQ(c->next_moment_ns(0), 4'998'000'000);
  EXPECT_EQ(c->next_moment_ns(4'998'000'000), 10 * kSecond);
  EXPECT_EQ(c->next_moment_ns(10 * kSecond), std::nullopt);
}

TEST(Schedule, SpecSurvivesTheRoundTrip) {
  const std::vector<ScheduleEntry> entries{{0, 2}, {1'234'567'891, 0}, {5 * kSecond, 3}};
  const std::string spec = schedule_spec(entries);
  EXPECT_EQ(spec, "schedule:0=las,1234567891ns=eevdf,5000000000ns=" + std::string(arms()[3].name));
  const auto c = make(spec);
  for (const ScheduleEntry& entry : entries) EXPECT_EQ(c->decide(at(entry.at_ns)).arm, entry.arm);
}

TEST(Random, UniformSeededAndHonestAboutItsPropensity) {
  const auto a = make("random:every=1", 7), b = make("random:every=1,seed=7", 1), other = make("random:every=1", 8);
  std::array<int, kChoosable> count{};
  int differs = 0;
  const int n = 6000;
  for (int i = 0; i < n; ++i) {
    const Decision d = a->decide(at(i));
    ASSERT_GE(d.arm, 0);
    ASSERT_LT(d.arm, kChoosable);
    ASSERT_DOUBLE_EQ(d.propensity, 1.0 / 6);
    ++count[static_cast<size_t>(d.arm)];
    EXPECT_EQ(d.arm, b->decide(at(i)).arm);
    differs += d.arm != other->decide(at(i)).arm;
  }
  for (const int c : count) EXPECT_NEAR(c, n / 6, 5 * 29);  // five deviations of a binomial (6000, 1/6)
  EXPECT_GT(differs, n / 2);
}

TEST(Random, KeepsBetweenDrawsAndWhenIdle) {
  const auto c = make("random:every=3");
  Context busy = at(0), idle = at(0);
  busy.active = idle.active = *find_arm("age");
  idle.idle = true;
  EXPECT_EQ(c->decide(idle).arm, busy.active);
  EXPECT_DOUBLE_EQ(c->decide(busy).propensity, 1.0 / 6);  // an idle window did not use up the draw
  for (int i = 0; i < 2; ++i) {
    const Decision d = c->decide(busy);
    EXPECT_EQ(d.arm, busy.active);
    EXPECT_EQ(d.propensity, 1);
  }
  EXPECT_DOUBLE_EQ(c->decide(busy).propensity, 1.0 / 6);
}

TEST(RoundRobin, TakesEachChoosableArmInTurn) {
  const auto c = make("round_robin:every=2");
  EXPECT_EQ(c->first_arm(), 0);
  Context idle = at(0);
  idle.idle = true;
  EXPECT_EQ(c->decide(idle).arm, 0);
  for (int i = 1; i <= 30; ++i) EXPECT_EQ(c->decide(at(i)).arm, i / 2 % kChoosable);
}

struct Look {
  double ratio;
  int windows;
};
ArmId after(Controller& c, std::vector<Look> looks) {
  int64_t t = 0;
  ArmId arm = c.first_arm();
  for (const Look& look : looks)
    for (int i = 0; i < look.windows; ++i) {
      Context context = at(t += 250 * kMillisecond);
      context.busiest_cpu_ratio = look.ratio;
      arm = c.decide(context).arm;
    }
  return arm;
}

TEST(ScxLoaderRule, FiveSecondsBusyThenThirtyCalm) {
  const ArmId dl = *find_arm("dl");
  EXPECT_EQ(make("scx_loader")->first_arm(), kEevdf);
  EXPECT_TRUE(make("scx_loader")->literal());
  EXPECT_EQ(after(*make("scx_loader"), {{.95, 19}}), kEevdf);
  EXPECT_EQ(after(*make("scx_loader"), {{.95, 20}}), dl);
  EXPECT_EQ(after(*make("scx_loader"), {{.90, 100}}), kEevdf);                     // over, not at
  EXPECT_EQ(after(*make("scx_loader"), {{.95, 19}, {.5, 1}, {.95, 19}}), kEevdf);  // one calm look starts it anew
  EXPECT_EQ(after(*make("scx_loader"), {{.95, 20}, {.5, 119}}), dl);
  EXPECT_EQ(after(*make("scx_loader"), {{.95, 20}, {.5, 120}}), kEevdf);
  EXPECT_EQ(after(*make("scx_loader"), {{.95, 20}, {.5, 119}, {.95, 1}, {.5, 119}}), dl);
}

TEST(ScxLoaderRule, TimeScaleAndArm) {
  EXPECT_EQ(after(*make("scx_loader:scale=.1,arm=las"), {{.95, 1}}), kEevdf);
  EXPECT_EQ(after(*make("scx_loader:scale=.1,arm=las"), {{.95, 2}}), *find_arm("las"));
  EXPECT_EQ(after(*make("scx_loader:scale=.1,arm=las"), {{.95, 2}, {.1, 11}}), *find_arm("las"));
  EXPECT_EQ(after(*make("scx_loader:scale=.1,arm=las"), {{.95, 2}, {.1, 12}}), kEevdf);
}

TEST(Controllers, TheTableIsComplete) {
  for (const ControllerKind& kind : controller_kinds()) {
    EXPECT_FALSE(kind.summary.empty()) << kind.name;
    EXPECT_FALSE(kind.options.empty()) << kind.name;
    EXPECT_FALSE(find_arm(kind.name)) << kind.name << " is an arm's name too";
  }
}

}  // namespace
}  // namespace pointsman

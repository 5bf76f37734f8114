#include "learn/from_ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "learn/controllers.h"

namespace pointsman {
namespace {

using testing::HasSubstr;

LedgerRun run(const std::string& controller, double log_slowdown, uint64_t seed = 1, const std::string& family = "batch") {
  LedgerRun out;
  out.key = {
      .scenario = family, .controller = controller, .seed = seed, .kernel = "k", .binary = "b", .plan = "p", .qemu = "q", .snapshot = "s"};
  out.selftest_ok = true;
  out.features_schema = feature_catalogue_hash();
  for (const int phase : {-1, 0}) {
    LedgerCosts costs{
        .phase = phase, .family = phase < 0 ? "" : family, .jobs = 5, .log_slowdown = log_slowdown, .mean_tat_s = 2, .mean_rt_s = 1};
    out.costs.push_back(costs);
  }
  for (int w = 1; w <= 4; ++w) {
    LedgerWindow window{.end_ns = int64_t{250'000'000} * w, .arm = controller, .idle = w == 2};
    window.features.assign(kFeatures, static_cast<float>(w));
    out.windows.push_back(window);
  }
  return out;
}

std::vector<LedgerRun> block(uint64_t seed = 1) {
  std::vector<LedgerRun> runs;
  for (ArmId arm = 0; arm < kChoosable; ++arm) runs.push_back(run(std::string(arm_name(arm)), 1 + .1 * arm, seed));
  return runs;
}

TEST(FromLedger, ABlockIsOnePlanUnderEachChoosableArm) {
  auto runs = block();
  runs.push_back(run("dl", 9));
  runs.push_back(run("random", 9));
  std::reverse(runs.begin(), runs.end());
  const auto made = dataset_of(runs, {});
  ASSERT_TRUE(made) << made.error().message;
  ASSERT_EQ(made->dataset.blocks.size(), 1u);
  EXPECT_EQ(made->windows, 18);
  EXPECT_EQ(made->incomplete, 0);
  const Block& b = made->dataset.blocks[0];
  EXPECT_EQ(b.family, "batch");
  for (size_t arm = 0; arm < kChoosable; ++arm) {
    EXPECT_NEAR(b.log_cost[arm], .1 * static_cast<double>(arm), 1e-12);
    ASSERT_EQ(b.windows[arm].size(), 3u);  // without the idle one
    EXPECT_EQ(b.windows[arm][1][kFeatures - 1], 3);
  }
}

TEST(FromLedger, WindowsOutsideOfTheSpanOrUnderAnotherArmAreLeftOut) {
  auto runs = block();
  runs[2].windows[3].arm = "eevdf";  // thrown out in the middle
  const auto made = dataset_of(runs, {.from_ns = 300'000'000, .until_ns = 1'000'000'000});
  ASSERT_TRUE(made);
  EXPECT_EQ(made->dataset.blocks[0].windows[0].size(), 2u);
  EXPECT_EQ(made->dataset.blocks[0].windows[2].size(), 1u);
}

TEST(FromLedger, IncompleteBlocksAreCountedNotUsed) {
  auto runs = block(1);
  for (const LedgerRun& r : block(2)) runs.push_back(r);
  runs[7].selftest_ok = false;
  for (const LedgerRun& r : block(3)) runs.push_back(r);
  runs[13].rejected = "lag";
  for (const LedgerRun& r : block(4)) runs.push_back(r);
  runs[19].key.snapshot = "another";  // compared with nobody
  auto made = dataset_of(runs, {});
  ASSERT_TRUE(made);
  EXPECT_EQ(made->dataset.blocks.size(), 1u);
  EXPECT_EQ(made->incomplete, 4);
  made = dataset_of(std::span(runs).subspan(6), {});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().message, "no block has a sound run under each choosable arm (18 runs, 4 incomplete blocks)");
}

TEST(FromLedger, RefusesOtherFeatures) {
  auto runs = block();
  runs[3].features_schema = "f00d";
  const auto made = dataset_of(runs, {});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(made.error().message, HasSubstr("was recorded with other features (f00d)"));
}

TEST(FromLedger, RunsForTheTable) {
  std::vector<LedgerRun> runs{run("eevdf", 1), run("las", .5)};
  LedgerCosts second = runs[0].costs[1];
  second.phase = 1;
  second.family = "web";
  for (LedgerRun& r : runs) r.costs.push_back(second);
  runs[1].swaps = {{.at_ns = 1, .outcome = "confirmed"}, {.at_ns = 2, .outcome = "refused"}, {.at_ns = 3, .outcome = "confirmed"}};
  runs[1].rejected = "lag";
  const auto out = evaluated_runs_of(runs);
  ASSERT_TRUE(out) << out.error().message;
  ASSERT_EQ(out->size(), 2u);
  EXPECT_EQ((*out)[1].controller, "las");
  EXPECT_EQ((*out)[1].swaps, 2);
  EXPECT_FALSE((*out)[1].sound);
  EXPECT_TRUE((*out)[0].sound);
  ASSERT_EQ((*out)[0].phases.size(), 2u);
  EXPECT_EQ((*out)[0].phases[1].family, "web");
  EXPECT_EQ((*out)[1].phases[0].costs.log_slowdown, .5);
  EXPECT_EQ((*out)[1].whole.mean_tat_s, 2);

  runs[1].key.snapshot = "another";
  EXPECT_THAT(evaluated_runs_of(runs).error().message,
              HasSubstr("batch seed 1 draw 0 under eevdf and batch seed 1 draw 0 under las cannot be compared"));
  runs[1] = run("las", 1);
  runs[1].costs.clear();
  EXPECT_EQ(evaluated_runs_of(runs).error().message, "batch seed 1 draw 0 under las has no costs");
}

TEST(FromLedger, DrawnDecisionsBecomeALogWithWhatFollowed) {
  const auto target = [](uint64_t) { return make_controller("las"); };
  LedgerRun r = run("random", 1);
  const auto decision = [](int window, const char* arm, const char* taken, double propensity) {
    return LedgerDecision{.at_ns = int64_t{250'000'000} * window, .arm = arm, .taken = taken, .propensity = propensity};
  };
  for (LedgerWindow& w : r.windows) w.arm = "hyb";
  r.decisions = {decision(1, "las", "las", .25), decision(2, "las", "las", 1), decision(3, "age", "hyb", .25),
                 decision(4, "sjf", "sjf", .25)};
  auto log = logged_decisions_of(std::vector{r}, target);
  ASSERT_TRUE(log) << log.error().message;
  ASSERT_EQ(log->decisions.size(), 1u);  // the second is certain, the third was held back, after the fourth comes nothing
  EXPECT_EQ(log->certain, 1);
  EXPECT_EQ(log->held_back, 1);
  const LoggedDecision& d = log->decisions[0];
  EXPECT_EQ(d.arm, 2);
  EXPECT_EQ(d.propensity, .25);
  EXPECT_EQ(d.cost, 3);  // window 2 is idle
  EXPECT_EQ(d.target[2], 1);
  EXPECT_EQ(log->blocks, std::vector<std::string>{"batch seed 1"});
  r.decisions[0].propensity = 1;
  r.decisions.pop_back();
  EXPECT_THAT(logged_decisions_of(std::vector{r}, target).error().message, HasSubstr("no decision in these runs was drawn by chance"));
  r.features_schema = "old";
  EXPECT_EQ(logged_decisions_of(std::vector{r}, target).error().code, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace pointsman

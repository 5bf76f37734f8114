#include "report/repetition.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "base/rng.h"
#include "report/distribution_chart.h"
#include "report/variability_page.h"
#include "report/wellformed_for_test.h"

namespace pointsman::report {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(PlanRuns, EveryBlockHasEveryArmOnceInItsOwnOrder) {
  const auto runs = plan_runs({.arms = {"eevdf", "hyb", "las"}, .blocks = 60, .warm_ups = 2, .seed = 3});
  ASSERT_EQ(runs.size(), 3u * 62);
  std::map<int, std::set<std::string>> blocks;
  std::map<std::string, int> orders, first;
  for (size_t i = 0; i < runs.size(); ++i) {
    EXPECT_EQ(runs[i].block, i < 6 ? -1 : static_cast<int>(i) / 3 - 2) << "warm-ups come first";
    if (runs[i].block < 0) continue;
    blocks[runs[i].block].insert(runs[i].arm);
    if (i % 3 == 0) {
      ++orders[runs[i].arm + runs[i + 1].arm];
      ++first[runs[i].arm];
    }
  }
  ASSERT_EQ(blocks.size(), 60u);
  for (const auto& [_, arms] : blocks) EXPECT_EQ(arms.size(), 3u);
  EXPECT_EQ(orders.size(), 6u) << "all orders occur";
  for (const auto& [arm, n] : first) EXPECT_GT(n, 8) << arm << " comes first about as often as the others";
  const auto again = plan_runs({.arms = {"eevdf", "hyb", "las"}, .blocks = 60, .warm_ups = 2, .seed = 3});
  for (size_t i = 0; i < runs.size(); ++i) EXPECT_EQ(again[i].arm, runs[i].arm);
}

std::vector<RunFigures> some_runs() {
  Rng rng(5, "runs");
  std::vector<RunFigures> runs;
  for (int i = 0; i < 24; ++i) {
    const std::string arm = i % 2 == 0 ? "eevdf" : "las";
    runs.push_back({.block = i / 2, .arm = arm, .time_s = i * 1.5, .metrics = {{"Average_TAT", (i % 2 == 0 ? 2 : 1.8) + .02 * rng.normal()}, {"T_vcsw_total_delta", 100 + rng.normal()}}});
  }
  runs[3].metrics.emplace_back("odd, one", 7);
  return runs;
}

TEST(RunsCsv, IsWhatTheReportReads) {
  const auto runs = some_runs();
  auto frame = Frame::parse("runs.csv", runs_csv(runs));
  ASSERT_TRUE(frame) << frame.error().message;
  EXPECT_EQ(kind_of(*frame), TableKind::kRuns);
  EXPECT_EQ(frame->columns(), (std::vector<std::string>{"run", "block", "arm", "time_s", "Average_TAT", "T_vcsw_total_delta", "odd, one"}));
  ASSERT_EQ(frame->rows(), 24u);
  EXPECT_EQ(frame->number(5, *frame->find("Average_TAT")), runs[5].metrics[0].second) << "every digit";
  EXPECT_EQ(frame->number(3, *frame->find("odd, one")), 7);
  EXPECT_TRUE(std::isnan(frame->number(4, *frame->find("odd, one"))));
  const auto found = examine(std::span(&*frame, 1));
  ASSERT_GE(found.comparisons.size(), 1u);
  EXPECT_NEAR(found.comparisons[0].change_percent, -10, 1.5);
  EXPECT_FALSE(found.comparisons[0].pairing_gain < 0);
}

TEST(SummaryCsv, IsReadAsASummaryWithNothingWrong) {
  auto frame = Frame::parse("runs.csv", runs_csv(some_runs()));
  ASSERT_TRUE(frame);
  const auto found = examine(std::span(&*frame, 1));
  auto cpu = Frame::parse("cpu_variability.csv", summary_csv(found.variations, Half::kCpu));
  auto other = Frame::parse("other_variability.csv", summary_csv(found.variations, Half::kOther));
  ASSERT_TRUE(cpu && other);
  EXPECT_EQ(kind_of(*cpu), TableKind::kSummary);
  EXPECT_EQ(cpu->text(0, 0), "T_vcsw_total_delta [eevdf]");
  EXPECT_EQ(other->text(0, 0), "Average_TAT [eevdf]");
  const Frame both[] = {*cpu, *other};
  for (const Flaw& flaw : examine(both).flaws) EXPECT_NE(flaw.weight, Flaw::Weight::kWrong) << flaw.code << ": " << flaw.text;
}

TEST(Settling, AStartThatDiffersIsCutOffAndAStationaryOneIsNot) {
  Rng rng(6, "settling");
  std::vector<std::vector<double>> starting, steady, climbing;
  for (int run = 0; run < 10; ++run) {
    std::vector<double> a, b, c;
    for (int step = 0; step < 50; ++step) {
      a.push_back(10 + (step < 8 ? 5.0 * (8 - step) : 0) + .1 * rng.normal());
      b.push_back(10 + .1 * rng.normal());
      c.push_back(step * step + .1 * rng.normal());
    }
    starting.push_back(a), steady.push_back(b), climbing.push_back(c);
  }
  steady.back().resize(20);  // one run was shorter
  EXPECT_NEAR(settle_curve("a", .1, starting).settled_s, .8, .21);
  EXPECT_LT(settle_curve("b", .1, steady).settled_s, .7);
  EXPECT_EQ(settle_curve("b", .1, steady).mean.size(), 50u);
  EXPECT_TRUE(std::isnan(settle_curve("c", .1, climbing).settled_s)) << "it never settles";
  EXPECT_TRUE(std::isnan(settle_curve("short", .1, std::vector<std::vector<double>>{{1, 2, 3}}).settled_s));
  const SettleCurve curves[] = {settle_curve("c", .1, climbing)};
  EXPECT_THAT(settle_table(curves).text(), HasSubstr("not settled"));
  EXPECT_THAT(settle_csv(curves), HasSubstr("c,0.100,"));
}

TEST(DistributionChart, BoxesHaveQuartilesWhiskersAndStrays) {
  DistributionChart chart{.label = "x", .series = {{.label = "eevdf", .values = {1, 2, 3, 4, 5, kMissing, 40}}, {.label = "las", .values = {}}}};
  const std::string svg = box_svg(chart);
  EXPECT_EQ(problem_in_markup(svg), "");
  EXPECT_THAT(svg, HasSubstr("eevdf: median 3.5, half of 6 runs within 2.25 to 4.75"));
  EXPECT_THAT(svg, HasSubstr("<title>40</title>")) << "beyond 1.5 boxes";
  EXPECT_THAT(order_svg(chart), HasSubstr("eevdf, run 7: 40"));
  EXPECT_THAT(order_svg(chart), Not(HasSubstr("run 6")));
  EXPECT_THAT(box_svg({.label = "none", .series = {}}), HasSubstr("no data"));
  EXPECT_EQ(problem_in_markup(order_svg({.label = "one", .series = {{.label = "a<b", .values = {3}}}})), "");
}

TEST(VariabilityPage, HasWhatWasRunAndWhatCameOfIt) {
  auto frame = Frame::parse("runs.csv", runs_csv(some_runs()));
  ASSERT_TRUE(frame);
  const std::vector<std::vector<double>> flat(4, std::vector<double>(12, 1.0));
  VariabilityReport report{.found = examine(std::span(&*frame, 1)), .settling = {settle_curve("T_cpu_percent", .1, flat)}, .about = {{"command", "a <b>"}}, .frames = std::span(&*frame, 1)};
  const std::string page = variability_page(report);
  EXPECT_EQ(problem_in_markup(page), "");
  for (const char* part : {"a &lt;b&gt;", "id=\"boxes\"", "id=\"drift\"", "id=\"settling\"", "Average_TAT under las against eevdf", "las: median"}) EXPECT_THAT(page, HasSubstr(part));
  const std::string markdown = variability_markdown(report);
  for (const char* part : {"- command: a <b>", "**Average_TAT under las against eevdf: -", "| runs.csv | Average_TAT [las] | 12 |", "| T_cpu_percent | 0 |"}) EXPECT_THAT(markdown, HasSubstr(part));
}

}  // namespace
}  // namespace pointsman::report

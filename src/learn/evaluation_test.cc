#include "learn/evaluation.h"

#include <gtest/gtest.h>

#include <cmath>

namespace pointsman {
namespace {

Costs cost(double log_slowdown, double tat = 1, double rt = .1, double cv = .5, double p99 = .01) {
  Costs c;
  c.jobs = 10;
  c.log_slowdown = log_slowdown;
  c.mean_tat_s = tat;
  c.mean_rt_s = rt;
  c.cv_fairness = cv;
  c.seed_l = tat + rt + cv;
  c.mean_slowdown = 2;
  c.p99_rt_short_s = p99;
  return c;
}

EvaluatedRun run(const std::string& controller, uint64_t seed, std::vector<double> phases, int swaps = 0, uint64_t draw = 0) {
  static const char* const kFamilies[] = {"batch", "web", "batch"};
  EvaluatedRun out{.controller = controller, .scenario = "mix", .seed = seed, .draw = draw, .whole = cost(0), .swaps = swaps};
  for (size_t p = 0; p < phases.size(); ++p) out.phases.push_back({kFamilies[p], cost(phases[p])});
  return out;
}

const ControllerResult& of(const Evaluation& e, const std::string& controller) {
  for (const ControllerResult& c : e.controllers)
    if (c.controller == controller) return c;
  ADD_FAILURE() << controller;
  return e.controllers.front();
}

// eevdf 1.0 everywhere. las: batch -.2, web +.1; hyb: -.1 throughout; agent; oracle.
std::vector<EvaluatedRun> sample() {
  std::vector<EvaluatedRun> runs;
  for (uint64_t seed = 1; seed <= 2; ++seed) {
    runs.push_back(run("eevdf", seed, {1, 1, 1}));
    runs.push_back(run("hyb", seed, {.9, .9, .9}));
    runs.push_back(run("las", seed, {.8, 1.1, .8}));
    // Two batch phases -.3 and -.1 (mean -.2), web -.1 in seed 1 and +.3 in seed 2.
    runs.push_back(run("agent", seed, {.7, seed == 1 ? .9 : 1.3, .9}, seed == 1 ? 4 : 6));
    runs.push_back(run("oracle", seed, {.6, .7, .6}, 3));
  }
  return runs;
}

TEST(Evaluation, ByHand) {
  const auto e = evaluate(sample(), {.train_static = "las"});
  ASSERT_TRUE(e) << e.error().message;
  EXPECT_EQ(e->blocks, 2);
  EXPECT_EQ(e->episodes, 2);
  EXPECT_EQ(e->dropped, 0);
  EXPECT_EQ(e->hindsight_static, "hyb");
  EXPECT_EQ(e->controllers[0].controller, "eevdf");
  EXPECT_EQ(e->controllers[3].controller, "agent");
  // Families count equally: las (-.2 + .1) / 2, although batch comes twice.
  EXPECT_NEAR(of(*e, "las").ratio.value, std::exp(-.05), 1e-12);
  EXPECT_NEAR(of(*e, "hyb").ratio.value, std::exp(-.1), 1e-12);
  // Agent: seed 1 (-.2 -.1)/2 = -.15, seed 2 (-.2 + .3)/2 = .05; mean -.05.
  const ControllerResult& agent = of(*e, "agent");
  EXPECT_NEAR(agent.ratio.value, std::exp(-.05), 1e-12);
  EXPECT_NEAR(agent.swaps.value, 5, 1e-12);
  EXPECT_EQ(agent.better, 1);
  EXPECT_EQ(agent.worse, 1);
  EXPECT_EQ(agent.ties, 0);
  EXPECT_NEAR(agent.worst_ratio, std::exp(.05), 1e-12);
  EXPECT_EQ(agent.worst_episode, "mix seed 2 draw 0");
  // Oracle (-.4 -.3)/2 = -.35. Gap against las (-.05): 0 of .3; against hyb (-.1): -.05 of .25.
  EXPECT_NEAR(agent.gap_vs_train_static.value, 0, 1e-12);
  EXPECT_NEAR(agent.gap_vs_hindsight.value, -.2, 1e-12);
  EXPECT_NEAR(of(*e, "oracle").gap_vs_hindsight.value, 1, 1e-12);
  EXPECT_NEAR(of(*e, "hyb").gap_vs_hindsight.value, 0, 1e-12);
  ASSERT_EQ(agent.phases.size(), 3u);
  EXPECT_NEAR(agent.phases[1].ratio.value, std::exp(.1), 1e-12);
  EXPECT_EQ(agent.phases[1].family, "web");
  ASSERT_EQ(agent.families.size(), 2u);
  EXPECT_NEAR(agent.families[0].ratio.value, std::exp(-.2), 1e-12);
  EXPECT_NEAR(agent.families[0].ratio_to_default, std::exp(-.1), 1e-12);
  EXPECT_FALSE(agent.families[0].harmed);
  EXPECT_NEAR(agent.families[1].ratio_to_default, std::exp(.2), 1e-12);
  EXPECT_TRUE(agent.families[1].harmed);
  EXPECT_EQ(of(*e, "eevdf").ties, 2);
}

TEST(Evaluation, DrawsOfASeedAreOneBlock) {
  auto runs = sample();
  // A second draw of seed 2 in which the agent is as good as in seed 1: its block becomes (.05 - .15) / 2.
  for (const char* c : {"eevdf", "hyb", "las", "oracle"})
    for (const EvaluatedRun& r : sample())
      if (r.controller == c && r.seed == 2) {
        runs.push_back(r);
        runs.back().draw = 1;
      }
  runs.push_back(run("agent", 2, {.7, .9, .9}, 4, 1));
  const auto e = evaluate(runs, {});
  ASSERT_TRUE(e) << e.error().message;
  EXPECT_EQ(e->blocks, 2);
  EXPECT_EQ(e->episodes, 3);
  EXPECT_NEAR(of(*e, "agent").ratio.value, std::exp((-.15 - .05) / 2), 1e-12);
  EXPECT_EQ(of(*e, "agent").better, 2);
  EXPECT_TRUE(std::isnan(of(*e, "agent").gap_vs_train_static.value));  // none was named
}

TEST(Evaluation, UnsoundOrMissingRunsDropTheEpisodeForAll) {
  auto runs = sample();
  runs[8].sound = false;  // agent, seed 2
  auto e = evaluate(runs, {});
  ASSERT_TRUE(e);
  EXPECT_EQ(e->dropped, 1);
  EXPECT_EQ(e->blocks, 1);
  EXPECT_NEAR(of(*e, "agent").ratio.value, std::exp(-.15), 1e-12);
  EXPECT_EQ(of(*e, "hyb").better, 1);
  runs.erase(runs.begin() + 3);  // agent, seed 1
  e = evaluate(runs, {});
  ASSERT_FALSE(e);
  EXPECT_EQ(e.error().message, "no episode was run soundly by all of the 5 controllers (2 episodes dropped)");
}

TEST(Evaluation, OtherMetricsAreRatiosToTheReference) {
  auto runs = sample();
  for (EvaluatedRun& r : runs) {
    if (r.controller == "agent") r.whole = cost(0, r.seed == 1 ? .5 : .125, .2, .25, .04);
    if (r.controller == "las") r.whole.p99_rt_short_s = std::nan("");
  }
  const auto e = evaluate(runs, {.objective = {.p99_rt_short_limit = 3}});
  ASSERT_TRUE(e);
  const ControllerResult& agent = of(*e, "agent");
  EXPECT_NEAR(agent.tat_ratio.value, .25, 1e-12);  // geometric mean of .5 and .125
  EXPECT_NEAR(agent.rt_ratio.value, 2, 1e-12);
  EXPECT_NEAR(agent.cv_ratio.value, .5, 1e-12);
  EXPECT_NEAR(agent.p99_rt_short_ratio.value, 4, 1e-12);
  EXPECT_NEAR(agent.mean_tat_s, .3125, 1e-12);
  EXPECT_EQ(agent.over_p99_limit, 2);
  EXPECT_TRUE(std::isnan(of(*e, "las").p99_rt_short_ratio.value));
  EXPECT_EQ(of(*e, "las").over_p99_limit, 0);
}

TEST(Evaluation, APhaseWithoutACostCountsForNobody) {
  auto runs = sample();
  for (EvaluatedRun& r : runs)
    if (r.controller == "las" && r.seed == 1) r.phases[1].costs = costs_of({});
  const auto e = evaluate(runs, {});
  ASSERT_TRUE(e);
  EXPECT_EQ(e->phases_left_out, 1);
  EXPECT_NEAR(of(*e, "agent").ratio.value, std::exp((-.2 + .05) / 2), 1e-12);
}

TEST(Evaluation, OtherObjectivesAndStatics) {
  const auto e = evaluate(sample(), {.objective = {.kind = CostKind::kMeanTat}, .statics = {"las"}});
  ASSERT_TRUE(e);
  EXPECT_EQ(e->hindsight_static, "las");
  EXPECT_NEAR(of(*e, "agent").ratio.value, 1, 1e-12);
  EXPECT_EQ(of(*e, "agent").ties, 2);
  EXPECT_TRUE(std::isnan(of(*e, "agent").gap_vs_hindsight.value));  // nothing to close
}

TEST(Evaluation, RefusesWhatDoesNotBelongTogether) {
  auto runs = sample();
  EXPECT_EQ(evaluate(runs, {.reference = "cfs"}).error().message, "no run under cfs, to which costs are compared");
  EXPECT_EQ(evaluate(runs, {.train_static = "age"}).error().message, "no run under age, the static arm chosen on training data");
  EXPECT_EQ(evaluate({}, {}).error().code, ErrorCode::kInvalidArgument);
  runs.push_back(runs[1]);
  EXPECT_EQ(evaluate(runs, {}).error().message, "mix seed 1 draw 0 under hyb is given twice");
  runs = sample();
  runs[1].phases.pop_back();
  EXPECT_EQ(evaluate(runs, {}).error().message, "mix seed 1 draw 0: agent and hyb ran different phases");
}

TEST(Evaluation, IntervalsComeFromBlocksAndAreReproducible) {
  std::vector<EvaluatedRun> runs;
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    runs.push_back(run("eevdf", seed, {1, 1}));
    runs.push_back(run("hyb", seed, {.9, .9}));
    runs.push_back(run("agent", seed, {.8 + .02 * static_cast<double>(seed % 4), .7}));
    runs.push_back(run("oracle", seed, {.6, .6}));
  }
  const auto a = evaluate(runs, {}), b = evaluate(runs, {});
  const ControllerResult& agent = of(*a, "agent");
  EXPECT_LT(agent.ratio.low, agent.ratio.value);
  EXPECT_GT(agent.ratio.high, agent.ratio.value);
  EXPECT_LT(agent.gap_vs_hindsight.low, agent.gap_vs_hindsight.value);
  EXPECT_EQ(agent.ratio.low, of(*b, "agent").ratio.low);
  EXPECT_EQ(of(*a, "hyb").ratio.low, of(*a, "hyb").ratio.value);
}

}  // namespace
}  // namespace pointsman

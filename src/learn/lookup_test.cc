#include "learn/lookup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "learn/controllers.h"
#include "learn/judge.h"
#include "learn/schedule.h"
#include "learn/train.h"
#include "learn/world_for_test.h"

namespace pointsman {
namespace {

Contender contender(const std::string& spec) {
  return {.name = spec, .summary = spec, .make = [spec](uint64_t seed) { return make_controller(spec, seed); }};
}

// Takes what the first feature of the window says, and remembers what it was shown.
class Told : public Controller {
 public:
  [[nodiscard]] std::string name() const override { return "told"; }
  Decision decide(const Context& context) override {
    contexts.push_back(context);
    return {.arm = static_cast<ArmId>(context.features[0])};
  }
  std::vector<Context> contexts;
};

Block block_of(const std::vector<std::vector<double>>& says) {
  Block b{.family = "f", .seed = 1, .log_cost = {0, .1, .2, .4, .8, 1.6}};
  for (size_t arm = 0; arm < says.size(); ++arm)
    for (const double v : says[arm]) {
      FeatureVector x{};
      x[0] = v;
      b.windows[arm].push_back(x);
    }
  return b;
}

TEST(Lookup, SeesEachWindowUnderTheArmItTook) {
  // hyb: las, ..., ; las: _, age, ; age: _, _, hyb
  const Block b = block_of({{0}, {2, 5, 5, 1}, {4, 3, 4}, {4, 4, 1}});
  Told told;
  const LookupPhase phase{.block = &b, .windows = 4};
  const auto d = live_through(std::span(&phase, 1), told, {.live_cost = LookupOptions::LiveCost::kNone});
  ASSERT_EQ(d.size(), 4u);
  EXPECT_EQ(d[0].active, kDefaultArm);
  EXPECT_EQ(d[0].arm, 2);
  EXPECT_EQ(d[1].arm, 3);
  EXPECT_EQ(d[2].arm, 1);
  EXPECT_EQ(d[3].arm, 1);
  EXPECT_NEAR(d[1].cost, .4, 1e-12);
  EXPECT_NEAR(d[1].regret, .4, 1e-12);
  EXPECT_EQ(d[3].distribution[1], 1);
  EXPECT_EQ(told.contexts[3].since_swap_ns, 250'000'000);
  EXPECT_FALSE(told.contexts[3].live_cost);
}

TEST(Lookup, RecordedWindowsComeAgainWhenALifeIsLonger) {
  const Block b = block_of({{0}, {1, 2}, {1}, {1}, {1}, {1}});
  Told told;
  const LookupPhase phase{.block = &b, .windows = 6};
  const auto d = live_through(std::span(&phase, 1), told, {});
  ASSERT_EQ(d.size(), 6u);
  EXPECT_EQ(d[1].arm, 2);
  EXPECT_EQ(d[2].arm, 1);  // las's only window again
  EXPECT_EQ(d[3].arm, 2);
}

TEST(Lookup, TheLiveCostTellsOfWholeCostWindowsUnderOneArm) {
  const Block b = block_of({{0}, {1, 1, 2, 1, 1, 1, 1, 1, 1}, {2, 2, 2, 2, 2, 2, 2, 2, 1}});
  Told told;
  const LookupPhase phase{.block = &b, .windows = 9};
  live_through(std::span(&phase, 1), told, {.noise = 0, .cost_windows = 4});
  // hyb for three windows, then las: its first whole cost window ends four later.
  for (size_t i = 0; i < 9; ++i) EXPECT_EQ(told.contexts[i].live_cost.has_value(), i == 6) << i;
  Told other;
  Block hyb = block_of({{0}, {1}, {1}});
  const LookupPhase calm{.block = &hyb, .windows = 4};
  live_through(std::span(&calm, 1), other, {.noise = 0, .cost_windows = 4});
  EXPECT_NEAR(*told.contexts[6].live_cost - *other.contexts[3].live_cost, .1, 1e-9);  // the same level, las costs .1 more
  Told queue;
  live_through(std::span(&calm, 1), queue, {.live_cost = LookupOptions::LiveCost::kQueue});
  EXPECT_EQ(*queue.contexts[3].live_cost, 0);
}

TEST(Judge, ByHand) {
  Dataset data;
  data.blocks.push_back(block_of({{0, 0}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}}));
  data.blocks[0].family = "a";
  data.blocks[0].log_cost = {0, -.2, -.4, 0, 0, 0};
  data.blocks.push_back(data.blocks[0]);
  data.blocks[1].family = "b";
  data.blocks[1].log_cost = {0, -.1, .3, 0, 0, 0};
  const auto split = judge(data, std::vector{contender("las"), contender("hyb")}, {.train_static = kEevdf, .bootstrap = {.resamples = 0}});
  ASSERT_TRUE(split);
  EXPECT_EQ(split->hindsight, kDefaultArm);
  EXPECT_NEAR(split->oracle, -.25, 1e-12);
  const Judgement& las = split->contenders[0];
  EXPECT_NEAR(las.cost, -.05, 1e-12);
  EXPECT_NEAR(las.vs_train_static.value, .05 / .25, 1e-12);
  EXPECT_NEAR(las.vs_hindsight.value, (-.15 + .05) / (-.15 + .25), 1e-12);
  EXPECT_EQ(las.harmed_families, 1);
  EXPECT_NEAR(las.harmed_blocks, .5, 1e-12);
  EXPECT_NEAR(las.top1, .5, 1e-12);
  EXPECT_EQ(las.worst_block, "b seed 1");
  ASSERT_EQ(las.families.size(), 2u);
  EXPECT_NEAR(las.families[1].to_default, std::exp(.4), 1e-9);
  EXPECT_NEAR(las.regret[0], .2, 1e-12);
  EXPECT_NEAR(split->contenders[1].vs_hindsight.value, 0, 1e-12);
}

TEST(Judge, TestsAgainstTheDefaultArmAreCorrectedForTheirNumber) {
  Dataset data;
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    data.blocks.push_back(block_of({{0}, {1}, {1}, {1}, {1}, {1}}));
    data.blocks.back().seed = seed;
    data.blocks.back().log_cost = {0, -.1, -.2 - .01 * static_cast<double>(seed), .1, .1, .1};
  }
  const auto split = judge(data, std::vector{contender("las"), contender("hyb"), contender("age")}, {.bootstrap = {.resamples = 0}});
  ASSERT_TRUE(split);
  // Twelve of twelve one way: 2 / 2^12, and the smallest of three counts three times.
  EXPECT_NEAR(split->contenders[0].p_vs_default, 3 * 2 / 4096.0, 1e-12);
  EXPECT_NEAR(split->contenders[2].p_vs_default, 3 * 2 / 4096.0, 1e-12);
  EXPECT_EQ(split->contenders[1].p_vs_default, 1);
}

TEST(Judge, AgreesWithTheScoreOfTraining) {
  const Dataset seen = make_world({}, 1, 4), unseen = make_world({}, 101, 4);
  TrainOptions options{.hidden = {16}, .nets = 2, .epochs = 10, .batch = 16};
  options.rule = {.deviations = .5, .margin = .02, .ewma = 0};
  const auto model = train(seen, options);
  ASSERT_TRUE(model);
  const std::string path = testing::TempDir() + "pointsman_judge_test.pmm";
  ASSERT_TRUE(save_model(path, *model, {}));
  const auto split = judge(unseen, std::vector{contender("classifier:model=" + path)}, {.bootstrap = {.resamples = 0}});
  ASSERT_TRUE(split) << split.error().message;
  const LookupScore s = score(unseen, predict_all(*model, unseen, kDefaultArm), model->rule, {.resamples = 0});
  EXPECT_NEAR(split->contenders[0].vs_default.value, s.vs_default.value, 1e-12);
  EXPECT_NEAR(split->contenders[0].swaps, s.swaps_per_decision, 1e-12);
}

TEST(Judge, BanditsComeCloserWithTime) {
  const Dataset data = make_world({}, 1, 6);
  const auto split = judge(data, std::vector{contender("thompson:change=none"), contender("hyb"), contender("random")},
                           {.windows = 80, .bootstrap = {.resamples = 200}});
  ASSERT_TRUE(split);
  const auto& spans = split->contenders[0].vs_default_by_span;
  EXPECT_GT(spans[2].value, .6);
  EXPECT_GT(spans[2].value, spans[0].value + .3);
  EXPECT_LT(split->contenders[2].vs_default.value, 0);
  EXPECT_EQ(split->contenders[1].p_vs_default, 1);
  EXPECT_LT(split->contenders[0].regret.back(), split->contenders[0].regret.front());
}

TEST(Judge, PhasesKnowWhenAControllerHasAdapted) {
  const Dataset data = make_world({.cost_noise = 0}, 1, 2);
  const auto judged = judge_phased(data, std::vector{contender("hyb"), contender("las"), contender("round_robin:every=1")},
                                   {.scenarios = 6, .phases = 5, .shortest = 6, .longest = 12, .bootstrap = {.resamples = 0}});
  ASSERT_TRUE(judged);
  EXPECT_NEAR((*judged)[0].vs_default.value, 0, 1e-12);
  EXPECT_EQ((*judged)[0].swaps_per_phase, 0);
  EXPECT_LE((*judged)[0].vs_hindsight.value, 0);
  EXPECT_LE((*judged)[2].median_adaptation, 6);
  EXPECT_GT((*judged)[2].swaps_that_do_not_pay, .2);
}

TEST(Judge, TheTestCallsOneInTwentyPairsOfTheSame) {
  const auto rate = false_alarm_rate(make_world({}, 1, 4), contender("random:every=1"), 300, {});
  ASSERT_TRUE(rate);
  EXPECT_NEAR(*rate, .05, .04);
}

TEST(Judge, SaysWhoCouldNotBeMade) {
  EXPECT_EQ(judge(make_world({}, 1, 1), std::vector{contender("nobody")}, {}).error().code, ErrorCode::kNotFound);
  EXPECT_FALSE(judge({}, std::vector{contender("hyb")}, {}));
}

}  // namespace
}  // namespace pointsman

#include "learn/train.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "learn/world_for_test.h"

namespace pointsman {
namespace {

TrainOptions quick() { return {.hidden = {24, 24}, .nets = 3, .epochs = 30, .batch = 16, .seed = 5}; }

TEST(Train, FindsWhatThereIsToFindOnUnseenSeeds) {
  const Dataset seen = make_world({}, 1, 5), unseen = make_world({}, 101, 6);
  const auto model = train(seen, quick());
  ASSERT_TRUE(model) << model.error().message;
  const LookupScore s = score(unseen, predict_all(*model, unseen, best_static(seen)), {.deviations = .5, .margin = .02});
  EXPECT_GT(s.vs_default.value, .9);
  EXPECT_LE(s.vs_default.high, 1.0);
  EXPECT_GT(s.vs_hindsight.value, .85);
  EXPECT_LT(s.worst_harm, .05);
  EXPECT_LE(s.oracle, s.agent);
  ASSERT_EQ(s.families.size(), 5u);
  EXPECT_EQ(s.families[0].best_arm, 2);
  EXPECT_EQ(s.families[2].best_arm, kEevdf);
  EXPECT_EQ(s.families[3].best_arm, 5);
}

TEST(Train, PredictsTheClippedRegret) {
  const Dataset seen = make_world({.noise = .2, .cost_noise = 0}, 1, 6);
  const auto model = train(seen, {.hidden = {32, 32}, .nets = 2, .epochs = 60, .batch = 16, .clip = .8, .seed = 2});
  ASSERT_TRUE(model);
  const Dataset unseen = make_world({.noise = .2, .cost_noise = 0}, 50, 1);
  for (size_t b = 0; b < unseen.blocks.size(); ++b) {
    const Block& block = unseen.blocks[b];
    const double best = *std::min_element(block.log_cost.begin(), block.log_cost.end());
    for (size_t arm = 0; arm < kChoosable; ++arm) {
      double mean = 0;
      for (const FeatureVector& window : block.windows[kDefaultArm]) {
        const Prediction p = model->predict(window, kDefaultArm);
        mean += (p.regret[0][arm] + p.regret[1][arm]) / 2 / static_cast<double>(block.windows[kDefaultArm].size());
      }
      EXPECT_NEAR(mean, std::min(block.log_cost[arm] - best, .8), .05) << "family " << b << " arm " << arm;
    }
  }
}

// The weight of the decision drives predictions apart; they are brought back to ln cost: regret by prediction has the slope 1 on unseen seeds.
TEST(Train, PredictionsForTheSakeOfDecisionsAreStillInLnCost) {
  for (const double decision : {0., 30.}) {
    const auto model = train(make_world({}, 1, 6), {.hidden = {32, 32}, .nets = 4, .epochs = 60, .batch = 16, .seed = 2, .decision = {.weight = decision, .temperature = 1}});
    ASSERT_TRUE(model);
    double products = 0, squares = 0;
    for (const Block& block : make_world({}, 50, 4).blocks)
      for (ArmId active = 0; active < kChoosable; ++active)
        for (const FeatureVector& window : block.windows[static_cast<size_t>(active)]) {
          const Choice choice = choose(model->predict(window, active), {});
          for (size_t a = 0; a < kChoosable; ++a) {
            products += choice.predicted[a] * (block.log_cost[a] - block.log_cost[kDefaultArm]);
            squares += choice.predicted[a] * choice.predicted[a];
          }
        }
    EXPECT_NEAR(products / squares, 1, .25) << decision;
  }
}

TEST(Train, SameSeedSameBitsOnAnyNumberOfThreads) {
  const Dataset data = make_world({}, 1, 3);
  TrainOptions options = quick();
  options.epochs = 3;
  const std::string one = encode_model(*train(data, options));
  EXPECT_EQ(one, encode_model(*train(data, options)));
  options.threads = 3;
  int calls = 0;
  options.on_epoch = [&](int, int, double loss) {
    ++calls;
    EXPECT_TRUE(std::isfinite(loss));
  };
  EXPECT_EQ(one, encode_model(*train(data, options)));
  EXPECT_EQ(calls, 9);
  options.seed = 6;
  EXPECT_NE(one, encode_model(*train(data, options)));
}

TEST(Train, NetsOfAnEnsembleDiffer) {
  const auto model = train(make_world({}, 1, 3), quick());
  EXPECT_NE(model->nets[0].packed(), model->nets[1].packed());
  const Prediction p = model->predict({}, kDefaultArm);
  EXPECT_NE(p.regret[0], p.regret[1]);
}

// One place in feature space, two families that disagree: las costs .4 in one (15 windows an arm), which weighs `weight`, 0 in the other (3 windows an arm).
// What is predicted for las.
double between_two_families(double weight) {
  Dataset data;
  for (int family = 0; family < 2; ++family)
    for (uint64_t seed = 0; seed < 8; ++seed) {
      Block block;
      block.family = family == 0 ? "long" : "short";
      block.seed = seed;
      if (family == 0) block.weight = weight;
      block.log_cost = {0, 0, family == 0 ? .4 : 0, .5, .5, .5};
      Rng rng(seed, "w", static_cast<uint64_t>(family));
      for (auto& of_arm : block.windows)
        for (int w = 0; w < (family == 0 ? 15 : 3); ++w) {
          FeatureVector x{};
          x[0] = rng.normal();
          of_arm.push_back(x);
        }
      data.blocks.push_back(block);
    }
  const auto model = train(data, {.hidden = {8}, .nets = 5, .epochs = 60, .seed = 3});
  EXPECT_TRUE(model);
  double mean = 0;
  const Prediction p = model->predict({}, kDefaultArm);
  for (size_t k = 0; k < 5; ++k) mean += p.regret[k][2] / 5.;
  return mean;
}

TEST(Train, FamiliesCountByTheirWeightHoweverManyWindowsTheyHave) {
  EXPECT_NEAR(between_two_families(1), .2, .06);  // .4 * 15/18 = .33 if windows counted
  EXPECT_NEAR(between_two_families(3), .3, .06);
  EXPECT_NEAR(between_two_families(1. / 3), .1, .06);
}

TEST(Train, RefusesWhatItCannotLearnFrom) {
  const auto message = [](const Dataset& data, const TrainOptions& options) {
    const auto model = train(data, options);
    EXPECT_FALSE(model);
    EXPECT_EQ(model.error().code, ErrorCode::kInvalidArgument);
    return model.error().message;
  };
  const Dataset good = make_world({}, 1, 1, 2);
  EXPECT_EQ(message({}, quick()), "the data set has no blocks");
  Dataset bad = good;
  bad.blocks[1].log_cost[3] = std::nan("");
  EXPECT_EQ(message(bad, quick()), "family1 seed 1 draw 0: the cost under age is not a number");
  bad = good;
  bad.blocks[1].windows[2][1][0] = INFINITY;
  EXPECT_EQ(message(bad, quick()),
            "family1 seed 1 draw 0 under las: feature '" + std::string(feature_catalogue()[0].name) + "' is not a number");
  bad = good;
  for (auto& w : bad.blocks[0].windows) w.clear();
  EXPECT_EQ(message(bad, quick()), "family0 seed 1 draw 0 has no windows");
  EXPECT_EQ(message(good, {.nets = 0}), "training: nets = 0 is out of range");
  EXPECT_EQ(message(good, {.nets = kMostNets + 1}), "training: nets = 9 is out of range");
  EXPECT_EQ(message(good, {.rate = -1}), "training: rate = -1 is out of range");
  EXPECT_EQ(message(good, {.hidden = {0}}), "training: hidden width = 0 is out of range");
}

TEST(BestStatic, FamiliesCountEqually) {
  Dataset data;
  for (int i = 0; i < 9; ++i) data.blocks.push_back({.family = "often", .seed = 1, .log_cost = {0, .1, -.1, .1, .1, .1}});
  data.blocks.push_back({.family = "once", .seed = 1, .log_cost = {0, .1, .5, .1, .1, .1}});
  EXPECT_EQ(best_static(data), kEevdf);
  data.blocks.back().weight = .1;
  EXPECT_EQ(best_static(data), 2) << "unless they do not";
  data.blocks.pop_back();
  EXPECT_EQ(best_static(data), 2);
}

// Predictions made by hand: under hyb the windows say las; under las they say las at first, then age, whose windows say age.
Prediction says(ArmId arm, float gain = .5f) {
  Prediction p;
  p.nets = 1;
  p.regret[0].fill(gain);
  p.regret[0][static_cast<size_t>(arm)] = 0;
  return p;
}

TEST(ClosedLoop, SeesEachWindowUnderTheArmItChose) {
  Block block{.family = "f", .seed = 1, .log_cost = {0, .1, .2, .4, .8, 1.6}};
  HeldOut::OfBlock predictions;
  predictions.windows[kDefaultArm] = {says(2), says(5), says(5), says(5)};
  predictions.windows[2] = {says(4), says(2), says(3)};
  predictions.windows[3] = {says(4), says(4), says(4), says(3)};
  // hyb[0] -> las, las[1] -> las, las[2] -> age, age[3] -> age: costs .2 .2 .4 .4.
  const LookupBlock b = closed_loop(block, predictions, {.deviations = 0, .margin = .02});
  EXPECT_NEAR(b.agent, .3, 1e-12);
  EXPECT_EQ(b.decisions, 4);
  EXPECT_EQ(b.swaps, 2);
  EXPECT_EQ(b.oracle, 0);
  EXPECT_EQ(b.default_arm, .1);
  // A run under las that ended early shows its last window again.
  predictions.windows[2].resize(2);
  EXPECT_NEAR(closed_loop(block, predictions, {.deviations = 0, .margin = .02}).agent, .2, 1e-12);
  // A margin that nothing passes: hyb throughout.
  EXPECT_NEAR(closed_loop(block, predictions, {.deviations = 0, .margin = .6}).agent, .1, 1e-12);
  // No windows, no decisions.
  EXPECT_EQ(closed_loop(block, {}, {}).agent, .1);
}

TEST(Score, ByHand) {
  Dataset data;
  HeldOut held_out;
  // a: hyb .2, las 0 (best); the agent takes las. b: hyb 0 (best), las .3; the agent takes las: harm .3.
  data.blocks.push_back({.family = "a", .seed = 1, .log_cost = {.5, .2, 0, .5, .5, .5}});
  data.blocks.push_back({.family = "b", .seed = 1, .log_cost = {.5, 0, .3, .5, .5, .5}});
  for (int i = 0; i < 2; ++i) {
    HeldOut::OfBlock& p = held_out.blocks.emplace_back();
    p.windows[kDefaultArm] = p.windows[2] = {says(2), says(2)};
    p.train_static = 2;
  }
  const LookupScore s = score(data, held_out, {.deviations = 0, .margin = .02});
  EXPECT_NEAR(s.vs_default.value, (.1 - .15) / (.1 - 0), 1e-12);
  EXPECT_NEAR(s.vs_train_static.value, 0, 1e-12);
  EXPECT_EQ(s.hindsight, kDefaultArm);
  EXPECT_NEAR(s.worst_harm, .3, 1e-12);
  EXPECT_EQ(s.worst_family, "b");
  EXPECT_NEAR(s.agent, .15 - .5, 1e-12);
  EXPECT_NEAR(s.swaps_per_decision, .5, 1e-12);
  // A rule that stays: neither gain nor harm.
  const LookupScore stays = score(data, held_out, {.deviations = 0, .margin = 1});
  EXPECT_NEAR(stays.vs_default.value, 0, 1e-12);
  EXPECT_EQ(stays.worst_harm, 0);
  // Tuning takes the harmless one.
  EXPECT_EQ(tune_rule(data, held_out, {.deviations = {0}, .margins = {.02, 1}, .ewmas = {0}}).margin, 1);
  EXPECT_EQ(tune_rule(data, held_out, {.deviations = {0}, .margins = {.02, 1}, .ewmas = {0}, .most_harm = .5}).margin,
            1);  // and the cheaper one
}

TEST(CrossPredict, NoBlockIsPredictedByWhoHasSeenIt) {
  // Labels without any relation to features: in sample a network can learn them by heart, out of sample there is nothing to find.
  Dataset data;
  for (uint64_t seed = 0; seed < 24; ++seed) {
    Block block;
    block.family = "family" + std::to_string(seed % 6);
    block.seed = seed / 6;
    Rng rng(seed, "noise");
    block.log_cost.fill(.4);
    block.log_cost[rng.below(kChoosable)] = 0;
    FeatureVector place{};
    for (double& v : place) v = 2 * rng.normal();
    for (auto& of_arm : block.windows) of_arm.assign(6, place);
    data.blocks.push_back(block);
  }
  TrainOptions options{.hidden = {32, 32}, .nets = 1, .epochs = 60, .seed = 4};
  const Rule rule{.deviations = 0, .margin = .02};
  const auto by_heart = train(data, options);
  EXPECT_GT(score(data, predict_all(*by_heart, data, kDefaultArm), rule, {.resamples = 0}).vs_default.value, .6);
  int folds_seen = 0;
  for (const auto leave_out : {CrossOptions::LeaveOut::kFamily, CrossOptions::LeaveOut::kSeed}) {
    const auto held_out = cross_predict(data, options, {.leave_out = leave_out, .folds = 3, .on_fold = [&](int, int) { ++folds_seen; }});
    ASSERT_TRUE(held_out);
    ASSERT_EQ(held_out->blocks.size(), data.blocks.size());
    EXPECT_LT(score(data, *held_out, rule, {.resamples = 0}).vs_default.value, .35);
  }
  EXPECT_EQ(folds_seen, 6);
  Dataset one;
  one.blocks.assign(2, data.blocks[0]);
  EXPECT_EQ(cross_predict(one, options, {}).error().message, "cross-validation needs two seeds at least, the data set has 1");
}

TEST(CrossPredict, KnownFamiliesTransferToOtherSeedsUnknownOnesDoNot) {
  const Dataset data = make_world({}, 1, 6, 4);
  const Rule rule{.deviations = .5, .margin = .02};
  TrainOptions options = quick();
  options.nets = 2;
  const auto seeds = cross_predict(data, options, {.leave_out = CrossOptions::LeaveOut::kSeed, .folds = 2});
  ASSERT_TRUE(seeds);
  EXPECT_GT(score(data, *seeds, rule).vs_default.value, .85);
  const auto families = cross_predict(data, options, {.leave_out = CrossOptions::LeaveOut::kFamily});
  ASSERT_TRUE(families);
  EXPECT_LT(score(data, *families, rule).vs_default.value, .5);  // places are drawn at random: no family says anything of another
  EXPECT_EQ(families->blocks[0].train_static, best_static({.blocks = std::vector(data.blocks.begin() + 6, data.blocks.end())}));
}

}  // namespace
}  // namespace pointsman

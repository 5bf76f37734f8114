#include "learn/learners.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <filesystem>

#include "base/exact_math.h"
#include "learn/controllers.h"
#include "learn/train.h"
#include "learn/world_for_test.h"

namespace pointsman {
namespace {

using testing::HasSubstr;

TrainOptions quick(std::string_view algorithm) {
  TrainOptions options{.hidden = {24, 24}, .nets = 3, .epochs = 20, .batch = 16, .seed = 5, .algorithm = algorithm};
  options.trees.per_member = 8;
  options.trees.leaves = 16;
  return options;
}

double gap(const TrainOptions& options, const Rule& rule = {.deviations = 0, .margin = .02}) {
  const Dataset seen = make_world({}, 1, 5), unseen = make_world({}, 101, 6);
  const auto model = train(seen, options);
  EXPECT_TRUE(model) << (model ? "" : model.error().message);
  return model ? score(unseen, predict_all(*model, unseen, best_static(seen)), rule, {.resamples = 0}).vs_default.value : 0;
}

TEST(Learners, EveryOneFindsWhatThereIsToFindOnUnseenSeeds) {
  for (const Learner& learner : learners()) {
    // Five places in twenty dimensions are linearly separable: even linear forms find nearly all.
    const bool linear = learner.name == "ridge" || learner.name == "softmax";
    EXPECT_GT(gap(quick(learner.name)), linear ? .75 : .9) << learner.name;
  }
}

TEST(Learners, SameSeedSameBitsOnAnyNumberOfThreads) {
  const Dataset data = make_world({}, 1, 3, 6);
  for (const Learner& learner : learners()) {
    TrainOptions options = quick(learner.name);
    options.epochs = 2;
    const std::string one = encode_model(*train(data, options));
    options.threads = 3;
    EXPECT_EQ(one, encode_model(*train(data, options))) << learner.name;
    options.seed = 6;
    EXPECT_NE(one, encode_model(*train(data, options))) << learner.name;
    EXPECT_TRUE(decode_model(one)) << learner.name;
  }
}

TEST(Learners, NamesAreRefusedWithThoseThatExist) {
  EXPECT_EQ(find_learner("boost").error().message, "there is no learner 'boost' (there are: mlp ridge trees softmax policy)");
  EXPECT_EQ(train(make_world({}, 1, 1, 2), quick("boost")).error().code, ErrorCode::kNotFound);
}

// y = B x exactly, hardly any penalty: the coefficients come back.
TEST(Ridge, RecoversALinearWorld) {
  Rng rng(1, "linear world");
  std::array<ArmCosts, 3> slopes{};
  for (auto& s : slopes)
    for (size_t a = 1; a < kChoosable; ++a) s[a] = .05 * rng.normal();
  Dataset data;
  for (uint64_t seed = 0; seed < 60; ++seed) {
    Block block{.family = "f" + std::to_string(seed % 3), .seed = seed};
    FeatureVector x{};
    for (size_t f = 0; f < 3; ++f) x[f] = rng.normal();
    for (size_t a = 0; a < kChoosable; ++a) {
      block.log_cost[a] = a == 0 ? 0 : .5;  // eevdf is the best throughout, so regret is linear too
      for (size_t f = 0; f < 3; ++f) block.log_cost[a] += slopes[f][a] * x[f];
    }
    for (auto& of_arm : block.windows) of_arm.push_back(x);
    data.blocks.push_back(block);
  }
  TrainOptions options = quick("ridge");
  options.penalty = 1e-7;
  options.clip = 10;
  const auto model = train(data, options);
  ASSERT_TRUE(model);
  for (int i = 0; i < 20; ++i) {
    FeatureVector x{};
    for (size_t f = 0; f < 3; ++f) x[f] = rng.normal();
    const Prediction p = model->predict(x, kDefaultArm);
    for (size_t a = 0; a < kChoosable; ++a) {
      double wanted = a == 0 ? 0 : .5;
      for (size_t f = 0; f < 3; ++f) wanted += slopes[f][a] * x[f];
      EXPECT_NEAR(p.regret[1][a], wanted, 2e-4);
    }
  }
}

TEST(Ridge, ThePenaltyShrinks) {
  const Dataset data = make_world({}, 1, 4);
  TrainOptions options = quick("ridge");
  double last = 1e9;
  for (const double penalty : {1e-3, 1e-1, 10.0, 1e3}) {
    options.penalty = penalty;
    const std::vector<float> w = train(data, options)->nets[0].packed();
    double squares = 0;
    for (size_t i = 0; i < size_t{kModelInputs} * kChoosable; ++i) squares += static_cast<double>(w[i] * w[i]);
    EXPECT_LT(squares, last);
    last = squares;
  }
  EXPECT_LT(last, 1e-3);
}

TEST(Trees, FindAThresholdAndKeepTheirLimits) {
  // las is best below 0 in the second feature, age above; nothing else matters.
  Dataset data;
  Rng rng(2, "threshold");
  for (uint64_t seed = 0; seed < 120; ++seed) {
    Block block{.family = "f" + std::to_string(seed % 4), .seed = seed, .log_cost = {.5, .5, .5, .5, .5, .5}};
    FeatureVector x{};
    for (double& v : x) v = rng.uniform(-1, 1);
    block.log_cost[x[1] < 0 ? 2 : 3] = 0;
    for (auto& of_arm : block.windows) of_arm.push_back(x);
    data.blocks.push_back(block);
  }
  TrainOptions options = quick("trees");
  const auto model = train(data, options);
  ASSERT_TRUE(model);
  EXPECT_EQ(model->forest.trees.size(), 24u);
  double weight = 0;
  for (const Tree& tree : model->forest.trees) {
    EXPECT_LE(tree.values.size(), 16u);
    ASSERT_TRUE(tree.check(kModelInputs));
    weight += tree.nodes[0].feature == 1;
  }
  EXPECT_GT(weight, 12);  // most roots ask the one question that matters
  int right = 0;
  for (int i = 0; i < 200; ++i) {
    FeatureVector x{};
    for (double& v : x) v = rng.uniform(-1, 1);
    right += choose(model->predict(x, kDefaultArm), {.deviations = 0, .margin = 0}).arm == (x[1] < 0 ? 2 : 3);
  }
  EXPECT_GT(right, 180);
  options.trees.leaves = 1;
  const auto stumps = train(data, options);
  for (const Tree& tree : stumps->forest.trees) EXPECT_EQ(tree.nodes.size(), 1u);
}

// Two arms of like cost in most windows, one dear mistake: costs tell it, labels do not.
TEST(Policy, CostsKnowHowMuchAChoiceMattersLabelsDoNot) {
  Dataset data;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    Block block{.family = "f" + std::to_string(seed % 4), .seed = seed, .log_cost = {1, 1, 1, 1, 1, 1}};
    // las wins seven times of ten by a little, and loses three times by much: age is the better choice where both look alike.
    block.log_cost[2] = seed % 10 < 7 ? .10 : 1;
    block.log_cost[3] = .15;
    for (auto& of_arm : block.windows) of_arm.assign(4, FeatureVector{});
    data.blocks.push_back(block);
  }
  TrainOptions options = quick("softmax");
  options.epochs = 200;
  const Rule plain{.deviations = 0, .margin = 0};
  options.policy.loss = PolicyLoss::kLabel;
  EXPECT_EQ(choose(train(data, options)->predict({}, kDefaultArm), plain).arm, 2);
  options.policy.loss = PolicyLoss::kExpectedCost;
  EXPECT_EQ(choose(train(data, options)->predict({}, kDefaultArm), plain).arm, 3);
}

TEST(Policy, ReinforceLearnsFromTheCostsOfWhatItTookAlone) {
  TrainOptions options = quick("policy");
  options.policy.loss = PolicyLoss::kReinforce;
  options.nets = 2;
  options.policy.episodes = 6000;
  std::vector<double> costs;
  options.on_epoch = [&](int net, int, double cost) {
    if (net == 0) costs.push_back(cost);
  };
  for (const char* explore : {"none", "0.05", "sqrt"}) {
    costs.clear();
    options.policy.explore = *parse_exploration(explore);
    EXPECT_GT(gap(options), .8) << explore;
    ASSERT_EQ(costs.size(), 20u);
    EXPECT_LT(costs.back(), costs.front() / 2) << explore;
  }
}

TEST(Policy, TheSeedsLossGrowsItsWeightsWithoutEnd) {
  const Dataset data = make_world({}, 1, 4);
  TrainOptions options = quick("policy");
  const auto largest = [&](PolicyLoss loss, int epochs) {
    options.policy.loss = loss;
    options.epochs = epochs;
    options.decay = 0;
    options.last_rate = options.rate;
    return train(data, options)->nets[0].output_bound(kFeatureClamp);
  };
  EXPECT_GT(largest(PolicyLoss::kSeed, 40), 2 * largest(PolicyLoss::kSeed, 10));
  EXPECT_GT(largest(PolicyLoss::kSeed, 40), 3 * largest(PolicyLoss::kExpectedCost, 40));
}

TEST(Policy, ControllerDrawsByItsProbabilitiesAndSaysThem) {
  // Logits do not depend on the window: age has .7, las .3.
  Model model;
  model.kind = ModelKind::kPolicy;
  Mlp<float> net({kModelInputs, kChoosable});
  std::vector<float> w(net.packed().size());
  for (size_t a = 0; a < kChoosable; ++a)
    w[static_cast<size_t>(kModelInputs) * kChoosable + a] = a == 3 ? std::log(.7f) : a == 2 ? std::log(.3f) : -40.f;
  net.unpack(w);
  model.nets.push_back(net);
  const std::string path = testing::TempDir() + "pointsman_policy_test.pmm";
  ASSERT_TRUE(save_model(path, model, {}));

  const auto c = make_controller("policy:model=" + path, 3), same = make_controller("policy:model=" + path + ",seed=3");
  ASSERT_TRUE(c && same);
  int age = 0;
  const int n = 3000;
  for (int i = 0; i < n; ++i) {
    const Decision d = (*c)->decide({});
    EXPECT_EQ(d.arm, (*same)->decide({}).arm);
    ASSERT_TRUE(d.arm == 2 || d.arm == 3);
    EXPECT_NEAR(d.propensity, d.arm == 3 ? .7 : .3, 1e-6);
    age += d.arm == 3;
  }
  EXPECT_NEAR(age, .7 * n, 5 * std::sqrt(n * .21));

  const auto explores = make_controller("policy:model=" + path + ",explore=0.5,every=2");
  double propensity = 0;
  int drawn = 0;
  for (int i = 0; i < 2000; ++i) {
    Context context;
    context.active = 5;
    const Decision d = (*explores)->decide(context);
    if (i % 2 == 1) {
      EXPECT_EQ(d.arm, 5);
      EXPECT_EQ(d.propensity, 1);
    } else if (d.arm == 4) {
      propensity = d.propensity;
      ++drawn;
    }
  }
  EXPECT_NEAR(propensity, .5 / 6, 1e-6);
  EXPECT_GT(drawn, 40);

  Context blind;
  blind.active = 4;
  blind.features[2] = std::nan("");
  EXPECT_EQ((*c)->decide(blind).arm, 4);
  EXPECT_THAT((*c)->decide(blind).why, HasSubstr("is not a number"));
  EXPECT_EQ(make_controller("policy").error().message, "controller 'policy' needs model=FILE");
  EXPECT_THAT(make_controller("policy:model=" + path + ",explore=2").error().message, HasSubstr("exploration '2' is not"));
  model.kind = ModelKind::kRidge;
  ASSERT_TRUE(save_model(path, model, {}));
  EXPECT_THAT(make_controller("policy:model=" + path).error().message, HasSubstr("holds no policy"));
  std::filesystem::remove(path);
  std::filesystem::remove(path + ".json");
}

}  // namespace
}  // namespace pointsman

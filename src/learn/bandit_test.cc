#include "learn/bandit.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <numeric>

#include "base/clock.h"
#include "base/rng.h"
#include "learn/hedge.h"

namespace pointsman {
namespace {

using testing::HasSubstr;

constexpr ArmId kHyb = kDefaultArm;

TEST(Gaussian, ByHand) {
  // One parameter, prior N(1, 2^2), two observations of it with deviation .5: precisions add.
  Gaussian g(std::vector<double>{1}, std::vector<double>{2});
  const std::vector<double> one{1};
  g.observe(one, 3, .5);
  g.observe(one, 2, .5);
  EXPECT_NEAR(g.mean()[0], (.25 * 1 + 4 * 3 + 4 * 2) / 8.25, 1e-12);
  double mean = 0, variance = 0;
  g.joint(std::array<std::vector<double>, 1>{std::vector<double>{2}}, std::span(&mean, 1), std::span(&variance, 1));
  EXPECT_NEAR(mean, 2 * g.mean()[0], 1e-12);
  EXPECT_NEAR(variance, 4 / 8.25, 1e-12);
  g.forget(.5);
  EXPECT_NEAR(g.mean()[0], (.25 + .5 * 20) / 4.25, 1e-12);
  g.restart();
  EXPECT_EQ(g.mean()[0], 1);
  g.set_prior_mean(std::vector<double>{-1});
  EXPECT_EQ(g.mean()[0], -1);
}

TEST(Gaussian, RecoversCoefficientsAndKnowsWhatItDoesNotKnow) {
  Gaussian g(std::vector<double>(3), std::vector<double>{5, 5, 5});
  Rng rng(1, "gaussian");
  for (int i = 0; i < 400; ++i) {
    const double x = rng.normal();
    g.observe(std::vector<double>{1, x, 0}, .5 - 2 * x + .3 * rng.normal(), .3);
  }
  EXPECT_NEAR(g.mean()[0], .5, .05);
  EXPECT_NEAR(g.mean()[1], -2, .05);
  EXPECT_EQ(g.mean()[2], 0);
  const std::vector<std::vector<double>> forms{{0, 1, 0}, {0, 0, 1}};
  std::array<double, 2> means{};
  std::array<double, 4> covariance{};
  g.joint(forms, means, covariance);
  EXPECT_NEAR(std::sqrt(covariance[0]), .3 / 20, .003);
  EXPECT_NEAR(std::sqrt(covariance[3]), 5, 1e-9);
}

TEST(Cusum, FindsAShiftSoonAndSeldomCriesWolf) {
  Rng rng(2, "cusum");
  Cusum quiet({});
  int alarms = 0;
  for (int i = 0; i < 20000; ++i) alarms += quiet.observe(rng.normal());
  EXPECT_LT(alarms, 40);  // by theory about one in 1000 observations
  double delay = 0;
  for (int run = 0; run < 100; ++run) {
    Cusum c({});
    for (int i = 0; i < 20; ++i) c.observe(rng.normal());
    int n = 1;
    while (!c.observe(-2 + rng.normal())) ++n;
    delay += n / 100.0;
  }
  EXPECT_LT(delay, 6);  // 6 / (2 - .5) = 4 by drift alone
  EXPECT_GT(delay, 2);
}

TEST(Glr, FindsAShiftSoonAndSeldomCriesWolf) {
  Rng rng(3, "glr");
  Glr quiet({});
  int alarms = 0;
  for (int i = 0; i < 20000; ++i) alarms += quiet.observe(rng.normal());
  EXPECT_LT(alarms, 40);
  double delay = 0;
  for (int run = 0; run < 100; ++run) {
    Glr g({});
    for (int i = 0; i < 40; ++i) g.observe(rng.normal());
    int n = 1;
    while (!g.observe(2 + rng.normal()) && n < 100) ++n;
    delay += n / 100.0;
  }
  EXPECT_LT(delay, 9);
}

TEST(ChangeDetector, Names) {
  EXPECT_EQ(*make_change_detector("none"), nullptr);
  EXPECT_NE(*make_change_detector("glr"), nullptr);
  EXPECT_EQ(make_change_detector("magic").error().message, "'magic' is not a change detector (there are: none cusum glr)");
}

TEST(ThompsonTable, FrequenciesAreThoseOfTheNormals) {
  ArmEffects::Belief belief;
  belief.mean = {.5, 0, 5, 5, 5, 5};
  belief.covariance[0] = .09;
  belief.covariance[1 * kChoosable + 1] = .16;
  double sum = 0;
  ArmCosts p{};
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const ArmCosts f = ThompsonTable(seed).frequencies(belief);
    EXPECT_NEAR(std::accumulate(f.begin(), f.end(), 0.0), 1, 1e-9);
    for (size_t a = 0; a < kChoosable; ++a) p[a] += f[a] / 20;
    sum += f[0] / 20;
  }
  // P(arm 0 below arm 1) = Phi(-.5 / sqrt(.25)) = .1587
  EXPECT_NEAR(sum, normal_cdf(-1), .025);
  EXPECT_EQ(p[3], 0);
}

// A world of two phases under one controller: what it took in the last part of each.
struct World {
  ArmCosts first{}, second{};
  int length = 200;  // cost windows a phase
  double noise = .25, level = 15;
};
struct Played {
  double first_regret = 0, second_regret = 0;  // means over the last quarter of each phase
};
Played play(Controller& controller, const World& world, uint64_t seed) {
  Played out;
  ArmId active = controller.first_arm();
  Context context;
  Rng rng(seed, "bandit world");
  for (int t = 0; t < 2 * world.length; ++t) {
    const bool second = t >= world.length;
    const ArmCosts& costs = second ? world.second : world.first;
    context.since_start_ns = t * kSecond;
    context.active = active;
    context.features[0] = (second ? 3 : 1) + .1 * rng.normal();
    context.features[2] = 5 + .1 * rng.normal();
    context.live_cost = (second ? 2 : 0) + world.level + costs[static_cast<size_t>(active)] + world.noise * rng.normal();
    const Decision d = controller.decide(context);
    EXPECT_GT(d.propensity, 0);
    EXPECT_LE(d.propensity, 1 + 1e-9);
    active = d.arm;
    const double regret = costs[static_cast<size_t>(active)] - *std::min_element(costs.begin(), costs.end());
    if (t % world.length >= world.length * 3 / 4) (second ? out.second_regret : out.first_regret) += regret / (world.length / 4);
  }
  return out;
}

std::unique_ptr<Controller> make(const std::string& spec, uint64_t seed = 1) {
  auto made = make_controller(spec, seed);
  EXPECT_TRUE(made) << (made ? "" : made.error().message);
  return made ? std::move(*made) : nullptr;
}

// eevdf hyb las age sjf ipre
const World kWorld{.first = {.4, .2, 0, .5, .3, .3}, .second = {.3, .3, .6, 0, .3, .4}};

TEST(Bandits, FindTheBestArmAndFindTheNextOneAfterAChange) {
  // Those that forget or go on exploring at a constant rate pay for it as long as nothing changes.
  const std::pair<const char*, double> contenders[] = {{"thompson", .08},
                                                       {"square_cb", .08},
                                                       {"ucb1", .08},
                                                       {"epsilon_greedy:explore=sqrt", .08},
                                                       {"thompson:change=glr", .08},
                                                       {"thompson:forget=0.03,change=none", .12},
                                                       {"d_ucb", .16},
                                                       {"epsilon_greedy:explore=0.05", .22}};
  for (const auto& [spec, limit] : contenders) {
    double first = 0, second = 0;
    for (uint64_t seed = 1; seed <= 10; ++seed) {
      const Played p = play(*make(spec, seed), kWorld, seed);
      first += p.first_regret / 10;
      second += p.second_regret / 10;
    }
    // A uniform draw costs .28 and .32.
    EXPECT_LT(first, limit) << spec;
    EXPECT_LT(second, limit) << spec;
  }
  double exp3s = 0;
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    World slow = kWorld;
    slow.length = 3000;
    exp3s += play(*make("exp3s:range=0.5", seed), slow, seed).second_regret / 10;
  }
  EXPECT_LT(exp3s, .2);  // thousands of costs, where the others need tens
}

TEST(Bandits, WithoutForgettingOrAlarmsTheyMissTheChange) {
  double stuck = 0, alert = 0;
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    World level = kWorld;  // the same level, the same features: only the arms change places
    level.second = {.6, .6, .6, 0, .6, .6};
    stuck += play(*make("thompson:change=none", seed), level, seed).second_regret / 10;
    alert += play(*make("thompson:change=cusum", seed), level, seed).second_regret / 10;
  }
  EXPECT_LT(alert, stuck);
}

TEST(Bandits, SayTheProbabilitiesByWhichTheyDraw) {
  for (const char* spec : {"thompson:tau=.6", "square_cb:gamma=20", "exp3s:gamma=.15", "epsilon_greedy:explore=0.3"}) {
    // One decision in the same situation under many seeds.
    std::array<int, kChoosable> taken{};
    ArmCosts said{};
    const int n = 1500;
    for (uint64_t seed = 0; seed < n; ++seed) {
      const auto c = make(std::string(spec) + ",seed=" + std::to_string(seed), 7);
      if (!c) continue;
      Context context;
      context.active = kHyb;
      context.live_cost = 3;
      const Decision d = c->decide(context);
      ++taken[static_cast<size_t>(d.arm)];
      said[static_cast<size_t>(d.arm)] = d.propensity;
    }
    for (size_t a = 0; a < kChoosable; ++a)
      if (taken[a] > 0) {
        EXPECT_NEAR(taken[a] / static_cast<double>(n), said[a], 5 * std::sqrt(.25 / n)) << spec << " " << a;
      }
  }
}

TEST(Bandits, WaitForTheCostOfTheArmTheyTook) {
  const auto c = make("thompson");
  Context context;
  c->decide(context);  // the first draw, before any cost
  context.active = 3;
  EXPECT_EQ(c->decide(context).arm, 3);
  EXPECT_THAT(c->decide(context).why, HasSubstr("waits for the cost"));
  context.live_cost = std::nan("");
  EXPECT_EQ(c->decide(context).arm, 3);
  context.idle = true;
  context.active = 5;
  EXPECT_EQ(c->decide(context).arm, 5);
}

TEST(Bandits, OptionsAreRefusedInOneClearLine) {
  EXPECT_THAT(make_controller("thompson:sigma=1").error().message, HasSubstr("controller 'thompson' has no option 'sigma' (it has: model"));
  EXPECT_EQ(make_controller("lin_ucb").error().message, "controller 'lin_ucb' needs model=FILE, by which it standardises features");
  EXPECT_EQ(make_controller("d_ucb:change=magic").error().message,
            "controller 'd_ucb': 'magic' is not a change detector (there are: none cusum glr)");
  EXPECT_EQ(make_controller("experts:without=cat").error().message,
            "controller 'experts': there is no expert 'cat' (there are: prior what_if bandit stay)");
}

// Predicts, from the first feature x, that age costs 2x less than hyb and las 2x more.
std::string handmade_model() {
  Model model;
  model.scale.fill(1);
  for (int k = 0; k < 2; ++k) {
    Mlp<float> net({kModelInputs, kChoosable});
    std::vector<float> w(net.packed().size());
    w[3] = -2;
    w[2] = 2;
    w[static_cast<size_t>(kModelInputs * kChoosable + 3)] = k == 0 ? .02f : -.02f;
    net.unpack(w);
    model.nets.push_back(net);
  }
  // Tests run side by side, each in a process of its own.
  const std::string path = fmt::format("{}pointsman_bandit_test_{}.pmm", testing::TempDir(), ::getpid());
  EXPECT_TRUE(save_model(path, model, {}));
  return path;
}

TEST(Bandits, BeginWhereTheModelSendsThem) {
  const std::string path = handmade_model();
  for (const char* spec : {"thompson:tau=.1,model=", "lin_thompson:tau=.1,slope=.05,model=", "lin_ucb:tau=.01,slope=.01,model=",
                           "square_cb:gamma=1000,model="}) {
    int age = 0;
    for (uint64_t seed = 0; seed < 20; ++seed) {
      Context context;
      context.features[0] = .5;
      age += make(spec + path, seed)->decide(context).arm == 3;
    }
    EXPECT_GT(age, 17) << spec;
  }
  std::filesystem::remove(path);
  std::filesystem::remove(path + ".json");
}

TEST(LinThompson, LearnsThatTheBestArmDependsOnTheContext) {
  // Burst lengths tell: las is best below, age above. The model knows nothing of it: it predicts the same for all.
  Model model;
  model.scale.fill(1);
  model.nets.emplace_back(std::vector<int>{kModelInputs, kChoosable});
  const std::string path = testing::TempDir() + "pointsman_lin_test.pmm";
  ASSERT_TRUE(save_model(path, model, {}));
  size_t p99 = 0;
  for (size_t f = 0; f < kFeatures; ++f)
    if (feature_catalogue()[f].name == "burst_p99") p99 = f;
  const auto regret = [&](const std::string& spec) {
    double sum = 0;
    const auto c = make(spec, 3);
    Rng rng(3, "contexts");
    ArmId active = kHyb;
    const int n = 1200;
    for (int t = 0; t < n; ++t) {
      Context context;
      const double x = t / 20 % 2 == 0 ? -1 : 1;  // twenty windows of each
      context.features[p99] = x;
      context.active = active;
      ArmCosts costs{.5, .3, .3 + .3 * x, .3 - .3 * x, .4, .4};
      context.live_cost = 10 + costs[static_cast<size_t>(active)] + .1 * rng.normal();
      active = c->decide(context).arm;
      if (t > n / 2) sum += costs[static_cast<size_t>(active)] / (n / 2.0);
    }
    return sum;
  };
  const double linear = regret("lin_thompson:change=none,noise=.1,slope=.3,forget=.002,model=" + path),
               plain = regret("thompson:change=none,noise=.1,model=" + path);
  EXPECT_LT(linear, .08);
  EXPECT_GT(plain, .2);
  std::filesystem::remove(path);
  std::filesystem::remove(path + ".json");
}

TEST(Hedge, FollowsTheBestExpertAndComesBackAfterAChange) {
  Hedge h(3, {.rate = 1, .share = .01});
  const std::array<bool, 3> all{true, true, true};
  for (int i = 0; i < 50; ++i) h.update(std::array{.5, 0.0, .5}, all);
  EXPECT_GT(h.weights(all)[1], .95);
  int n = 0;
  for (; h.weights(all)[2] < .9 && n < 100; ++n) h.update(std::array{.5, .5, 0.0}, all);
  EXPECT_LT(n, 20);
  // Without the share it would take as long as it had been wrong.
  Hedge stubborn(3, {.rate = 1, .share = 0});
  for (int i = 0; i < 50; ++i) stubborn.update(std::array{.5, 0.0, .5}, all);
  int m = 0;
  for (; stubborn.weights(all)[2] < .9 && m < 100; ++m) stubborn.update(std::array{.5, .5, 0.0}, all);
  EXPECT_GT(m, 40);
}

TEST(Hedge, WhoSleepsNeitherLosesNorWins) {
  Hedge h(3, {.rate = 1, .share = .1});
  const std::array<bool, 3> two{true, true, false}, all{true, true, true};
  for (int i = 0; i < 20; ++i) h.update(std::array{.5, 0.0, 9.0}, two);
  EXPECT_EQ(h.weights(two)[2], 0);
  EXPECT_NEAR(h.weights(all)[2], 1.0 / 3, 1e-9);
  EXPECT_NEAR(h.weights(all)[0] + h.weights(all)[1], 2.0 / 3, 1e-9);
}

TEST(WhatIf, LeavesTheDefaultArmOnlyWhenItIsClear) {
  const auto c = make("what_if:margin=.05,ewma=0");
  Context context;
  EXPECT_EQ(c->decide(context).why, "no replay");
  context.replayed = ArmCosts{0, 0, 0, -.04, 0, .3};
  EXPECT_EQ(c->decide(context).arm, kHyb);
  context.replayed = ArmCosts{0, 0, 0, -.3, -.2, .3};
  EXPECT_EQ(c->decide(context).arm, 3);
  EXPECT_EQ(c->decide(context).why, "age: replayed 26 % below hyb");
  EXPECT_NEAR((*c->decide(context).predicted)[3], -.3, 1e-12);
  context.active = 4;
  (*context.replayed)[2] = std::nan("");
  EXPECT_EQ(c->decide(context).arm, 4);
}

TEST(Experts, TheMixtureLeavesTheDefaultArmOnlyWhenItIsSure) {
  const std::string path = handmade_model();
  Context context;
  context.active = kHyb;
  context.features[0] = .2;  // age: -.4 +- .03
  auto c = make("experts:deviations=1,margin=.02,change=none,model=" + path);
  Decision d = c->decide(context);
  EXPECT_EQ(d.arm, 3);  // prior -.4 and stay 0, half each: -.2, and the prior's own doubt is small
  EXPECT_EQ(d.why, "age: prior 50 % says age, stay 50 %");
  ASSERT_TRUE(d.predicted);
  EXPECT_NEAR((*d.predicted)[3], -.2, 1e-6);
  // The replay contradicts: the disagreement is an uncertainty of its own.
  context.replayed = ArmCosts{0, 0, -.4, .4, 0, 0};
  d = c->decide(context);
  EXPECT_EQ(d.arm, kHyb);
  EXPECT_THAT(d.why, HasSubstr("what_if 33 % says las"));
  // Unheard, it changes nothing.
  c = make("experts:deviations=1,margin=.02,change=none,without=what_if,model=" + path);
  EXPECT_EQ(c->decide(context).arm, 3);
  c = make("experts:deviations=1,margin=.02,change=none,without=prior+what_if,model=" + path);
  EXPECT_EQ(c->decide(context).arm, kHyb);
  context.features[4] = std::nan("");
  context.active = 5;
  EXPECT_EQ(c->decide(context).arm, 5);
  std::filesystem::remove(path);
  std::filesystem::remove(path + ".json");
}

TEST(Experts, AWrongPriorIsUnlearnedFromTheLiveCost) {
  const std::string path = handmade_model();
  // The prior says age; in truth age costs .5 more than hyb.
  const auto c = make("experts:deviations=.5,margin=.02,change=none,noise=.1,model=" + path);
  Rng rng(4, "wrong prior");
  ArmId active = kHyb;
  int wrong = 0;
  for (int t = 0; t < 60; ++t) {
    Context context;
    context.features[0] = .2;
    context.active = active;
    context.live_cost = 8 + (active == 3 ? .5 : 0) + .1 * rng.normal();
    active = c->decide(context).arm;
    if (t >= 20) wrong += active == 3;
  }
  EXPECT_LE(wrong, 2);
  std::filesystem::remove(path);
  std::filesystem::remove(path + ".json");
}

TEST(Experts, ExploringTheyFindWhatNobodyPredicted) {
  World world = kWorld;
  world.first = {.4, .3, 0, .5, .35, .35};
  double bold = 0, timid = 0;
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    bold += play(*make("experts:explore=.3", seed), world, seed).first_regret / 10;
    timid += play(*make("experts", seed), world, seed).first_regret / 10;
  }
  EXPECT_NEAR(timid, .3, .02);  // nobody says anything against hyb
  EXPECT_LT(bold, .1);
}

}  // namespace
}  // namespace pointsman

#include "learn/softmax.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "base/rng.h"
#include "learn/explore.h"
#include "learn/mlp.h"

namespace pointsman {
namespace {

ArmCosts draw(Rng& rng, double scale) {
  ArmCosts out{};
  for (double& v : out) v = scale * rng.normal();
  return out;
}

TEST(Softmax, IsADistributionWhateverTheLogits) {
  Rng rng(1, "softmax");
  for (const double scale : {0.0, 1.0, 50.0, 1e6}) {
    const ArmCosts z = draw(rng, scale), a = softmax(z);
    double naive_sum = 0;
    for (const double v : z) naive_sum += std::exp(v);
    double sum = 0;
    for (size_t i = 0; i < kChoosable; ++i) {
      EXPECT_GE(a[i], 0);
      if (scale <= 50) {
        EXPECT_NEAR(a[i], std::exp(z[i]) / naive_sum, 1e-12);
      }
      sum += a[i];
    }
    EXPECT_NEAR(sum, 1, 1e-12);
  }
}

TEST(Softmax, DrawsByProbabilityAndNeverWhatHasNone) {
  EXPECT_EQ(draw_arm({.2, .3, 0, .5, 0, 0}, .19), 0);
  EXPECT_EQ(draw_arm({.2, .3, 0, .5, 0, 0}, .2), 1);
  EXPECT_EQ(draw_arm({.2, .3, 0, .5, 0, 0}, .5), 3);
  EXPECT_EQ(draw_arm({.2, .3, 0, .5 - 1e-9, 0, 0}, 1 - 1e-12), 3);
}

TEST(PolicyLoss, SlopesAgreeWithFiniteDifferences) {
  Rng rng(2, "slopes");
  for (const PolicyLoss loss : {PolicyLoss::kLabel, PolicyLoss::kSeed, PolicyLoss::kExpectedCost})
    for (int i = 0; i < 20; ++i) {
      ArmCosts z = draw(rng, 2), costs = draw(rng, 1), slopes{}, unused{};
      policy_loss(loss, z, costs, slopes);
      for (size_t a = 0; a < kChoosable; ++a) {
        const double h = 1e-6, was = z[a];
        z[a] = was + h;
        const double above = policy_loss(loss, z, costs, unused);
        z[a] = was - h;
        const double below = policy_loss(loss, z, costs, unused);
        z[a] = was;
        EXPECT_NEAR(slopes[a], (above - below) / (2 * h), 1e-8) << name_of(loss);
      }
    }
}

TEST(RegretLoss, SlopesAgreeWithFiniteDifferences) {
  Rng rng(3, "regret loss");
  for (const DecisionLoss decision : {DecisionLoss{}, DecisionLoss{.weight = 2, .temperature = .1}, DecisionLoss{.weight = .5, .temperature = 1}}) {
    for (int round = 0; round < 50; ++round) {
      ArmCosts predicted{}, regret{}, slopes{}, ignored{};
      for (double& y : predicted) y = .3 * rng.normal();
      for (double& r : regret) r = rng.uniform();
      regret_loss(predicted, regret, decision, slopes);
      for (size_t a = 0; a < kChoosable; ++a) {
        constexpr double kStep = 1e-6;
        ArmCosts up = predicted, down = predicted;
        up[a] += kStep;
        down[a] -= kStep;
        const double difference = (regret_loss(up, regret, decision, ignored) - regret_loss(down, regret, decision, ignored)) / (2 * kStep);
        EXPECT_NEAR(slopes[a], difference, 1e-6 + 1e-5 * std::abs(difference));
      }
    }
  }
}

TEST(PolicyLoss, ReinforceSlopesAgreeWithFiniteDifferences) {
  Rng rng(3, "reinforce");
  for (int i = 0; i < 20; ++i) {
    ArmCosts z = draw(rng, 2), slopes{}, unused{};
    const Taken taken{.arm = static_cast<ArmId>(rng.below(kChoosable)), .advantage = rng.normal()};
    const double weight = rng.uniform();
    reinforce_loss(z, taken, slopes);
    entropy_bonus(z, weight, slopes);
    for (size_t a = 0; a < kChoosable; ++a) {
      const double h = 1e-6, was = z[a];
      z[a] = was + h;
      const double above = reinforce_loss(z, taken, unused) + entropy_bonus(z, weight, unused);
      z[a] = was - h;
      const double below = reinforce_loss(z, taken, unused) + entropy_bonus(z, weight, unused);
      z[a] = was;
      EXPECT_NEAR(slopes[a], (above - below) / (2 * h), 1e-8);
    }
  }
}

// The point of the score function: averaged over what was drawn from any mixture, and weighted for it, its slope is that of the expected
// cost; a baseline changes nothing of the mean.
TEST(PolicyLoss, ReinforceIsAnUnbiasedEstimateOfTheExpectedCostsSlope) {
  Rng rng(4, "unbiased");
  const ArmCosts z = draw(rng, 1), costs = draw(rng, 1), policy = softmax(z);
  ArmCosts exact{};
  policy_loss(PolicyLoss::kExpectedCost, z, costs, exact);
  const ArmCosts behaviour = Explorer({.kind = Exploration::Kind::kConstant, .rate = .3}).mix(policy);
  for (const double baseline : {0.0, .7}) {
    ArmCosts mean{};
    for (size_t arm = 0; arm < kChoosable; ++arm) {
      ArmCosts slopes{};
      reinforce_loss(z, {.arm = static_cast<ArmId>(arm), .advantage = policy[arm] / behaviour[arm] * (costs[arm] - baseline)}, slopes);
      for (size_t a = 0; a < kChoosable; ++a) mean[a] += behaviour[arm] * slopes[a];
    }
    for (size_t a = 0; a < kChoosable; ++a) EXPECT_NEAR(mean[a], exact[a], 1e-12);
  }
}

TEST(PolicyLoss, ThroughANetworkTheSlopesAgreeWithFiniteDifferences) {
  Rng rng(5, "network");
  auto net = Mlp<double>::random({4, 7, 5, kChoosable}, rng);
  const size_t n = 3;
  std::vector<double> x(n * 4);
  for (double& v : x) v = rng.normal();
  std::vector<ArmCosts> costs(n);
  for (auto& c : costs) c = draw(rng, 1);
  Mlp<double>::Workspace work;
  const auto loss_of = [&](PolicyLoss loss, std::vector<double>* slopes) {
    const auto y = net.forward(x, static_cast<int>(n), work);
    double sum = 0;
    for (size_t s = 0; s < n; ++s) {
      ArmCosts slope{};
      sum += policy_loss(loss, y.subspan(s * kChoosable, kChoosable), costs[s], slope);
      if (slopes) slopes->insert(slopes->end(), slope.begin(), slope.end());
    }
    return sum;
  };
  for (const PolicyLoss loss : {PolicyLoss::kLabel, PolicyLoss::kSeed, PolicyLoss::kExpectedCost}) {
    std::vector<double> slopes, gradient(net.parameters().size());
    loss_of(loss, &slopes);
    net.backward(x, static_cast<int>(n), slopes, gradient, work);
    int checked = 0;
    for (size_t i = 0; i < gradient.size(); ++i) {
      const double h = 1e-6, was = net.parameters()[i];
      if (was == 0 && gradient[i] == 0) continue;  // padding
      net.parameters()[i] = was + h;
      const double above = loss_of(loss, nullptr);
      net.parameters()[i] = was - h;
      const double below = loss_of(loss, nullptr);
      net.parameters()[i] = was;
      ASSERT_NEAR(gradient[i], (above - below) / (2 * h), 1e-6 * (1 + std::abs(gradient[i]))) << name_of(loss) << " parameter " << i;
      ++checked;
    }
    EXPECT_GT(checked, 90);
  }
}

TEST(PolicyLoss, DescentOnTheExpectedCostReachesTheBestArmAndStops) {
  ArmCosts z{}, slopes{};
  const ArmCosts costs{.5, .2, .9, .1, .4, .6};
  for (int i = 0; i < 20000; ++i) {
    policy_loss(PolicyLoss::kExpectedCost, z, costs, slopes);
    for (size_t a = 0; a < kChoosable; ++a) z[a] -= slopes[a];
  }
  EXPECT_GT(softmax(z)[3], .999);
  double largest = 0;
  for (const double s : slopes) largest = std::max(largest, std::abs(s));
  EXPECT_LT(largest, 1e-3);  // it comes to rest
}

// The experiment on the seed's loss to the letter: it has no minimum. Descent drives the dearest arms' logits down for ever at a speed that
// never falls, and the loss below any bound.
TEST(PolicyLoss, TheSeedsHasNoMinimum) {
  ArmCosts z{}, slopes{};
  const ArmCosts costs{1.5, 1.2, 1.9, 1.1, 1.4, 1.6};
  double at_1000 = 0, at_2000 = 0;
  for (int i = 1; i <= 2000; ++i) {
    const double value = policy_loss(PolicyLoss::kSeed, z, costs, slopes);
    for (size_t a = 0; a < kChoosable; ++a) z[a] -= .1 * slopes[a];
    if (i == 1000) at_1000 = value;
    if (i == 2000) at_2000 = value;
  }
  EXPECT_LT(at_2000, 1.9 * at_1000);
  EXPECT_LT(at_2000, -1000);
  double largest = 0;
  for (const double s : slopes) largest = std::max(largest, std::abs(s));
  EXPECT_GT(largest, 1);
}

TEST(PolicyLoss, TheEntropyBonusAloneEndsInTheUniform) {
  ArmCosts z{3, -1, 0, .5, 2, -4};
  for (int i = 0; i < 3000; ++i) {
    ArmCosts slopes{};
    entropy_bonus(z, 1, slopes);
    for (size_t a = 0; a < kChoosable; ++a) z[a] -= slopes[a];
  }
  for (const double p : softmax(z)) EXPECT_NEAR(p, 1.0 / 6, 1e-3);
}

TEST(PolicyLoss, Names) {
  for (const char* name : {"label", "seed", "expected-cost", "reinforce"}) EXPECT_EQ(name_of(*find_policy_loss(name)), name);
  EXPECT_EQ(find_policy_loss("hinge").error().message, "there is no loss 'hinge' (there are: label seed expected-cost reinforce)");
}

TEST(Explorer, SqrtDiesOutAndConstantDoesNot) {
  const ArmCosts policy{0, 0, 1, 0, 0, 0};
  Explorer falls({.kind = Exploration::Kind::kSqrt}), stays({.kind = Exploration::Kind::kConstant, .rate = .05});
  EXPECT_NEAR(falls.mix(policy)[0], 1.0 / 6, 1e-12);  // the first decision is a uniform draw
  for (int i = 0; i < 9999; ++i) {
    falls.took(2);
    stays.took(2);
  }
  EXPECT_NEAR(falls.mix(policy)[0], .01 / 6, 1e-12);
  EXPECT_NEAR(falls.mix(policy)[2], .99 + .01 / 6, 1e-12);
  EXPECT_NEAR(stays.mix(policy)[0], .05 / 6, 1e-12);
  EXPECT_EQ(Explorer({}).mix(policy), policy);
}

TEST(Explorer, Ucb1TriesEachOnceThenFavoursTheProbable) {
  Explorer ucb({.kind = Exploration::Kind::kUcb1, .width = 1});
  const ArmCosts policy{.05, .05, .6, .2, .05, .05};
  std::array<int, kChoosable> times{};
  for (int i = 0; i < 3000; ++i) {
    const ArmCosts p = ucb.mix(policy);
    EXPECT_EQ(std::accumulate(p.begin(), p.end(), 0.0), 1);
    const ArmId arm = draw_arm(p, .5);
    ucb.took(arm);
    ++times[static_cast<size_t>(arm)];
    if (i != kChoosable - 1) continue;
    for (const int t : times) EXPECT_EQ(t, 1);
  }
  EXPECT_GT(times[2], 1500);
  for (const int t : times) EXPECT_GE(t, 2);  // never forgotten
}

TEST(Explorer, IsWrittenInOneWord) {
  for (const char* text : {"none", "sqrt", "ucb1", "0.05"}) EXPECT_EQ(to_string(*parse_exploration(text)), text);
  for (const char* bad : {"", "1.5", "-0.1", "nan", "often"})
    EXPECT_EQ(parse_exploration(bad).error().message, "exploration '" + std::string(bad) + "' is not none, sqrt, ucb1 or a rate 0 .. 1");
}

}  // namespace
}  // namespace pointsman

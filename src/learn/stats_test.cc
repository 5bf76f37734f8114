#include "learn/stats.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "base/rng.h"

namespace pointsman {
namespace {

using V = std::vector<double>;

TEST(Stats, Means) {
  EXPECT_DOUBLE_EQ(mean_of(V{1, 2, 6}), 3);
  EXPECT_NEAR(geomean_of(V{1, 2, 4}), 2, 1e-14);
  EXPECT_NEAR(deviation_of(V{2, 4, 4, 4, 5, 5, 7, 9}), std::sqrt(32.0 / 7), 1e-14);
  EXPECT_TRUE(std::isnan(mean_of(V{})));
  EXPECT_TRUE(std::isnan(geomean_of(V{})));
  EXPECT_TRUE(std::isnan(geomean_of(V{1, 0})));
  EXPECT_TRUE(std::isnan(deviation_of(V{1})));
}

TEST(Stats, Quantiles) {
  const V v{40, 10, 30, 20};
  EXPECT_DOUBLE_EQ(quantile_of(v, 0), 10);
  EXPECT_DOUBLE_EQ(quantile_of(v, 1), 40);
  EXPECT_DOUBLE_EQ(quantile_of(v, .5), 25);
  EXPECT_DOUBLE_EQ(quantile_of(v, .25), 17.5);  // place .75
  EXPECT_DOUBLE_EQ(quantile_of(V{7}, .99), 7);
  EXPECT_TRUE(std::isnan(quantile_of(V{}, .5)));
}

TEST(Stats, Jain) {
  EXPECT_DOUBLE_EQ(jain_of(V{3, 3, 3}), 1);
  EXPECT_DOUBLE_EQ(jain_of(V{0, 0, 0, 5}), .25);
  EXPECT_DOUBLE_EQ(jain_of(V{1, 2, 3}), 36.0 / 42);
  EXPECT_TRUE(std::isnan(jain_of(V{})));
  EXPECT_TRUE(std::isnan(jain_of(V{0, 0})));
}

TEST(Stats, NormalAndStudentTables) {
  EXPECT_NEAR(normal_quantile(.975), 1.959963984540054, 1e-12);
  EXPECT_NEAR(normal_quantile(.5), 0, 1e-12);
  EXPECT_NEAR(normal_quantile(.001), -3.090232306167813, 1e-12);
  EXPECT_NEAR(normal_cdf(1), .8413447460685429, 1e-14);
  // dof 1: tan(pi (p - 1/2)); dof 2: (2p-1) sqrt(2 / (1 - (2p-1)^2)), both exact.
  for (const double p : {.6, .9, .975, .999}) {
    EXPECT_NEAR(student_t_quantile(p, 1) / std::tan(M_PI * (p - .5)), 1, 1e-9);
    const double a = 2 * p - 1;
    EXPECT_NEAR(student_t_quantile(p, 2) / (a * std::sqrt(2 / (1 - a * a))), 1, 1e-9);
    EXPECT_NEAR(student_t_quantile(1 - p, 2), -student_t_quantile(p, 2), 1e-9);
  }
  // Printed tables.
  EXPECT_NEAR(student_t_quantile(.975, 4), 2.7764, 5e-5);
  EXPECT_NEAR(student_t_quantile(.975, 9), 2.2622, 5e-5);
  EXPECT_NEAR(student_t_quantile(.995, 19), 2.8609, 5e-5);
  EXPECT_NEAR(student_t_quantile(.95, 30), 1.6973, 5e-5);
  EXPECT_NEAR(student_t_quantile(.975, 100000), 1.95999, 5e-5);
}

TEST(PairedT, ByHand) {
  // Mean 2, deviation 1, n 3: half width 4.302653 / sqrt 3.
  const Interval i = paired_t(V{1, 2, 3});
  EXPECT_DOUBLE_EQ(i.value, 2);
  EXPECT_NEAR(i.high - 2, 4.302652729911275 / std::sqrt(3.0), 1e-9);
  EXPECT_NEAR(2 - i.low, 4.302652729911275 / std::sqrt(3.0), 1e-9);
  EXPECT_TRUE(std::isnan(paired_t(V{1}).low));
  EXPECT_TRUE(std::isnan(paired_t(V{}).value));
}

// All n^n resamples of a small sample, each once: the distribution that the bootstrap draws from.
V all_resample_means(const V& x) {
  V means;
  const size_t n = x.size();
  size_t total = 1;
  for (size_t i = 0; i < n; ++i) total *= n;
  for (size_t code = 0; code < total; ++code) {
    double sum = 0;
    size_t c = code;
    for (size_t i = 0; i < n; ++i, c /= n) sum += x[c % n];
    means.push_back(sum / static_cast<double>(n));
  }
  std::sort(means.begin(), means.end());
  return means;
}

TEST(Bootstrap, PercentileAgreesWithFullEnumeration) {
  const V x{.31, -.42, 1.13, .07, 2.9, .64};
  const V exact = all_resample_means(x);
  const Interval i = bootstrap_mean(x, {.kind = BootstrapOptions::Kind::kPercentile, .resamples = 40000});
  EXPECT_NEAR(i.value, mean_of(x), 1e-15);
  EXPECT_NEAR(i.low, quantile_of(exact, .025), .02);
  EXPECT_NEAR(i.high, quantile_of(exact, .975), .02);
}

TEST(Bootstrap, BcaAgreesWithFullEnumeration) {
  const V x{.31, -.42, 1.13, .07, 2.9, .64};
  const V exact = all_resample_means(x);
  // Efron's formulas over the enumerated distribution; for a mean the acceleration is sum (x - m)^3 / (6 (sum (x - m)^2)^1.5).
  const double m = mean_of(x);
  double squares = 0, cubes = 0;
  for (const double v : x) {
    squares += (v - m) * (v - m);
    cubes += (v - m) * (v - m) * (v - m);
  }
  const double a = cubes / (6 * std::pow(squares, 1.5));
  double below = 0;
  for (const double v : exact) below += v < m - 1e-12 ? 1 : v < m + 1e-12 ? .5 : 0;
  const double z0 = normal_quantile(below / static_cast<double>(exact.size()));
  const auto end = [&](double p) {
    const double z = z0 + normal_quantile(p);
    return quantile_of(exact, normal_cdf(z0 + z / (1 - a * z)));
  };
  const Interval i = bootstrap_mean(x, {.resamples = 40000});
  EXPECT_NEAR(i.low, end(.025), .03);
  EXPECT_NEAR(i.high, end(.975), .03);
  EXPECT_GT(i.high + i.low, 2 * m);  // skewed to the right, and BCa says so
}

TEST(Bootstrap, CoversTheTruth) {
  // 300 samples of 20 skewed values (mean 1): the 90 % interval must hold the truth in 90 % of them; BCa on 20 exponentials reaches 84 to
  // 90 %.
  int held = 0;
  for (int trial = 0; trial < 300; ++trial) {
    Rng rng(5, "coverage", static_cast<uint64_t>(trial));
    V x(20);
    for (double& v : x) v = rng.exponential(1);
    const Interval i = bootstrap_mean(x, {.resamples = 400, .level = .9, .seed = static_cast<uint64_t>(trial)});
    held += i.low <= 1 && 1 <= i.high;
  }
  EXPECT_GE(held, 240);
  EXPECT_LE(held, 288);
}

TEST(Bootstrap, SameSeedSameBitsOtherSeedOthers) {
  V x(15);
  Rng rng(3, "x");
  for (double& v : x) v = rng.normal();
  const Interval a = bootstrap_mean(x, {.seed = 9}), b = bootstrap_mean(x, {.seed = 9}), c = bootstrap_mean(x, {.seed = 10});
  EXPECT_EQ(a.low, b.low);
  EXPECT_EQ(a.high, b.high);
  EXPECT_NE(a.low, c.low);
}

TEST(Bootstrap, Degenerate) {
  EXPECT_TRUE(std::isnan(bootstrap_mean(V{}).value));
  const Interval one = bootstrap_mean(V{4});
  EXPECT_EQ(one.value, 4);
  EXPECT_TRUE(std::isnan(one.low) && std::isnan(one.high));
  const Interval same = bootstrap_mean(V{2, 2, 2});
  EXPECT_EQ(same.low, 2);
  EXPECT_EQ(same.high, 2);
}

TEST(GapClosed, IsARatioOfMeans) {
  const std::vector<GapBlock> blocks{{-.2, 0, -.4}, {-.5, -.1, -.5}, {0, 0, 0}, {.1, 0, -.1}};
  // Gained .2 + .4 + 0 - .1 = .5 of .4 + .4 + 0 + .1 = .9.
  const Interval i = gap_closed(blocks);
  EXPECT_NEAR(i.value, 5.0 / 9, 1e-14);
  EXPECT_LT(i.low, i.value);
  EXPECT_LE(i.high, 1.2);
}

TEST(GapClosed, NothingToCloseIsNotANumber) {
  const std::vector<GapBlock> blocks{{-.2, -.2, -.2}, {.1, .1, .1}};
  const Interval i = gap_closed(blocks);
  EXPECT_TRUE(std::isnan(i.value) && std::isnan(i.low) && std::isnan(i.high));
}

TEST(GapClosed, AllBlocksAlikeHaveAPointForAnInterval) {
  const std::vector<GapBlock> blocks(8, {.agent = -.3, .rival = -.1, .oracle = -.5});
  const Interval i = gap_closed(blocks);
  EXPECT_NEAR(i.value, .5, 1e-14);
  EXPECT_NEAR(i.low, .5, 1e-12);
  EXPECT_NEAR(i.high, .5, 1e-12);
}

// Against published tables and scipy.stats.wilcoxon (exact).
TEST(Wilcoxon, KnownValues) {
  EXPECT_EQ(wilcoxon_p({}), 1);
  EXPECT_EQ(wilcoxon_p(std::vector<double>{0, 0}), 1);
  EXPECT_NEAR(wilcoxon_p(std::vector<double>{1, 2, 3, 4, 5}), 2.0 / 32, 1e-12);
  EXPECT_NEAR(wilcoxon_p(std::vector<double>{-1, 2, 3, 4, 5}), 4.0 / 32, 1e-12);
  // Darwin's maize: 15 pairs, the smaller sum of ranks is 24.
  EXPECT_NEAR(wilcoxon_p(std::vector<double>{6, 8, 14, 16, 23, 24, 28, 29, 41, -48, 49, 56, 60, -67, 75}), 0.041259765625, 1e-12);
  // Ties share ranks: |1|,|1| have 1.5 each; P(W <= 1.5) = 3 of 8.
  EXPECT_NEAR(wilcoxon_p(std::vector<double>{1, -1, 2}), .75, 1e-12);
  // The normal approximation joins the exact one.
  std::vector<double> forty;
  for (int i = 1; i <= 40; ++i) forty.push_back(i % 3 == 0 ? -i : i);
  const double exact = wilcoxon_p(forty);
  forty.push_back(1e-9);  // a 41st pair, of least rank
  EXPECT_NEAR(wilcoxon_p(forty), exact, .006);
}

TEST(Wilcoxon, CallsOneInTwentyOfNothing) {
  int called = 0;
  const int n = 2000;
  for (int i = 0; i < n; ++i) {
    Rng rng(static_cast<uint64_t>(i), "nothing");
    std::vector<double> d(15);
    for (double& v : d) v = rng.normal();
    called += wilcoxon_p(d) < .05;
  }
  EXPECT_NEAR(called / static_cast<double>(n), .048, .02);
}

TEST(Holm, ByHand) {
  const std::vector<double> p{.01, .04, .03, .005};
  const std::vector<double> wanted{.03, .06, .06, .02};
  const auto got = holm(p);
  for (size_t i = 0; i < p.size(); ++i) EXPECT_NEAR(got[i], wanted[i], 1e-12);
  EXPECT_TRUE(holm({}).empty());
  EXPECT_EQ(holm(std::vector<double>{.9, .8})[0], 1);
}

}  // namespace
}  // namespace pointsman

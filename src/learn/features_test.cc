#include "learn/features.h"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <set>
#include <string>

#include "base/rng.h"

namespace pointsman {
namespace {

int index_of(std::string_view name) {
  const auto all = feature_catalogue();
  for (int i = 0; i < kFeatures; ++i) {
    if (all[static_cast<size_t>(i)].name == name) return i;
  }
  ADD_FAILURE() << "no feature " << name;
  return 0;
}
double get(const FeatureVector& f, std::string_view name) { return f[static_cast<size_t>(index_of(name))]; }

// One second on two CPUs, with sums that are easy to divide.
WindowInput plain_window() {
  WindowInput w;
  w.before_ns = 5'000'000'000;
  w.after_ns = 6'000'000'000;
  w.cpus = 2;
  w.before.forks = 1000;
  w.after = w.before;
  w.after.forks += 20;
  w.after.exits += 4;
  w.after.wakeups += 200;
  w.after.voluntary += 300;
  w.after.involuntary += 100;
  w.after.bursts = 10;
  w.after.burst_us = 20'000;        // mean 2 ms
  w.after.burst_us2 = 130'000'000;  // mean square 13e6: deviation 3 ms
  w.after.bursts_1ms = 4;
  w.after.bursts_5ms = 9;
  w.after.burst_hist[pm_hist_bucket(1'048'576)] = 10;
  w.after.exit_us = 40'000;
  w.after.exit_us2 = 400'000'000;  // all 10 ms
  w.after.idle_ns = 500'000'000;
  w.after.busy_ns = 1'500'000'000;
  w.after.young_ns = 750'000'000;
  w.after.small_ns = 150'000'000;
  w.after.nice_ns = 15'000'000;
  w.after.wait_ns = 3'000'000'000;
  return w;
}

TEST(Features, CatalogueNamesEachOnce) {
  ASSERT_EQ(feature_catalogue().size(), static_cast<size_t>(kFeatures));
  std::set<std::string_view> names;
  for (const auto& spec : feature_catalogue()) {
    EXPECT_TRUE(names.insert(spec.name).second) << spec.name;
    EXPECT_FALSE(spec.unit.empty() || spec.formula.empty()) << spec.name;
  }
}

TEST(Features, FollowTheirFormulas) {
  const FeatureVector f = features_of(plain_window());
  EXPECT_DOUBLE_EQ(get(f, "forks"), std::log1p(10));
  EXPECT_DOUBLE_EQ(get(f, "exits"), std::log1p(2));
  EXPECT_DOUBLE_EQ(get(f, "wakeups"), std::log1p(100));
  EXPECT_DOUBLE_EQ(get(f, "switches"), std::log1p(200));
  EXPECT_DOUBLE_EQ(get(f, "involuntary_share"), 0.25);
  EXPECT_DOUBLE_EQ(get(f, "burst_mean"), std::log1p(2000));
  EXPECT_DOUBLE_EQ(get(f, "burst_cv"), std::log1p(1.5));
  EXPECT_DOUBLE_EQ(get(f, "burst_below_1ms_share"), 0.4);
  EXPECT_DOUBLE_EQ(get(f, "burst_below_5ms_share"), 0.9);
  // All in the bucket 2^20 .. 1.25 * 2^20 ns.
  EXPECT_NEAR(get(f, "burst_p50"), std::log1p(1048.576 * 1.125), 1e-12);
  EXPECT_NEAR(get(f, "burst_p99"), std::log1p(1048.576 * 1.2475), 1e-12);
  EXPECT_DOUBLE_EQ(get(f, "exit_cpu_mean"), std::log1p(10'000));
  EXPECT_DOUBLE_EQ(get(f, "exit_cpu_cv"), 0);
  EXPECT_DOUBLE_EQ(get(f, "idle_share"), 0.25);
  EXPECT_DOUBLE_EQ(get(f, "young_share"), 0.5);
  EXPECT_DOUBLE_EQ(get(f, "small_share"), 0.1);
  EXPECT_DOUBLE_EQ(get(f, "nice_share"), 0.01);
  EXPECT_DOUBLE_EQ(get(f, "wait_per_busy"), std::log1p(2));
}

TEST(Features, RatesAreByTimeAndCpu) {
  WindowInput w = plain_window();
  w.after_ns = w.before_ns + 250'000'000;
  w.cpus = 8;
  EXPECT_DOUBLE_EQ(get(features_of(w), "forks"), std::log1p(10));
}

TEST(Features, MeanRunnableIsTheIntegralAlsoWhenTheMomentsWrap) {
  // Before the window 3 tasks are runnable; at 0.25 s a fourth comes, at 0.75 s two go: (3 * .25 + 4 * .5 + 2 * .25) = 3.25 on the mean.
  WindowInput w;
  w.cpus = 1;
  w.before_ns = 20'000'000'000'000'000;  // two thirds of a year
  w.after_ns = w.before_ns + 1'000'000'000;
  for (const uint64_t offset : {0ull, 1ull << 63, 0xffffffff00000000ull}) {  // where the modulus lies must not matter
    w.before.runnable = 3;
    w.before.runnable_moment_ns = 3 * static_cast<uint64_t>(w.before_ns - 77) - offset;
    w.after = w.before;
    w.after.runnable += 1;
    w.after.runnable_moment_ns += static_cast<uint64_t>(w.before_ns + 250'000'000);
    w.after.runnable -= 2;
    w.after.runnable_moment_ns -= 2 * static_cast<uint64_t>(w.before_ns + 750'000'000);
    EXPECT_NEAR(get(features_of(w), "runnable_mean"), std::log1p(3.25), 1e-9);
  }
}

TEST(Features, FewExitsHaveNoCv) {
  WindowInput w = plain_window();
  w.after.exits = 2;
  EXPECT_EQ(get(features_of(w), "exit_cpu_cv"), -0.5);
  w.after.exits = 3;
  EXPECT_GE(get(features_of(w), "exit_cpu_cv"), 0);
}

TEST(Features, NothingHappenedIsZeroButForTheMarks) {
  WindowInput w;
  w.before_ns = 1;
  w.after_ns = 250'000'001;
  const FeatureVector f = features_of(w);
  for (int i = 0; i < kFeatures; ++i) EXPECT_EQ(f[static_cast<size_t>(i)], i == index_of("exit_cpu_cv") ? -0.5 : 0) << i;
  w.after_ns = w.before_ns;
  EXPECT_EQ(features_of(w), FeatureVector{});
}

TEST(Features, NearlyIdleIsTwoPercentOfOneCpu) {
  WindowInput w = plain_window();
  EXPECT_FALSE(nearly_idle(w));
  w.after.busy_ns = 19'999'999;
  EXPECT_TRUE(nearly_idle(w));
  w.after.busy_ns = 20'000'001;
  EXPECT_FALSE(nearly_idle(w));
  w.after_ns = w.before_ns;
  EXPECT_TRUE(nearly_idle(w));
}

using Words = std::array<uint64_t, sizeof(pm_probe) / sizeof(uint64_t)>;

// Whatever stands in the sums - zeros, noise, counters that went back, both ends of the range - every feature is finite and every share within 0..1.
TEST(Features, AreFiniteForHostileInput) {
  constexpr uint64_t kSeed = 20260101;
  Rng rng(kSeed, "features");
  const auto hostile = [&] {
    switch (rng.below(6)) {
      case 0: return uint64_t{0};
      case 1: return std::numeric_limits<uint64_t>::max();
      case 2: return rng.next();
      case 3: return rng.below(10);
      case 4: return uint64_t{1} << rng.below(64);
      default: return rng.below(2'000'000'000);
    }
  };
  for (int round = 0; round < 6000; ++round) {
    Words before{}, after{};
    for (auto& word : before) word = hostile();
    for (auto& word : after) word = hostile();
    WindowInput w{.before = std::bit_cast<pm_probe>(before),
                  .after = std::bit_cast<pm_probe>(after),
                  .before_ns = static_cast<int64_t>(hostile()),
                  .after_ns = static_cast<int64_t>(hostile()),
                  .cpus = static_cast<int>(hostile())};
    const FeatureVector f = features_of(w);
    for (int i = 0; i < kFeatures; ++i) {
      const auto& spec = feature_catalogue()[static_cast<size_t>(i)];
      const double x = f[static_cast<size_t>(i)];
      ASSERT_TRUE(std::isfinite(x)) << spec.name << " round " << round << " seed " << kSeed;
      if (spec.unit == "ratio") {
        ASSERT_TRUE(x >= 0 && x <= 1) << spec.name << ' ' << x << " round " << round << " seed " << kSeed;
      }
    }
  }
}

// More of the same work in more of the same time: the features are about kind, not amount.
TEST(Features, AreTheSameForTwiceTheWindow) {
  Rng rng(11, "scale");
  for (int round = 0; round < 200; ++round) {
    WindowInput one;
    one.cpus = static_cast<int>(rng.between(1, 64));
    one.before_ns = 0;
    one.after_ns = 1'000'000'000;
    one.before.runnable = 0;
    Words words{};
    for (auto& word : words) word = 2 * rng.below(1'000'000) + 6;
    one.after = std::bit_cast<pm_probe>(words);
    one.after.runnable = 0;
    one.after.busy_ns = 500'000'000;  // above the floor of wait_per_busy
    one.after.runnable_moment_ns = 0 - rng.below(1'000'000'000);
    WindowInput two = one;
    two.after_ns *= 2;
    auto twice = std::bit_cast<Words>(one.after);
    for (auto& word : twice) word *= 2;
    two.after = std::bit_cast<pm_probe>(twice);
    const FeatureVector a = features_of(one), b = features_of(two);
    for (size_t i = 0; i < kFeatures; ++i) EXPECT_NEAR(a[i], b[i], 1e-9) << feature_catalogue()[i].name;
  }
}

}  // namespace
}  // namespace pointsman

#include "bpf/probe/hist.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/rng.h"

namespace pointsman {
namespace {

TEST(Hist, BucketsTileTheRange) {
  EXPECT_EQ(pm_hist_bucket(0), 0u);
  EXPECT_EQ(pm_hist_bucket(1023), 0u);
  EXPECT_EQ(pm_hist_bucket(1024), 1u);
  EXPECT_EQ(pm_hist_bucket((1ull << 35) - 1), PM_HIST_BUCKETS - 2u);
  EXPECT_EQ(pm_hist_bucket(1ull << 35), PM_HIST_BUCKETS - 1u);
  EXPECT_EQ(pm_hist_bucket(~0ull), PM_HIST_BUCKETS - 1u);
  for (int b = 1; b < PM_HIST_BUCKETS - 1; ++b) {
    const auto low = static_cast<pm_u64>(hist_low_ns(b)), next = static_cast<pm_u64>(hist_low_ns(b + 1));
    EXPECT_LT(low, next);
    EXPECT_EQ(pm_hist_bucket(low), static_cast<pm_u32>(b)) << low;
    EXPECT_EQ(pm_hist_bucket(next - 1), static_cast<pm_u32>(b)) << next;
    // The middle is never off by more than an eighth.
    EXPECT_LE(static_cast<double>(next - low) / 2, 0.125 * static_cast<double>(low));
  }
}

TEST(Hist, QuantilesOfKnownData) {
  uint64_t counts[PM_HIST_BUCKETS] = {};
  EXPECT_EQ(hist_quantile_ns(counts, 0.99), 0);
  counts[pm_hist_bucket(4096)] = 4;  // 4096 .. 5120
  EXPECT_DOUBLE_EQ(hist_quantile_ns(counts, 0.5), 4096 + 512);
  EXPECT_DOUBLE_EQ(hist_quantile_ns(counts, 0), 4096);
  EXPECT_DOUBLE_EQ(hist_quantile_ns(counts, 1), 5120);
  EXPECT_DOUBLE_EQ(hist_quantile_ns(counts, 7), 5120);
  counts[PM_HIST_BUCKETS - 1] = 4;
  EXPECT_DOUBLE_EQ(hist_quantile_ns(counts, 0.99), 34359738368.0);
}

TEST(Hist, QuantilesLieWithinTheErrorThatIsPromised) {
  Rng rng(7, "hist");
  for (int round = 0; round < 20; ++round) {
    uint64_t counts[PM_HIST_BUCKETS] = {};
    std::vector<double> values;
    for (int i = 0; i < 4000; ++i) {
      values.push_back(rng.lognormal(3e6, 1.5) + 2000);
      counts[pm_hist_bucket(static_cast<pm_u64>(values.back()))]++;
    }
    std::sort(values.begin(), values.end());
    for (const double q : {0.5, 0.9, 0.99}) {
      const double truth = values[static_cast<size_t>(q * 4000) - 1];
      EXPECT_NEAR(hist_quantile_ns(counts, q), truth, 0.13 * truth) << "q " << q << " round " << round;
    }
  }
}

pm_running running_of(pm_u32 kind, pm_u64 since) { return {.since_ns = since, .young_until_ns = 0, .small_until_ns = 0, .kind = kind, .nice = 0, .pid = 1, .pad = 0}; }

TEST(Accrue, TimeGoesWhereItBelongsAndOnlyOnce) {
  pm_probe sums{};
  pm_running idle = running_of(PM_IDLE, 100), other = running_of(PM_OTHER, 100), unknown = running_of(PM_UNKNOWN, 0);
  pm_accrue(&sums, &idle, 400);
  pm_accrue(&sums, &idle, 400);
  pm_accrue(&sums, &idle, 300);  // a clock of another CPU, a little behind
  pm_accrue(&sums, &other, 150);
  pm_accrue(&sums, &unknown, 1000);
  EXPECT_EQ(sums.idle_ns, 300u);
  EXPECT_EQ(sums.other_ns, 50u);
  EXPECT_EQ(sums.busy_ns, 0u);

  pm_running task = running_of(PM_COUNTED, 1000);
  task.young_until_ns = 1600;
  task.small_until_ns = 1200;
  task.nice = 1;
  pm_accrue(&sums, &task, 1100);
  pm_accrue(&sums, &task, 2000);
  EXPECT_EQ(sums.busy_ns, 1000u);
  EXPECT_EQ(sums.nice_ns, 1000u);
  EXPECT_EQ(sums.young_ns, 600u);
  EXPECT_EQ(sums.small_ns, 200u);
}

// However a stint is cut into pieces by readers and switches, the sums are the same.
TEST(Accrue, IsAdditive) {
  Rng rng(3, "accrue");
  for (int round = 0; round < 500; ++round) {
    pm_running whole = running_of(PM_COUNTED, 1000 + rng.below(1000));
    whole.young_until_ns = rng.below(6000);
    whole.small_until_ns = rng.below(6000);
    pm_running cut = whole;
    pm_probe a{}, b{};
    const pm_u64 end = whole.since_ns + rng.below(4000);
    pm_accrue(&a, &whole, end);
    for (int i = 0; i < 5; ++i) pm_accrue(&b, &cut, cut.since_ns + rng.below(end - cut.since_ns + 1));
    pm_accrue(&b, &cut, end);
    EXPECT_EQ(a.busy_ns, b.busy_ns);
    EXPECT_EQ(a.young_ns, b.young_ns);
    EXPECT_EQ(a.small_ns, b.small_ns);
  }
}

}  // namespace
}  // namespace pointsman

#include "learn/cost.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace pointsman {
namespace {

constexpr int64_t kMs = 1'000'000;

JobOutcome job(int64_t tat_ms, int64_t rt_ms, int64_t service_ms, uint16_t kind = 0, uint16_t phase = 0) {
  return {.tat_ns = tat_ms * kMs, .rt_ns = rt_ms * kMs, .service_ns = service_ms * kMs, .kind = kind, .phase = phase};
}

Costs costs(double log_slowdown, double tat, double rt, double cv) {
  Costs c;
  c.jobs = 10;
  c.log_slowdown = log_slowdown;
  c.mean_tat_s = tat;
  c.mean_rt_s = rt;
  c.cv_fairness = cv;
  c.seed_l = tat + rt + cv;
  return c;
}

TEST(Costs, ByHand) {
  // Slowdowns 2, 1, 4; fairness .5, 1, .25: mean .58333, deviation sqrt(((.5-m)^2 + (1-m)^2 + (.25-m)^2) / 2) = .381881.
  const std::vector<JobOutcome> jobs{job(200, 10, 100), job(100, 0, 100), job(16, 2, 4)};
  const Costs c = costs_of(jobs);
  EXPECT_EQ(c.jobs, 3);
  EXPECT_EQ(c.unscored, 0);
  EXPECT_NEAR(c.log_slowdown, std::log(8.0) / 3, 1e-14);
  EXPECT_NEAR(c.mean_tat_s, .316 / 3, 1e-14);
  EXPECT_NEAR(c.mean_rt_s, .012 / 3, 1e-14);
  EXPECT_NEAR(c.mean_slowdown, 7.0 / 3, 1e-14);
  const double m = 1.75 / 3;
  const double cv = std::sqrt(((.5 - m) * (.5 - m) + (1 - m) * (1 - m) + (.25 - m) * (.25 - m)) / 2) / m;
  EXPECT_NEAR(cv, .6546536707079772, 1e-12);
  EXPECT_NEAR(c.cv_fairness, cv, 1e-14);
  EXPECT_NEAR(c.seed_l, .316 / 3 + .012 / 3 + cv, 1e-14);
  EXPECT_NEAR(c.p99_rt_short_s, .002, 1e-15);      // one short job
  EXPECT_NEAR(c.p99_tat_s, .1 + .98 * .1, 1e-14);  // type 7: place .99 * 2 = 1.98 between 100 and 200 ms
}

TEST(Costs, ShortMeansAtMostFiveMilliseconds) {
  EXPECT_NEAR(costs_of(std::vector{job(9, 3, 5)}).p99_rt_short_s, .003, 1e-15);
  JobOutcome above = job(9, 3, 5);
  above.service_ns += 1;
  EXPECT_TRUE(std::isnan(costs_of(std::vector{above}).p99_rt_short_s));
}

TEST(Costs, NoJobsAreNoCost) {
  const Costs c = costs_of({});
  EXPECT_EQ(c.jobs, 0);
  for (const double v :
       {c.log_slowdown, c.mean_tat_s, c.mean_rt_s, c.cv_fairness, c.seed_l, c.mean_slowdown, c.p99_rt_short_s, c.p99_tat_s})
    EXPECT_TRUE(std::isnan(v));
  for (const CostKind kind : cost_kinds()) EXPECT_FALSE(log_cost(c, c, {.kind = kind})) << name_of(kind);
}

TEST(Costs, ZeroServiceIsCountedNotScored) {
  const Costs c = costs_of(std::vector{job(200, 10, 100), job(50, 30, 0), job(0, 0, 10)});
  EXPECT_EQ(c.jobs, 3);
  EXPECT_EQ(c.unscored, 2);
  EXPECT_NEAR(c.log_slowdown, std::log(2.0), 1e-14);
  EXPECT_NEAR(c.mean_tat_s, .25 / 3, 1e-15);
  EXPECT_NEAR(c.mean_rt_s, .04 / 3, 1e-15);
  EXPECT_EQ(c.cv_fairness, 0);
  const Costs none = costs_of(std::vector{job(50, 30, 0), job(40, 20, 0)});
  EXPECT_EQ(none.unscored, 2);
  EXPECT_TRUE(std::isnan(none.log_slowdown));
  EXPECT_NEAR(none.mean_tat_s, .045, 1e-15);
}

TEST(Objective, LogRatios) {
  const Costs mine = costs(.5, 2, .5, .4), reference = costs(.8, 4, .25, .1);
  EXPECT_NEAR(*log_cost(mine, reference, {}), -.3, 1e-14);
  EXPECT_NEAR(*log_cost(mine, reference, {.kind = CostKind::kMeanTat}), -std::log(2.0), 1e-14);
  EXPECT_NEAR(*log_cost(mine, reference, {.kind = CostKind::kSeedL}), std::log(2.9 / 4.35), 1e-14);
  EXPECT_NEAR(*log_cost(mine, reference, {.kind = CostKind::kSeedL, .tat_weight = 0, .rt_weight = 2, .cv_weight = 1}), std::log(1.4 / .6),
              1e-14);
  // ln(1/2), ln 2, ln 4: the mean is 2 ln 2 / 3.
  EXPECT_NEAR(*log_cost(mine, reference, {.kind = CostKind::kLogRatioL}), 2 * std::log(2.0) / 3, 1e-14);
  EXPECT_NEAR(*log_cost(mine, reference, {.kind = CostKind::kLogRatioL, .tat_weight = 2, .rt_weight = 1, .cv_weight = 0}),
              -std::log(2.0) / 3, 1e-14);
  EXPECT_FALSE(log_cost(mine, reference, {.kind = CostKind::kLogRatioL, .tat_weight = 0, .rt_weight = 0, .cv_weight = 0}));
}

TEST(Objective, FloorsSilenceNoise) {
  // RT .2 ms against .1 ms and CV .02 against .01 say nothing; at the floors they do not count.
  const Costs mine = costs(0, 1, .0002, .02), reference = costs(0, 1, .0001, .01);
  EXPECT_NEAR(*log_cost(mine, reference, {.kind = CostKind::kLogRatioL}), 0, 1e-15);
  const Costs late = costs(0, 1, .010, .01);
  EXPECT_NEAR(*log_cost(late, reference, {.kind = CostKind::kLogRatioL}), std::log(2.0) / 3, 1e-14);
  EXPECT_NEAR(*log_cost(mine, reference, {.kind = CostKind::kLogRatioL, .rt_floor_s = 1e-9, .cv_floor = 1e-9}), 2 * std::log(2.0) / 3,
              1e-14);
  Costs p = mine, q = reference;
  p.p99_rt_short_s = .0009;
  q.p99_rt_short_s = .0003;
  EXPECT_EQ(*log_cost(p, q, {.kind = CostKind::kP99RtShort}), 0);
  p.p99_rt_short_s = .004;
  EXPECT_NEAR(*log_cost(p, q, {.kind = CostKind::kP99RtShort}), std::log(4.0), 1e-14);
  p.p99_rt_short_s = std::nan("");
  EXPECT_FALSE(log_cost(p, q, {.kind = CostKind::kP99RtShort}));
}

TEST(Objective, ConstraintOnShortJobs) {
  Costs mine = costs(0, 1, 1, 1), reference = mine;
  mine.p99_rt_short_s = .009;
  reference.p99_rt_short_s = .003;
  EXPECT_FALSE(breaks_p99_limit(mine, reference, {}));
  EXPECT_EQ(breaks_p99_limit(mine, reference, {.p99_rt_short_limit = 2}), true);
  EXPECT_EQ(breaks_p99_limit(mine, reference, {.p99_rt_short_limit = 4}), false);
  reference.p99_rt_short_s = std::nan("");
  EXPECT_FALSE(breaks_p99_limit(mine, reference, {.p99_rt_short_limit = 4}));
}

TEST(Objective, NamesGoBothWays) {
  for (const CostKind kind : cost_kinds()) EXPECT_EQ(*find_cost(name_of(kind)), kind);
  const auto bad = find_cost("turnaround");
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(bad.error().message,
            "there is no cost 'turnaround' (there are: log_slowdown mean_tat mean_slowdown p99_rt_short seed_l log_ratio_l)");
}

TEST(Groups, CountEquallyHoweverLarge) {
  // Kind 0: 99 jobs twice as slow as the reference; kind 1: one job four times as fast.
  std::vector<JobOutcome> mine, reference;
  for (int i = 0; i < 99; ++i) {
    mine.push_back(job(40, 0, 10, 0, 3));
    reference.push_back(job(20, 0, 10, 0, 3));
  }
  mine.push_back(job(10, 0, 10, 1, 4));
  reference.push_back(job(40, 0, 10, 1, 4));
  const double expected = (std::log(2.0) - std::log(4.0)) / 2;
  for (const JobGrouping by : {JobGrouping::kKind, JobGrouping::kPhase})
    EXPECT_NEAR(*grouped_log_cost(costs_by(by, mine), costs_by(by, reference), {}), expected, 1e-13);
  EXPECT_EQ(costs_by(JobGrouping::kPhase, mine).at(3).jobs, 99);
  EXPECT_FALSE(grouped_log_cost(costs_by(JobGrouping::kKind, mine), {}, {}));
}

TEST(Groups, FamiliesCountEquallyHoweverOftenTheyCome) {
  const std::vector<NamedCost> costs{{"batch", .2}, {"batch", .4}, {"web", -.1}};
  EXPECT_NEAR(*mean_over_families(costs), .1, 1e-15);
  EXPECT_FALSE(mean_over_families({}));
}

}  // namespace
}  // namespace pointsman

#include "lab/session_case.h"

#include <gtest/gtest.h>

#include <cmath>

namespace pointsman {
namespace {

// Jobs as (kind, arrival, end) in seconds; the last stressor ends the window.
struct Row {
  uint16_t kind;
  double from, to;
};
EpisodeResult result_of(const std::vector<Row>& rows) {
  EpisodeResult result;
  result.plan.kinds = {"remote.stress", "remote.helper", "remote.key"};
  for (const Row& row : rows) {
    result.plan.jobs.push_back({.planned_ns = 0, .service_ns = 1, .kind = row.kind});
    JobRecord job;
    job.planned_ns = static_cast<int64_t>(row.from * 1e9);
    job.first_run_ns = job.planned_ns + 1'000'000;
    job.completed_ns = row.to < 0 ? -1 : static_cast<int64_t>(row.to * 1e9);
    result.jobs.push_back(job);
  }
  return result;
}

TEST(SessionCase, OnlyWhatEndsWhileTheExperimentRunsCounts) {
  auto run = session_run_of(result_of({{0, 0, 4}, {0, 0, 5}, {1, 1, 1.5}, {1, 4.9, 5.1}, {2, 1, 1.01}}));
  ASSERT_TRUE(run) << run.error().message;
  EXPECT_DOUBLE_EQ(run->window_s, 5);
  EXPECT_EQ(run->classes.at("helper").jobs, 1) << "the other ended after the last stressor";
  EXPECT_EQ(run->processes(), 3) << "a key stroke is no process";
  EXPECT_NEAR(run->mean_tat_s(), (4 + 5 + .5) / 3, 1e-9);
  EXPECT_NEAR(run->classes.at("key").rt_s, .001, 1e-9);
}

TEST(SessionCase, AStressorThatDidNotEndIsNoRun) {
  EXPECT_FALSE(session_run_of(result_of({{0, 0, -1}})));
  EXPECT_FALSE(session_run_of(result_of({{1, 0, 1}})));
}

TEST(SessionCase, MoreHelpersLowerTheMeasureWithoutAnythingBeingFaster) {
  const SessionRun few = *session_run_of(result_of({{0, 0, 5}, {1, 0, .1}}));
  const SessionRun many = *session_run_of(result_of({{0, 0, 5}, {1, 0, .1}, {1, 1, 1.1}, {1, 2, 2.1}}));
  const SessionDifference d = difference(std::span(&few, 1), std::span(&many, 1));
  EXPECT_LT(d.total, std::log(.6));
  EXPECT_NEAR(d.by_mix, d.total, 1e-9);
  EXPECT_NEAR(d.by_turnaround, 0, 1e-9);
}

TEST(SessionCase, FasterProcessesOfTheSameNumberAreTheSchedulersDoing) {
  const SessionRun slow = *session_run_of(result_of({{0, 0, 5}, {1, 0, .2}}));
  const SessionRun fast = *session_run_of(result_of({{0, 0, 4}, {1, 0, .1}}));
  const SessionDifference d = difference(std::span(&slow, 1), std::span(&fast, 1));
  EXPECT_NEAR(d.by_mix, 0, 1e-9);
  EXPECT_NEAR(d.by_turnaround, std::log(4.1 / 5.2), 1e-9);
}

}  // namespace
}  // namespace pointsman

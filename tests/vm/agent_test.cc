#include "guest_under_test.h"
#include "lab/counterfactual.h"

namespace pointsman {
namespace {

class AgentInGuest : public GuestTest {};

// A schedule swaps off the agent's grid, and each swap is confirmed by what the kernel says.
TEST_F(AgentInGuest, ScheduledSwapsAreConfirmedAtTheirMoments) {
  auto result = episode("desktop", "schedule:0=hyb,611ms=age,1200ms=eevdf,1600ms=las");
  ASSERT_TRUE(result) << result.error().message;
  std::vector<std::pair<int64_t, std::string>> swaps;
  for (const WindowRow& w : result->windows)
    if (!w.swap.empty()) {
      EXPECT_EQ(w.swap, "confirmed");
      swaps.emplace_back(w.end_ns, arms()[static_cast<size_t>(w.taken)].name);
    }
  ASSERT_EQ(swaps.size(), 3u);
  EXPECT_EQ(swaps[0].second, "age");
  EXPECT_EQ(swaps[1].second, "eevdf");
  EXPECT_EQ(swaps[2].second, "las");
  EXPECT_GE(swaps[0].first, 611 * kMillisecond);
  EXPECT_LT(swaps[0].first, 661 * kMillisecond) << "a tick at most behind its moment";
  EXPECT_EQ(result->final_ops, "pointsman");
}

TEST_F(AgentInGuest, ItCostsLessThanAHundredthOfACpuAndTwelveMegabytes) {
  auto result = episode("web", "round_robin");
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_LT(static_cast<double>(result->agent.cpu_ns) / static_cast<double>(result->agent.elapsed_ns), .01) << "virtual time of the exact lab: no clock of this host";
  EXPECT_LT(result->agent.rss_bytes, 12'000'000);
  EXPECT_EQ(result->agent.late_ticks, 0);
  EXPECT_GT(result->swaps(), 0);
}

TEST_F(AgentInGuest, RandomIsTheSameTwice) {
  auto one = episode("bimodal", "random", 7), two = episode("bimodal", "random", 7);
  ASSERT_TRUE(one) << one.error().message;
  ASSERT_TRUE(two) << two.error().message;
  EXPECT_EQ(one->results_hash, two->results_hash);
  EXPECT_GT(one->swaps(), 0);
}

// What the counterfactual of a decision rests on: up to that decision the replay is the run itself.
TEST_F(AgentInGuest, AReplayWithoutASwapHasTheSamePast) {
  EpisodeRequest request;
  request.scenario = scenario_of_family("shards", 2 * kSecond + 13 * kMillisecond);
  request.controller = "random";
  auto factual = run_episode(*snapshot_, request, {});
  ASSERT_TRUE(factual) << factual.error().message;
  ASSERT_GT(factual->swaps(), 0);
  auto all = counterfactuals_of(*snapshot_, request, *factual, {}, [](size_t, size_t) {});
  ASSERT_TRUE(all) << all.error().message;
  ASSERT_EQ(static_cast<int>(all->size()), factual->swaps());
  for (const Counterfactual& one : *all) {
    EXPECT_GT(one.window, 0u);
    EXPECT_TRUE(one.same_past) << "window " << one.window;
    EXPECT_GT(one.jobs, 0u);
    EXPECT_NE(one.with_swap, one.without);
  }
}

}  // namespace
}  // namespace pointsman

#include <cmath>

#include "guest_under_test.h"
#include "sched/arm.h"

namespace pointsman {
namespace {

class PortfolioTest : public GuestTest {
 protected:
  static nlohmann::json storm(nlohmann::json options, const std::string& object = "") {
    nlohmann::json request = {{"kind", "storm"}, {"storm", std::move(options)}};
    if (!object.empty()) request["object"] = object;
    auto result = job(request, "storm");
    EXPECT_TRUE(result) << result.error().message;
    return result ? *result : nlohmann::json::object();
  }
  static double log_slowdown(const std::string& family, const std::string& arm) {
    auto result = episode(family, arm);
    EXPECT_TRUE(result) << result.error().message;
    if (!result) return NAN;
    EXPECT_EQ(result->distrust, "") << family << " under " << arm;
    return result->costs().log_slowdown;
  }
};

TEST_F(PortfolioTest, EveryArmIsTakenAndReadBack) {
  auto trial = job({{"kind", "trial"}}, "trial");
  ASSERT_TRUE(trial) << trial.error().message;
  ASSERT_EQ(trial->size(), arms().size() + 1);
  for (const auto& row : *trial) EXPECT_EQ(row.at("outcome"), "confirmed") << row.dump();
}

TEST_F(PortfolioTest, FourThousandFlipsLoseNobody) {
  const auto result = storm({{"swap", "flip"}, {"period_us", 1000}, {"most_swaps", 4000}, {"work_ms", 20000}});
  EXPECT_EQ(result.at("done"), result.at("jobs")) << result.dump();
  EXPECT_EQ(result.at("jobs"), 200);
  EXPECT_EQ(result.at("swaps"), 4000);
  EXPECT_EQ(result.at("state"), "enabled");
  EXPECT_FALSE(result.contains("ejection")) << result.dump();
  EXPECT_EQ(result.at("outside_mask"), 0);
  EXPECT_GE(result.at("work_cpu_s").get<double>(), 20.0);
}

TEST_F(PortfolioTest, StoresIntoTheSharedMemoryLoseNobodyEither) {
  const auto result = storm({{"swap", "store"}, {"period_us", 1000}, {"work_ms", 8000}});
  EXPECT_EQ(result.at("done"), result.at("jobs")) << result.dump();
  EXPECT_FALSE(result.contains("ejection")) << result.dump();
}

// The negative control: A -> B -> C by plain stores without the emptying of B's queue. The danger that the tests above guard against is real.
TEST_F(PortfolioTest, WithoutTheDrainTheLostQueueIsCaughtAsAStall) {
  const auto result = storm({{"swap", "store"}, {"period_us", 1000}, {"work_ms", 20000}, {"limit_s", 60}}, "/portfolio_without_drain.bpf.o");
  ASSERT_TRUE(result.contains("ejection")) << result.dump();
  EXPECT_NE(result.at("ejection").dump().find("stall"), std::string::npos) << result.dump();
}

TEST_F(PortfolioTest, UnderEveryPolicyPinnedNicedAndKernelWorkEnds) {
  for (const Arm& arm : arms()) {
    if (arm.kind != ArmKind::kPolicy) continue;
    SCOPED_TRACE(arm.name);
    const auto result = storm({{"swap", "none"}, {"policy", arm.policy}, {"varied", true}, {"kernel_work", true}, {"work_ms", 2000}, {"hogs", 20}, {"nappers", 10}, {"io", 10}, {"limit_s", 60}});
    EXPECT_EQ(result.at("done"), result.at("jobs")) << result.dump();
    EXPECT_EQ(result.at("outside_mask"), 0) << result.dump();
    EXPECT_FALSE(result.contains("ejection")) << result.dump();
  }
}

// The last CPU goes and comes back five times, while grace periods and workers of the kernel are waited for on every CPU and a third of the tasks may run on that CPU
// and one other only. It once hung: a kick sent from a CPU that goes away stays pending there, and our end waits for it for ever.
TEST_F(PortfolioTest, ACpuGoesAndComesBackUnderEveryPolicy) {
  for (const Arm& arm : arms()) {
    if (arm.kind != ArmKind::kPolicy) continue;
    SCOPED_TRACE(arm.name);
    const auto result = storm({{"swap", "none"}, {"policy", arm.policy}, {"varied", true}, {"hotplug", true}, {"kernel_work", true}, {"work_ms", 10000}, {"hogs", 20}, {"nappers", 10}, {"io", 10}, {"limit_s", 60}});
    EXPECT_EQ(result.at("done"), result.at("jobs")) << result.dump();
    EXPECT_EQ(result.at("outside_mask"), 0) << result.dump();
    EXPECT_FALSE(result.contains("ejection")) << result.dump();
    EXPECT_FALSE(result.contains("trouble")) << result.dump();
    EXPECT_EQ(result.at("cpus_cycled"), 5) << "the work must last longer than the cycles: " << result.dump();
    EXPECT_EQ(result.at("state"), "enabled");
  }
}

TEST_F(PortfolioTest, ACpuGoesAndComesBackUnderFlips) {
  const auto result = storm({{"swap", "flip"}, {"period_us", 10000}, {"varied", true}, {"hotplug", true}, {"work_ms", 10000}, {"hogs", 20}, {"nappers", 10}, {"io", 10}, {"limit_s", 60}});
  EXPECT_EQ(result.at("done"), result.at("jobs")) << result.dump();
  EXPECT_EQ(result.at("outside_mask"), 0) << result.dump();
  EXPECT_FALSE(result.contains("ejection")) << result.dump();
  EXPECT_FALSE(result.contains("trouble")) << result.dump();
  EXPECT_EQ(result.at("cpus_cycled"), 5) << result.dump();
  EXPECT_GT(result.at("swaps").get<int>(), 100);
}

TEST_F(PortfolioTest, WarmSwapsUnderLoadEndAndNobodyIsLost) {
  const auto result = storm({{"swap", "cross"}, {"period_us", 200000}, {"work_ms", 8000}});
  EXPECT_EQ(result.at("done"), result.at("jobs")) << result.dump();
  EXPECT_GT(result.at("swaps").get<int>(), 2);
}

// Policies that behave alike are a bug that no storm shows: these differ by factors, so a single seed of the exact lab tells.
TEST_F(PortfolioTest, ThePoliciesDoWhatTheirNamesSay) {
  const double inter_eevdf = log_slowdown("inter", "eevdf");
  EXPECT_LT(log_slowdown("inter", "hyb"), inter_eevdf + std::log(.8)) << "short bursts first: people beside number crunchers";
  EXPECT_LT(log_slowdown("inter", "las"), inter_eevdf + std::log(.8));
  EXPECT_GT(log_slowdown("inter", "rtc"), inter_eevdf + std::log(2)) << "run to completion makes them wait";
  const double batch_eevdf = log_slowdown("batch", "eevdf");
  EXPECT_LT(log_slowdown("batch", "age"), batch_eevdf + std::log(.85)) << "one after another instead of all at once";
  EXPECT_GT(log_slowdown("pareto", "rtc"), log_slowdown("pareto", "las") + std::log(1.3)) << "heavy tails: the small must not wait for the large";
}

}  // namespace
}  // namespace pointsman

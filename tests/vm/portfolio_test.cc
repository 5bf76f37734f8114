#include <cmath>
#include <cstdlib>

#include "base/file.h"
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

// The verifier's work grows without anybody noticing until a kernel refuses a program. After a wanted change: ninja verified_baseline, then read the diff.
TEST_F(PortfolioTest, TheVerifierWalksAboutAsFarAsItDid) {
  auto counts = job({{"kind", "verified"}}, "verified");
  ASSERT_TRUE(counts) << counts.error().message;
  nlohmann::json now = *counts;
  now["kernel"] = options_->kernel.release;
  const std::string path = POINTSMAN_SOURCE_DIR "/tests/data/verified_instructions.json";
  if (std::getenv("POINTSMAN_REGENERATE") != nullptr) {
    auto written = write_file(path, now.dump(1) + "\n");
    ASSERT_TRUE(written) << written.error().message;
    return;
  }
  auto text = read_file(path);
  ASSERT_TRUE(text) << text.error().message;
  const auto before = nlohmann::json::parse(*text);
  // Another kernel's verifier counts otherwise; on the same one only our own code and the compiler change it.
  const double tolerance = before.at("kernel") == now.at("kernel") ? 1.25 : 3;
  for (const char* object : {"portfolio", "probe", "bursts", "groups", "trace"}) {
    for (const auto& [program, count] : now.at(object).items()) {
      ASSERT_TRUE(before.at(object).contains(program)) << object << " has a new program " << program << ": ninja verified_baseline";
      const double ratio = count.get<double>() / before.at(object).at(program).get<double>();
      EXPECT_LT(ratio, tolerance) << object << ": " << program << " took " << before.at(object).at(program) << " instructions, now " << count;
      EXPECT_GT(ratio, 1 / tolerance) << object << ": " << program << " took " << before.at(object).at(program) << " instructions, now " << count << ": ninja verified_baseline keeps the gain";
      EXPECT_LT(count.get<int>(), 250'000) << "a quarter of what a kernel allows";
    }
    EXPECT_EQ(now.at(object).size(), before.at(object).size()) << object << " has lost a program: ninja verified_baseline";
  }
}

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

// The real scx_simple, which scripts/setup --test builds, and scx_bpfland where scripts/setup --schedulers has built it, under the agent's own hands.
#include <cmath>
#include <filesystem>

#include "guest_under_test.h"

namespace pointsman {
namespace {

class RealSchedulers : public GuestTest {
 protected:
  static void SetUpTestSuite() {
    std::vector<ExternalArm> arms;
    for (const ExternalArm& arm : shipped_external_arms()) {
      if (arm.name.starts_with("scx_simple") || (arm.name == "scx_bpfland" && has_bpfland())) arms.push_back(arm);
    }
    // Two that are to fail.
    ExternalArm quits, idles;
    quits.name = "quits";
    quits.command = {"/bin/busybox", "echo", "cannot load"};
    quits.ops = "quits";
    idles.name = "idles";
    idles.command = {"/bin/busybox", "sleep", "1000"};
    idles.ops = "idles";
    idles.start_limit_ns = 500 * kMillisecond;
    arms.insert(arms.end(), {quits, idles});
    if (!find_arm("quits")) {
      auto registered = register_external_arms(arms);
      ASSERT_TRUE(registered) << registered.error().message;
    }
    boot(arms);
  }
  static bool has_bpfland() { return std::filesystem::exists(POINTSMAN_SCHEDULERS "/scx_bpfland"); }
};

// Every swap of a run, as (arm, outcome).
std::vector<std::pair<std::string, std::string>> swaps_of(const EpisodeResult& result) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const WindowRow& w : result.windows) {
    if (!w.swap.empty()) out.emplace_back(arms()[static_cast<size_t>(w.taken)].name, w.swap);
  }
  return out;
}

TEST_F(RealSchedulers, AttachScheduleAndAreTheSameTwice) {
  for (const auto& [arm, ops] : {std::pair{"scx_simple", "simple"}, {"scx_simple_fifo", "simple"}, {"scx_simple_warm", "simple"}, {"scx_bpfland", "bpfland_"}}) {
    if (arm == std::string_view("scx_bpfland") && !has_bpfland()) continue;
    SCOPED_TRACE(arm);
    auto once = episode("inter", arm);
    ASSERT_TRUE(once) << once.error().message;
    EXPECT_EQ(once->distrust, "");
    EXPECT_TRUE(once->final_ops.starts_with(ops)) << once->final_ops;
    EXPECT_GT(once->first_swap.attach_ns, 0);
    auto twice = episode("inter", arm);
    ASSERT_TRUE(twice) << twice.error().message;
    EXPECT_EQ(once->results_hash, twice->results_hash) << "the lab is exact with them too";
  }
}

// Filled with the kernel's constants or not: unfilled, it attaches and is thrown out a tenth of a second later.
TEST_F(RealSchedulers, TheObjectThatWeLoadIsTheSchedulerOfTheProgram) {
  auto program = episode("inter", "scx_simple"), object = episode("inter", "scx_simple_warm"), fifo = episode("inter", "scx_simple_fifo_warm"), eevdf = episode("inter", "eevdf");
  for (const auto* result : {&program, &object, &fifo, &eevdf}) ASSERT_TRUE(*result) << result->error().message;
  const double simple = program->costs().log_slowdown;
  EXPECT_NEAR(object->costs().log_slowdown, simple, .2);
  EXPECT_GT(std::abs(eevdf->costs().log_slowdown - simple), std::abs(object->costs().log_slowdown - simple)) << "it is not eevdf under another name";
  EXPECT_NE(fifo->costs().log_slowdown, object->costs().log_slowdown);
}

TEST_F(RealSchedulers, SwapsUnderLoadAreConfirmedByTheKernel) {
  const std::string cold = has_bpfland() ? "scx_bpfland" : "scx_simple";
  // A program takes a second or two of this guest's time to start.
  auto result = episode("inter", "schedule:0=hyb,300ms=scx_simple_warm,600ms=las,900ms=" + cold + ",3500ms=eevdf", 1, false, 5 * kSecond);
  ASSERT_TRUE(result) << result.error().message;
  const std::vector<std::pair<std::string, std::string>> expected{{"scx_simple_warm", "confirmed"}, {"las", "confirmed"}, {cold, "confirmed"}, {"eevdf", "confirmed"}};
  EXPECT_EQ(swaps_of(*result), expected);
  EXPECT_EQ(result->final_ops, "");
  for (const JobRecord& job : result->jobs) ASSERT_GE(job.completed_ns, 0);
}

TEST_F(RealSchedulers, OnesThatFailLeaveEevdfAndTheReason) {
  auto result = episode("inter", "schedule:0=las,400ms=quits,1000ms=idles");
  ASSERT_TRUE(result) << result.error().message;
  const auto swaps = swaps_of(*result);
  ASSERT_GE(swaps.size(), 2u);
  EXPECT_EQ(swaps[0].first, "quits");
  EXPECT_NE(swaps[0].second.find("exited with 0 before the kernel had it enabled (its last words: cannot load)"), std::string::npos) << swaps[0].second;
  bool idle = false;
  for (const auto& [arm, outcome] : swaps) idle = idle || (arm == "idles" && outcome.find("was not enabled within 0.5 s") != std::string::npos);
  EXPECT_TRUE(idle);
  EXPECT_EQ(result->final_ops, "");
  for (const JobRecord& job : result->jobs) ASSERT_GE(job.completed_ns, 0);
}

TEST_F(RealSchedulers, APersonsSysrqEndsThemAndIsObeyed) {
  for (const char* arm : {"scx_simple", "scx_simple_warm", "scx_bpfland"}) {
    if (arm == std::string_view("scx_bpfland") && !has_bpfland()) continue;
    SCOPED_TRACE(arm);
    EpisodeRequest request;
    request.scenario = scenario_of_family("inter", 2 * kSecond + 13 * kMillisecond);
    request.controller = arm;
    auto sysrq = parse_disturbance("sysrq@700ms");
    ASSERT_TRUE(sysrq);
    request.disturbances.push_back(*sysrq);
    auto result = run_episode(*snapshot_, request, {});
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(result->final_ops, "") << "the machine stays on eevdf";
    EXPECT_EQ(result->swaps(), 0);
    EXPECT_NE(result->windows.back().held_back.find("SysRq-S"), std::string::npos) << result->windows.back().held_back;
  }
}

}  // namespace
}  // namespace pointsman

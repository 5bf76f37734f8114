// The real scx_simple and scx_bpfland, which scripts/setup --test builds, under the agent's own hands. Where no cargo can build the latter, setup has left the reason.
#include <cmath>
#include <filesystem>

#include "base/file.h"
#include "guest_under_test.h"
#include "lab/exec.h"

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
  static std::vector<std::string> programs() {
    std::vector<std::string> all{"scx_simple"};
    if (has_bpfland()) all.emplace_back("scx_bpfland");
    return all;
  }
  static void expect_the_same_twice(const std::string& arm, const std::string& ops) {
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
};

// Why scx_bpfland is not here, as scripts/setup --test says it.
Result<std::string> absence_of_bpfland() { return read_file(POINTSMAN_SCHEDULERS "/scx_bpfland.absent"); }

// Every swap of a run, as (arm, outcome).
std::vector<std::pair<std::string, std::string>> swaps_of(const EpisodeResult& result) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const WindowRow& w : result.windows) {
    if (!w.swap.empty()) out.emplace_back(arm_name(w.taken), w.swap);
  }
  return out;
}

TEST_F(RealSchedulers, BpflandIsHereOrCannotBe) {
  if (has_bpfland()) return;
  const auto why = absence_of_bpfland();
  ASSERT_TRUE(why) << "scripts/setup --test builds scx_bpfland, and it is not there";
  GTEST_SKIP() << "all that follows is about scx_simple only: " << *why;
}

TEST_F(RealSchedulers, AttachScheduleAndAreTheSameTwice) {
  for (const char* arm : {"scx_simple", "scx_simple_fifo", "scx_simple_warm"}) expect_the_same_twice(arm, "simple");
  if (has_bpfland()) expect_the_same_twice("scx_bpfland", "bpfland_");
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

// From a policy of ours to a program and back, by way of objects and of eevdf.
TEST_F(RealSchedulers, SwapsUnderLoadAreConfirmedByTheKernel) {
  for (const std::string& cold : programs()) {
    SCOPED_TRACE(cold);
    // A program takes a second or two of this guest's time to start.
    auto result = episode("inter", "schedule:0=hyb,300ms=scx_simple_warm,600ms=las,900ms=" + cold + ",3500ms=hyb,3900ms=eevdf", 1, false, 5 * kSecond);
    ASSERT_TRUE(result) << result.error().message;
    const std::vector<std::pair<std::string, std::string>> expected{{"scx_simple_warm", "confirmed"}, {"las", "confirmed"}, {cold, "confirmed"}, {"hyb", "confirmed"}, {"eevdf", "confirmed"}};
    EXPECT_EQ(swaps_of(*result), expected);
    for (const WindowRow& w : result->windows) {
      if (w.swap.empty() || w.taken != *find_arm(cold)) continue;
      EXPECT_GT(w.swap_times.attach_ns, 0);
      EXPECT_GE(w.swap_times.detach_ns, 0);
    }
    EXPECT_EQ(result->final_ops, "");
    for (const JobRecord& job : result->jobs) ASSERT_GE(job.completed_ns, 0);
  }
}

// An agent that is told to end, and one that cannot be told anything any more.
TEST_F(RealSchedulers, AnAgentThatEndsLeavesEevdfAndNoProgram) {
  for (const std::string& program : programs()) {
    for (const char* signal : {"INT", "KILL"}) {
      SCOPED_TRACE(program + " " + signal);
      const std::string command = fmt::format(
          "s=/sys/kernel/sched_ext; PATH=/schedulers:$PATH; pointsman run --controller {} >/run/said 2>&1 & agent=$!\n"
          "for i in $(seq 300); do [ $(cat $s/state) = enabled ] && break; sleep .1; done\n"
          "sleep 1; echo attached $(cat $s/root/ops)\n"
          "kill -{} $agent; wait $agent; echo rc $?\n"
          "for i in $(seq 50); do [ $(cat $s/state) = disabled ] && break; sleep .1; done\n"
          // It dies a moment after its scheduler; and this guest's init reaps no orphans.
          "for i in $(seq 50); do alive=; for p in $(pidof {}); do grep -q 'State:.Z' /proc/$p/status || alive=$p; done; [ -z \"$alive\" ] && break; sleep .1; done\n"
          "[ -z \"$alive\" ] || echo $alive lives\n"
          "cat $s/state; tail -n 1 /run/said",
          program, signal, program);
      auto run = snapshot_->run({{"kind", "exec"}, {"command", command}}, {}, {.virtual_ns = 120 * kSecond, .host_seconds = 900});
      ASSERT_TRUE(run) << run.error().message;
      const std::string said = read_exec(std::move(*run)).output;
      EXPECT_NE(said.find(program == "scx_simple" ? "attached simple\n" : "attached bpfland_"), std::string::npos) << said;
      EXPECT_NE(said.find(signal == std::string_view("INT") ? "rc 130\ndisabled\n" : "rc 137\ndisabled\n"), std::string::npos) << said;
      if (signal == std::string_view("INT")) {
        EXPECT_NE(said.find("interrupted; the machine is on eevdf"), std::string::npos) << said;
      }
    }
  }
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
  std::vector<std::string> all = programs();
  all.emplace_back("scx_simple_warm");
  for (const std::string& arm : all) {
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

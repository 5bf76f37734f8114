#include "sched/external_host.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/file.h"
#include "bpf/portfolio/portfolio.intf.h"
#include "sched/kernel_state.h"
#include "sched/swapper.h"

namespace pointsman {
namespace {

using testing::HasSubstr;
using Phase = KernelState::Phase;
using Verdict = Outcome::Verdict;

// The kernel's files in a folder. Fake schedulers are shell scripts that write them, and a thread does what a kernel does when a scheduler's process dies.
class FakeKernel {
 public:
  FakeKernel() {
    static int count = 0;
    folder_ = testing::TempDir() + fmt::format("/external_host_test.{}.{}", ::getpid(), ++count);
    std::filesystem::create_directories(sysfs() + "/kernel/sched_ext/root");
    std::filesystem::create_directories(folder_ + "/bin");
    write("state", "disabled");
    write("enable_seq", "0");
    write("hotplug_seq", "0");
    std::ofstream(log()) << "";
    thread_ = std::thread([this] { watch(); });
  }
  ~FakeKernel() {
    stopping_ = true;
    thread_.join();
    std::filesystem::remove_all(folder_);
  }
  [[nodiscard]] std::string sysfs() const { return folder_ + "/sys"; }
  [[nodiscard]] std::string log() const { return folder_ + "/kmsg"; }
  [[nodiscard]] std::string bin() const { return folder_ + "/bin"; }
  void write(const std::string& file, const std::string& content) {
    ASSERT_TRUE(write_file(sysfs() + "/kernel/sched_ext/" + file, content + "\n"));
  }
  void detach() {
    write("state", "disabled");
    std::filesystem::remove(sysfs() + "/kernel/sched_ext/root/ops");
  }
  void say(const std::string& line) { std::ofstream(log(), std::ios::app) << line << "\n"; }
  // The script may call: attach NAME, detach, say LINE.
  void program(const std::string& name, const std::string& script) {
    const std::string path = bin() + "/" + name;
    std::ofstream(path) << "#!/bin/sh\ncd " << sysfs() << "/kernel/sched_ext\n"
                        << "put() { echo \"$2\" >.$$; mv .$$ $1; }\n"
                        << "attach() { echo $$ >" << folder_ << "/owner; put root/ops $1; put state enabled; put enable_seq $(($(cat enable_seq) + 1)); }\n"
                        << "detach() { rm -f " << folder_ << "/owner; put state disabled; rm -f root/ops; }\n"
                        << "say() { echo \"$1\" >>" << log() << "; }\n"
                        << script << "\n";
    ::chmod(path.c_str(), 0755);
  }

 private:
  void watch() {
    while (!stopping_) {
      auto owner = read_file(folder_ + "/owner");  // empty while the script is writing it
      if (owner && !owner->empty() && ::kill(std::stoi(*owner), 0) != 0) {
        std::filesystem::remove(folder_ + "/owner");
        detach();
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  std::string folder_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

// Reads the files and attaches "pointsman" to them.
class FileHost : public SchedulerHost {
 public:
  explicit FileHost(FakeKernel& kernel) : kernel_(kernel) {}
  Result<KernelState> read_state() override {
    auto state = read_kernel_state(kernel_.sysfs());
    if (state && state->ops == "pointsman") {
      state->ours = true;
      state->policy = policy_;
    }
    return state;
  }
  Result<SwapTimes> attach(int policy) override {
    policy_ = policy;
    kernel_.write("root/ops", "pointsman");
    kernel_.write("state", "enabled");
    return SwapTimes{.call_ns = 1};
  }
  Result<SwapTimes> detach() override {
    kernel_.detach();
    return SwapTimes{.call_ns = 1};
  }
  Result<SwapTimes> flip(int policy) override {
    policy_ = policy;
    return SwapTimes{.call_ns = 1};
  }
  SwapTimes last_times() override { return {}; }
  std::optional<Ejection> ejection() override { return std::nullopt; }

 private:
  FakeKernel& kernel_;
  int policy_ = -1;
};

// A scheduler that attaches itself as NAME and stays until it is asked to go.
std::string stays(const std::string& name) { return "trap 'echo bye; detach; exit 0' INT; attach " + name + "; while :; do sleep 0.01; done"; }

struct ExternalHostTest : testing::Test {
  ExternalHost::Options options() {
    ExternalHost::Options o;
    o.sysfs = kernel.sysfs();
    o.cgroups = "";
    o.kernel_log = kernel.log();
    o.folders = {kernel.bin()};
    return o;
  }
  // An arm of its own for each test: the catalogue is one for the whole program.
  ArmId arm(const std::string& program, const std::string& ops, int64_t start_limit_ns = 60 * kSecond, int64_t stop_limit_ns = 60 * kSecond) {
    static int count = 0;
    ExternalArm made;
    made.name = fmt::format("test_{}", ++count);
    made.command = {program};
    made.ops = ops;
    made.start_limit_ns = start_limit_ns;
    made.stop_limit_ns = stop_limit_ns;
    EXPECT_TRUE(register_external_arms(std::span(&made, 1)));
    return *find_arm(made.name);
  }
  KernelState truth() { return *read_kernel_state(kernel.sysfs()); }

  FakeKernel kernel;
  FileHost inner{kernel};
  SystemClock clock;
  ExternalHost host{inner, clock, options()};
  Swapper swapper{host, clock};
};

TEST_F(ExternalHostTest, StartsConfirmsAndStops) {
  kernel.program("good", "echo hello; " + stays("good_1.2_linux"));
  const ArmId good = arm("good", "good");
  const Outcome up = swapper.swap(good);
  EXPECT_EQ(up.verdict, Verdict::kConfirmed) << up.why;
  EXPECT_EQ(up.after.ops, "good_1.2_linux");
  EXPECT_EQ(up.after.enable_seq, 1u);
  EXPECT_GT(up.times.attach_ns, 0);
  EXPECT_EQ(swapper.current(), good);
  EXPECT_TRUE(swapper.check().empty()) << "it is no foreign scheduler";
  const Outcome down = swapper.swap(kEevdf);
  EXPECT_EQ(down.verdict, Verdict::kConfirmed) << down.why;
  EXPECT_GE(down.times.detach_ns, 0);
  EXPECT_EQ(truth().phase, Phase::kDisabled);
  EXPECT_EQ(host.output(), "hello\nbye\n");
  EXPECT_TRUE(swapper.check().empty());
}

TEST_F(ExternalHostTest, BetweenThePortfolioAndAnotherTheWayLeadsThroughEevdf) {
  kernel.program("good", "[ $(cat state) = disabled ] || exit 9; " + stays("good"));
  kernel.program("other", "[ $(cat state) = disabled ] || exit 9; " + stays("other"));
  const ArmId good = arm("good", "good"), other = arm("other", "other");
  for (const ArmId to : {ArmId{*find_arm("hyb")}, good, other, ArmId{*find_arm("las")}, good, kEevdf}) {
    const Outcome outcome = swapper.swap(to);
    EXPECT_EQ(outcome.verdict, Verdict::kConfirmed) << arm_name(to) << ": " << outcome.why;
    EXPECT_EQ(swapper.current(), to);
  }
  EXPECT_EQ(truth().phase, Phase::kDisabled);
}

TEST_F(ExternalHostTest, AMissingProgramLeavesThePreviousArm) {
  ASSERT_EQ(swapper.swap(*find_arm("hyb")).verdict, Verdict::kConfirmed);
  const Outcome outcome = swapper.swap(arm("scx_not_there", "x"));
  EXPECT_EQ(outcome.verdict, Verdict::kRefused);
  EXPECT_THAT(outcome.why, HasSubstr("no program scx_not_there here"));
  EXPECT_EQ(swapper.current(), *find_arm("hyb"));
  EXPECT_EQ(truth().ops, "pointsman");
}

TEST_F(ExternalHostTest, OneThatExitsAtOnceLeavesEevdfAndItsWords) {
  kernel.program("quits", "echo 'Error: Invalid argument (os error 22)'; exit 0");
  const ArmId quits = arm("quits", "quits");
  const Outcome outcome = swapper.swap(quits);
  EXPECT_THAT(swapper.objection(quits), HasSubstr("is in quarantine")) << "it would only end at once again";
  EXPECT_EQ(outcome.verdict, Verdict::kRefused);
  EXPECT_THAT(outcome.why, HasSubstr("exited with 0 before the kernel had it enabled (its last words: Error: Invalid argument (os error 22))"));
  EXPECT_EQ(swapper.current(), kEevdf);
}

TEST_F(ExternalHostTest, OneThatNeverAttachesIsStopped) {
  kernel.program("idles", "echo waiting; exec sleep 1000");
  const Outcome outcome = swapper.swap(arm("idles", "idles", 200 * kMillisecond));
  EXPECT_EQ(outcome.verdict, Verdict::kRefused);
  EXPECT_THAT(outcome.why, HasSubstr("was not enabled within 0.2 s; the kernel says 'disabled'"));
  EXPECT_EQ(swapper.current(), kEevdf);
  EXPECT_TRUE(swapper.check().empty());
}

TEST_F(ExternalHostTest, AnExitStatusIsNotBelieved) {
  // It says that it failed, and its scheduler stays on a moment: what counts is the kernel.
  kernel.program("liar", "trap 'exit 1' INT; attach liar; while :; do sleep 0.01; done");
  ASSERT_EQ(swapper.swap(arm("liar", "liar")).verdict, Verdict::kConfirmed);
  EXPECT_EQ(swapper.swap(kEevdf).verdict, Verdict::kConfirmed);
  EXPECT_EQ(truth().phase, Phase::kDisabled);
}

TEST_F(ExternalHostTest, AnotherNameThanAnnouncedIsNotOurs) {
  kernel.program("masked", stays("surprise"));
  const Outcome outcome = swapper.swap(arm("masked", "masked"));
  EXPECT_EQ(outcome.verdict, Verdict::kRefused);
  EXPECT_THAT(outcome.why, HasSubstr("surprise is attached, where"));
  for (int i = 0; i < 30000 && truth().phase != Phase::kDisabled; i++) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_EQ(truth().phase, Phase::kDisabled) << "what we started does not stay";
}

TEST_F(ExternalHostTest, WhoIgnoresThePoliteSignalsIsKilled) {
  kernel.program("deaf", "trap '' INT TERM; attach deaf; while :; do sleep 0.01; done");
  ASSERT_EQ(swapper.swap(arm("deaf", "deaf", 60 * kSecond, 100 * kMillisecond)).verdict, Verdict::kConfirmed);
  const Outcome outcome = swapper.swap(kEevdf);
  EXPECT_EQ(outcome.verdict, Verdict::kConfirmed) << outcome.why;
  EXPECT_EQ(truth().phase, Phase::kDisabled);
}

TEST_F(ExternalHostTest, AStallIsAnEjectionWithTheKernelsWordsAndAQuarantineOfThatArmOnly) {
  kernel.program("stalls", "attach stalls; echo on; read line <go; say 'sched_ext: BPF scheduler \"stalls\" disabled (runnable task stall)'; say 'sched_ext: stalls: job[7] failed to run for 30s'; detach; echo 'EXIT: stall'; exit 0");
  ASSERT_EQ(::mkfifo((kernel.sysfs() + "/kernel/sched_ext/go").c_str(), 0600), 0);
  const ArmId stalls = arm("stalls", "stalls");
  ASSERT_EQ(swapper.swap(stalls).verdict, Verdict::kConfirmed);
  std::ofstream(kernel.sysfs() + "/kernel/sched_ext/go") << "now\n";
  Notice notice;
  for (int i = 0; i < 30000 && !notice.ejection; i++) {
    notice = swapper.check();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  ASSERT_TRUE(notice.ejection);
  EXPECT_EQ(notice.ejection->reason, "runnable task stall");
  EXPECT_THAT(notice.ejection->message, HasSubstr("job[7] failed to run for 30s"));
  EXPECT_TRUE(notice.ejection->by_error());
  EXPECT_EQ(swapper.current(), kEevdf);
  EXPECT_THAT(swapper.objection(stalls), HasSubstr("in quarantine"));
  EXPECT_EQ(swapper.objection(*find_arm("hyb")), "");
  EXPECT_EQ(swapper.swap(*find_arm("hyb")).verdict, Verdict::kConfirmed);
  EXPECT_FALSE(swapper.check().ejection) << "told once";
}

TEST_F(ExternalHostTest, APersonsSysrqIsAVeto) {
  kernel.program("good", stays("good"));
  const ArmId good = arm("good", "good");
  ASSERT_EQ(swapper.swap(good).verdict, Verdict::kConfirmed);
  kernel.say("sched_ext: BPF scheduler \"good\" disabled (disabled by sysrq-S)");
  kernel.detach();
  const Notice notice = swapper.check();
  EXPECT_TRUE(notice.vetoed);
  EXPECT_THAT(swapper.objection(good), HasSubstr("a person"));
}

TEST_F(ExternalHostTest, AProgramThatIsKilledLeavesEevdfAndARecord) {
  kernel.program("good", "echo $$; " + stays("good"));
  ASSERT_EQ(swapper.swap(arm("good", "good")).verdict, Verdict::kConfirmed);
  std::string pid;
  for (int i = 0; i < 30000 && pid.find('\n') == std::string::npos; i++) {
    pid = host.output();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  ASSERT_EQ(::kill(std::stoi(pid), SIGKILL), 0);
  Notice notice;
  for (int i = 0; i < 30000 && !notice.ejection; i++) {
    notice = swapper.check();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  ASSERT_TRUE(notice.ejection);
  EXPECT_THAT(notice.ejection->reason, HasSubstr("the kernel's log does not say why"));
  EXPECT_EQ(swapper.current(), kEevdf);
}

TEST_F(ExternalHostTest, OursOnItsWayOutIsNoForeignScheduler) {
  kernel.program("good", stays("good"));
  ASSERT_EQ(swapper.swap(arm("good", "good")).verdict, Verdict::kConfirmed);
  kernel.write("state", "disabling");
  EXPECT_TRUE(swapper.check().empty());
  EXPECT_EQ(swapper.current(), std::nullopt);
  kernel.write("root/ops", "lavd");
  EXPECT_THAT(swapper.check().foreign, HasSubstr("lavd")) << "but another's is";
  kernel.write("root/ops", "good");
  kernel.write("state", "enabled");
}

TEST_F(ExternalHostTest, AProgramThatCrashesIsNoPersonsWord) {
  // The kernel's log has the same words for a crash and for somebody's stop.
  const std::string end = "say 'sched_ext: BPF scheduler \"NAME\" disabled (unregistered from user space)'; ";
  struct Case {
    std::string name, signal;
    bool vetoed;
  };
  for (const Case& c : {Case{"crashes", "SEGV", false}, Case{"ended", "TERM", true}}) {
    std::string script = "attach NAME; read line <go_NAME; " + end + "kill -" + c.signal + " $$";
    for (size_t at = 0; (at = script.find("NAME")) != std::string::npos;) script.replace(at, 4, c.name);
    kernel.program(c.name, script);
    const std::string go = kernel.sysfs() + "/kernel/sched_ext/go_" + c.name;
    ASSERT_EQ(::mkfifo(go.c_str(), 0600), 0);
    const ArmId one = arm(c.name, c.name);
    ASSERT_EQ(swapper.swap(one).verdict, Verdict::kConfirmed);
    std::ofstream(go) << "now\n";
    Notice notice;
    for (int i = 0; i < 30000 && !notice.ejection; i++) {
      notice = swapper.check();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    ASSERT_TRUE(notice.ejection) << c.name;
    EXPECT_THAT(notice.ejection->message, HasSubstr("ended by signal"));
    EXPECT_EQ(notice.vetoed, c.vetoed) << c.name;
    EXPECT_THAT(swapper.objection(one), HasSubstr(c.vetoed ? "a person" : "in quarantine"));
  }
  EXPECT_THAT(swapper.veto(), HasSubstr("unregistered from user space"));
}

TEST_F(ExternalHostTest, ComingAndGoingCpusAreNoEjection) {
  kernel.program("good", stays("good"));
  const ArmId good = arm("good", "good");
  ASSERT_EQ(swapper.swap(good).verdict, Verdict::kConfirmed);
  kernel.say("sched_ext: BPF scheduler \"good\" disabled (unregistered from the main kernel)");
  kernel.detach();
  EXPECT_FALSE(swapper.check().ejection);
  EXPECT_EQ(swapper.current(), kEevdf) << "which is the truth";
  kernel.write("root/ops", "good");
  kernel.write("enable_seq", "2");
  kernel.write("state", "enabled");
  EXPECT_TRUE(swapper.check().foreign.empty());
  EXPECT_EQ(swapper.current(), good);
}

TEST_F(ExternalHostTest, NeverDisplacesAForeignScheduler) {
  kernel.write("root/ops", "lavd");
  kernel.write("state", "enabled");
  swapper.check();
  kernel.program("good", stays("good"));
  const ArmId good = arm("good", "good");
  EXPECT_EQ(swapper.swap(good).verdict, Verdict::kRefused);
  EXPECT_FALSE(host.attach(arms()[static_cast<size_t>(good)].policy));
  EXPECT_EQ(truth().ops, "lavd");
}

TEST_F(ExternalHostTest, NothingOfItOutlivesTheHost) {
  kernel.program("good", stays("good"));
  const ArmId good = arm("good", "good");
  {
    ExternalHost short_lived(inner, clock, options());
    ASSERT_TRUE(short_lived.attach(arms()[static_cast<size_t>(good)].policy));
    EXPECT_EQ(truth().ops, "good");
  }
  EXPECT_EQ(truth().phase, Phase::kDisabled);
}

}  // namespace
}  // namespace pointsman

// Ctrl-C and a full disk while machines run: one line, the exit code that the manual promises, no QEMU left, nothing half-written.
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/mount.h>

#include <thread>

#include "base/clock.h"
#include "base/file.h"
#include "store/ledger.h"
#include "tests/vm/marked.h"

namespace pointsman {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;

class Interrupt : public MarkedTest {
 protected:
  // A cache of its own for all tests of this program: the first one boots, which is what some of them want to see.
  static void SetUpTestSuite() { cache_ = new TempFolder; }
  static void TearDownTestSuite() {
    delete cache_;
    cache_ = nullptr;
  }

  RunOptions options(bool with_cache = true) const {
    RunOptions options = marked();
    options.environment.emplace_back("XDG_CACHE_HOME", with_cache ? cache_->path() : folder_.path());
    return options;
  }
  // Sends SIGINT as soon as `seen`.
  static void interrupt_when(RunOptions& options, std::function<bool()> seen) {
    options.meanwhile = [seen = std::move(seen)](pid_t pid) {
      SystemClock clock;
      while (!seen() && ::kill(pid, 0) == 0) {
        siginfo_t info{};
        if (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid) return;  // it ended by itself: the test will tell
        clock.sleep_until_ns(clock.now_ns() + 2 * kMillisecond);
      }
      ::kill(pid, SIGINT);
    };
  }
  bool a_machine_runs(const char* kind) const {
    for (const std::string& line : machines())
      if ((line.find("-incoming") != std::string::npos) == (std::string(kind) == "fork")) return true;
    return false;
  }
  void expect_interrupted(const Ran& ran, const std::string& line) const {
    EXPECT_EQ(ran.exit_code, 130) << ran.err;
    EXPECT_THAT(ran.err, EndsWith("pointsman: " + line + "\n"));
    EXPECT_THAT(machines(), ElementsAre()) << "no machine outlives the command";
  }

  static inline TempFolder* cache_ = nullptr;
};

TEST_F(Interrupt, WhileItBoots) {
  RunOptions run = options(false);
  interrupt_when(run, [&] { return a_machine_runs("boot"); });
  expect_interrupted(run_binary({"lab", "episode", "--family", "single", "--arm", "hyb"}, run), "interrupted");
  EXPECT_THAT(folder_.names(), ElementsAre()) << "nothing half-saved in the cache";
}

TEST_F(Interrupt, WhileAnEpisodeRuns) {
  RunOptions run = options();
  interrupt_when(run, [&] { return a_machine_runs("fork"); });
  const Ran ran = run_binary({"lab", "episode", "--family", "pareto", "--seconds", "60", "--arm", "hyb", "--json=" + folder_.path() + "/result.json"}, run);
  expect_interrupted(ran, "interrupted");
  EXPECT_EQ(ran.out, "");
  EXPECT_THAT(folder_.names(), ElementsAre());
}

TEST_F(Interrupt, AMatrixGoesOnWhereItStopped) {
  const std::string path = folder_.path() + "/matrix.db";
  const std::vector<std::string> command = {"lab", "matrix", "--families", "single", "--arms", "hyb,las,age,eevdf", "--seeds", "1-3", "--seconds", "1", "--ledger", path};
  RunOptions run = options();
  const auto count = [&] {
    auto ledger = Ledger::open(path, {.access = LedgerOptions::Access::kRead});
    auto runs = ledger ? ledger->count() : Result<int64_t>(0);
    return runs ? *runs : 0;
  };
  interrupt_when(run, [&] { return count() >= 2; });
  const Ran ran = run_binary(command, run);
  const int64_t kept = count();
  EXPECT_GE(kept, 2);
  EXPECT_LT(kept, 12);
  expect_interrupted(ran, fmt::format("interrupted; {} holds {} whole runs, and the same command goes on from there", path, kept));
  EXPECT_THAT(folder_.names(), ElementsAre("matrix.db")) << "no journal is left";

  const Ran again = run_binary(command, options());
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(count(), 12);
}

TEST_F(Interrupt, ADemoWritesNoPage) {
  RunOptions run = options();
  interrupt_when(run, [&] { return a_machine_runs("fork"); });
  const Ran ran = run_binary({"demo", "--seeds", "1", "--held-out-seeds", "0", "--html", folder_.path() + "/report.html"}, run);
  expect_interrupted(ran, "interrupted");
  EXPECT_THAT(folder_.names(), ElementsAre());
}

TEST_F(Interrupt, AShadowSaysWhatItDid) {
  RunOptions run = options();
  bool told = false;
  const std::string out = folder_.path() + "/out";
  ASSERT_TRUE(write_file(out, ""));
  run.standard_output = out;
  interrupt_when(run, [&] {
    auto text = read_file(out);
    return told = text && !text->empty();
  });
  const Ran ran = run_binary({"run", "--shadow", "--windows", "--controller", "round_robin"}, run);
  EXPECT_TRUE(told);
  expect_interrupted(ran, "interrupted; nothing was swapped");
  EXPECT_THAT(ran.err, HasSubstr("0 swaps"));
}

// A host has no end: what it recorded is there in whole pieces, here the one that the end hands over.
TEST_F(Interrupt, AShadowsLedger) {
  const std::string path = folder_.path() + "/live.db";
  const Ran ran = run_binary({"run", "--shadow", "--seconds", "2", "--controller", "round_robin", "--ledger", path}, options());
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  auto ledger = Ledger::open(path, {.access = LedgerOptions::Access::kRead});
  ASSERT_TRUE(ledger) << ledger.error().message;
  auto runs = ledger->read();
  ASSERT_TRUE(runs) << runs.error().message;
  ASSERT_EQ(runs->size(), 1u);
  EXPECT_EQ(runs->front().key.controller, "round_robin");
  EXPECT_GE(runs->front().windows.size(), 4u);
  EXPECT_EQ(runs->front().windows.size(), runs->front().decisions.size());
}

// The ledger's file system is full after some runs: those are whole, the error is one line.
TEST_F(Interrupt, AFullDiskLeavesAWholeLedger) {
  ASSERT_EQ(::mount("none", folder_.path().c_str(), "tmpfs", 0, "size=88k"), 0) << "needs root, as all tests that boot the guest do here";
  const struct Unmount {
    const std::string& path;
    ~Unmount() { ::umount(path.c_str()); }
  } unmount{folder_.path()};
  const std::string path = folder_.path() + "/matrix.db";
  RunOptions run = options();
  run.environment = {{"XDG_CACHE_HOME", cache_->path()}};
  const Ran ran = run_binary({"lab", "matrix", "--families", "single", "--arms", "hyb,las,age,eevdf,sjf,ipre", "--seeds", "1-4", "--seconds", "2", "--ledger", path}, run);
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.err, HasSubstr("pointsman: ledger " + path + ": "));
  EXPECT_THAT(ran.err, HasSubstr("full"));
  {
    auto ledger = Ledger::open(path);
    ASSERT_TRUE(ledger) << ledger.error().message;
    auto runs = ledger->read();
    ASSERT_TRUE(runs) << runs.error().message;
    EXPECT_GT(runs->size(), 0u);
    for (const LedgerRun& whole : *runs) {
      EXPECT_FALSE(whole.costs.empty());
      EXPECT_FALSE(whole.windows.empty());
      EXPECT_EQ(whole.windows.size(), whole.decisions.size());
    }
  }
}

}  // namespace
}  // namespace pointsman

// The trace on the running kernel: needs root and BPF. Each test traces the tree below itself, so nobody else's processes are in it.
#include "metrics/tracer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <functional>
#include <map>
#include <thread>

#include "base/clock.h"
#include "tests/bpf/children.h"

namespace pointsman {
namespace {

int64_t now_ns() { return SystemClock().now_ns(); }

class TracerTest : public testing::Test {
 protected:
  void open(bool events = false) {
    auto tracer = Tracer::open({.scope = TracerOptions::Scope::kTree, .root = ::getpid(), .events = events});
    if (!tracer && tracer.error().code == ErrorCode::kPermissionDenied) GTEST_SKIP() << tracer.error().message;
    ASSERT_TRUE(tracer) << tracer.error().message;
    tracer_.emplace(std::move(*tracer));
  }
  // A parent hears of a child's end a little before its last switch.
  pm_process ended(pid_t pid) {
    for (int i = 0; i < 2000; ++i) {
      EXPECT_TRUE(tracer_->drain(ended_, {.all = true}));
      const auto at = std::find_if(ended_.begin(), ended_.end(), [&](const TracedProcess& p) { return p.pid == pid; });
      if (at != ended_.end()) {
        command_ = at->command;
        return at->sums;
      }
      nap(kMillisecond);
    }
    ADD_FAILURE() << "process " << pid << " is not in the trace";
    return {};
  }
  std::optional<Tracer> tracer_;
  std::vector<TracedProcess> ended_;
  std::string command_;
};

TEST_F(TracerTest, TellsArrivalFirstRunCompletionAndCpuTime) {
  open();
  if (!tracer_) return;
  const int64_t before = now_ns();
  const pid_t child = start([] {
    burn(20 * kMillisecond);
    nap(10 * kMillisecond);
    burn(5 * kMillisecond);
  });
  const int64_t forked = now_ns();
  const rusage usage = finish(child);
  const pm_process p = ended(child);
  EXPECT_GE(static_cast<int64_t>(p.arrival_ns), before);
  EXPECT_LE(static_cast<int64_t>(p.arrival_ns), forked);
  EXPECT_GE(p.first_cpu_ns, p.arrival_ns);
  EXPECT_GE(p.completion_ns - p.arrival_ns, static_cast<uint64_t>(35 * kMillisecond));
  EXPECT_GE(p.cpu_ns, static_cast<uint64_t>(25 * kMillisecond));
  EXPECT_LE(p.cpu_ns, p.completion_ns - p.arrival_ns);
  EXPECT_GE(static_cast<int64_t>(p.cpu_ns), used_ns(usage) - 2 * kMillisecond);
  EXPECT_EQ(p.threads, 1u);
  EXPECT_EQ(p.before, 0u);
  EXPECT_EQ(p.parent, static_cast<pm_u32>(::getpid()));
  // Its parent may have waited for it before its last switch, which is then not in rusage.
  EXPECT_GE(static_cast<long>(p.voluntary), usage.ru_nvcsw);
  EXPECT_LE(static_cast<long>(p.voluntary), usage.ru_nvcsw + 1);
  EXPECT_EQ(static_cast<long>(p.involuntary), usage.ru_nivcsw);
  EXPECT_EQ(tracer_->losses().processes, 0u);
}

TEST_F(TracerTest, AProcessIsAllItsThreads) {
  open();
  if (!tracer_) return;
  const pid_t child = start([] {
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) threads.emplace_back([] { burn(10 * kMillisecond); });
    for (auto& t : threads) t.join();
  });
  const rusage usage = finish(child);
  const pm_process p = ended(child);
  EXPECT_EQ(p.threads, 5u);
  EXPECT_GE(p.cpu_ns, static_cast<uint64_t>(40 * kMillisecond));
  EXPECT_LE(p.cpu_ns, 5 * (p.completion_ns - p.arrival_ns));
  EXPECT_NEAR(static_cast<double>(p.cpu_ns), static_cast<double>(used_ns(usage)), 5e6);
}

TEST_F(TracerTest, ALeaderThatEndsFirstIsNotTheEnd) {
  open();
  if (!tracer_) return;
  const pid_t child = start([] {
    std::thread([] {
      nap(50 * kMillisecond);
      ::_exit(3);
    }).detach();
    ::syscall(SYS_exit, 0);  // this thread alone; pthread_exit would unwind through the test's catch
  });
  finish(child, 3 << 8);
  const pm_process p = ended(child);
  EXPECT_GE(p.completion_ns - p.arrival_ns, static_cast<uint64_t>(50 * kMillisecond));
  EXPECT_EQ(p.exit_code, 3 << 8);
}

TEST_F(TracerTest, ExecGivesANameAndIsNoEnd) {
  open();
  if (!tracer_) return;
  const pid_t child = start([] {
    burn(3 * kMillisecond);
    ::execl("/bin/true", "true", nullptr);
    ::_exit(1);
  });
  finish(child);
  const pm_process p = ended(child);
  EXPECT_EQ(command_, "true");
  EXPECT_GE(p.cpu_ns, static_cast<uint64_t>(3 * kMillisecond)) << "what it did before the exec counts";
}

TEST_F(TracerTest, GrandchildrenAreInAndTheLivingAreTold) {
  open();
  if (!tracer_) return;
  int pipe[2];
  ASSERT_EQ(::pipe2(pipe, O_CLOEXEC), 0);
  const pid_t child = start([&] {
    const pid_t grandchild = start([] { ::pause(); });
    if (::write(pipe[1], &grandchild, sizeof(grandchild)) < 0) ::_exit(1);
    ::_exit(0);
  });
  pid_t grandchild = 0;
  ASSERT_EQ(::read(pipe[0], &grandchild, sizeof(grandchild)), static_cast<ssize_t>(sizeof(grandchild)));
  finish(child);
  const auto alive = tracer_->alive();
  ASSERT_TRUE(alive);
  const auto at = std::find_if(alive->begin(), alive->end(), [&](const TracedProcess& p) { return p.pid == grandchild; });
  ASSERT_NE(at, alive->end());
  EXPECT_EQ(at->sums.completion_ns, 0u);
  ::kill(grandchild, SIGKILL);
  EXPECT_EQ(ended(grandchild).exit_code & 0x7f, SIGKILL);
}

TEST_F(TracerTest, WhoWasThereBeforeHasAnArrivalButNoFirstRun) {
  const int64_t before = now_ns();
  int go[2];  // the child stays until it is told that the trace is on: loading takes as long as it takes
  ASSERT_EQ(::pipe(go), 0);
  const pid_t child = start([&] {
    burn(10 * kMillisecond);
    ::close(go[1]);
    char none;
    static_cast<void>(!::read(go[0], &none, 1));
  });
  ::close(go[0]);
  open();
  ::close(go[1]);
  if (!tracer_) {
    ::waitpid(child, nullptr, 0);
    return;
  }
  const rusage usage = finish(child);
  const pm_process p = ended(child);
  EXPECT_EQ(p.before, 1u);
  EXPECT_EQ(p.first_cpu_ns, 0u);
  EXPECT_GE(static_cast<int64_t>(p.arrival_ns), before);
  EXPECT_NEAR(static_cast<double>(p.cpu_ns), static_cast<double>(used_ns(usage)), 3e6) << "its whole life, not since the trace";
}

TEST_F(TracerTest, EventsOfACpuAreInOrderAndMatchTheSums) {
  open(true);
  if (!tracer_) return;
  const pid_t child = start([] {
    for (int i = 0; i < 50; ++i) nap(100 * kMicrosecond);
  });
  finish(child);
  const pm_process p = ended(child);
  std::map<uint32_t, uint64_t> last;
  uint64_t away = 0, wakes = 0, born = 0;
  ASSERT_TRUE(tracer_->read_events([&](const pm_event& e) {
    EXPECT_GE(e.at_ns, last[e.cpu]);
    last[e.cpu] = e.at_ns;
    away += e.kind == PM_SWITCH && e.prev == child ? 1 : 0;
    wakes += e.kind == PM_WAKE && e.next == child ? 1 : 0;
    born += e.kind == PM_NEW && e.next == child ? 1 : 0;
  }));
  ASSERT_EQ(tracer_->losses().events, 0u);
  EXPECT_EQ(away, p.voluntary + p.involuntary);
  EXPECT_GT(wakes, 0u);
  EXPECT_GE(wakes + 5, p.voluntary) << "whoever went to sleep was woken, but for the last time, and but for what a machine hides (pm_probe.unseen)";
  EXPECT_EQ(born, 1u);
}

TEST_F(TracerTest, ErrorsNameWhatIsMissing) {
  const auto none = Tracer::open({.scope = TracerOptions::Scope::kTree, .root = 0x3fffffff});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::kNotFound);
  const auto folder = Tracer::open({.scope = TracerOptions::Scope::kCgroup, .cgroup = "/tmp"});
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace pointsman

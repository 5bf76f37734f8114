// Groups on the running kernel: processes with known behaviour come out under their own names, with the numbers that they must have.
#include "metrics/groups.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <functional>

#include "base/clock.h"
#include "tests/bpf/children.h"

namespace pointsman {
namespace {

pid_t start_as(const char* name, const std::function<void()>& body) {
  return start([&] {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::prctl(PR_SET_NAME, name);
    body();
  });
}

void burn_cpu(int64_t ns) {
  timespec now{};
  do {
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  } while (now.tv_sec * kSecond + now.tv_nsec < ns);
}

const GroupSpan* find(const std::vector<GroupSpan>& spans, const std::string& name) {
  for (const GroupSpan& span : spans) {
    if (span.name == name) return &span;
  }
  return nullptr;
}

class GroupsTest : public testing::Test {
 protected:
  void open(GroupBy by) {
    auto opened = Groups::open(by);
    if (!opened && opened.error().code == ErrorCode::kPermissionDenied) GTEST_SKIP() << opened.error().message;
    ASSERT_TRUE(opened) << opened.error().message;
    groups_.emplace(std::move(*opened));
  }
  std::vector<GroupSpan> look() {
    auto spans = groups_->look();
    EXPECT_TRUE(spans) << spans.error().message;
    return spans ? std::move(*spans) : std::vector<GroupSpan>();
  }
  std::optional<Groups> groups_;
};

TEST_F(GroupsTest, CommandsAreToldApart) {
  open(GroupBy::kCommand);
  if (!groups_) return;
  std::vector<pid_t> pids;
  for (int i = 0; i < 10; ++i) pids.push_back(start_as("pm_burner", [] { burn_cpu(3 * kMillisecond); }));
  pids.push_back(start_as("pm_sleeper", [] { ::usleep(30'000); }));
  for (const pid_t pid : pids) ::waitpid(pid, nullptr, 0);
  ::usleep(20'000);  // their last switches
  const auto spans = look();
  const GroupSpan *burner = find(spans, "pm_burner"), *sleeper = find(spans, "pm_sleeper");
  ASSERT_TRUE(burner != nullptr && sleeper != nullptr);
  EXPECT_EQ(burner->sums.exits, 10u);
  EXPECT_EQ(burner->sums.ended, 10u);
  // A name counts from when it is taken, so a little of each process's time is under that of this test.
  EXPECT_GE(burner->sums.cpu_ns, 25u * kMillisecond);
  EXPECT_GE(burner->mean_tat_s(), .003);
  EXPECT_GE(burner->mean_slowdown(), .99);
  EXPECT_GT(burner->jain_of_fairness(), .2);
  EXPECT_LE(burner->jain_of_fairness(), 1.0);
  EXPECT_GE(burner->quantile_s(GroupSpan::Hist::kTat, .5), .0025);
  EXPECT_EQ(sleeper->sums.exits, 1u);
  EXPECT_GE(sleeper->mean_tat_s(), .030);
  EXPECT_GE(sleeper->mean_slowdown(), 3) << "it slept nearly all of its life";
  EXPECT_TRUE(std::isnan(sleeper->cv_of_fairness())) << "one has no spread";
  EXPECT_GE(sleeper->sums.wakeups, 1u);
  // Nobody is left of them: gone after a look in which nothing happened.
  look();
  EXPECT_EQ(find(look(), "pm_burner"), nullptr);
  const pm_group_losses losses = groups_->losses();
  EXPECT_LE(losses.groups, 20u) << "a new group's memory may not be there at once: then its first event is lost, and counted";
  EXPECT_EQ(losses.threads, 0u);
}

TEST_F(GroupsTest, SharesAreWeighedByNice) {
  open(GroupBy::kCommand);
  if (!groups_) return;
  // Two that never sleep on one CPU, one of them at nice 5: a third of the other's weight (335 of 1024). By time they are unequal, by weight they are not.
  const pid_t plain = start_as("pm_share", [] { pin_to(0); for (;;) {} });
  const pid_t nice = start_as("pm_share", [] { pin_to(0); if (::setpriority(PRIO_PROCESS, 0, 5) != 0) ::_exit(1); for (;;) {} });
  ::usleep(100'000);
  look();
  ::usleep(600'000);
  const auto spans = look();
  ::kill(plain, SIGKILL);
  ::kill(nice, SIGKILL);
  ::waitpid(plain, nullptr, 0);
  ::waitpid(nice, nullptr, 0);
  const GroupSpan* span = find(spans, "pm_share");
  ASSERT_NE(span, nullptr);
  EXPECT_EQ(span->sums.alive, 2u);
  ASSERT_EQ(span->sums.sharers, 2u) << "both wanted the CPU all the time";
  // Unweighed the shares would be 3 to 1: J = 0.8. Others want this CPU too, so not quite 1.
  EXPECT_GT(span->jain_of_share(), .9);
  EXPECT_LT(span->cv_of_share(), .5);
}

TEST_F(GroupsTest, AJobIsAProcessAndWhatItForks) {
  open(GroupBy::kJob);
  if (!groups_) return;
  int gate[2];
  ASSERT_EQ(::pipe(gate), 0);
  const pid_t root = start_as("pm_root", [&] {
    char byte = 0;
    ::close(gate[1]);
    if (::read(gate[0], &byte, 1) != 0) ::_exit(1);
    for (int i = 0; i < 5; ++i) {
      const pid_t child = ::fork();
      if (child == 0) {
        burn_cpu(kMillisecond);
        ::_exit(0);
      }
      ::waitpid(child, nullptr, 0);
    }
  });
  ::close(gate[0]);
  ASSERT_TRUE(groups_->tag(root, "nightly"));
  EXPECT_EQ(groups_->tag(4194303, "none").error().code, ErrorCode::kNotFound);
  ::close(gate[1]);
  ::waitpid(root, nullptr, 0);
  ::usleep(20'000);
  const auto spans = look();
  const GroupSpan* job = find(spans, "nightly");
  ASSERT_NE(job, nullptr);
  EXPECT_EQ(job->sums.forks, 5u);
  EXPECT_EQ(job->sums.exits, 6u);
  EXPECT_EQ(job->sums.ended, 6u);
  EXPECT_NE(find(spans, "-"), nullptr) << "all the others";
}

TEST_F(GroupsTest, AllIsOneGroupAndCgroupsHavePaths) {
  open(GroupBy::kAll);
  if (!groups_) return;
  ::usleep(20'000);
  const auto all = look();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].name, "all");
  EXPECT_GE(all[0].sums.alive, 1u);
  expect_verified_and_small(groups_->object());
  open(GroupBy::kCgroup);
  ::usleep(20'000);
  const auto cgroups = look();
  ASSERT_FALSE(cgroups.empty());
  for (const GroupSpan& span : cgroups) EXPECT_THAT(span.name, testing::AnyOf(testing::StartsWith("/"), testing::StartsWith("cgroup ")));
}

TEST(GroupByName, Names) {
  EXPECT_EQ(*find_group_by("command"), GroupBy::kCommand);
  EXPECT_THAT(find_group_by("user").error().message, testing::HasSubstr("all, cgroup, command, job"));
}

}  // namespace
}  // namespace pointsman

#include "sched/priority.h"

#include <gmock/gmock.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "base/file.h"

namespace pointsman {
namespace {

using testing::HasSubstr;

// A tree with the one setting, and a process of ours that passes for a thread of RCU's.
class HasteTest : public testing::Test {
 protected:
  void SetUp() override {
    root_ = testing::TempDir() + fmt::format("pointsman-haste-{}", ::getpid());
    std::filesystem::create_directories(root_ + "/sys/kernel");
    ASSERT_TRUE(write_file(setting(), "0\n"));
    thread_ = ::fork();
    if (thread_ == 0) {
      for (;;) ::pause();
    }
    pretend(thread_, "rcu_preempt", 500);
    if (::sched_getscheduler(thread_) != SCHED_OTHER) GTEST_SKIP() << "these tests run at another rank than ordinary";
  }
  void TearDown() override {
    ::kill(thread_, SIGKILL);
    ::waitpid(thread_, nullptr, 0);
    std::filesystem::remove_all(root_);
  }
  void pretend(pid_t pid, const std::string& name, int began) const {
    const std::string folder = fmt::format("{}/proc/{}", root_, pid);
    std::filesystem::create_directories(folder);
    ASSERT_TRUE(write_file(folder + "/comm", name + "\n"));
    std::string stat = fmt::format("{} (a name) with) S", pid);
    for (int field = 4; field < 22; ++field) stat += " 0";
    ASSERT_TRUE(write_file(folder + "/stat", stat + fmt::format(" {} 0 0\n", began)));
  }
  Haste haste() const { return Haste(root_ + "/proc", root_ + "/sys", record()); }
  std::string setting() const { return root_ + "/sys/kernel/rcu_expedited"; }
  std::string record() const { return root_ + "/run/haste"; }
  // A sysfs attribute takes what is written as its whole value; a file keeps what lies behind it.
  char value() const { return read_file(setting())->front(); }
  int policy() const { return ::sched_getscheduler(thread_); }
  static bool may_raise() { return ::geteuid() == 0; }
  // A process that is killed while it is in haste.
  void die_in_haste() const {
    const pid_t pid = ::fork();
    if (pid == 0) {
      const Haste mine = haste();
      const Haste::Hold hold(mine);
      ::raise(SIGKILL);
    }
    int status = 0;
    ::waitpid(pid, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status));
  }

  std::string root_;
  pid_t thread_ = -1;
};

TEST_F(HasteTest, EverythingIsAsItWasAfterwards) {
  const int nice = ::getpriority(PRIO_PROCESS, static_cast<id_t>(thread_));
  const Haste mine = haste();
  EXPECT_THAT(mine.threads(), testing::ElementsAre(thread_));
  {
    const Haste::Hold hold(mine);
    EXPECT_EQ(value(), '1');
    if (may_raise()) { EXPECT_EQ(policy(), SCHED_FIFO); }
    auto text = read_file(record());
    ASSERT_TRUE(text);
    EXPECT_THAT(*text, HasSubstr(fmt::format("process {} ", ::getpid())));
    EXPECT_THAT(*text, HasSubstr(fmt::format("thread {} {}\n", thread_, nice)));
    EXPECT_THAT(*text, HasSubstr("setting " + setting() + " 0\n"));
  }
  EXPECT_EQ(value(), '0');
  EXPECT_EQ(policy(), SCHED_OTHER);
  EXPECT_EQ(::getpriority(PRIO_PROCESS, static_cast<id_t>(thread_)), nice);
  EXPECT_FALSE(std::filesystem::exists(record()));
}

TEST_F(HasteTest, TheNextOnePutsBackWhatAKilledOneLeft) {
  const int nice = ::getpriority(PRIO_PROCESS, static_cast<id_t>(thread_));
  die_in_haste();
  EXPECT_EQ(value(), '1');
  if (may_raise()) { EXPECT_EQ(policy(), SCHED_FIFO); }
  testing::internal::CaptureStderr();
  const Haste next = haste();
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("killed while it swapped"));
  EXPECT_EQ(value(), '0');
  EXPECT_EQ(policy(), SCHED_OTHER);
  EXPECT_EQ(::getpriority(PRIO_PROCESS, static_cast<id_t>(thread_)), nice);
  EXPECT_FALSE(std::filesystem::exists(record()));
}

TEST_F(HasteTest, AThreadThatIsNoLongerTheOneIsLeftAlone) {
  if (!may_raise()) GTEST_SKIP() << "needs the right to make threads real-time";
  die_in_haste();
  ASSERT_EQ(policy(), SCHED_FIFO);
  pretend(thread_, "somebody_else", 900);
  EXPECT_TRUE(*put_back_haste(root_ + "/proc", root_ + "/sys", record()));
  EXPECT_EQ(policy(), SCHED_FIFO);
}

TEST_F(HasteTest, OneThatIsAliveIsNotDisturbed) {
  // The process in the record is there and began when the record says.
  std::filesystem::create_directories(root_ + "/run");
  ASSERT_TRUE(write_file(record(), fmt::format("process {} 500\nsetting {} 0\n", thread_, setting())));
  ASSERT_TRUE(write_file(setting(), "1\n"));
  auto put_back = put_back_haste(root_ + "/proc", root_ + "/sys", record());
  ASSERT_FALSE(put_back);
  EXPECT_EQ(put_back.error().code, ErrorCode::kBusy);
  EXPECT_EQ(value(), '1');
  {
    testing::internal::CaptureStderr();
    const Haste mine = haste();
    EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("swaps schedulers at this moment"));
    const Haste::Hold hold(mine);
    EXPECT_EQ(policy(), SCHED_OTHER) << "it is in haste for both";
  }
  EXPECT_TRUE(std::filesystem::exists(record()));
  // The same number, but a later process: the one that wrote it is gone.
  pretend(thread_, "later", 501);
  EXPECT_TRUE(*put_back_haste(root_ + "/proc", root_ + "/sys", record()));
  EXPECT_EQ(value(), '0');
}

TEST_F(HasteTest, NothingAndDamage) {
  EXPECT_FALSE(*put_back_haste(root_ + "/proc", root_ + "/sys", record()));
  std::filesystem::create_directories(root_ + "/run");
  ASSERT_TRUE(write_file(record(), "what?\n"));
  auto damaged = put_back_haste(root_ + "/proc", root_ + "/sys", record());
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().code, ErrorCode::kCorrupt);
  EXPECT_FALSE(std::filesystem::exists(record()));
  // A path outside of the tree is nobody's to write.
  ASSERT_TRUE(write_file(root_ + "/other", "1"));
  ASSERT_TRUE(write_file(record(), fmt::format("process 1 -\nsetting {}/other 0\n", root_)));
  EXPECT_TRUE(*put_back_haste(root_ + "/proc", root_ + "/sys", record()));
  EXPECT_EQ(*read_file(root_ + "/other"), "1");
}

}  // namespace
}  // namespace pointsman

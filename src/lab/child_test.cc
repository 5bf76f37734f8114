#include "lab/child.h"

#include <gmock/gmock.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "lab/machine.h"

namespace pointsman {
namespace {

using testing::HasSubstr;

int64_t in_seconds(int64_t n) { return SystemClock().now_ns() + n * kSecond; }

TEST(Child, HasExactlyTheFilesItWasGiven) {
  auto out = memory_file("out", {}, 0);
  auto in = memory_file("in", "given", 5);
  ASSERT_TRUE(out && in);
  const UniqueFd stray(::dup(out->get()));  // not marked close-on-exec
  auto child = Child::start({.arguments = {"sh", "-c", "read line <&9; echo $line; exec ls /proc/self/fd"}, .files = {{in->get(), 9}, {out->get(), 1}, {out->get(), 2}}});
  ASSERT_TRUE(child) << child.error().message;
  auto exit = child->wait(in_seconds(30));
  ASSERT_TRUE(exit);
  EXPECT_EQ(WEXITSTATUS(exit->status), 0);
  EXPECT_EQ(content_of(out->get()), "given\n0\n1\n2\n3\n9\n");  // 3 is the folder that ls reads
}

TEST(Child, StaysOnItsCpuInItsClass) {
  auto out = memory_file("out", {}, 0);
  const int cpu = ::sched_getcpu();
  auto child = Child::start({.arguments = {"sh", "-c", "grep Cpus_allowed_list /proc/self/status; cut -d ' ' -f 41 /proc/self/stat"}, .files = {{out->get(), 1}}, .cpu = cpu, .batch = true});
  ASSERT_TRUE(child);
  ASSERT_TRUE(child->wait(in_seconds(30)));
  EXPECT_EQ(content_of(out->get()), fmt::format("Cpus_allowed_list:\t{}\n{}\n", cpu, SCHED_BATCH));
}

TEST(Child, AnUnknownProgramIsNotFound) {
  auto child = Child::start({.arguments = {"no-such-program-anywhere"}, .files = {}});
  ASSERT_FALSE(child);
  EXPECT_EQ(child.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(child.error().message, HasSubstr("no-such-program-anywhere"));
}

// The pipe on which the failure is told has some low number, and the files may want just that one.
TEST(Child, AnUnknownProgramIsNotFoundWhateverFilesItWasToGet) {
  auto file = memory_file("file", {}, 0);
  ASSERT_TRUE(file);
  ChildOptions options{.arguments = {"no-such-program-anywhere"}, .files = {}};
  for (int there = 3; there < 40; ++there) options.files.emplace_back(file->get(), there);
  auto child = Child::start(options);
  ASSERT_FALSE(child);
  EXPECT_EQ(child.error().code, ErrorCode::kNotFound);
}

TEST(Child, WaitsOnlySoLongAndDiesWithItsOwner) {
  pid_t pid = -1;
  {
    auto child = Child::start({.arguments = {"sleep", "1000"}, .files = {}});
    ASSERT_TRUE(child);
    pid = child->pid();
    EXPECT_EQ(child->wait(SystemClock().now_ns() + 20 * kMillisecond).error().code, ErrorCode::kBusy);
    EXPECT_EQ(::kill(pid, 0), 0);
  }
  EXPECT_EQ(::kill(pid, 0), -1);  // reaped, not only killed
}

TEST(Child, KillTakesTheWholeGroup) {
  auto out = memory_file("out", {}, 0);
  auto child = Child::start({.arguments = {"sh", "-c", "sleep 1000 & echo $!; wait"}, .files = {{out->get(), 1}}});
  ASSERT_TRUE(child);
  while (content_of(out->get()).empty()) ::usleep(1000);
  const pid_t grandchild = std::stoi(content_of(out->get()));
  ASSERT_TRUE(child->kill());
  // The grandchild is init's to reap; until then it is a zombie.
  for (int i = 0; i < 2000; ++i) {
    auto status = fmt::format("/proc/{}/stat", grandchild);
    FILE* file = std::fopen(status.c_str(), "r");
    if (file == nullptr) return;
    char state = 0;
    const int read = std::fscanf(file, "%*d %*s %c", &state);
    std::fclose(file);
    if (read == 1 && state == 'Z') return;
    ::usleep(1000);
  }
  FAIL() << "process " << grandchild << " still lives";
}

}  // namespace
}  // namespace pointsman

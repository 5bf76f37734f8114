// A program that a client brought: what it may see, and that nothing of it is left.
#include "http/exec_program.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

namespace pointsman {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class Program : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  }
  // Processes whose command line has this in it.
  static int running(const std::string& mark) {
    int found = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      std::ifstream file(entry.path() / "cmdline");
      const std::string line{std::istreambuf_iterator<char>(file), {}};
      if (line.find(mark) != std::string::npos && entry.path().filename() != std::to_string(::getpid())) ++found;
    }
    return found;
  }
};

TEST_F(Program, TellsWhatItSaidAndHowItEnded) {
  auto end = run_program({.words = {"/bin/sh", "-c", "echo out; echo err >&2; exit 3"}});
  ASSERT_TRUE(end) << end.error().message;
  EXPECT_EQ(end->exit_code, 3);
  EXPECT_EQ(end->out, "out\n");
  EXPECT_EQ(end->err, "err\n");
  end = run_program({.words = {"/bin/sh", "-c", "kill -9 $$"}});
  ASSERT_TRUE(end) << end.error().message;
  EXPECT_EQ(end->exit_code, 128 + 9);
}

TEST_F(Program, ItsWordsAreItsArgumentsAndNothingElse) {
  auto end = run_program({.words = {"/bin/echo", "$HOME; id", "`id`", "a b", "*"}});
  ASSERT_TRUE(end) << end.error().message;
  EXPECT_EQ(end->out, "$HOME; id `id` a b *\n");
  EXPECT_EQ(run_program({.words = {"echo", "x"}}).error().code, ErrorCode::kNotFound) << "no PATH looks for it";
}

TEST_F(Program, HasAFolderOfItsOwnThatIsGoneAfterwards) {
  ::setenv("SUDO_USER", "somebody", 1);
  ::setenv("SSH_CONNECTION", "somewhere", 1);
  auto end = run_program({.words = {"/bin/sh", "-c", "touch x && mkdir -p d/e && touch d/e/f && pwd && ls && env"}});
  ::unsetenv("SUDO_USER");
  ::unsetenv("SSH_CONNECTION");
  ASSERT_TRUE(end) << end.error().message;
  const std::string folder = end->out.substr(0, end->out.find('\n'));
  EXPECT_THAT(folder, HasSubstr("/pointsman-program-"));
  EXPECT_FALSE(std::filesystem::exists(folder));
  EXPECT_THAT(end->out, HasSubstr("\nd\nx\n"));
  EXPECT_THAT(end->out, HasSubstr("HOME=" + folder));
  EXPECT_THAT(end->out, testing::Not(HasSubstr("SUDO_")));
  EXPECT_THAT(end->out, testing::Not(HasSubstr("SSH_")));
}

TEST_F(Program, HoldsNothingOfOurs) {
  const int leak = ::dup(0);  // without close-on-exec
  auto end = run_program({.words = {"/bin/ls", "/proc/self/fd"}});
  ::close(leak);
  ASSERT_TRUE(end) << end.error().message;
  EXPECT_THAT(end->out, StartsWith("0\n1\n2\n3\n")) << "3 is the folder that ls reads";
  EXPECT_EQ(end->out, "0\n1\n2\n3\n");
}

TEST_F(Program, WhatCannotBeRunSaysWhy) {
  auto end = run_program({.words = {"/no/such/program"}});
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(end.error().message, "cannot run /no/such/program: No such file or directory");
  EXPECT_EQ(run_program({.words = {"/etc/passwd"}}).error().code, ErrorCode::kPermissionDenied);
}

TEST_F(Program, TheLimitEndsAllOfIt) {
  const std::string mark = fmt::format("86400.{}1", ::getpid());
  // Children that left the process group and the session, and ignore signals.
  auto end = run_program({.words = {"/bin/sh", "-c", fmt::format("trap '' TERM HUP INT; setsid sleep {} & setsid sh -c 'trap \"\" TERM; sleep {}' & sleep {}", mark, mark, mark)}, .limit_ns = 300 * kMillisecond});
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().code, ErrorCode::kBusy);
  EXPECT_THAT(end.error().message, HasSubstr("did not end within 0.3 s"));
  EXPECT_EQ(running(mark), 0);
}

TEST_F(Program, ItsEndIsTheEndOfWhatItLeftBehind) {
  const std::string mark = fmt::format("86400.{}2", ::getpid());
  auto end = run_program({.words = {"/bin/sh", "-c", fmt::format("setsid sleep {} >/dev/null 2>&1 & echo left", mark)}});
  ASSERT_TRUE(end) << end.error().message;
  EXPECT_EQ(end->out, "left\n");
  EXPECT_EQ(running(mark), 0);
}

TEST_F(Program, CanBeCancelled) {
  std::atomic<bool> cancel{false};
  const std::string mark = fmt::format("86400.{}3", ::getpid());
  std::thread later([&] {
    while (running(mark) == 0) std::this_thread::yield();
    cancel = true;
  });
  auto end = run_program({.words = {"/bin/sleep", mark}, .cancel = &cancel});
  later.join();
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().code, ErrorCode::kInterrupted);
  EXPECT_EQ(running(mark), 0);
}

TEST_F(Program, KeepsTheBeginningOfALargeOutput) {
  auto end = run_program({.words = {"/usr/bin/head", "-c", "5000000", "/dev/zero"}, .output_bytes = 1000});
  ASSERT_TRUE(end) << end.error().message;
  EXPECT_EQ(end->exit_code, 0);
  EXPECT_EQ(end->out.size(), 1000u);
  EXPECT_EQ(end->out_bytes, 5'000'000u);
}

}  // namespace
}  // namespace pointsman

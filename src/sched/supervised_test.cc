#include "sched/supervised.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>

#include "base/clock.h"
#include "base/file.h"

namespace pointsman {
namespace {

using testing::HasSubstr;

std::unique_ptr<Supervised> shell(const std::string& script, size_t output_bytes = 16384) {
  Supervised::Options options;
  options.command = {"/bin/sh", "-c", script};
  options.output_bytes = output_bytes;
  auto started = Supervised::start(std::move(options));
  EXPECT_TRUE(started) << started.error().message;
  return started ? std::move(*started) : nullptr;
}

// Bounded: a test that waits for ever tells nothing.
template <typename Condition>
bool soon(Condition condition) {
  SystemClock clock;
  const int64_t deadline = clock.now_ns() + 30 * kSecond;
  while (!condition()) {
    if (clock.now_ns() > deadline) return false;
    clock.sleep_until_ns(clock.now_ns() + kMillisecond);
  }
  return true;
}

TEST(Supervised, KeepsWhatItSaidAndHowItEnded) {
  auto program = shell("echo one; echo two >&2; exit 3");
  ASSERT_TRUE(soon([&] { return !program->running(); }));
  EXPECT_EQ(program->output(), "one\ntwo\n");
  EXPECT_EQ(program->last_words(), "two");
  EXPECT_EQ(program->fate(), "exited with 3");
}

TEST(Supervised, OutputIsBoundedAndNeverWaitedFor) {
  auto program = shell("i=0; while [ $i -lt 20000 ]; do echo 0123456789; i=$((i+1)); done; echo end", 100);
  ASSERT_TRUE(soon([&] { return !program->running(); })) << "a full pipe must not hold it up";
  EXPECT_EQ(program->output().size(), 100u);
  EXPECT_EQ(program->last_words(), "end");
}

TEST(Supervised, NoSuchProgram) {
  Supervised::Options options;
  options.command = {"/nowhere/scx_none"};
  auto started = Supervised::start(std::move(options));
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(started.error().message, HasSubstr("/nowhere/scx_none"));
}

TEST(Supervised, WhatItStartedGoesWithIt) {
  const std::string path = testing::TempDir() + "/supervised_test_pid";
  ::unlink(path.c_str());
  auto program = shell("sleep 1000 & echo $! >" + path + ".new; mv " + path + ".new " + path + "; wait");
  ASSERT_TRUE(soon([&] { return static_cast<bool>(read_file(path)); }));
  const pid_t child = std::stoi(*read_file(path));
  EXPECT_EQ(::kill(child, 0), 0);
  program->kill();
  EXPECT_FALSE(program->running());
  EXPECT_EQ(program->fate(), "ended by signal 9");
  // A zombie that its new parent has not reaped yet still answers; it is dead all the same.
  EXPECT_TRUE(soon([&] {
    auto status = read_file("/proc/" + std::to_string(child) + "/stat");
    return !status || status->find(") Z ") != std::string::npos;
  }));
}

TEST(Supervised, SignalsReachItAlsoWhenOursAreIgnored) {
  const auto before = ::signal(SIGINT, SIG_IGN);  // as a shell's "&" leaves it
  Supervised::Options options;
  options.command = {"/bin/sleep", "1000"};
  auto started = Supervised::start(std::move(options));
  ::signal(SIGINT, before);
  ASSERT_TRUE(started);
  auto& program = *started;
  program->signal(SIGINT);
  ASSERT_TRUE(soon([&] { return !program->running(); }));
  EXPECT_EQ(program->fate(), "ended by signal 2");
}

TEST(Supervised, AControlGroupThatCannotBeMadeIsDoneWithout) {
  Supervised::Options options;
  options.command = {"/bin/sh", "-c", "exit 0"};
  options.cgroup = "/nowhere/group";
  auto started = Supervised::start(std::move(options));
  ASSERT_TRUE(started);
  EXPECT_FALSE((*started)->has_cgroup());
  EXPECT_TRUE(soon([&] { return !(*started)->running(); }));
}

}  // namespace
}  // namespace pointsman

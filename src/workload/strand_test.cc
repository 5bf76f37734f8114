#include "workload/strand.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <vector>

#include "workload/stage.h"

namespace pointsman {
namespace {

struct Told {
  std::atomic<uint32_t> pid{0}, done{0};
};
struct Start {
  Told* told;
  std::atomic<uint32_t>* leave;
};

void tell_and_wait(const Start& start) {
  start.told->pid.store(static_cast<uint32_t>(raw_syscall(SYS_getpid)));
  start.told->done.store(1);
  futex_wake(start.told->done, 1);
  while (start.leave->load() == 0) futex_wait(*start.leave, 0);
}
void process_body(const Start& start, std::byte*) {
  tell_and_wait(start);
  end_process(7);
}
void thread_body(const Start& start, std::byte*) {
  tell_and_wait(start);
  end_thread();
}

void await_done(Told& told) {
  while (told.done.load() == 0) futex_wait(told.done, 0);
}

TEST(raw_syscall, returns_the_error_as_a_negative_number) {
  EXPECT_EQ(raw_syscall(SYS_close, -1), -EBADF);
  EXPECT_EQ(raw_syscall(SYS_getpid), getpid());
}

TEST(raw_syscall, passes_all_six_arguments) {
  alignas(4096) static char page[4096];
  const long at = raw_syscall(SYS_mmap, nullptr, 4096, 3, 0x22, -1, 0);
  ASSERT_GT(at, 0);
  EXPECT_EQ(raw_syscall(SYS_munmap, at, 4096), 0);
  EXPECT_EQ(raw_syscall(SYS_munmap, static_cast<const void*>(page + 1), 4096), -EINVAL);
}

TEST(Strands, a_process_has_its_own_pid_and_the_same_memory) {
  auto strands = Strands::open(2);
  ASSERT_TRUE(strands);
  Told told;
  std::atomic<uint32_t> leave{0};
  const long pid = strands->start(Strands::Kind::kProcess, process_body, Start{&told, &leave});
  ASSERT_GT(pid, 0);
  await_done(told);
  EXPECT_EQ(told.pid.load(), pid);
  EXPECT_NE(pid, getpid());
  leave.store(1);
  futex_wake(leave, 1);
  int status = 0;
  ASSERT_EQ(waitpid(static_cast<pid_t>(pid), &status, 0), pid);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 7);
}

TEST(Strands, a_thread_belongs_to_the_process_that_starts_it) {
  auto strands = Strands::open(1);
  ASSERT_TRUE(strands);
  Told told;
  std::atomic<uint32_t> leave{0};
  const long tid = strands->start(Strands::Kind::kThread, thread_body, Start{&told, &leave});
  ASSERT_GT(tid, 0);
  await_done(told);
  EXPECT_EQ(told.pid.load(), static_cast<uint32_t>(getpid()));
  EXPECT_NE(tid, getpid());
  EXPECT_EQ(strands->start(Strands::Kind::kThread, thread_body, Start{&told, &leave}), -EAGAIN);
  leave.store(1);
  futex_wake(leave, 1);
  while (raw_syscall(SYS_tgkill, getpid(), tid, 0) == 0) raw_syscall(SYS_sched_yield);
}

void room_body(const Start& start, std::byte* room) {
  // All of it, up to the last byte before the stack.
  for (size_t i = 0; i < 3 * 4096; ++i) room[i] = std::byte{0x5a};
  tell_and_wait(start);
  for (size_t i = 0; i < 3 * 4096; ++i)
    if (room[i] != std::byte{0x5a}) end_process(1);
  end_process(0);
}

TEST(Strands, rooms_do_not_overlap) {
  constexpr uint32_t kMost = 20;
  auto strands = Strands::open(kMost, 2 * 4096 + 1);
  ASSERT_TRUE(strands);
  std::vector<Told> told(kMost);
  std::atomic<uint32_t> leave{0};
  for (Told& one : told) ASSERT_GT(strands->start(Strands::Kind::kProcess, room_body, Start{&one, &leave}), 0);
  for (Told& one : told) await_done(one);
  leave.store(1);
  futex_wake(leave, static_cast<int>(kMost));
  for (uint32_t i = 0; i < kMost; ++i) {
    int status = 0;
    ASSERT_GT(waitpid(-1, &status, 0), 0);
    EXPECT_EQ(status, 0);
  }
}

TEST(Strands, places_are_used_again_when_a_strand_has_gone) {
  auto strands = Strands::open(1);
  ASSERT_TRUE(strands);
  std::atomic<uint32_t> leave{1};
  for (int round = 0; round < 200; ++round) {
    Told told;
    const long pid = strands->start(Strands::Kind::kProcess, process_body, Start{&told, &leave});
    ASSERT_GT(pid, 0) << "round " << round;
    ASSERT_EQ(waitpid(static_cast<pid_t>(pid), nullptr, 0), pid);
  }
}

TEST(Strands, all_that_fit_run_at_once_on_stacks_of_their_own) {
  constexpr uint32_t kMost = 300;
  auto strands = Strands::open(kMost);
  ASSERT_TRUE(strands);
  std::vector<Told> told(kMost);
  std::atomic<uint32_t> leave{0};
  std::vector<long> pids;
  for (Told& one : told) pids.push_back(strands->start(Strands::Kind::kProcess, process_body, Start{&one, &leave}));
  for (uint32_t i = 0; i < kMost; ++i) {
    ASSERT_GT(pids[i], 0);
    await_done(told[i]);
    EXPECT_EQ(told[i].pid.load(), pids[i]);
  }
  Told late;
  EXPECT_EQ(strands->start(Strands::Kind::kProcess, process_body, Start{&late, &leave}), -EAGAIN);
  leave.store(1);
  futex_wake(leave, static_cast<int>(kMost));
  for (const long pid : pids) EXPECT_EQ(waitpid(static_cast<pid_t>(pid), nullptr, 0), pid);
}

}  // namespace
}  // namespace pointsman

// Stage: the memory that all processes of a running plan share, and what a task does there. Private to this module.
// Threads: every process of the plan uses it at once; all that changes while it runs is atomic.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstddef>

#include "base/result.h"
#include "workload/plan.h"
#include "workload/runner.h"
#include "workload/strand.h"

namespace pointsman {

// Process-shared semaphore or barrier on a futex.
struct Gate {
  std::atomic<uint32_t> value{0};
  std::atomic<uint32_t> waiting{0};
  std::atomic<uint32_t> generation{0};  // of the barrier
};

struct JobCell {
  std::atomic<int64_t> arrived{-1}, started{-1}, first_run{-1}, completed{-1}, cpu{0};
};

enum class Ending : int32_t { kRunning, kDone, kLimit, kCancelled, kTaskFailed, kNoFifo, kNoScratch, kNoFork };

struct StageHeader {
  std::atomic<uint32_t> live{0};     // tasks that have not ended; a futex on which the dispatcher waits
  std::atomic<int32_t> ending{0};    // Ending, first one wins
  std::atomic<int32_t> error{0};     // errno of it
  std::atomic<uint32_t> failed_task{0}, failed_op{0};
  std::atomic<int32_t> dispatcher{0};
  int64_t start_ns = 0;
  int64_t give_up_ns = 0;  // CLOCK_MONOTONIC
  // Settings for the tasks.
  bool burn_by_cpu_clock = true;
  double blocks_per_ns = 0;
  int scratch_fd = -1;
  int64_t scratch_bytes = 0;
  int64_t room_bytes = 0;  // memory that a task may need
};

class Stage {
 public:
  // Errors: kIo (no memory).
  static Result<Stage> open(const Plan& plan, const RunOptions& options);
  Stage(Stage&& other) noexcept;
  Stage& operator=(Stage&&) = delete;
  ~Stage();

  [[nodiscard]] StageHeader& header() const { return *header_; }
  [[nodiscard]] const Task& task(uint32_t t) const { return tasks_[t]; }
  [[nodiscard]] uint32_t tasks() const { return task_count_; }
  [[nodiscard]] const Op& op(uint32_t i) const { return ops_[i]; }
  [[nodiscard]] JobCell& job(uint32_t j) const { return jobs_[j]; }
  [[nodiscard]] uint32_t jobs() const { return job_count_; }
  [[nodiscard]] Gate& gate(uint32_t s) const { return gates_[s]; }
  [[nodiscard]] std::atomic<int64_t>& forked(uint32_t t) const { return forked_[t]; }

  // Notes how the run ends, unless that is known already.
  void end(Ending ending, int error = 0, uint32_t task = 0, uint32_t op = 0) const;

 private:
  Stage() = default;
  StageHeader* header_ = nullptr;
  Task* tasks_ = nullptr;
  Op* ops_ = nullptr;
  JobCell* jobs_ = nullptr;
  Gate* gates_ = nullptr;
  std::atomic<int64_t>* forked_ = nullptr;
  uint32_t task_count_ = 0, job_count_ = 0;
  std::byte* memory_ = nullptr;
  size_t bytes_ = 0;
};

// Waits on a word shared between processes until it is no longer `seen`, it is woken, or (deadline_ns >= 0) CLOCK_MONOTONIC passes the deadline.
void futex_wait(std::atomic<uint32_t>& word, uint32_t seen, int64_t deadline_ns = -1);
void futex_wake(std::atomic<uint32_t>& word, int most);

// 1000 iterations, then PAUSE: where the exact lab's CPUs take turns.
void burn_block();

// What a process has from the one that forked it.
struct Inherited {
  int parent = 0;  // when it dies, this one does
  int nice = 0;
  uint64_t cpu_mask = 0;
};

// The most memory that a task of the plan needs at a time: what it touches, and a buffer.
int64_t room_for(const Plan& plan);

// Starts a process that runs task `t` and all threads and children that it starts. Its pid, or -errno.
long start_task_process(const Stage& stage, const Strands& strands, uint32_t t, const Inherited& inherited);

// Has the kernel kill this process when its parent dies, or ends it now if that has happened.
void die_with(int parent);

}  // namespace pointsman

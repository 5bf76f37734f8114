// Plan: a workload as pure data. Drawn once from (scenario, seed), identical for every arm, executed by the runner (runner.h).
// A plan is a list of tasks; each runs a straight list of operations; jobs are marked in them by begin and end. Work is fixed: nothing ends by time-out.
// Times are ns from the plan's start, except naps and burns, which are durations.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace pointsman {

enum class OpCode : uint8_t {
  kBurn,     // value: ns of CPU time to use, with PAUSE in the loop
  kNap,      // value: ns to sleep (stands for I/O)
  kUntil,    // value: sleep until this moment of the plan (a timer's expiry)
  kBegin,    // arg: job. Its first run is the moment that this is executed
  kEnd,      // arg: job. Completed
  kPost,     // arg: semaphore, value: how much to add
  kWait,     // arg: semaphore, value: how much to take, one by one
  kSpawn,    // arg: task to start now as a child process (make, shells)
  kThread,   // arg: task to start now as a thread of this process
  kTouch,    // value: bytes of fresh memory to write to, kept until the task ends (memory pressure)
  kRewrite,  // value: bytes of that memory to write to again
  kRead,     // value: bytes from the scratch block device, past the page cache
  kWrite,    // value: bytes to it
};

struct Op {
  OpCode code{};
  uint32_t arg = 0;
  int64_t value = 0;
};

struct Task {
  int64_t start_ns = -1;      // the dispatcher forks it then; -1: some other task spawns it
  int32_t nice = 0;
  uint32_t first_op = 0, ops = 0;
  int64_t refill_ns = 0;      // extra CPU time burnt after each change of CPU: a model of a cold cache
  uint64_t cpu_mask = 0;      // 0: any CPU
};

struct Job {
  int64_t planned_ns = 0;  // arrival; for chains and whole applications that of the first part
  int64_t service_ns = 0;  // CPU time it needs on its critical path: TAT on an idle machine is about this
  uint16_t kind = 0;       // index into Plan::kinds
  uint16_t phase = 0;      // index into the scenario's phases
};

struct Plan {
  std::vector<std::string> kinds;
  std::vector<Job> jobs;
  std::vector<Task> tasks;  // tasks with start_ns >= 0 in order of start_ns
  std::vector<Op> ops;
  uint32_t semaphores = 0;

  [[nodiscard]] uint64_t hash() const;
};

// What became of one job; ns from the plan's start, -1: never.
struct JobRecord {
  int64_t planned_ns = -1;
  int64_t started_ns = -1;    // forked, or the server woke for it
  int64_t first_run_ns = -1;
  int64_t completed_ns = -1;
  int64_t cpu_ns = 0;         // CPU time used between begin and end by the task that ends it
};

}  // namespace pointsman

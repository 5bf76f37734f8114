// Plan: a workload as pure data. Drawn once from (scenario, seed), identical for every arm, executed by the runner (runner.h).
// A plan is a list of tasks; each runs a straight list of operations; jobs are marked in them by begin and end. Work is fixed: nothing ends by time-out.
// Times are ns from the plan's start, except naps and burns, which are durations.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

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
  kTouch,    // value: bytes of fresh memory to write to, kept until the task ends (memory pressure); arg 1: then have it paged out
  kRewrite,  // value: bytes of that memory to write to again, going round; arg 1: then have all of it paged out
  kRead,     // value: bytes from the scratch block device, past the page cache; arg: number drawn, which block
  kWrite,    // value: bytes to it; arg as kRead
  kBarrier,  // arg: semaphore that serves as a barrier and for nothing else, value: how many tasks meet there
};
inline constexpr int kOpCodes = 14;
const char* name_of(OpCode code);

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
  int64_t planned_ns = 0;  // arrival; for chains and whole applications that of the first part; -1: when the task that begins it is spawned
  int64_t service_ns = 0;  // CPU time it needs on its critical path: TAT on an idle machine is about this
  uint16_t kind = 0;       // index into Plan::kinds
  uint16_t phase = 0;      // index into the scenario's phases
};

struct Plan {
  std::vector<std::string> kinds;  // FAMILY.KIND
  std::vector<Job> jobs;
  std::vector<Task> tasks;  // tasks with start_ns >= 0 first, in order of start_ns
  std::vector<Op> ops;
  uint32_t semaphores = 0;  // all zero at the start

  [[nodiscard]] uint64_t hash() const;
};

// What became of one job; ns from the plan's start, -1: never.
struct JobRecord {
  int64_t planned_ns = -1;    // arrival: as planned, or the fork of its task where the plan says -1. TAT and RT count from here
  int64_t started_ns = -1;    // forked, or the server woke for it
  int64_t first_run_ns = -1;
  int64_t completed_ns = -1;
  int64_t cpu_ns = 0;         // CPU time used between begin and end by the task that ends it
};

// A plan can be run when all its references exist, every job begins and ends once, every spawned task is spawned once, and a rehearsal without time ends:
// no task waits for ever, no semaphore is left over.
// Errors: kInvalidArgument, naming the task and the operation.
Result<Unit> check_plan(const Plan& plan);

struct PlanTotals {
  int64_t work_ns = 0;      // CPU time of all burns, and of memory at kPageCostNs a page
  int64_t last_arrival_ns = 0;  // latest planned arrival, start or timer
  int64_t bytes_moved = 0;  // block I/O
  bool needs_scratch_device = false;
};
PlanTotals totals_of(const Plan& plan);

// What touching or rewriting one page costs, and having it paged out and back in, for the sake of a job's service time: estimates from the exact lab (swap is
// compressed memory there), the same under every arm.
inline constexpr int64_t kPageCostNs = 5'000, kSwapCostNs = 100'000;
inline constexpr int64_t kPageBytes = 4096;

}  // namespace pointsman

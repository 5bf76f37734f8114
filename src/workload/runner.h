// Executes a Plan on this machine: a SCHED_FIFO | RESET_ON_FORK dispatcher starts each task as a process at its moment; one shared-memory record a job.
// A task's process shares the dispatcher's memory (workload/strand.h), so that forks cost little and a switch between tasks changes no address space.
// Threads: run_plan blocks its caller; other threads may go on.
// Owns: all processes of the plan. None is left when run_plan returns, nor when the calling process dies, however it dies.
// Errors: kPermissionDenied (no right to SCHED_FIFO), kIo (a task's operation failed or a task died; the limit struck); kInvalidArgument (a plan that refers to
// what it does not have, or that needs a scratch device when there is none); kBusy (cancelled).
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "base/result.h"
#include "workload/plan.h"

namespace pointsman {

// How fast this machine burns: measured once, before any fork and before a snapshot.
struct BurnRate {
  double blocks_per_ns = 0;  // a block is 1000 iterations and a PAUSE
};
BurnRate calibrate_burn();

struct RunOptions {
  // true: a burn ends when the thread's CPU clock has advanced enough (the exact lab, whose CPUs share one instruction budget);
  // false: it is a calibrated number of iterations (a host).
  bool burn_by_cpu_clock = true;
  BurnRate burn_rate{};                   // of a host; 0: calibrated anew in each run
  int64_t limit_ns = 60'000'000'000;      // give up after this much time past the last arrival: an error, never a result
  std::string scratch_device{};           // for kRead, kWrite: a block device or a file; its content is lost
  const std::atomic<bool>* cancel = nullptr;  // looked at ten times a second: ends the run with kBusy
};

struct RunRecord {
  std::vector<JobRecord> jobs;     // in the plan's order
  int64_t start_ns = 0;            // CLOCK_MONOTONIC of the plan's start
  int64_t makespan_ns = 0;         // from the plan's start to the last completion
  int64_t dispatch_lag_p99_ns = 0; // dispatcher's own lateness
  int64_t dispatch_lag_max_ns = 0;
  int dispatched = 0;              // tasks that it forked; the others were spawned by tasks
  int unfinished = 0;              // jobs without completion: none, as long as the limit is an error
};

// Blocks until all tasks have ended. `start_ns` (CLOCK_MONOTONIC) in the future lets a caller align other things to it; 0: as soon as possible.
Result<RunRecord> run_plan(const Plan& plan, int64_t start_ns, const RunOptions& options);

}  // namespace pointsman

// Executes a Plan on this machine: a SCHED_FIFO | RESET_ON_FORK dispatcher forks each task at its moment; one shared-memory record a job.
// Errors: kPermissionDenied (no right to SCHED_FIFO), kIo; kInvalidArgument (a plan that refers to what it does not have).
#pragma once

#include <functional>
#include <vector>

#include "base/result.h"
#include "workload/plan.h"

namespace pointsman {

struct RunOptions {
  // true: a burn ends when the thread's CPU clock has advanced enough (the exact lab, whose CPUs share one instruction budget);
  // false: it is a calibrated number of iterations (a host).
  bool burn_by_cpu_clock = true;
  int64_t limit_ns = 60'000'000'000;      // give up after this much time past the last arrival: an error, never a result
  std::string scratch_device;             // for kRead, kWrite; empty: such a plan is refused
};

struct RunRecord {
  std::vector<JobRecord> jobs;     // in the plan's order
  int64_t start_ns = 0;            // CLOCK_MONOTONIC of the plan's start
  int64_t makespan_ns = 0;
  int64_t dispatch_lag_p99_ns = 0; // dispatcher's own lateness
  int64_t dispatch_lag_max_ns = 0;
  int unfinished = 0;              // jobs without completion when the limit struck
};

// Blocks until all tasks have ended. `start_ns` in the future lets a caller align other things to it.
Result<RunRecord> run_plan(const Plan& plan, int64_t start_ns, const RunOptions& options);

}  // namespace pointsman

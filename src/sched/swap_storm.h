// The storm: a crowd of real processes with a fixed amount of work, and swaps falling on it. Runs in the lab's guest: it measures swaps and
// proves them safe. Work is CPU time; all compute loops PAUSE (an emulated CPU in a busy loop holds its turn otherwise). Errors:
// kPermissionDenied (needs root), kIo (fork, shared memory). What goes wrong with the scheduler is not an error but a result: see
// "ejection", "done".
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/result.h"
#include "sched/kernel_host.h"

namespace pointsman {

struct CrowdOptions {
  int hogs = 100;                  // run without a pause
  int nappers = 60;                // 2 ms of work, 10 ms of sleep
  int io = 40;                     // 6 ms of work, 1 ms of sleep, nice 0, 5, 10
  int64_t work_ns = 20 * kSecond;  // CPU time of all together
  bool varied = false;             // every nice from -20 to 19; a third pinned to one CPU, a third kept to two
  uint64_t seed = 1;               // of the arms that are flipped to
};

struct StormOptions {
  CrowdOptions crowd;
  enum class Swap {
    kNone,   // the first arm all the time
    kFlip,   // hot swaps among all policies
    kStore,  // plain stores into the shared memory, three policies at once, as no user should do it, for one second: what lies in a
             // forgotten queue then stays there
    kCross,  // warm swaps: to eevdf and back
  } swap = Swap::kFlip;
  int first_policy = PM_RR;
  int64_t period_ns = kMillisecond;
  int most_swaps = 1 << 30;
  bool hotplug = false;              // the last CPU goes and comes back, five times
  bool kernel_work = false;          // grace periods and bound workers are waited for all along, and timed
  int64_t limit_ns = 120 * kSecond;  // then what is not done stays undone, and is killed
};

// From {"swap": "none|flip|store|cross", "policy", "period_us", "most_swaps", "hotplug", "kernel_work", "limit_s", "hogs", "nappers", "io",
// "work_ms", "varied", "seed"}, all optional. Errors: kInvalidArgument, with the key and what is allowed.
Result<StormOptions> storm_options_from(const nlohmann::json& request);

// One storm. The portfolio is attached at the beginning and detached at the end.
// {swap, period_us, swaps, jobs, done, outside_mask, work_cpu_s, makespan_s, state, ops, ejection?, call_us, first_dispatch_us,
// all_cpus_us, detach_ms, attach_ms,
//  longest_wait_ms: {n, p50, p99, max, mean}, moved, rescues, aged, kernel_work_ms, cpus_cycled, bypass_ms,
//  verified_instructions: {program: count}}
Result<nlohmann::json> swap_storm(KernelHost& host, Clock& clock, const StormOptions& options);

}  // namespace pointsman

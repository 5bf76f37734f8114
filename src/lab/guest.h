// The guest's side of the lab: process 1. Prepares the machine, settles, stops at the gate to be saved, then runs the one job it is asked for and powers off.
#pragma once

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "base/result.h"
#include "lab/frame.h"

namespace pointsman {

// One kind of job. What it sends is the run's result; an Error it returns leaves as an "error" frame.
// In the exact lab every busy loop must PAUSE about every 1000 iterations.
using GuestJob = std::function<Result<Unit>(const nlohmann::json& request, FrameWriter& out)>;
using GuestJobs = std::map<std::string, GuestJob>;  // by the request's "kind"

struct GuestHooks {
  // Before the guest settles and is saved: whatever all runs share, such as loading BPF programs. Gets what the host gave as BootOptions::boot.
  std::function<Result<Unit>(const nlohmann::json& boot)> before_settle;
};

// True in process 1 that was started as .../init.
bool is_guest(int argc, char** argv);

// Never returns: powers the machine off.
[[noreturn]] void guest_main(GuestJobs jobs, const GuestHooks& hooks);

// The request's blob, for jobs that take one. Only in the guest.
Result<std::string> read_blob(size_t size);

// "nothing": ends at once.
GuestJob nothing_job();
// "burn": busy processes and sleepers on all CPUs, swap and block I/O; sends the moment of every step. What `lab verify` runs.
GuestJob burn_job();

struct ExecHooks {
  // Just before the program starts, and just after it has ended: choose an arm, start a probe; read them out, send frames.
  std::function<Result<Unit>(const nlohmann::json& request, FrameWriter& out)> before, after;
};
// "exec": {"command": shell command, "directory": where, "output_bytes": how much of its output to keep, "beside": run the ping-pong beside it}.
// Sends "exec" {exit_code, signal, wall_ns, rusage}, "stdout", "stderr" and "beside".
GuestJob exec_job(ExecHooks hooks);

}  // namespace pointsman

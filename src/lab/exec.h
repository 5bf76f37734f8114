// Exec: any program of the user's as the workload, in forks of one snapshot: `lab run --exec`.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/result.h"
#include "lab/image.h"
#include "lab/snapshot.h"

namespace pointsman {

struct ExecOptions {
  MachineOptions machine;  // such programs do not PAUSE, so one CPU is the size at which the lab is right by construction
  BootOptions boot;
  std::string command;              // for /bin/sh -c
  std::vector<BroughtFile> files;
  std::string directory;            // where the guest runs it, made if need be; empty: as here when the command names its program relative to here, else /
  size_t output_bytes = 65536;      // kept of each of its outputs
  RunLimits limits;
};

struct ExecResult {
  int exit_code = 0, signal = 0;
  double wall_seconds = 0, user_seconds = 0, system_seconds = 0;  // of virtual time
  nlohmann::json summary;                                          // all that the guest measured of it
  std::string output, error_output;
  bool output_cut = false;  // it wrote more than output_bytes
  // Why the figures must not be compared: empty when they may. From the self-tests and the kernel's own complaints.
  std::string distrust;
  RunResult run;
};

// An image that has the command's program and the files. Errors: those of files_of_command and Image::build.
Result<Image> image_for(const ExecOptions& options);
// EXTRA goes into the request, for the hooks and the guest: {"arm": ..., "idle_draw": N}: another N, another moment of the idle machine at which it starts.
Result<ExecResult> run_exec(const GuestSnapshot& snapshot, const ExecOptions& options, const nlohmann::json& extra);
ExecResult read_exec(RunResult run);

}  // namespace pointsman

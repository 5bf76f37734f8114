// Runs one program with everything that descends from it, and leaves nothing of it: they live in a PID namespace of their own, and the kernel ends all of it with
// the first of them, which dies with us. No shell, no PATH, a small environment, an empty folder of its own.
// Threads: any that may fork. Errors: kNotFound, kPermissionDenied (the program, or no right to make namespaces), kInterrupted (cancelled), kBusy (the limit struck), kIo.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace pointsman {

struct ProgramOptions {
  std::vector<std::string> words{};  // its path and its arguments
  int64_t limit_ns = 60 * kSecond;
  size_t output_bytes = 64u << 10;  // of each of its two outputs that are kept; the rest is counted
  const std::atomic<bool>* cancel = nullptr;
};

struct ProgramEnd {
  int exit_code = -1;  // as a shell tells it: 128 + signal
  int64_t wall_ns = 0;
  std::string out{}, err{};
  uint64_t out_bytes = 0, err_bytes = 0;
};

Result<ProgramEnd> run_program(const ProgramOptions& options);

}  // namespace pointsman

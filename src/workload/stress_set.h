// StressSet: a random set of stress-ng's stressors, drawn by seed, as a command line. Each has a fixed amount of work (--NAME-ops) and stress-ng's own random numbers
// are fixed (--no-rand-seed), so that every arm gets the same work and finishes it when it can. With a timeout instead, as the seed's experiments had it, turnaround is
// the timeout whatever the scheduler does: such a command is censored, and says so.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pointsman {

struct Stressor {
  std::string name;   // as stress-ng --stressors lists it
  int instances = 1;
  int64_t ops = 0;    // of all instances together; 0: until the timeout
};

struct StressSetOptions {
  uint64_t seed = 1;
  int kinds = 4;               // how many different stressors are drawn
  int most_instances = 4;      // of each; 1 to so many are drawn
  double cpu_seconds = 1;      // what one instance needs, to the order of magnitude
  int timeout_s = 0;           // > 0: no fixed work, the seed's form
  std::vector<std::string> named{};  // NAME, NAME:INSTANCES or NAME:INSTANCES:OPS, instead of drawn ones; any stressor that stress-ng has
};

// Errors: kInvalidArgument (an unknown stressor without OPS: how much work an operation is nobody knows; a number out of range).
Result<std::vector<Stressor>> draw_stress_set(const StressSetOptions& options);

std::vector<std::string> command_of(const std::vector<Stressor>& set, const StressSetOptions& options);

// Why COMMAND's turnaround says nothing of a scheduler: a stress-ng that ends by its timeout. Empty: it does not, or is no stress-ng.
std::string censored(std::string_view command);

}  // namespace pointsman

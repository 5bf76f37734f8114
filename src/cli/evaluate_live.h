// The live part of pointsman evaluate: named controllers on the real kernel in the lab, on scenarios of known families and of families never seen, each episode beside
// its twins (the same fork and seed under eevdf, the default arm and the best static arm of train).
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "cli/lab_options.h"
#include "report/table.h"

namespace pointsman {

inline constexpr size_t kMostLive = 12;

struct LiveEvaluation {
  LabOptions lab{};
  std::vector<std::string> controllers{};
  std::string model{};
  std::vector<std::string> data{};  // matrix files; none: that of the named families
  int seeds = 2;
  double phase_seconds = 5;
  int workers = 0;
  report::EmitOptions emit{};
};
// Errors: kInvalidArgument (more than kMostLive, a controller that does not exist), those of the model, the matrix and the lab.
Result<Unit> evaluate_live(const LiveEvaluation& options);

}  // namespace pointsman

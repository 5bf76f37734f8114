// Repeat: the same work again and again, interleaved over arms in randomised blocks: a command or a family of workloads on this host, or a family or scenario in the
// exact lab. What each run gave goes into a table that `pointsman variability` reads.
// Errors: kInvalidArgument, kUnsupported (an arm that this kernel cannot do), kIo (a run failed: its command's exit code), kPermissionDenied (probe and trace need root),
// those of the lab. A Ctrl-C ends it in order: what was done is returned.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/lab_options.h"
#include "report/repetition.h"

namespace pointsman {

struct RepeatOptions {
  std::vector<std::string> command;  // or:
  std::string family, scenario;
  std::vector<std::string> arms = {"eevdf"};  // "NAME/A" is the arm NAME once more: what differs between the two is noise
  int blocks = 20, warm_ups = 1;
  uint64_t seed = 1;
  bool vary_seed = false;   // of a family's plan: seed + block
  double seconds = 3;       // length of a family's one phase
  double settle_s = 1;      // idle before each run, on a host
  double skip_s = 0;        // at a run's start, left out of the metrics' averages, on a host
  double step_s = .1;       // between two samples
  std::optional<LabOptions> lab;  // none: this host
};

struct Repeated {
  std::vector<report::RunFigures> runs;
  std::vector<report::SettleCurve> settling;
  std::vector<std::string> notes;  // what must be said of it
  bool interrupted = false;
};
// `on_run` is called after each run with all there are so far.
Result<Repeated> repeat(const RepeatOptions& options, const std::function<Result<Unit>(const std::vector<report::RunFigures>&)>& on_run);

}  // namespace pointsman

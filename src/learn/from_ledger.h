// From the ledger's runs to what is learned from and judged: data sets of blocks, runs for the evaluation table. Pure.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "learn/controller.h"
#include "learn/dataset.h"
#include "learn/evaluation.h"
#include "learn/off_policy.h"
#include "store/run.h"

namespace pointsman {

struct DatasetOptions {
  Objective objective{};
  // Windows that end outside of these are left out; 0: no end. After the last arrival a run only drains, which in a phased life never
  // lasts.
  int64_t from_ns = 0, until_ns = 0;
};
struct LedgerDataset {
  Dataset dataset{};
  int windows = 0;
  int incomplete = 0;  // blocks left out because an arm is missing or was not run soundly
};
// Runs of one phase under each choosable arm become blocks; other controllers and scenarios of several phases are passed over. Runs are
// compared only with runs of the same kernel, binary, plan, emulator and snapshot. Errors: kUnsupported (other features than this build
// computes), kInvalidArgument (no complete block; what check() says).
Result<LedgerDataset> dataset_of(std::span<const LedgerRun> runs, const DatasetOptions& options);

// Errors: kInvalidArgument (an episode whose runs come from different kernels, binaries, plans, emulators or snapshots; a run without
// costs).
Result<std::vector<EvaluatedRun>> evaluated_runs_of(std::span<const LedgerRun> runs);

// Decisions that were drawn (propensity below 1) and carried out, with what followed until the next draw: as cost the mean of the run-queue
// feature over those windows, the one signal of cost that every ledger has. The target is asked in each logged situation, in order, anew
// for each run. Predictions for the doubly robust estimate are the arms' means in the other blocks.
struct LedgerLog {
  std::vector<LoggedDecision> decisions{};
  std::vector<std::string> blocks{};  // by LoggedDecision::block: scenario and seed
  int certain = 0, held_back = 0;     // decisions left out
};
// Errors: kUnsupported (other features), kInvalidArgument (no decision was drawn), those of making the target.
Result<LedgerLog> logged_decisions_of(std::span<const LedgerRun> runs,
                                      const std::function<Result<std::unique_ptr<Controller>>(uint64_t seed)>& target);

Costs costs_of(const LedgerCosts& costs);

}  // namespace pointsman

// Matrix: every family x seed x arm, each a fork of one snapshot: full information for training and for the oracle; where asked for, every change of arm too.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "lab/campaign.h"
#include "lab/ledger_run.h"
#include "store/ledger.h"

namespace pointsman {

struct MatrixCell {
  std::string family;
  uint64_t seed = 1;
  int draw = 0;
  std::string controller{};  // an arm, or one that changes arms: schedule:0=las,1113000000ns=hyb
};

struct MatrixOptions {
  std::vector<MatrixCell> cells;
  int64_t length_ns = 3 * kSecond + 13 * kMillisecond;  // off the grid of windows, like phases of scenarios
  int cpus = 4;
  int workers = 0;
};

// A family alone as a scenario of one phase, named after it.
Scenario scenario_of_family(const std::string& family, int64_t length_ns);

// Appends to the ledger what it does not have yet (same key, identities included): so an interrupted matrix goes on where it stopped.
// on_progress: (done, total); those found in the ledger count as done from the start.
Result<Unit> run_matrix(const GuestSnapshot& snapshot, const Identities& identities, const MatrixOptions& options, Ledger& ledger,
                        const std::function<void(size_t done, size_t total)>& on_progress);

}  // namespace pointsman

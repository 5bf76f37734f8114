// The ledger's static runs as the table of families and arms, and what each change of arm costs where it has runs that change.
#pragma once

#include <span>
#include <string>

#include "report/table.h"
#include "store/ledger.h"

namespace pointsman {

// Makes the folder of PATH too.
Result<Ledger> open_ledger(const std::string& path);

struct MatrixViewOptions {
  std::string html;  // empty: no page
  report::EmitOptions emit;
};
// Errors: kInvalidArgument (no sound run of the baseline).
Result<Unit> show_matrix(std::span<const LedgerRun> runs, const MatrixViewOptions& options);

}  // namespace pointsman

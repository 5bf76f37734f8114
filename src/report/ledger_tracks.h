// LedgerTracks: one run of a ledger as tracks of a Perfetto file: the arm that was active, what was decided and why, swaps and what became of them, every feature.
// Times are those of the run: 0 is its start.
#pragma once

#include <span>
#include <string_view>

#include "report/perfetto.h"
#include "store/run.h"

namespace pointsman::report {

// `features`: their names, in the order of LedgerWindow::features; those beyond are left out.
void add_run(PerfettoFile& file, const LedgerRun& run, std::span<const std::string_view> features);

}  // namespace pointsman::report

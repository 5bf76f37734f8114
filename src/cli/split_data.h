// The splits of a matrix file as data sets.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "learn/from_ledger.h"

namespace pointsman {

struct MatrixData {
  std::string path{}, name{};  // name: file name and hash
  std::vector<LedgerRun> runs{};
};
// PATH, or data/matrix.pmm of the project. Errors: kNotFound, those of the file.
Result<MatrixData> read_matrix_data(const std::string& path);

// Runs of one split; windows from half a second after the start, when the arm's beginning is over, to the last arrival, after which a run only
// drains. Errors: kInvalidArgument (no runs of that split), those of dataset_of.
Result<LedgerDataset> dataset_of_split(std::span<const LedgerRun> runs, std::string_view split, double seconds, const Objective& objective = {});

}  // namespace pointsman

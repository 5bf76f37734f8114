// The splits of a matrix file as data sets.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "learn/cost.h"
#include "learn/from_ledger.h"

namespace pointsman {

struct MatrixData {
  std::string name{};  // names and hashes of the files
  std::vector<LedgerRun> runs{};
};
// What ships: the named families, and the generator's.
std::span<const std::string_view> shipped_matrices();
// These matrix files as one; none: the project's files `otherwise`. Errors: kNotFound, those of the files.
Result<MatrixData> read_matrix_data(std::span<const std::string> paths, std::span<const std::string_view> otherwise = shipped_matrices());

inline constexpr double kShippedSeconds = 2.213;  // the length of the arrivals in the files that ship
struct SplitOptions {
  Objective objective{};
  double random_weight = 1;
};
// Runs of one split; windows from half a second after the start, when the arm's beginning is over, to the last arrival, after which a run only
// drains. The generator's structures become one family, `random`, whose seeds they are; it weighs as much as `random_weight` of all the named ones
// together: they are a sample of what we thought of, it is one of what a grammar can say. Errors: kInvalidArgument (no runs of that split), those of dataset_of.
Result<LedgerDataset> dataset_of_split(std::span<const LedgerRun> runs, std::string_view split, double seconds, const SplitOptions& options = {});

}  // namespace pointsman

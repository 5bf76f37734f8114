#include "cli/split_data.h"

#include <array>
#include <filesystem>
#include <iterator>
#include <set>

#include "base/file.h"
#include "base/hash.h"
#include "cli/project.h"
#include "lab/splits.h"
#include "store/matrix_file.h"

namespace pointsman {

namespace {
constexpr int64_t kFirstWindowNs = 500'000'000;
constexpr std::string_view kRandomFamily = "random";
}

std::span<const std::string_view> shipped_matrices() {
  static constexpr std::array<std::string_view, 2> kShipped = {"data/matrix.pmm", "data/random.pmm"};
  return kShipped;
}

Result<MatrixData> read_matrix_data(std::span<const std::string> given, std::span<const std::string_view> otherwise) {
  std::vector<std::string> paths(given.begin(), given.end());
  if (paths.empty()) {
    for (const std::string_view shipped : otherwise) {
      paths.push_back(find_in_project(std::string(shipped)));
      if (paths.back().empty()) return fail(ErrorCode::kNotFound, "no {}: name matrix files with --data, or make them with pointsman lab matrix --write", shipped);
    }
  }
  MatrixData out;
  for (const std::string& path : paths) {
    auto bytes = read_file(path);
    if (!bytes) return fail(bytes.error());
    auto runs = decode_matrix(*bytes);
    if (!runs) return fail(runs.error().at(path));
    std::move(runs->begin(), runs->end(), std::back_inserter(out.runs));
    out.name += fmt::format("{}{} ({})", out.name.empty() ? "" : ", ", std::filesystem::path(path).filename().string(), Hash64{}.add(*bytes).hex());
  }
  return out;
}

Result<LedgerDataset> dataset_of_split(std::span<const LedgerRun> runs, std::string_view split, double seconds, const SplitOptions& options) {
  std::vector<LedgerRun> chosen;
  for (const LedgerRun& run : runs)
    if (split_of(run.key.scenario, run.key.seed) == split) chosen.push_back(run);
  if (chosen.empty()) return fail(ErrorCode::kInvalidArgument, "the data have no runs of the split {}", split);
  auto out = dataset_of(chosen, {.objective = options.objective, .from_ns = kFirstWindowNs, .until_ns = static_cast<int64_t>(seconds * 1e9)});
  if (!out) return fail(out.error().at(std::string(split)));
  std::set<std::string> named;
  for (Block& block : out->dataset.blocks) {
    const auto structure = random_structure_of(block.family);
    if (!structure) {
      named.insert(block.family);
      continue;
    }
    block.family = kRandomFamily;
    block.seed = *structure;
  }
  for (Block& block : out->dataset.blocks)
    if (block.family == kRandomFamily && !named.empty()) block.weight = options.random_weight * static_cast<double>(named.size());
  return out;
}

}  // namespace pointsman

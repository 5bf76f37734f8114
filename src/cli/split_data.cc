#include "cli/split_data.h"

#include <filesystem>

#include "base/file.h"
#include "base/hash.h"
#include "cli/project.h"
#include "lab/splits.h"
#include "store/matrix_file.h"

namespace pointsman {

namespace {
constexpr int64_t kFirstWindowNs = 500'000'000;
}

Result<MatrixData> read_matrix_data(const std::string& given) {
  MatrixData out;
  out.path = given.empty() ? find_in_project("data/matrix.pmm") : given;
  if (out.path.empty()) return fail(ErrorCode::kNotFound, "no data/matrix.pmm: name a matrix file with --data, or make one with pointsman lab matrix --write");
  auto bytes = read_file(out.path);
  if (!bytes) return fail(bytes.error());
  auto runs = decode_matrix(*bytes);
  if (!runs) return fail(runs.error().at(out.path));
  out.runs = std::move(*runs);
  out.name = fmt::format("{} ({})", std::filesystem::path(out.path).filename().string(), Hash64{}.add(*bytes).hex());
  return out;
}

Result<LedgerDataset> dataset_of_split(std::span<const LedgerRun> runs, std::string_view split, double seconds, const Objective& objective) {
  std::vector<LedgerRun> chosen;
  for (const LedgerRun& run : runs)
    if (split_of(run.key.scenario, run.key.seed) == split) chosen.push_back(run);
  if (chosen.empty()) return fail(ErrorCode::kInvalidArgument, "the data have no runs of the split {}", split);
  auto dataset = dataset_of(chosen, {.objective = objective, .from_ns = kFirstWindowNs, .until_ns = static_cast<int64_t>(seconds * 1e9)});
  if (!dataset) return fail(dataset.error().at(std::string(split)));
  return dataset;
}

}  // namespace pointsman

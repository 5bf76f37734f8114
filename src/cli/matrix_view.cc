#include "cli/matrix_view.h"

#include <cmath>
#include <filesystem>
#include <map>
#include <set>

#include "base/file.h"
#include "cli/statistics.h"
#include "learn/from_ledger.h"
#include "report/matrix_report.h"
#include "sched/arm.h"
#include "workload/scenario.h"

namespace pointsman {

Result<Ledger> open_ledger(const std::string& path) {
  std::error_code ignored;  // opening says what matters
  if (const auto folder = std::filesystem::path(path).parent_path(); !folder.empty()) std::filesystem::create_directories(folder, ignored);
  return Ledger::open(path);
}

Result<Unit> show_matrix(std::span<const LedgerRun> runs, const MatrixViewOptions& options) {
  using SeedAndDraw = std::pair<uint64_t, uint64_t>;  // seed, draw
  std::map<std::string, std::map<SeedAndDraw, std::map<std::string, double>>> cost;
  std::set<std::string> present;
  int rejected = 0;
  for (const LedgerRun& run : runs) {
    const auto arm = find_arm(run.key.controller);
    const auto family = find_family(run.key.scenario);
    if (!arm || !family || run.costs.empty()) continue;
    if (!run.selftest_ok || !run.rejected.empty()) {
      ++rejected;
      continue;
    }
    cost[run.key.scenario][{run.key.seed, run.key.draw}][run.key.controller] = run.costs.front().log_slowdown;
    present.insert(run.key.controller);
  }
  report::MatrixReport matrix;
  for (const Arm& arm : arms())
    if (present.contains(std::string(arm.name))) matrix.arms.emplace_back(arm.name);
  for (const Family& family : families()) {
    const auto found = cost.find(std::string(family.name));
    if (found == cost.end()) continue;
    report::MatrixFamily row;
    row.name = family.name;
    row.regime = family.regime;
    row.imitates = family.imitates;
    row.ln_ratio.resize(matrix.arms.size());
    double baseline = 0;
    int blocks = 0;
    for (const auto& [block, by_arm] : found->second) {
      const auto eevdf = by_arm.find(matrix.baseline);
      if (eevdf == by_arm.end()) continue;
      baseline += eevdf->second;
      ++blocks;
      for (size_t a = 0; a < matrix.arms.size(); ++a) {
        const auto own = by_arm.find(matrix.arms[a]);
        row.ln_ratio[a].push_back(own == by_arm.end() ? report::kMissing : own->second - eevdf->second);
      }
    }
    if (blocks == 0) continue;
    row.baseline_slowdown = std::exp(baseline / blocks);
    matrix.families.push_back(std::move(row));
  }
  if (matrix.families.empty()) return fail(ErrorCode::kInvalidArgument, "no sound run under {} to compare with", matrix.baseline);
  matrix.command = "pointsman lab matrix";
  report::judge(matrix, interval_of_mean);
  report::Table table = report::matrix_table(matrix);
  if (rejected > 0) table.notes.push_back(fmt::format("{} runs are marked and in no mean", rejected));
  if (!options.html.empty())
    if (auto written = write_file(options.html, report::to_html(matrix)); !written) return written;
  if (options.emit.json) {
    if (auto shown = report::emit(table.text(), report::to_json(matrix), options.emit); !shown) return shown;
    return Unit{};
  }
  return report::emit(table, options.emit);
}

}  // namespace pointsman

#include "cli/matrix_view.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>

#include "base/file.h"
#include "cli/statistics.h"
#include "learn/controllers.h"
#include "learn/from_ledger.h"
#include "report/changes.h"
#include "report/likeness.h"
#include "report/matrix_report.h"
#include "sched/arm.h"
#include "sched/external_arm.h"
#include "workload/scenario.h"

namespace pointsman {

Result<Ledger> open_ledger(const std::string& path) {
  std::error_code ignored;  // opening says what matters
  if (const auto folder = std::filesystem::path(path).parent_path(); !folder.empty()) std::filesystem::create_directories(folder, ignored);
  return Ledger::open(path);
}

namespace {

using CostsByArm = std::map<std::string, double>;  // ln slowdown

// How many workloads there are on which it matters which arm one has.
struct Separation {
  static constexpr double kMatters = 0.05;
  int workloads = 0, separated = 0;
  std::map<std::string, int> best{};  // by arm; of the separated ones
  double oracle = 0;                  // sum of the best arm's ln slowdown
  CostsByArm each{};                  // sum of every arm's

  void add(const CostsByArm& by_arm, size_t arms) {
    if (by_arm.size() < arms) return;
    const auto cheaper = [](const auto& a, const auto& b) { return a.second < b.second; };
    const auto [low, high] = std::minmax_element(by_arm.begin(), by_arm.end(), cheaper);
    ++workloads;
    oracle += low->second;
    for (const auto& [arm, cost] : by_arm) each[arm] += cost;
    if (high->second - low->second <= std::log1p(kMatters)) return;
    ++separated;
    ++best[low->first];
  }
  [[nodiscard]] std::string describe() const {
    const auto cheaper = [](const auto& a, const auto& b) { return a.second < b.second; };
    const auto still = std::min_element(each.begin(), each.end(), cheaper);
    std::string out = fmt::format("random: on {} of {} workloads the worst arm costs more than {:.0f} % more than the best; an oracle has {:.1f} % less than {}, the best static arm. Best where it matters:",
                                  separated, workloads, 100 * kMatters, 100 * (1 - std::exp((oracle - still->second) / workloads)), still->first);
    for (const auto& [arm, times] : best) out += fmt::format(" {} {}", arm, times);
    return out;
  }
};

// From an arm to another, in the middle; nullopt: the controller is something else.
std::optional<std::pair<std::string, std::string>> change_of(const std::string& controller) {
  const auto spec = ControllerSpec::parse(controller, 1);
  if (!spec || spec->name() != "schedule" || spec->options().size() != 2) return std::nullopt;
  return std::pair(spec->options()[0].second, spec->options()[1].second);
}

}  // namespace

Result<Unit> show_matrix(std::span<const LedgerRun> runs, const MatrixViewOptions& options) {
  using SeedAndDraw = std::pair<uint64_t, uint64_t>;  // seed, draw
  std::map<std::string, std::map<SeedAndDraw, CostsByArm>> cost;
  std::map<std::string, std::map<SeedAndDraw, std::map<std::pair<std::string, std::string>, double>>> changed;
  std::set<std::string> present;
  int rejected = 0;
  for (const LedgerRun& run : runs) {
    const auto arm = find_arm(run.key.controller);
    const auto change = change_of(run.key.controller);
    const auto family = find_family(run.key.scenario);
    if ((!arm && !change) || !family || run.costs.empty()) continue;
    if (!run.selftest_ok || !run.rejected.empty()) {
      ++rejected;
      continue;
    }
    const double log_slowdown = run.costs.front().log_slowdown;
    if (change) {
      changed[run.key.scenario][{run.key.seed, run.key.draw}][*change] = log_slowdown;
      continue;
    }
    cost[run.key.scenario][{run.key.seed, run.key.draw}][run.key.controller] = log_slowdown;
    present.insert(run.key.controller);
  }
  report::MatrixReport matrix;
  for (const Arm& arm : arms())
    if (present.contains(std::string(arm.name))) matrix.arms.emplace_back(arm.name);
  const auto add_row = [&](std::string_view name, std::string_view regime, std::string_view imitates, const std::vector<const CostsByArm*>& blocks) {
    report::MatrixFamily row{.name = std::string(name), .regime = std::string(regime), .imitates = std::string(imitates)};
    row.ln_ratio.resize(matrix.arms.size());
    double baseline = 0;
    int compared = 0;
    for (const CostsByArm* by_arm : blocks) {
      const auto eevdf = by_arm->find(matrix.baseline);
      if (eevdf == by_arm->end()) continue;
      baseline += eevdf->second;
      ++compared;
      for (size_t a = 0; a < matrix.arms.size(); ++a) {
        const auto own = by_arm->find(matrix.arms[a]);
        row.ln_ratio[a].push_back(own == by_arm->end() ? report::kMissing : own->second - eevdf->second);
      }
    }
    if (compared == 0) return;
    row.baseline_slowdown = std::exp(baseline / compared);
    matrix.families.push_back(std::move(row));
  };
  std::vector<const CostsByArm*> random;
  Separation separation;
  for (const auto& [name, blocks] : cost) {
    if (!is_random_family(name)) continue;
    for (const auto& [block, by_arm] : blocks) {
      random.push_back(&by_arm);
      separation.add(by_arm, present.size());
    }
  }
  for (const Family& family : families()) {
    const auto found = cost.find(std::string(family.name));
    if (found == cost.end()) continue;
    std::vector<const CostsByArm*> blocks;
    for (const auto& [block, by_arm] : found->second) blocks.push_back(&by_arm);
    add_row(family.name, family.regime, family.imitates, blocks);
  }
  // One row for all of them: hundreds of rows with one draw each would tell nobody anything.
  add_row("random", "random", "workloads of the generator, each a structure of its own", random);
  if (matrix.families.empty()) return fail(ErrorCode::kInvalidArgument, "no sound run under {} to compare with", matrix.baseline);
  matrix.command = "pointsman lab matrix";
  report::judge(matrix, interval_of_mean);
  report::Table table = report::matrix_table(matrix);
  if (rejected > 0) table.notes.push_back(fmt::format("{} runs are marked and in no mean", rejected));
  if (separation.workloads > 0) table.notes.push_back(separation.describe());
  if (!options.html.empty())
    if (auto written = write_file(options.html, report::to_html(matrix)); !written) return written;
  std::vector<std::string> external;
  for (const std::string& name : matrix.arms)
    if (external_arm(*find_arm(name)) != nullptr) external.push_back(name);
  nlohmann::json json = report::to_json(matrix);
  const report::TextStyle style{.color = report::wants_color(::fileno(options.emit.out))};
  std::string text = table.text(style);
  if (!external.empty()) {
    const report::Table alike = report::likeness_table(matrix, external);
    text += "\n" + alike.text(style);
    json["likeness"] = alike.json();
  }
  std::vector<report::Change> changes;
  for (const auto& [family, blocks] : changed)
    for (const auto& [block, by_change] : blocks) {
      const CostsByArm& staying = cost[family][block];
      for (const auto& [change, log_slowdown] : by_change) {
        const auto from = staying.find(change.first), to = staying.find(change.second);
        if (from != staying.end() && to != staying.end()) changes.push_back({change.first, change.second, family, log_slowdown - (from->second + to->second) / 2});
      }
    }
  if (!changes.empty()) {
    const report::Table table_of_changes = report::changes_table(matrix.arms, changes);
    text += "\n" + table_of_changes.text(style);
    json["changes"] = table_of_changes.json();
  }
  return report::emit(text, json, options.emit);
}

}  // namespace pointsman

// MatrixReport: every family under every arm, as ratios to the baseline: which arm is best where, and which differences are none.
// Whoever measured fills the families with one value per seed; judge() derives intervals, the best arms and the totals.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "report/demo_report.h"
#include "report/interval.h"
#include "report/page.h"
#include "report/table.h"

namespace pointsman::report {

struct MatrixCell {
  Interval ratio{};   // geometric-mean slowdown as a ratio to the baseline's
  bool best = false;  // lowest mean, or not separable from it: within a tie (1 %), or the paired difference's interval includes none
};

struct MatrixFamily {
  std::string name{}, regime{}, imitates{};
  double baseline_slowdown = kMissing;          // the baseline's own geometric mean
  std::vector<std::vector<double>> ln_ratio{};  // [arm][seed], the same seeds for every arm; NaN where a run is missing or not trusted
  std::vector<MatrixCell> cells{};              // derived, [arm]
};

// Over all families, each counting equally.
struct MatrixTotal {
  Interval ratio{};                 // over families: what another list of the kind might give
  double worst_to_best = kMissing;  // in its worst family, as a ratio to that family's best arm
  std::string worst_family{};
  int lost = 0;  // families where it is more than 10 % behind the best arm
};

struct MatrixReport {
  std::string title = "pointsman matrix";
  std::string baseline = "eevdf";
  std::vector<std::string> arms{};
  std::vector<MatrixFamily> families{};
  MachineCard machine{};
  std::vector<std::string> how{};
  std::vector<std::string> limits = lab_limits();
  std::string command{};
  // Derived:
  std::vector<MatrixTotal> totals{};  // [arm]
  std::string best_static{};          // lowest total
  double oracle_ratio = kMissing;     // the best arm of each family
};

inline constexpr double kTie = .01;

void judge(MatrixReport& report, const IntervalOf& interval_of);

struct MatrixTableOptions {
  bool intervals = false;  // a terminal has no room for them; JSON and HTML always have them
};
Table matrix_table(const MatrixReport& report, const MatrixTableOptions& options = {});
nlohmann::json to_json(const MatrixReport& report);
// The heat map with its key and totals, to stand in any page.
Section matrix_section(const MatrixReport& report);
std::string to_html(const MatrixReport& report);

}  // namespace pointsman::report

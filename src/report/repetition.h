// Repetition: the order of repeated runs, the table of what each of them gave, and how long after a start its figures settle.
// Order: blocks, each with every arm once in an order drawn anew; so neither drift nor a neighbour's load falls upon one arm alone. Warm-up runs come first and enter
// no table.
// Source: randomised complete blocks, Fisher 1935. Settling: the truncation that leaves the least standard error (MSER), K. White, Simulation 69 (1997).
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "report/frame.h"
#include "report/variability.h"

namespace pointsman::report {

struct PlannedRun {
  int block = -1;  // -1: warm-up
  std::string arm;
};
struct RepetitionOptions {
  std::vector<std::string> arms;
  int blocks = 20;
  int warm_ups = 1;  // rounds of every arm
  uint64_t seed = 1;
};
std::vector<PlannedRun> plan_runs(const RepetitionOptions& options);

struct RunFigures {
  int block = 0;
  std::string arm;
  double time_s = 0;  // when it began, from the first run
  std::vector<std::pair<std::string, double>> metrics;
};
// CSV with run, block, arm, time_s and every metric that any run has, in order of first appearance; nothing where a run has none.
std::string runs_csv(std::span<const RunFigures> runs);

// The two tables that this project set out from: metric,mean,std,cv_% and what they lacked, of the metrics about the CPU and of the others.
enum class Half { kCpu, kOther };
std::string summary_csv(std::span<const Variation> variations, Half half);

// Of one metric: its value in each step of time since a run's start.
struct SettleCurve {
  std::string metric;
  double step_s = 0;
  std::vector<double> mean, cv_percent;  // over runs, one a step; only steps that at least half of the runs reached
  size_t runs = 0;
  // The end of the steps that are best left out, NaN when fewer than 8 steps or when more than half would have to go: it has not settled.
  double settled_s = kMissing;
};
// values[run][step].
SettleCurve settle_curve(const std::string& metric, double step_s, std::span<const std::vector<double>> values);
std::string settle_csv(std::span<const SettleCurve> curves);
Table settle_table(std::span<const SettleCurve> curves);

}  // namespace pointsman::report

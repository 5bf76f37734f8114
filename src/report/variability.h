// Variability: what tables of measurements can show and what they cannot. Reads four kinds of CSV, told apart by their header, and names each flaw with its line.
//   summary    metric,mean[,normalized_mean],std,cv_%            one row a metric
//   processes  PID,T_Arrival,T_First_CPU,T_Completion,TAT,RT,Total_CPU_Time[,...]
//   describe   metrics,NAME with rows count, mean, std, min, 25%, 50%, 75%, max (pandas' describe())
//   runs       anything else: one row a run, one column a metric; columns arm and block, when there, name what was compared
// Definitions: std with ddof 1; CV = std / mean, in percent, of the mean that stands beside it; intervals are BCa bootstrap, 95 %.
// Runs that two unpaired arms need each for power .8 at 5 %, two-sided: 2 (z(.975) + z(.8))^2 (CV / effect)^2.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "report/frame.h"
#include "report/interval.h"
#include "report/table.h"

namespace pointsman::report {

enum class TableKind { kSummary, kProcesses, kDescribe, kRuns };
TableKind kind_of(const Frame& frame);
const char* name_of(TableKind kind);

struct Flaw {
  enum class Weight {
    kWrong,    // cannot be as it stands
    kSuspect,  // most likely not what it is taken for
    kNote,     // limits what can be concluded
  } weight = Weight::kNote;
  std::string code;   // for programs: cv-of-normalized-mean
  std::string where;  // file:line, and the metric
  std::string text;
};
const char* name_of(Flaw::Weight weight);

// Of one metric: what was found about it, whatever kind of table it came from.
struct Variation {
  std::string file = "", metric = "";
  double n = kMissing, mean = kMissing, median = kMissing, std = kMissing, cv_percent = kMissing;
  Interval mean_interval = {};                     // only of runs
  double drift_percent = kMissing;                // from the first run to the last by a straight line, of the mean; only where it is significant at 1 %
  double autocorrelation = kMissing;              // of neighbouring runs
  double runs_1 = kMissing, runs_2 = kMissing, runs_5 = kMissing, runs_10 = kMissing;  // per arm, to see 1, 2, 5, 10 %
  std::vector<double> values = {};                // of runs, in their order
};

// Two arms of the same metric.
struct Comparison {
  std::string metric = "", baseline = "", other = "";
  double baseline_mean = kMissing, other_mean = kMissing;
  double change_percent = kMissing;  // of the other against the baseline
  double change_low = kMissing, change_high = kMissing;  // 95 %, Welch, or paired where there are blocks
  double t = kMissing;
  double pairing_gain = kMissing;  // runs that pairing saves: the variance of an unpaired difference over that of a paired one; only with blocks
  std::vector<std::string> reservations = {};  // what it does not prove
};

struct Variability {
  std::vector<Flaw> flaws;  // the worst first, then in the order of files and lines
  std::vector<Variation> variations;
  std::vector<Comparison> comparisons;

  [[nodiscard]] Table flaw_table() const;
  // The same for a terminal: each with its text below it, broken into lines of at most `width` columns.
  [[nodiscard]] std::string flaw_text(size_t width) const;
  enum class Rows { kAll, kVarying };  // without what was the same in every run
  [[nodiscard]] Table variation_table(Rows rows = Rows::kAll) const;
  [[nodiscard]] Table comparison_table() const;
};
Variability examine(std::span<const Frame> frames);

// Runs that each of two unpaired arms needs to see an effect of `effect_percent` of the mean.
double runs_needed(double cv_percent, double effect_percent);

}  // namespace pointsman::report

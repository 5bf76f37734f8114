// Likeness: how near two arms are in what they do to families of workloads. Two numbers, since either alone misleads: how far apart their costs are, and whether they do well
// on the same families.
#pragma once

#include <span>
#include <string>

#include "report/matrix_report.h"

namespace pointsman::report {

struct Likeness {
  double distance = kMissing;          // mean over families of |ln cost ratio between the two|
  double rank_correlation = kMissing;  // over families, of their ln ratios to the baseline (Spearman); missing with fewer than three families, or where an arm is the baseline
  int families = 0;                    // that both have
};
// A family counts with the mean over the seeds that both arms have. Arms by their place in the report.
Likeness likeness(const MatrixReport& report, size_t one, size_t other);

// Of ranks, ties sharing theirs. NaN with fewer than three pairs or where one side does not vary. Source: Spearman, Am. J. Psychology 15 (1904).
double rank_correlation(std::span<const double> x, std::span<const double> y);

// Each of ARMS against all others of the report; the nearest is marked.
Table likeness_table(const MatrixReport& report, std::span<const std::string> arms);

}  // namespace pointsman::report

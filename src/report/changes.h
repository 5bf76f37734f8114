// Changes: what it costs to change arms in the middle of a run: the run that goes from one arm to another, against the mean of the two runs of the same jobs that stay.
// One direction alone also holds which half of the run has the jobs to which the arms matter; the mean of a change and its reverse does not.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "report/table.h"

namespace pointsman::report {

struct Change {
  std::string from, to;
  std::string family;
  double excess = 0;  // ln cost above the mean of the two ln costs of staying
};

// A row for each arm that is left, a column for each that is taken; families count equally. As ratios of costs: 1 is a change that costs nothing.
Table changes_table(std::span<const std::string> arms, std::span<const Change> changes);

}  // namespace pointsman::report

// Description: the eight numbers that pandas' describe() gives of a column; values that are not known (NaN) do not count.
// Source: pandas.Series.describe: std with ddof 1, quantiles linear between order statistics.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "report/interval.h"
#include "report/table.h"

namespace pointsman::report {

struct Description {
  double count = 0;
  double mean = kMissing, std = kMissing, min = kMissing, q25 = kMissing, q50 = kMissing, q75 = kMissing, max = kMissing;
};
Description describe(std::span<const double> values);
// One row a statistic, one column a described column, as pandas prints a frame.
Table description_table(const std::vector<std::pair<std::string, Description>>& columns);

}  // namespace pointsman::report

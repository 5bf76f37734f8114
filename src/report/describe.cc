#include "report/describe.h"

#include <algorithm>

#include "learn/stats.h"

namespace pointsman::report {

Description describe(std::span<const double> values) {
  const std::vector<double> known = known_of(values);
  Description out;
  out.count = static_cast<double>(known.size());
  if (known.empty()) return out;
  const auto [least, most] = std::minmax_element(known.begin(), known.end());
  out.min = *least;
  out.max = *most;
  out.mean = mean_of(known);
  if (known.size() > 1) out.std = deviation_of(known);
  out.q25 = quantile_of(known, .25);
  out.q50 = quantile_of(known, .5);
  out.q75 = quantile_of(known, .75);
  return out;
}

Table description_table(const std::vector<std::pair<std::string, Description>>& columns) {
  std::vector<Column> heads{{"statistic", "", Quantity::kText}};
  for (const auto& [name, _] : columns) heads.push_back({name, name, Quantity::kNumber, 6});
  Table table("", heads);
  const auto row = [&](const char* name, double Description::*value) {
    std::vector<Cell> cells{name};
    for (const auto& [_, description] : columns) cells.emplace_back(description.*value);
    table.add(std::move(cells));
  };
  row("count", &Description::count);
  row("mean", &Description::mean);
  row("std", &Description::std);
  row("min", &Description::min);
  row("25%", &Description::q25);
  row("50%", &Description::q50);
  row("75%", &Description::q75);
  row("max", &Description::max);
  return table;
}

}  // namespace pointsman::report

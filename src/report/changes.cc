#include "report/changes.h"

#include <fmt/core.h>

#include <cmath>
#include <map>
#include <set>
#include <utility>

namespace pointsman::report {

namespace {

struct Mean {
  double sum = 0;
  int count = 0;
  void add(double value) {
    sum += value;
    ++count;
  }
  [[nodiscard]] double value() const { return sum / count; }
};

// Over the runs of each family, then over families. NaN without runs.
double mean_of_families(const std::map<std::string, Mean>& families) {
  Mean out;
  for (const auto& [name, mean] : families) out.add(mean.value());
  return out.value();
}

}  // namespace

Table changes_table(std::span<const std::string> arms, std::span<const Change> changes) {
  std::map<std::pair<std::string, std::string>, std::map<std::string, Mean>> excess;
  std::set<std::string> families;
  for (const Change& change : changes) {
    excess[{change.from, change.to}][change.family].add(change.excess);
    families.insert(change.family);
  }
  std::vector<Column> columns{{"from", "from"}};
  for (const std::string& arm : arms) columns.push_back({arm, "to " + arm, Quantity::kNumber, 3});
  columns.push_back({"both_ways", "mean, and back", Quantity::kNumber, 3});
  Table table("A change of arms in the middle: cost as a ratio to the geometric mean of staying under either", std::move(columns));
  for (const std::string& from : arms) {
    std::vector<Cell> row{from};
    Mean both_ways;
    for (const std::string& to : arms) {
      const auto there = excess.find({from, to}), back = excess.find({to, from});
      row.push_back(there == excess.end() ? Cell() : Cell(std::exp(mean_of_families(there->second))));
      if (there != excess.end() && back != excess.end()) both_ways.add((mean_of_families(there->second) + mean_of_families(back->second)) / 2);
    }
    row.push_back(both_ways.count == 0 ? Cell() : Cell(std::exp(both_ways.value())));
    table.add(std::move(row));
  }
  table.notes.push_back(fmt::format("{} changes, {} families; one way alone also tells which half of a run has the jobs to which arms matter, the last column does not", changes.size(), families.size()));
  return table;
}

}  // namespace pointsman::report

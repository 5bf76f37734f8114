#include "report/likeness.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace pointsman::report {

namespace {

std::vector<double> ranks_of(std::span<const double> values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (size_t from = 0; from < order.size();) {
    size_t to = from + 1;
    while (to < order.size() && values[order[to]] == values[order[from]]) ++to;
    for (size_t i = from; i < to; ++i) ranks[order[i]] = static_cast<double>(from + to - 1) / 2;
    from = to;
  }
  return ranks;
}

}  // namespace

double rank_correlation(std::span<const double> x, std::span<const double> y) {
  if (x.size() != y.size() || x.size() < 3) return kMissing;
  const std::vector<double> a = ranks_of(x), b = ranks_of(y);
  const double middle = static_cast<double>(a.size() - 1) / 2;
  double both = 0, of_a = 0, of_b = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    both += (a[i] - middle) * (b[i] - middle);
    of_a += (a[i] - middle) * (a[i] - middle);
    of_b += (b[i] - middle) * (b[i] - middle);
  }
  return of_a > 0 && of_b > 0 ? both / std::sqrt(of_a * of_b) : kMissing;
}

Likeness likeness(const MatrixReport& report, size_t one, size_t other) {
  Likeness out;
  std::vector<double> x, y;
  double apart = 0;
  for (const MatrixFamily& family : report.families) {
    double sum_x = 0, sum_y = 0;
    int seeds = 0;
    for (size_t seed = 0; seed < family.ln_ratio[one].size(); ++seed) {
      const double a = family.ln_ratio[one][seed], b = family.ln_ratio[other][seed];
      if (std::isnan(a) || std::isnan(b)) continue;
      sum_x += a;
      sum_y += b;
      ++seeds;
    }
    if (seeds == 0) continue;
    x.push_back(sum_x / seeds);
    y.push_back(sum_y / seeds);
    apart += std::abs(x.back() - y.back());
  }
  out.families = static_cast<int>(x.size());
  if (out.families > 0) out.distance = apart / out.families;
  out.rank_correlation = rank_correlation(x, y);
  return out;
}

Table likeness_table(const MatrixReport& report, std::span<const std::string> arms) {
  std::vector<Column> columns{{"arm", "arm"}, {"measure", "measure"}};
  for (const std::string& name : report.arms) columns.push_back({name, name, Quantity::kNumber, 2});
  Table table("How like other arms: mean |ln ratio| between the two over families (the nearest is marked), and the rank correlation of their ratios to " + report.baseline, std::move(columns));
  table.mark_key = "nearest";
  int fewest = 0;
  for (const std::string& name : arms) {
    const auto place = std::find(report.arms.begin(), report.arms.end(), name);
    if (place == report.arms.end()) continue;
    const auto self = static_cast<size_t>(place - report.arms.begin());
    std::vector<Cell> distances{name, "distance"}, correlations{name, "rank correlation"};
    double least = INFINITY;
    size_t nearest = 0;
    for (size_t other = 0; other < report.arms.size(); ++other) {
      if (other == self) {
        distances.emplace_back();
        correlations.emplace_back();
        continue;
      }
      const Likeness l = likeness(report, self, other);
      distances.push_back(std::isnan(l.distance) ? Cell() : Cell(l.distance));
      correlations.push_back(std::isnan(l.rank_correlation) ? Cell() : Cell(l.rank_correlation));
      if (l.families > 0) fewest = fewest == 0 ? l.families : std::min(fewest, l.families);
      if (!(l.distance < least)) continue;
      least = l.distance;
      nearest = distances.size() - 1;
    }
    if (nearest > 0) distances[nearest].marked = true;
    table.add(std::move(distances));
    table.add(std::move(correlations));
  }
  table.notes.push_back(fmt::format("{} families or more; a distance of 0.05 is a cost 5 % apart", fewest));
  return table;
}

}  // namespace pointsman::report

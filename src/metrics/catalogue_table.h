// The rows behind the catalogue: of each metric its description and the sources that can give it, the best first.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "metrics/catalogue.h"

namespace pointsman {

double seconds_between(const Snapshot& a, const Snapshot& b);
// A field that went backwards did not grow.
double grown(uint64_t before, uint64_t after);

// Exactly one of the functions is set. `between` may give NaN where an interval says nothing; `parts` gives numerator and denominator, which are added up apart,
// so that an average over many intervals is one ratio of sums.
struct MetricSource {
  Topic topic;
  std::string_view via = "";  // empty where there is only one
  double (*level)(const Snapshot&) = nullptr;
  uint64_t (*count)(const Snapshot&) = nullptr;
  double (*between)(const Snapshot&, const Snapshot&) = nullptr;
  std::pair<double, double> (*parts)(const Snapshot&, const Snapshot&) = nullptr;
  std::string (*caveat)(const Snapshot& first, const Snapshot& last) = nullptr;
  bool (*usable)(const Snapshot&) = nullptr;  // the topic is there, but may lack this
};

struct MetricRow {
  MetricSpec spec;
  std::vector<MetricSource> sources;
};
const std::vector<MetricRow>& metric_rows();

}  // namespace pointsman

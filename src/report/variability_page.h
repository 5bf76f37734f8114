// The variability report as a page and as Markdown: findings, comparisons, a box and the order of runs of each metric, and how long metrics take to settle.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "report/repetition.h"
#include "report/variability.h"

namespace pointsman::report {

struct VariabilityReport {
  Variability found;
  std::vector<SettleCurve> settling;
  std::vector<std::pair<std::string, std::string>> about;  // what was run, on what
  std::span<const Frame> frames;                            // of which those of runs are drawn
};
std::string variability_page(const VariabilityReport& report);
std::string variability_markdown(const VariabilityReport& report);

}  // namespace pointsman::report

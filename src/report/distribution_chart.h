// Figures of repeated measurements: a box for each arm, and the same runs in the order in which they were made. Linear axes; what is not known (NaN) is left out.
// Source: J. Tukey, Exploratory Data Analysis, 1977: whiskers reach the furthest value within 1.5 times the box's height of it, what lies beyond is drawn alone.
#pragma once

#include <string>
#include <vector>

namespace pointsman::report {

struct DistributionChart {
  struct Series {
    std::string label = "";           // of an arm: its colour comes with its name
    std::vector<double> values = {};  // in the order of the runs
    std::vector<double> order = {};   // each run's place in the whole experiment; empty: 0, 1, ...
  };
  std::string label = "";
  std::vector<Series> series = {};
  double width = 330;
};
std::string box_svg(const DistributionChart& chart);
std::string order_svg(const DistributionChart& chart);

}  // namespace pointsman::report

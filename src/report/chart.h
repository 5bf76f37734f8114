// Charts: the figures of the reports, each a plain struct in and one SVG out. What is missing (NaN, no rows) is left out, the rest is
// drawn. Ratios stand on a logarithmic axis around 1, so that half and double look alike.
#pragma once

#include <string>
#include <vector>

#include "report/interval.h"

namespace pointsman::report {

// Which arm was active when, against the phases of the workload.
struct TimelineChart {
  struct Phase {
    std::string label = "", sublabel = "", tip = "";
    double start_s = 0, length_s = 0;
  };
  struct Step {
    double t_s = 0;               // from here on the arm was active, as read back
    double decided_s = kMissing;  // when it was asked for
    std::string arm = "";
    std::string why = "";
    bool refused = false;  // asked for, but it did not come to be: marked, the lane goes on as it was
  };
  struct Lane {
    std::string label = "", note = "";
    std::vector<Step> steps = {};
    double end_s = kMissing;  // when its last job ended; not known: the end of the chart
    bool emphasised = false;
  };
  std::string label = "";
  std::vector<Phase> phases = {};
  std::vector<Lane> lanes = {};
  double width = 960;  // below 600 the lanes' names stand above them
};
std::string timeline_svg(const TimelineChart& chart);

// Groups of bars from 1 to the left (better) or right (worse), with whiskers: every arm in every phase.
struct BarChart {
  struct Bar {
    std::string label = "";
    Interval value = {};
    std::string fill = "";  // a CSS colour; empty: that of the arm of this name
    std::string tip = "";
    bool best = false, emphasised = false;
    bool hollow = false;  // an outline only: a bound rather than a contender
  };
  struct Group {
    std::string label = "", sublabel = "";
    std::vector<Bar> bars = {};
  };
  std::string label = "";
  std::vector<Group> groups = {};
  int columns = 1;  // groups side by side
  double group_width = 300;
  double low = .5, high = 2;  // the axis; longer bars are cut, marked so, and keep their number
};
std::string bars_svg(const BarChart& chart);
// Axis ends that hold most of the values: at least .5 to 2, at most .2 to 5.
void fit_axis(BarChart& chart);

// One dot with its interval a row.
struct ForestChart {
  struct Row {
    std::string label = "";
    Interval value = {};
    std::string fill = "";  // as in BarChart::Bar
    std::string tip = "";
    bool emphasised = false;
    bool hollow = false;  // as in BarChart::Bar
  };
  std::string label = "";
  std::string better = "better", worse = "worse";  // what lies on each side of 1
  std::vector<Row> rows = {};
  double width = 640;
};
std::string forest_svg(const ForestChart& chart);

struct LineChart {
  struct Point {
    double x = 0, y = 0;
    double low = kMissing, high = kMissing;  // a band around the line
  };
  struct Series {
    std::string label = "";
    std::string color = "";  // empty: that of the arm of this name
    std::vector<Point> points = {};
  };
  std::string label = "", x_label = "", y_label = "";
  std::vector<Series> series = {};
  double width = 640, height = 320;
  bool log_x = false;
};
std::string line_svg(const LineChart& chart);

// About `count` round numbers that cover [low, high]: steps of 1, 2 or 5 times a power of ten.
std::vector<double> linear_ticks(double low, double high, int count);
// Round ratios within [low, high], 1 among them where it lies inside.
std::vector<double> ratio_ticks(double low, double high);

}  // namespace pointsman::report

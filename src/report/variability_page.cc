#include "report/variability_page.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "report/chart.h"
#include "report/distribution_chart.h"
#include "report/format.h"
#include "report/markup.h"
#include "report/page.h"

namespace pointsman::report {
namespace {

struct Figure {
  std::string metric;
  DistributionChart chart;
};

// One figure a metric, one series an arm, each run at its place in the file.
std::vector<Figure> figures_of(const Frame& frame, const Variability& found) {
  std::vector<Figure> out;
  const auto arm = frame.find("arm");
  for (size_t column = 0; column < frame.columns().size(); ++column) {
    const std::string& metric = frame.columns()[column];
    // Only what was examined: names, blocks and times are no metrics.
    const bool examined = std::any_of(found.variations.begin(), found.variations.end(),
                                      [&](const Variation& v) { return v.file == frame.file() && (v.metric == metric || v.metric.starts_with(metric + " [")) && v.std > 1e-5 * std::abs(v.mean); });
    if (!examined) continue;
    Figure figure{.metric = metric, .chart = {.label = metric, .series = {}}};
    for (size_t row = 0; row < frame.rows(); ++row) {
      const std::string name = arm ? frame.text(row, *arm) : "";
      auto at = std::find_if(figure.chart.series.begin(), figure.chart.series.end(), [&](const auto& s) { return s.label == name; });
      if (at == figure.chart.series.end()) at = figure.chart.series.insert(at, DistributionChart::Series{.label = name});
      at->values.push_back(frame.number(row, column));
      at->order.push_back(static_cast<double>(row));
    }
    std::stable_sort(figure.chart.series.begin(), figure.chart.series.end(), [](const auto& a, const auto& b) { return a.label < b.label; });
    out.push_back(std::move(figure));
  }
  return out;
}

std::string settle_figure(const SettleCurve& curve) {
  LineChart chart{.label = curve.metric + " since the start", .x_label = "s since the start", .y_label = "", .width = 330, .height = 170};
  LineChart::Series line{.label = "", .color = "var(--accent)", .points = {}};
  for (size_t i = 0; i < curve.mean.size(); ++i) {
    const double spread = std::isfinite(curve.cv_percent[i]) ? curve.mean[i] * curve.cv_percent[i] / 100 : kMissing;
    line.points.push_back({.x = curve.step_s * static_cast<double>(i + 1), .y = curve.mean[i], .low = curve.mean[i] - spread, .high = curve.mean[i] + spread});
  }
  chart.series.push_back(std::move(line));
  return line_svg(chart);
}

std::string change_of(const Comparison& c) {
  if (!std::isfinite(c.change_percent)) return fmt::format("{} under {} against {}: {:.6g} and {:.6g}", c.metric, c.other, c.baseline, c.other_mean, c.baseline_mean);
  const std::string range = std::isfinite(c.change_low) ? fmt::format(" [{:.1f}, {:.1f}]", c.change_low, c.change_high) : "";
  return fmt::format("{} under {} against {}: {:+.1f} %{}", c.metric, c.other, c.baseline, c.change_percent, range);
}

std::string cell_of(std::string text) {
  for (size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2) text.insert(at, "\\");
  return text;
}

std::string figure_of(const std::string& heading, const std::string& svg) { return fmt::format("<figure><h3>{}</h3>{}</figure>\n", escape(heading), svg); }

}  // namespace

std::string variability_page(const VariabilityReport& report) {
  const Variability& found = report.found;
  const auto many = [&](Flaw::Weight weight) { return std::count_if(found.flaws.begin(), found.flaws.end(), [&](const Flaw& f) { return f.weight == weight; }); };
  Page page{.title = "Variability", .kicker = "What the measurements can show"};
  page.lead = fmt::format("<h1>{} findings in {} metrics: {} wrong, {} suspect</h1>\n", found.flaws.size(), found.variations.size(), many(Flaw::Weight::kWrong), many(Flaw::Weight::kSuspect));
  for (const Comparison& c : found.comparisons) {
    if (c.metric == "Average_TAT" || found.comparisons.size() == 1) page.lead += paragraph(change_of(c) + ".", "lede");
  }
  page.lead += definitions(report.about);
  page.sections.push_back({"findings", "Findings", found.flaws.empty() ? paragraph("Nothing is wrong or suspect.") : found.flaw_table().html()});
  if (!found.comparisons.empty()) {
    std::string body = found.comparison_table().html();
    std::string reservations;
    for (const Comparison& c : found.comparisons) {
      for (const std::string& r : c.reservations) reservations += fmt::format("<li>{}</li>\n", prose(fmt::format("{} {}: {}", c.metric, c.other, r)));
    }
    if (!reservations.empty()) body += "<h3>What this does not prove</h3>\n<ul>\n" + reservations + "</ul>\n";
    page.sections.push_back({"comparisons", "Comparisons", body});
  }
  std::string boxes, orders;
  for (const Frame& frame : report.frames) {
    if (kind_of(frame) != TableKind::kRuns) continue;
    for (const Figure& figure : figures_of(frame, found)) {
      const std::string heading = report.frames.size() > 1 ? fmt::format("{} ({})", figure.metric, frame.file()) : figure.metric;
      boxes += figure_of(heading, box_svg(figure.chart));
      orders += figure_of(heading, order_svg(figure.chart));
    }
  }
  if (!boxes.empty()) {
    page.sections.push_back({"boxes", "Spread", paragraph("The box holds the middle half of the runs, the line in it is the median; whiskers reach the furthest run within 1.5 boxes, others stand alone.", "note") +
                                                    "<div class=\"grid\">\n" + boxes + "</div>\n"});
    page.sections.push_back({"drift", "Drift", paragraph("The same runs in the order in which they were made: a slope or a step is the machine's, not an arm's.", "note") + "<div class=\"grid\">\n" + orders + "</div>\n"});
  }
  if (!report.settling.empty()) {
    std::string body = settle_table(report.settling).html() + paragraph("Mean over runs in each step since the start; the band is one standard deviation over runs.", "note") + "<div class=\"grid\">\n";
    for (const SettleCurve& curve : report.settling) {
      if (curve.mean.size() > 1) body += figure_of(curve.metric, settle_figure(curve));
    }
    page.sections.push_back({"settling", "Settling", body + "</div>\n"});
  }
  page.sections.push_back({"variation", "Variation and power", found.variation_table(Variability::Rows::kVarying).html()});
  return to_html(page);
}

std::string variability_markdown(const VariabilityReport& report) {
  const Variability& found = report.found;
  const auto number = [](double v, int digits) { return std::isfinite(v) ? fmt::format("{:.{}g}", v, digits) : std::string("-"); };
  std::string out = "# Variability\n";
  for (const auto& [what, value] : report.about) out += fmt::format("\n- {}: {}", what, value);
  out += report.about.empty() ? "" : "\n";
  out += "\n| weight | code | where | what |\n|---|---|---|---|\n";
  for (const Flaw& f : found.flaws) out += fmt::format("| {} | {} | {} | {} |\n", name_of(f.weight), f.code, cell_of(f.where), cell_of(f.text));
  for (const Comparison& c : found.comparisons) {
    out += fmt::format("\n**{}, t = {}**\n\n", change_of(c), number(c.t, 3));
    for (const std::string& r : c.reservations) out += fmt::format("- {}\n", r);
  }
  out += "\n| file | metric | n | mean | median | std | CV % | drift % | autocorr. | runs for 1 % | 2 % | 5 % | 10 % |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|\n";
  for (const Variation& v : found.variations) {
    out += fmt::format("| {} | {} |", cell_of(v.file), cell_of(v.metric));
    for (const auto& [value, digits] : {std::pair{v.n, 6}, {v.mean, 6}, {v.median, 6}, {v.std, 6}, {v.cv_percent, 4}, {v.drift_percent, 3}, {v.autocorrelation, 2}, {v.runs_1, 9}, {v.runs_2, 9}, {v.runs_5, 9}, {v.runs_10, 9}}) {
      out += fmt::format(" {} |", number(value, digits));
    }
    out += '\n';
  }
  if (!report.settling.empty()) {
    out += "\n| metric | settled after s | first step | CV % then | CV % at the end |\n|---|---|---|---|---|\n";
    for (const SettleCurve& c : report.settling) {
      if (!c.mean.empty()) out += fmt::format("| {} | {} | {} | {} | {} |\n", cell_of(c.metric), number(c.settled_s, 3), number(c.mean.front(), 4), number(c.cv_percent.front(), 3), number(c.cv_percent.back(), 3));
    }
  }
  return out;
}

}  // namespace pointsman::report

#include "report/chart.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "report/format.h"
#include "report/markup.h"
#include "report/palette.h"
#include "report/svg.h"

namespace pointsman::report {

namespace {

constexpr double kText = 12, kSmall = 11;

std::string fill_of(const std::string& fill, const std::string& arm) { return fill.empty() ? arm_fill(arm) : fill; }

// "0.5", "2": as short as it goes.
std::string tick_text(double value) { return svg_number(value); }

struct LogAxis {
  double low, high, left, width;

  [[nodiscard]] double at(double value) const { return left + width * std::log(value / low) / std::log(high / low); }
  [[nodiscard]] double clamped(double value) const { return at(std::clamp(value, low, high)); }
};

// A line from end to end with a cap at each end that lies within the axis.
void whisker(Svg& svg, const LogAxis& axis, const Interval& value, double y, double cap) {
  if (!value.bounded() || value.low <= 0 || value.high <= 0) return;
  const double x1 = axis.clamped(value.low), x2 = axis.clamped(value.high);
  svg.line({x1, y}, {x2, y}, {.css = "halo"});
  svg.line({x1, y}, {x2, y}, {.css = "whisker"});
  if (value.low >= axis.low) svg.line({x1, y - cap}, {x1, y + cap}, {.css = "whisker"});
  if (value.high <= axis.high) svg.line({x2, y - cap}, {x2, y + cap}, {.css = "whisker"});
}

struct LegendEntry {
  std::string text;
  std::string fill;  // a swatch; else the glyph below
  char glyph = ' ';  // d: decision, s: swap, x: refused
};

void draw_glyph(Svg& svg, char glyph, const Point& at, const std::string& tip = "") {
  if (glyph == 'd') {
    const std::array triangle = {Point{at.x - 4, at.y - 6}, Point{at.x + 4, at.y - 6}, Point{at.x, at.y}};
    svg.polygon(triangle, {.css = "mark", .tip = tip});
  } else if (glyph == 's') {
    svg.line({at.x, at.y - 6}, {at.x, at.y}, {.css = "tick", .tip = tip});
  } else if (glyph == 'x') {
    svg.open_group({.tip = tip});
    svg.line({at.x - 3.5, at.y - 7}, {at.x + 3.5, at.y}, {.css = "cross"});
    svg.line({at.x - 3.5, at.y}, {at.x + 3.5, at.y - 7}, {.css = "cross"});
    svg.close_group();
  }
}

// Rows of entries that fit the width; returns the height. Draws only when there is a picture.
double legend(Svg* svg, const std::vector<LegendEntry>& entries, double left, double top, double width) {
  constexpr double kRow = 20, kMark = 16, kGap = 18;
  double x = left, y = top;
  for (const LegendEntry& entry : entries) {
    const double needed = kMark + text_width(entry.text, kSmall);
    if (x > left && x + needed > left + width) {
      x = left;
      y += kRow;
    }
    if (svg != nullptr) {
      if (!entry.fill.empty())
        svg->rect({x, y + 4, 11, 11}, {.fill = entry.fill, .radius = 2.5});
      else
        draw_glyph(*svg, entry.glyph, {x + 5, y + 13});
      svg->text({x + kMark, y + 13.5}, entry.text, {.css = "small"});
    }
    x += needed + kGap;
  }
  return entries.empty() ? 0 : y + kRow - top;
}

std::string seconds_text(double t_s) { return format_fixed(t_s, 2) + " s"; }

}  // namespace

std::vector<double> linear_ticks(double low, double high, int count) {
  std::vector<double> ticks;
  if (!std::isfinite(low) || !std::isfinite(high) || high <= low || count < 1) return ticks;
  const double raw = (high - low) / count;
  const double power = std::pow(10, std::floor(std::log10(raw)));
  const double step = power * (raw / power <= 1 ? 1 : raw / power <= 2 ? 2 : raw / power <= 5 ? 5 : 10);
  for (double k = std::ceil(low / step - 1e-9); k * step <= high + step * 1e-9; ++k) ticks.push_back(k * step);
  return ticks;
}

std::vector<double> ratio_ticks(double low, double high) {
  constexpr std::array kFew = {.01, .02, .05, .1, .2, .5, 1., 2., 5., 10., 20., 50., 100.};
  constexpr std::array kMany = {.5, .6, .7, .8, .9, 1., 1.1, 1.2, 1.4, 1.6, 1.8, 2.};
  constexpr std::array kSome = {.1, .2, .3, .5, .7, 1., 1.5, 2., 3., 5., 7., 10.};
  std::vector<double> ticks;
  const double span = high / low;
  const auto take = [&](const auto& candidates) {
    for (const double v : candidates)
      if (v >= low * (1 - 1e-9) && v <= high * (1 + 1e-9)) ticks.push_back(v);
  };
  if (span <= 2.6)
    take(kMany);
  else if (span <= 30)
    take(kSome);
  else
    take(kFew);
  return ticks;
}

std::string timeline_svg(const TimelineChart& chart) {
  const bool narrow = chart.width < 600;
  double length_s = 0;
  for (const auto& phase : chart.phases)
    if (std::isfinite(phase.start_s + phase.length_s)) length_s = std::max(length_s, phase.start_s + phase.length_s);
  for (const auto& lane : chart.lanes)
    if (std::isfinite(lane.end_s)) length_s = std::max(length_s, lane.end_s);
  if (length_s <= 0) length_s = 1;

  double left = 8, right = 8;
  if (!narrow) {
    for (const auto& lane : chart.lanes) {
      left = std::max(left, text_width(lane.label, kText) * 1.06 + 20);
      right = std::max(right, text_width(lane.note, kSmall) + 18);
    }
    left = std::min(left, 180.);
  }
  const double plot = std::max(chart.width - left - right, 40.);
  const auto x_of = [&](double t_s) { return left + plot * t_s / length_s; };

  const double header = 44, gap = narrow ? 40 : 20, axis = 26;
  const auto lane_height = [](const TimelineChart::Lane& lane) { return lane.emphasised ? 32. : 24.; };
  double lanes_height = 4;
  for (const auto& lane : chart.lanes) lanes_height += gap + lane_height(lane);
  const double floor_y = header + lanes_height + 6;

  std::vector<LegendEntry> entries;
  std::set<std::string> arms;
  bool decided = false, swapped = false, refused = false;
  for (const auto& lane : chart.lanes) {
    for (size_t i = 0; i < lane.steps.size(); ++i) {
      const auto& step = lane.steps[i];
      if (!step.refused) arms.insert(step.arm);
      decided = decided || std::isfinite(step.decided_s);
      swapped = swapped || (i > 0 && !step.refused);
      refused = refused || step.refused;
    }
  }
  for (const Tone& tone : arm_tones())
    if (arms.erase(std::string(tone.name)) > 0) entries.push_back({.text = std::string(tone.name), .fill = arm_fill(tone.name)});
  for (const std::string& arm : arms) entries.push_back({.text = arm, .fill = arm_fill(arm)});
  if (decided) entries.push_back({.text = "decided", .fill = "", .glyph = 'd'});
  if (swapped) entries.push_back({.text = "swapped, read back from the kernel", .fill = "", .glyph = 's'});
  if (refused) entries.push_back({.text = "refused", .fill = "", .glyph = 'x'});
  const double legend_left = narrow ? 8 : left;
  const double legend_width = chart.width - legend_left - 8;
  const double legend_height = legend(nullptr, entries, legend_left, 0, legend_width);

  Svg svg({.width = chart.width, .height = floor_y + axis + 8 + legend_height, .label = chart.label, .css = "timeline"});
  for (size_t i = 0; i < chart.phases.size(); ++i) {
    const auto& phase = chart.phases[i];
    const double x = x_of(phase.start_s), width = plot * phase.length_s / length_s;
    svg.open_group({.tip = phase.tip});
    svg.rect({x, 0, width, floor_y}, {.css = i % 2 == 0 ? "band" : "", .fill = i % 2 == 0 ? "" : "transparent"});
    svg.text({x + width / 2, 18}, fit_text(phase.label, kText * 1.06, width - 6), {.css = "strong", .anchor = 'm'});
    svg.text({x + width / 2, 34}, fit_text(phase.sublabel, kSmall, width - 6), {.css = "small muted", .anchor = 'm'});
    svg.close_group();
    if (i > 0) svg.line({x, 6}, {x, floor_y}, {.css = "edge"});
  }

  double y = header + 4;
  for (const auto& lane : chart.lanes) {
    const double height = lane_height(lane);
    y += gap;
    const std::string css = lane.emphasised ? "accent" : "plain";
    if (narrow) {
      const double note_width = text_width(lane.note, kSmall);
      svg.text({left, y - 17}, fit_text(lane.label, kText, plot - note_width - 10), {.css = css + " lane"});
      svg.text({left + plot, y - 17}, lane.note, {.css = "small muted lane", .anchor = 'e'});
    } else {
      svg.text({left - 12, y + height / 2 + 4}, fit_text(lane.label, kText * 1.06, left - 16), {.css = css, .anchor = 'e'});
      svg.text({left + plot + 10, y + height / 2 + 4}, lane.note, {.css = "small muted"});
    }
    const double end_s = std::isfinite(lane.end_s) ? lane.end_s : length_s;
    svg.rect({left, y + height / 2 - 1, plot, 2}, {.css = "rail"});
    std::vector<const TimelineChart::Step*> taken;
    for (const auto& step : lane.steps)
      if (!step.refused && std::isfinite(step.t_s)) taken.push_back(&step);
    for (size_t i = 0; i < taken.size(); ++i) {
      const double from_s = std::clamp(taken[i]->t_s, 0., length_s);
      const double to_s = std::clamp(i + 1 < taken.size() ? taken[i + 1]->t_s : end_s, from_s, length_s);
      const double width = plot * (to_s - from_s) / length_s;
      const double seam = width > 6 ? .75 : 0;  // paper shows between neighbours
      std::string tip = fmt::format("{}: {}, {} to {}", lane.label, taken[i]->arm, seconds_text(from_s), seconds_text(to_s));
      if (!taken[i]->why.empty()) tip += "\n" + taken[i]->why;
      svg.rect({x_of(from_s) + seam, y, width - 2 * seam, height},
               {.fill = arm_fill(taken[i]->arm), .radius = width > 6 ? 3. : 0., .tip = tip});
      const std::string name = fit_text(taken[i]->arm, kSmall, width - 8);
      if (name == taken[i]->arm)  // a name is whole or not there
        svg.text({x_of(from_s) + width / 2, y + height / 2 + 4}, name, {.css = "small", .fill = arm_ink(taken[i]->arm), .anchor = 'm'});
    }
    for (size_t i = 0; i < lane.steps.size(); ++i) {
      const auto& step = lane.steps[i];
      if (!std::isfinite(step.t_s) || step.t_s < 0 || step.t_s > length_s) continue;
      const std::string tip = fmt::format("{} {} at {}{}{}", step.arm, step.refused ? "refused" : "active", seconds_text(step.t_s),
                                          step.why.empty() ? "" : ": ", step.why);
      if (step.refused) {
        draw_glyph(svg, 'x', {x_of(step.t_s), y - 4}, tip);
        continue;
      }
      if (std::isfinite(step.decided_s) && step.decided_s >= 0 && step.decided_s <= length_s) {
        if (plot * (step.t_s - step.decided_s) / length_s > 3)
          svg.line({x_of(step.decided_s), y - 6.5}, {x_of(step.t_s), y - 6.5}, {.css = "tick"});
        draw_glyph(svg, 'd', {x_of(step.decided_s), y - 6.5},
                   fmt::format("{} decided at {}{}{}", step.arm, seconds_text(step.decided_s), step.why.empty() ? "" : ": ", step.why));
      }
      if (i > 0) draw_glyph(svg, 's', {x_of(step.t_s), y}, tip);
    }
    y += height;
  }

  svg.line({left, floor_y}, {left + plot, floor_y}, {.css = "grid"});
  for (const double t : linear_ticks(0, length_s, narrow ? 4 : 8)) {
    svg.line({x_of(t), floor_y}, {x_of(t), floor_y + 4}, {.css = "tick"});
    const bool last = x_of(t) > left + plot - 12;
    svg.text({x_of(t), floor_y + 17}, tick_text(t) + (t == 0 ? " s" : ""),
             {.css = "small muted",
              .anchor = t == 0 && narrow ? 's'
                        : last && narrow ? 'e'
                                         : 'm'});
  }
  legend(&svg, entries, legend_left, floor_y + axis + 2, legend_width);
  return std::move(svg).take();
}

void fit_axis(BarChart& chart) {
  double low = .5, high = 2;
  for (const auto& group : chart.groups) {
    for (const auto& bar : group.bars) {
      if (!bar.value.known() || bar.value.mean <= 0) continue;
      low = std::min(low, bar.value.mean);
      high = std::max(high, bar.value.mean);
    }
  }
  chart.low = std::max(low * .95, .2);
  chart.high = std::min(high * 1.05, 5.);
}

std::string bars_svg(const BarChart& chart) {
  const int columns = std::max(chart.columns, 1);
  size_t most = 0;
  double label_width = 20, value_width = text_width("0.00", kSmall);
  for (const auto& group : chart.groups) {
    most = std::max(most, group.bars.size());
    for (const auto& bar : group.bars) {
      label_width = std::max(label_width, text_width(bar.label, kSmall) * 1.06);
      value_width = std::max(value_width, text_width(format_ratio(bar.value.mean), kSmall));
    }
  }
  label_width = std::min(label_width, chart.group_width / 3);
  constexpr double kRow = 19, kTitle = 34, kAxis = 22, kGap = 26;
  const double cell_height = kTitle + static_cast<double>(most) * kRow + kAxis;
  const double rows = std::ceil(static_cast<double>(chart.groups.size()) / columns);
  Svg svg({.width = columns * chart.group_width + (columns - 1) * kGap,
           .height = std::max(rows * cell_height + std::max(rows - 1, 0.) * 14, 1.),
           .label = chart.label,
           .css = "bars"});
  for (size_t g = 0; g < chart.groups.size(); ++g) {
    const auto& group = chart.groups[g];
    const double left = static_cast<double>(g % static_cast<size_t>(columns)) * (chart.group_width + kGap);
    const double top = static_cast<double>(g / static_cast<size_t>(columns)) * (cell_height + 14);
    const LogAxis axis{chart.low, chart.high, left + label_width + 10, chart.group_width - label_width - value_width - 26};
    svg.text({left, top + 14}, group.label, {.css = "strong"});
    svg.text({left + text_width(group.label, kText) * 1.1 + 10, top + 14}, group.sublabel, {.css = "small muted"});
    const double first = top + kTitle - 8, last = first + static_cast<double>(group.bars.size()) * kRow;
    std::vector<double> ticks = ratio_ticks(chart.low, chart.high);
    double free_from = -1e9;
    for (const double t : ticks) {
      if (t != 1) svg.line({axis.at(t), first}, {axis.at(t), last}, {.css = "grid"});
      const double half = text_width(tick_text(t), kSmall) / 2;
      const double one_at = axis.at(1), one_half = text_width("1", kSmall) / 2 + 4;
      const bool hits_one = t != 1 && std::fabs(axis.at(t) - one_at) < half + one_half;
      if (axis.at(t) - half < free_from || hits_one) continue;
      svg.text({axis.at(t), last + 14}, tick_text(t), {.css = "small muted", .anchor = 'm'});
      free_from = axis.at(t) + half + 5;
    }
    double y = first;
    for (const auto& bar : group.bars) {
      const double middle = y + kRow / 2;
      svg.open_group({.tip = bar.tip});
      svg.rect({left, y, chart.group_width, kRow}, {.fill = "transparent"});
      const std::string css = bar.emphasised ? "small accent" : bar.best ? "small strong" : "small";
      svg.text({left + label_width, middle + 4}, fit_text(bar.label, kSmall, label_width + 4), {.css = css, .anchor = 'e'});
      if (bar.value.known() && bar.value.mean > 0) {
        const double zero = axis.at(1), end = axis.clamped(bar.value.mean);
        const Box box{std::min(zero, end), y + 4, std::max(std::fabs(end - zero), 1.), kRow - 8};
        if (bar.hollow) {
          svg.rect(box, {.css = "hollow", .radius = 1.5});
        } else {
          svg.rect(box, {.fill = fill_of(bar.fill, bar.label), .radius = 1.5});
        }
        if (bar.value.mean > chart.high || bar.value.mean < chart.low) {
          const double out = bar.value.mean > chart.high ? 1 : -1;
          const std::array arrow = {Point{end + out * 2, y + 4}, Point{end + out * 8, middle}, Point{end + out * 2, y + kRow - 4}};
          svg.polygon(arrow, {.fill = fill_of(bar.fill, bar.label)});
        } else {
          whisker(svg, axis, bar.value, middle, 3);
        }
      }
      svg.text({left + chart.group_width - 10, middle + 4}, typographic(format_ratio(bar.value.mean)), {.css = css, .anchor = 'e'});
      if (bar.best) svg.circle({left + chart.group_width - 3, middle}, 2.5, {.css = "mark"});
      svg.close_group();
      y += kRow;
    }
    svg.line({axis.at(1), first - 2}, {axis.at(1), last + 2}, {.css = "reference"});
  }
  return std::move(svg).take();
}

std::string forest_svg(const ForestChart& chart) {
  double label_width = 20, value_width = 40, low = .8, high = 1.25;
  const auto value_text = [](const Interval& v) { return format_interval(v); };
  for (const auto& row : chart.rows) {
    label_width = std::max(label_width, text_width(row.label, kText) * 1.06);
    value_width = std::max(value_width, text_width(value_text(row.value), kText));
    if (!row.value.known() || row.value.mean <= 0) continue;
    low = std::min(low, row.value.bounded() && row.value.low > 0 ? row.value.low : row.value.mean);
    high = std::max(high, row.value.bounded() ? row.value.high : row.value.mean);
  }
  low = std::max(low * .97, .1);
  high = std::min(high * 1.03, 10.);
  label_width = std::min(label_width, chart.width / 3);
  constexpr double kRow = 27, kHead = 26, kFoot = 26;
  const double first = kHead, last = kHead + static_cast<double>(chart.rows.size()) * kRow;
  const LogAxis axis{low, high, label_width + 20, std::max(chart.width - label_width - value_width - 44, 40.)};
  Svg svg({.width = chart.width, .height = last + kFoot, .label = chart.label, .css = "forest"});
  const double one = axis.at(1);
  const std::string better = "← " + chart.better, worse = chart.worse + " →";
  if (text_width(better, kSmall) < one - axis.left - 4) svg.text({one - 9, 13}, better, {.css = "small muted", .anchor = 'e'});
  if (text_width(worse, kSmall) < axis.left + axis.width - one - 4) svg.text({one + 9, 13}, worse, {.css = "small muted"});
  double free_from = -1e9;
  for (const double t : ratio_ticks(low, high)) {
    if (t != 1) svg.line({axis.at(t), first}, {axis.at(t), last}, {.css = "grid"});
    const double half = text_width(tick_text(t), kSmall) / 2;
    const bool hits_one = t != 1 && std::fabs(axis.at(t) - one) < half + 9;
    if (axis.at(t) - half < free_from || hits_one) continue;
    svg.text({axis.at(t), last + 16}, tick_text(t), {.css = "small muted", .anchor = 'm'});
    free_from = axis.at(t) + half + 6;
  }
  svg.line({one, first - 4}, {one, last + 2}, {.css = "reference"});
  double y = first;
  for (const auto& row : chart.rows) {
    const double middle = y + kRow / 2;
    svg.open_group({.tip = row.tip});
    if (row.emphasised) svg.rect({0, y + 1, chart.width, kRow - 2}, {.css = "band", .radius = 4});
    if (row.emphasised) svg.line({one, y}, {one, y + kRow}, {.css = "reference"});
    const std::string css = row.emphasised ? "accent" : "";
    svg.text({label_width + 6, middle + 4}, fit_text(row.label, kText * 1.06, label_width + 6), {.css = css, .anchor = 'e'});
    if (row.value.known() && row.value.mean > 0) {
      whisker(svg, axis, row.value, middle, 4);
      const Look look{.css = row.hollow ? "hollow" : "",
                      .fill = row.hollow ? "" : fill_of(row.fill, row.label),
                      .stroke = row.hollow ? "" : "var(--paper)",
                      .stroke_width = 1.5};
      svg.circle({axis.clamped(row.value.mean), middle}, row.emphasised ? 6.5 : 5, look);
    }
    svg.text({chart.width - 8, middle + 4}, typographic(value_text(row.value)), {.css = css, .anchor = 'e'});
    svg.close_group();
    y += kRow;
  }
  return std::move(svg).take();
}

std::string line_svg(const LineChart& chart) {
  double x_low = INFINITY, x_high = -INFINITY, y_low = INFINITY, y_high = -INFINITY;
  const auto usable = [&](const LineChart::Point& p) { return std::isfinite(p.x) && std::isfinite(p.y) && (!chart.log_x || p.x > 0); };
  double label_width = 0;
  for (const auto& series : chart.series) {
    label_width = std::max(label_width, text_width(series.label, kSmall));
    for (const auto& p : series.points) {
      if (!usable(p)) continue;
      x_low = std::min(x_low, p.x), x_high = std::max(x_high, p.x);
      y_low = std::min(y_low, std::isfinite(p.low) ? p.low : p.y), y_high = std::max(y_high, std::isfinite(p.high) ? p.high : p.y);
    }
  }
  Svg svg({.width = chart.width, .height = chart.height, .label = chart.label, .css = "lines"});
  if (!std::isfinite(x_low)) {
    svg.text({chart.width / 2, chart.height / 2}, "no data", {.css = "muted", .anchor = 'm'});
    return std::move(svg).take();
  }
  if (x_high <= x_low) x_high = chart.log_x ? x_low * 10 : x_low + 1;
  if (y_high <= y_low) y_low -= .5, y_high += .5;
  const double room = (y_high - y_low) * .05;
  y_low -= room, y_high += room;

  const std::vector<double> y_ticks = linear_ticks(y_low, y_high, 5);
  double tick_width = 0;
  for (const double t : y_ticks) tick_width = std::max(tick_width, text_width(tick_text(t), kSmall));
  const double left = tick_width + 12, right = std::min(label_width + 30, chart.width / 3), top = chart.y_label.empty() ? 10 : 26,
               foot = chart.x_label.empty() ? 26 : 42;
  const double width = std::max(chart.width - left - right, 40.), height = std::max(chart.height - top - foot, 40.);
  const auto scaled = [&](double x) {
    return chart.log_x ? std::log(x / x_low) / std::log(x_high / x_low) : (x - x_low) / (x_high - x_low);
  };
  const auto place = [&](double x, double y) {
    return Point{left + width * scaled(x), top + height * (1 - (y - y_low) / (y_high - y_low))};
  };

  svg.text({0, 13}, chart.y_label, {.css = "small muted"});
  for (const double t : y_ticks) {
    const double y = place(x_low, t).y;
    svg.line({left, y}, {left + width, y}, {.css = "grid"});
    svg.text({left - 8, y + 4}, typographic(tick_text(t)), {.css = "small muted", .anchor = 'e'});
  }
  std::vector<double> x_ticks;
  if (chart.log_x) {
    for (double power = std::pow(10, std::floor(std::log10(x_low))); power <= x_high * (1 + 1e-9); power *= 10)
      if (power >= x_low * (1 - 1e-9)) x_ticks.push_back(power);
  } else {
    x_ticks = linear_ticks(x_low, x_high, 6);
  }
  for (const double t : x_ticks) {
    const double x = place(t, y_low).x;
    svg.line({x, top + height}, {x, top + height + 4}, {.css = "tick"});
    svg.text({x, top + height + 17}, typographic(tick_text(t)), {.css = "small muted", .anchor = 'm'});
  }
  svg.text({left + width / 2, chart.height - 6}, chart.x_label, {.css = "small muted", .anchor = 'm'});

  struct End {
    double y;
    const LineChart::Series* series;
  };
  std::vector<End> ends;
  for (const auto& series : chart.series) {
    const std::string color = fill_of(series.color, series.label);
    std::vector<Point> points, upper, lower;
    for (const auto& p : series.points) {
      if (!usable(p)) {
        points.push_back({kMissing, kMissing});
        continue;
      }
      points.push_back(place(p.x, p.y));
      if (std::isfinite(p.low) && std::isfinite(p.high)) upper.push_back(place(p.x, p.high)), lower.push_back(place(p.x, p.low));
    }
    upper.insert(upper.end(), lower.rbegin(), lower.rend());
    svg.polygon(upper, {.css = "spread", .fill = color});
    svg.polyline(points, {.css = "series", .stroke = color, .tip = series.label});
    const auto end = std::find_if(points.rbegin(), points.rend(), [](const Point& p) { return std::isfinite(p.x); });
    if (end == points.rend()) continue;
    svg.circle(*end, 3, {.fill = color});
    ends.push_back({end->y, &series});
  }
  // Labels at the lines' ends, pushed apart downwards, then back up where they would leave the picture.
  std::stable_sort(ends.begin(), ends.end(), [](const End& a, const End& b) { return a.y < b.y; });
  constexpr double kApart = 14;
  for (size_t i = 1; i < ends.size(); ++i) ends[i].y = std::max(ends[i].y, ends[i - 1].y + kApart);
  for (size_t i = ends.size(); i-- > 0;) ends[i].y = std::min(ends[i].y, i + 1 < ends.size() ? ends[i + 1].y - kApart : top + height);
  for (const End& end : ends) {
    const std::string color = fill_of(end.series->color, end.series->label);
    svg.rect({left + width + 9, end.y - 4, 8, 8}, {.fill = color, .radius = 2});
    svg.text({left + width + 22, end.y + 4}, fit_text(end.series->label, kSmall, right - 22), {.css = "small"});
  }
  return std::move(svg).take();
}

}  // namespace pointsman::report

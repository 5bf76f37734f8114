#include "report/distribution_chart.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "learn/stats.h"
#include "report/chart.h"
#include "report/interval.h"
#include "report/markup.h"
#include "report/palette.h"
#include "report/svg.h"

namespace pointsman::report {
namespace {

constexpr double kSmall = 11;

// "1.61e+09" would be right and nobody would read it.
std::string tick_text(double value) {
  const double size = std::abs(value);
  for (const auto& [unit, name] : {std::pair{1e9, "G"}, std::pair{1e6, "M"}, std::pair{1e4, "k"}}) {
    if (size >= unit) return fmt::format("{:.4g} {}", value / (unit == 1e4 ? 1e3 : unit), name);
  }
  return fmt::format("{:.4g}", value);
}

struct Span {
  double low = INFINITY, high = -INFINITY;
  [[nodiscard]] bool known() const { return std::isfinite(low); }
};
Span span_of(const DistributionChart& chart) {
  Span span;
  for (const auto& series : chart.series) {
    for (const double v : series.values) {
      if (std::isfinite(v)) span.low = std::min(span.low, v), span.high = std::max(span.high, v);
    }
  }
  if (!span.known()) return span;
  const double room = span.high > span.low ? .04 * (span.high - span.low) : std::max(std::abs(span.low) * .05, 1e-9);
  return {span.low - room, span.high + room};
}

std::string nothing(const DistributionChart& chart) {
  Svg svg({.width = chart.width, .height = 40, .label = chart.label});
  svg.text({chart.width / 2, 24}, "no data", {.css = "muted", .anchor = 'm'});
  return std::move(svg).take();
}

// As many ticks as have room for what they say, the ends included.
std::vector<double> ticks_that_fit(const Span& span, double width) {
  for (int count = 6; count > 2; --count) {
    const std::vector<double> ticks = linear_ticks(span.low, span.high, count);
    double needed = 0;
    for (const double t : ticks) needed += text_width(tick_text(t), kSmall) + 14;
    if (needed <= width) return ticks;
  }
  return linear_ticks(span.low, span.high, 2);
}

}  // namespace

std::string box_svg(const DistributionChart& chart) {
  const Span span = span_of(chart);
  if (!span.known()) return nothing(chart);
  double names = 0;
  for (const auto& series : chart.series) names = std::max(names, text_width(series.label, kSmall));
  const double left = std::min(names + (names > 0 ? 12 : 4), chart.width / 2), right = 14, width = chart.width - left - right;
  constexpr double kRow = 26, kHalf = 7;
  const double foot = 6 + kRow * static_cast<double>(chart.series.size());
  const auto at = [&](double v) { return left + width * (v - span.low) / (span.high - span.low); };
  Svg svg({.width = chart.width, .height = foot + 22, .label = chart.label});
  for (const double t : ticks_that_fit(span, width)) {
    svg.line({at(t), 4}, {at(t), foot}, {.css = "grid"});
    svg.text({at(t), foot + 15}, typographic(tick_text(t)), {.css = "small muted", .anchor = 'm'});
  }
  double y = 6 + kRow / 2;
  for (const auto& series : chart.series) {
    const std::vector<double> known = known_of(series.values);
    svg.text({left - 8, y + 4}, fit_text(series.label, kSmall, left - 8), {.css = "small", .anchor = 'e'});
    if (!known.empty()) {
      const double q1 = quantile_of(known, .25), q2 = quantile_of(known, .5), q3 = quantile_of(known, .75), reach = 1.5 * (q3 - q1);
      double low = q1, high = q3;
      for (const double v : known) {
        if (v >= q1 - reach) low = std::min(low, v);
        if (v <= q3 + reach) high = std::max(high, v);
      }
      const std::string fill = arm_fill(series.label);
      svg.open_group({.tip = fmt::format("{}{}: median {:.4g}, half of {} runs within {:.4g} to {:.4g}", series.label, series.label.empty() ? chart.label : "", q2, known.size(), q1, q3)});
      svg.line({at(low), y}, {at(high), y}, {.css = "whisker"});
      svg.line({at(low), y - 4}, {at(low), y + 4}, {.css = "whisker"});
      svg.line({at(high), y - 4}, {at(high), y + 4}, {.css = "whisker"});
      svg.rect({at(q1), y - kHalf, std::max(1.0, at(q3) - at(q1)), 2 * kHalf}, {.fill = fill, .radius = 2});
      svg.line({at(q2), y - kHalf}, {at(q2), y + kHalf}, {.css = "reference", .stroke = "var(--paper)", .stroke_width = 2});
      svg.close_group();
      for (const double v : known) {
        if (v < low || v > high) svg.circle({at(v), y}, 3, {.css = "hollow", .tip = fmt::format("{:.6g}", v)});
      }
    }
    y += kRow;
  }
  return std::move(svg).take();
}

std::string order_svg(const DistributionChart& chart) {
  const Span span = span_of(chart);
  if (!span.known()) return nothing(chart);
  double last = 1;
  for (const auto& series : chart.series) {
    last = std::max({last, static_cast<double>(series.values.size()) - 1, series.order.empty() ? 0.0 : *std::max_element(series.order.begin(), series.order.end())});
  }
  constexpr double kHeight = 130, kTop = 8, kFoot = 24;
  const std::vector<double> ticks = linear_ticks(span.low, span.high, 4);
  double names = 0;
  for (const double t : ticks) names = std::max(names, text_width(tick_text(t), kSmall));
  const double left = names + 12, width = chart.width - left - 10, height = kHeight - kTop - kFoot;
  const auto place = [&](double x, double v) { return Point{left + width * x / last, kTop + height * (1 - (v - span.low) / (span.high - span.low))}; };
  Svg svg({.width = chart.width, .height = kHeight, .label = chart.label});
  for (const double t : ticks) {
    const double y = place(0, t).y;
    svg.line({left, y}, {left + width, y}, {.css = "grid"});
    svg.text({left - 8, y + 4}, typographic(tick_text(t)), {.css = "small muted", .anchor = 'e'});
  }
  svg.text({left, kHeight - 6}, "first run", {.css = "small muted"});
  svg.text({left + width, kHeight - 6}, "last run", {.css = "small muted", .anchor = 'e'});
  for (const auto& series : chart.series) {
    const std::string fill = arm_fill(series.label);
    for (size_t i = 0; i < series.values.size(); ++i) {
      const double x = i < series.order.size() ? series.order[i] : static_cast<double>(i);
      const Point at = place(x, series.values[i]);
      svg.circle(at, 3, {.fill = fill, .tip = fmt::format("{}{}run {:.0f}: {:.6g}", series.label, series.label.empty() ? "" : ", ", x + 1, series.values[i])});
    }
  }
  return std::move(svg).take();
}

}  // namespace pointsman::report

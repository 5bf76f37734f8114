#include "report/svg.h"

#include <fmt/core.h>

#include <cmath>
#include <vector>

#include "report/markup.h"
#include "report/palette.h"
#include "report/utf8.h"

namespace pointsman::report {

namespace {

bool finite(std::initializer_list<double> values) {
  for (const double v : values)
    if (!std::isfinite(v)) return false;
  return true;
}

std::string attribute(std::string_view name, double value) { return fmt::format(" {}=\"{}\"", name, svg_number(value)); }

std::string points_text(std::span<const Point> points) {
  std::string out;
  for (const Point& p : points) {
    if (!out.empty()) out += ' ';
    out += svg_number(p.x) + "," + svg_number(p.y);
  }
  return out;
}

}  // namespace

std::string svg_number(double value) {
  std::string out = fmt::format("{:.2f}", value);
  out.erase(out.find_last_not_of('0') + 1);
  if (out.back() == '.') out.pop_back();
  return out == "-0" ? "0" : out;
}

Svg::Svg(const Options& options) {
  const std::string css = options.css.empty() ? "chart" : "chart " + options.css;
  out_ = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"{}\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\" "
      "style=\"max-width:{}px\">\n",
      escape(css), svg_number(options.width), svg_number(options.height), escape(options.label), svg_number(options.width));
}

void Svg::element(std::string_view name, const std::string& attributes, const Look& look) {
  out_ += fmt::format("<{}{}", name, attributes);
  if (!look.css.empty()) out_ += " class=\"" + escape(look.css) + "\"";
  std::string style;
  if (!look.fill.empty()) style += "fill:" + look.fill + ";";
  if (!look.stroke.empty()) style += "stroke:" + look.stroke + ";";
  if (look.stroke_width > 0) style += "stroke-width:" + svg_number(look.stroke_width) + ";";
  if (!style.empty()) out_ += " style=\"" + escape(style) + "\"";
  if (name == "g") {
    out_ += ">" + (look.tip.empty() ? "" : "<title>" + escape(look.tip) + "</title>") + "\n";
  } else {
    out_ += look.tip.empty() ? "/>\n" : fmt::format("><title>{}</title></{}>\n", escape(look.tip), name);
  }
}

void Svg::rect(const Box& box, const Look& look) {
  if (!finite({box.x, box.y, box.width, box.height}) || box.width < 0 || box.height < 0) return;
  std::string at = attribute("x", box.x) + attribute("y", box.y) + attribute("width", box.width) + attribute("height", box.height);
  if (look.radius > 0) at += attribute("rx", look.radius);
  element("rect", at, look);
}

void Svg::line(const Point& from, const Point& to, const Look& look) {
  if (!finite({from.x, from.y, to.x, to.y})) return;
  element("line", attribute("x1", from.x) + attribute("y1", from.y) + attribute("x2", to.x) + attribute("y2", to.y), look);
}

void Svg::circle(const Point& centre, double radius, const Look& look) {
  if (!finite({centre.x, centre.y, radius})) return;
  element("circle", attribute("cx", centre.x) + attribute("cy", centre.y) + attribute("r", radius), look);
}

void Svg::polyline(std::span<const Point> points, const Look& look) {
  for (size_t from = 0; from < points.size();) {
    size_t to = from;
    while (to < points.size() && finite({points[to].x, points[to].y})) ++to;
    if (to > from + 1) element("polyline", fmt::format(" points=\"{}\"", points_text(points.subspan(from, to - from))), look);
    from = to + 1;
  }
}

void Svg::polygon(std::span<const Point> points, const Look& look) {
  for (const Point& p : points)
    if (!finite({p.x, p.y})) return;
  if (points.size() > 2) element("polygon", fmt::format(" points=\"{}\"", points_text(points)), look);
}

void Svg::text(const Point& at, std::string_view text, const TextLook& look) {
  if (!finite({at.x, at.y}) || text.empty()) return;
  out_ += "<text" + attribute("x", at.x) + attribute("y", at.y);
  if (look.anchor != 's') out_ += look.anchor == 'm' ? " text-anchor=\"middle\"" : " text-anchor=\"end\"";
  if (!look.css.empty()) out_ += " class=\"" + escape(look.css) + "\"";
  if (!look.fill.empty()) out_ += " style=\"fill:" + escape(look.fill) + "\"";
  out_ += ">" + escape(one_line(text)) + "</text>\n";
}

void Svg::open_group(const Look& look) { element("g", "", look); }
void Svg::close_group() { out_ += "</g>\n"; }
std::string Svg::take() && { return std::move(out_) + "</svg>\n"; }

double text_width(std::string_view text, double size_px) {
  constexpr std::string_view kNarrow = "iljtfrI.,:;|'!()[] ", kBroad = "mwMW%@";
  double em = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t before = at;
    const char32_t c = next_code_point(text, at);
    if (c >= 0x80) {
      em += .62 * static_cast<double>(display_width(text.substr(before, at - before)));
    } else if (kNarrow.find(static_cast<char>(c)) != std::string_view::npos) {
      em += .38;
    } else if (kBroad.find(static_cast<char>(c)) != std::string_view::npos) {
      em += .95;
    } else {
      em += c >= 'A' && c <= 'Z' ? .7 : .62;
    }
  }
  return em * size_px;
}

std::string fit_text(std::string_view text, double size_px, double width) {
  if (text_width(text, size_px) <= width) return std::string(text);
  for (size_t columns = display_width(text); columns-- > 3;) {
    std::string shorter = clip(text, columns);
    if (text_width(shorter, size_px) <= width) return shorter;
  }
  return "";
}

std::string chart_css() {
  return R"(.chart{display:block;width:100%;height:auto;font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;font-variant-numeric:tabular-nums}
.chart text{font-size:12px;fill:var(--ink)}
.chart .small{font-size:11px}
.chart .muted{fill:var(--muted)}
.chart .strong{font-weight:650}
.chart .accent{fill:var(--accent);font-weight:650}
.chart .lane{paint-order:stroke;stroke:var(--paper);stroke-width:4px;stroke-linejoin:round}
.chart .grid{stroke:var(--line);stroke-width:1}
.chart .edge{stroke:var(--muted);stroke-width:1;stroke-dasharray:2 3}
.chart .reference{stroke:var(--ink);stroke-width:1.25}
.chart .whisker{stroke:var(--ink);stroke-width:1.5}
.chart .halo{stroke:var(--paper);stroke-width:3.5}
.chart .band{fill:var(--band)}
.chart .rail{fill:var(--line)}
.chart .tick{stroke:var(--ink);stroke-width:1.25}
.chart .mark{fill:var(--ink)}
.chart .cross{stroke:var(--accent);stroke-width:2}
.chart .series{fill:none;stroke-width:2;stroke-linejoin:round}
.chart .spread{opacity:.18}
.chart .hollow{fill:var(--paper);stroke:var(--ink);stroke-width:1.5}
)";
}

std::string standalone(std::string svg) {
  const size_t end = svg.find('>');
  if (end == std::string::npos) return svg;
  svg.insert(end + 1, "\n<style>\n" + palette_css() + chart_css() + "</style>");
  return svg;
}

}  // namespace pointsman::report

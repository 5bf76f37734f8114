#include "report/matrix_report.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "report/format.h"
#include "report/markup.h"
#include "report/palette.h"

namespace pointsman::report {

namespace {

// Over the seeds that both have.
std::vector<double> differences(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> out;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i)
    if (std::isfinite(a[i] - b[i])) out.push_back(a[i] - b[i]);
  return out;
}

size_t seeds_of(const MatrixFamily& family) {
  size_t seeds = 0;
  for (const auto& values : family.ln_ratio) seeds = std::max(seeds, known_of(values).size());
  return seeds;
}

std::string best_of(const MatrixReport& report, const MatrixFamily& family) {
  std::string out;
  for (size_t a = 0; a < std::min(report.arms.size(), family.cells.size()); ++a)
    if (family.cells[a].best) out += (out.empty() ? "" : ", ") + report.arms[a];
  return out;
}

std::string heat_cell(const MatrixCell& cell, bool interval) {
  if (!cell.ratio.known() || cell.ratio.mean <= 0) return "<td class=\"heat\">–</td>";
  const double ln = std::log(cell.ratio.mean);
  // Full colour at half or double.
  const double heat = std::min(std::fabs(ln) / std::log(2), 1.);
  std::string css = heat < .02 ? "heat" : ln < 0 ? "heat better" : "heat worse";
  if (cell.best) css += " marked";
  std::string out = fmt::format("<td class=\"{}\" style=\"--h:{:.2f}\">{}", css, heat, format_ratio(cell.ratio.mean));
  const bool certain = cell.ratio.low == cell.ratio.mean && cell.ratio.high == cell.ratio.mean;
  if (interval && cell.ratio.bounded() && !certain)
    out += fmt::format("<span class=\"ci\">{}–{}</span>", format_ratio(cell.ratio.low), format_ratio(cell.ratio.high));
  return out + "</td>";
}

}  // namespace

void judge(MatrixReport& report, const IntervalOf& interval_of) {
  report.totals.assign(report.arms.size(), {});
  report.best_static.clear();
  report.oracle_ratio = kMissing;
  std::vector<std::vector<double>> means(report.arms.size());  // [arm][family] ln
  std::vector<double> best_means;
  for (MatrixFamily& family : report.families) {
    family.cells.assign(report.arms.size(), {});
    family.ln_ratio.resize(report.arms.size());
    std::vector<double> ln(report.arms.size(), kMissing);
    size_t best = report.arms.size();
    for (size_t a = 0; a < report.arms.size(); ++a) {
      const Interval interval = over_known(family.ln_ratio[a], interval_of);
      family.cells[a].ratio = exp_of(interval);
      ln[a] = interval.mean;
      if (std::isfinite(ln[a]) && (best == report.arms.size() || ln[a] < ln[best])) best = a;
    }
    if (best == report.arms.size()) continue;
    best_means.push_back(ln[best]);
    for (size_t a = 0; a < report.arms.size(); ++a) {
      means[a].push_back(ln[a]);
      if (!std::isfinite(ln[a])) continue;
      const Interval behind = over_known(differences(family.ln_ratio[a], family.ln_ratio[best]), interval_of);
      family.cells[a].best = a == best || ln[a] - ln[best] < std::log1p(kTie) || (behind.known() && !(behind.low > 0));
      MatrixTotal& total = report.totals[a];
      const double ratio = std::exp(ln[a] - ln[best]);
      if (!(ratio <= total.worst_to_best)) total.worst_to_best = ratio, total.worst_family = family.name;
      if (ratio > 1.1) ++total.lost;
    }
  }
  size_t lowest = report.arms.size();
  for (size_t a = 0; a < report.arms.size(); ++a) {
    // An arm that misses a family has no total: it would be over another list.
    if (means[a].empty() || known_of(means[a]).size() != means[a].size()) continue;
    report.totals[a].ratio = exp_of(interval_of(means[a]));
    if (lowest == report.arms.size() || report.totals[a].ratio.mean < report.totals[lowest].ratio.mean) lowest = a;
  }
  if (lowest < report.arms.size()) report.best_static = report.arms[lowest];
  if (!best_means.empty()) {
    double sum = 0;
    for (const double v : best_means) sum += v;
    report.oracle_ratio = std::exp(sum / static_cast<double>(best_means.size()));
  }
}

Table matrix_table(const MatrixReport& report, const MatrixTableOptions& options) {
  std::vector<Column> columns = {{.key = "family", .title = "family"},
                                 {.key = "regime", .title = "regime"},
                                 {.key = "seeds", .title = "seeds", .quantity = Quantity::kCount},
                                 {.key = "baseline_slowdown", .title = report.baseline + " abs", .quantity = Quantity::kRatio}};
  for (const std::string& arm : report.arms) columns.push_back({.key = arm, .title = arm, .quantity = Quantity::kRatio});
  columns.push_back({.key = "best_arms", .title = "best"});
  Table table(fmt::format("geometric-mean slowdown as a ratio to {} (below 1 is better); * best, or not separable from it at 95 %",
                          report.baseline),
              columns);
  table.mark_key = "best";
  const auto cell = [&](const Interval& ratio) { return options.intervals ? Cell(ratio) : Cell(ratio.mean); };
  for (const MatrixFamily& family : report.families) {
    std::vector<Cell> row = {family.name, family.regime, seeds_of(family), family.baseline_slowdown};
    for (const MatrixCell& c : family.cells) row.push_back(cell(c.ratio).mark(c.best));
    row.resize(columns.size() - 1);
    row.push_back(best_of(report, family));
    table.add(std::move(row));
  }
  if (report.totals.empty()) return table;
  table.add_rule();
  std::vector<Cell> mean = {"all families", Cell(), Cell(), Cell()}, worst = {"worst, to the family's best", Cell(), Cell(), Cell()};
  for (const MatrixTotal& total : report.totals) {
    mean.push_back(cell(total.ratio));
    worst.push_back(total.worst_to_best);
  }
  mean.push_back(report.best_static);
  table.add(std::move(mean));
  table.add(std::move(worst));
  if (std::isfinite(report.oracle_ratio) && !report.best_static.empty()) {
    const auto at = static_cast<size_t>(std::find(report.arms.begin(), report.arms.end(), report.best_static) - report.arms.begin());
    const double best = report.totals[at].ratio.mean;
    table.notes.push_back(fmt::format("Best arm of each family: {} ({} below {}, the best single arm).", format_ratio(report.oracle_ratio),
                                      format_percent(1 - report.oracle_ratio / best), report.best_static));
  }
  return table;
}

nlohmann::json to_json(const MatrixReport& report) {
  const auto number = [](double v) { return std::isfinite(v) ? nlohmann::json(v) : nlohmann::json(nullptr); };
  nlohmann::json out = {{"format", "pointsman-matrix"},
                        {"version", 1},
                        {"baseline", report.baseline},
                        {"arms", report.arms},
                        {"command", report.command},
                        {"best_static", report.best_static},
                        {"oracle_ratio", number(report.oracle_ratio)}};
  out["families"] = nlohmann::json::array();
  for (const MatrixFamily& family : report.families) {
    nlohmann::json row = {{"name", family.name},
                          {"regime", family.regime},
                          {"imitates", family.imitates},
                          {"seeds", seeds_of(family)},
                          {"baseline_slowdown", number(family.baseline_slowdown)}};
    row["arms"] = nlohmann::json::object();
    for (size_t a = 0; a < std::min(report.arms.size(), family.cells.size()); ++a) {
      row["arms"][report.arms[a]] = to_json(family.cells[a].ratio);
      row["arms"][report.arms[a]]["best"] = family.cells[a].best;
    }
    out["families"].push_back(std::move(row));
  }
  out["totals"] = nlohmann::json::object();
  for (size_t a = 0; a < std::min(report.arms.size(), report.totals.size()); ++a) {
    const MatrixTotal& total = report.totals[a];
    out["totals"][report.arms[a]] = to_json(total.ratio);
    out["totals"][report.arms[a]]["worst_to_best"] = number(total.worst_to_best);
    out["totals"][report.arms[a]]["worst_family"] = total.worst_family;
    out["totals"][report.arms[a]]["families_lost_by_10_percent"] = total.lost;
  }
  return out;
}

Section matrix_section(const MatrixReport& report) {
  Section section{.id = "matrix", .heading = "Every family under every arm"};
  if (report.families.empty()) {
    section.body = paragraph("Nothing was measured.");
    return section;
  }
  std::string& out = section.body;
  const size_t seeds = seeds_of(report.families.front());
  const bool same_seeds =
      std::all_of(report.families.begin(), report.families.end(), [&](const MatrixFamily& f) { return seeds_of(f) == seeds; });
  out += fmt::format(
      "<p class=\"muted\">Slowdown of a typical job as a ratio to {}, with 95 % intervals over {}seeds.<span class=\"key better\" "
      "style=\"--h:1\"></span>half or less"
      "<span class=\"key worse\" style=\"--h:1\"></span>double or more. A frame marks the best arm of a family and all that cannot be told "
      "from it at 95 % on the same seeds, or lie within {}.</p>\n",
      escape(report.baseline), same_seeds ? fmt::format("{} ", seeds) : "", prose(format_percent(kTie)));
  out += "<div class=\"scroll\"><table class=\"heatmap\" aria-label=\"Families and arms\">\n<thead><tr><th scope=\"col\">family</th>";
  for (const std::string& arm : report.arms) out += fmt::format("<th scope=\"col\" class=\"num\">{}</th>", escape(arm));
  out += "</tr></thead>\n<tbody>\n";
  for (const MatrixFamily& family : report.families) {
    std::string note = family.regime;
    if (!same_seeds) note += fmt::format(", {} seeds", seeds_of(family));
    if (std::isfinite(family.baseline_slowdown))
      note += fmt::format("{}{} {}", note.empty() ? "" : ", ", report.baseline, format_ratio(family.baseline_slowdown));
    out += fmt::format("<tr><th scope=\"row\" title=\"{}\">{}<span>{}</span></th>", escape(family.imitates), escape(family.name),
                       escape(note));
    for (const MatrixCell& cell : family.cells) out += heat_cell(cell, true);
    out += "</tr>\n";
  }
  if (!report.totals.empty()) {
    out += "<tr class=\"ruled\"><th scope=\"row\">all families<span>geometric mean, interval over families</span></th>";
    for (size_t a = 0; a < report.totals.size(); ++a)
      out += heat_cell({.ratio = report.totals[a].ratio, .best = report.arms[a] == report.best_static}, true);
    out += "</tr>\n<tr><th scope=\"row\">worst family<span>as a ratio to its best arm</span></th>";
    for (const MatrixTotal& total : report.totals)
      out += fmt::format("<td class=\"num\">{}<span class=\"ci\">{}</span></td>", typographic(format_ratio(total.worst_to_best)),
                         escape(total.worst_family));
    out += "</tr>\n<tr><th scope=\"row\">families lost<span>by more than 10 % to the best arm</span></th>";
    for (const MatrixTotal& total : report.totals) out += fmt::format("<td class=\"num\">{}</td>", total.lost);
    out += "</tr>\n";
  }
  out += "</tbody></table></div>\n";
  const Table table = matrix_table(report);
  for (const std::string& note : table.notes) out += paragraph(note);
  return section;
}

std::string to_html(const MatrixReport& report) {
  Page page{.title = report.title, .kicker = "families and arms"};
  std::string claim = "No arm is best everywhere";
  size_t families = 0;
  std::vector<std::string> alone;
  for (const std::string& arm : report.arms) {
    const auto a = static_cast<size_t>(&arm - report.arms.data());
    int wins = 0;
    for (const MatrixFamily& family : report.families) {
      const auto marked = std::count_if(family.cells.begin(), family.cells.end(), [](const MatrixCell& c) { return c.best; });
      if (a < family.cells.size() && family.cells[a].best && marked == 1) ++wins;
    }
    if (wins > 0) alone.push_back(fmt::format("{} in {}", arm, wins));
  }
  for (const MatrixFamily& family : report.families) families += seeds_of(family) > 0 ? 1 : 0;
  const bool everywhere =
      std::any_of(report.totals.begin(), report.totals.end(), [](const MatrixTotal& t) { return t.worst_to_best <= 1 + kTie; });
  if (families == 0)
    claim = "Nothing was measured";
  else if (everywhere)
    claim = "One arm is best, or as good as the best, everywhere";
  std::string detail;
  if (!alone.empty()) {
    detail = fmt::format("Best alone, of {} families: ", families);
    for (size_t i = 0; i < alone.size(); ++i) detail += (i == 0 ? "" : ", ") + alone[i];
    detail += ". Elsewhere two or more arms cannot be told apart.";
  }
  page.lead = "<h1>" + escape(claim) + ".</h1>\n" + paragraph(detail, "lede");
  page.sections.push_back(matrix_section(report));
  std::string method;
  for (const std::string& text : report.how) method += paragraph(text);
  std::string limits;
  for (const std::string& text : report.limits) limits += "<li>" + prose(text) + "</li>\n";
  if (!limits.empty()) method += "<h3>Limits</h3>\n<ul>\n" + limits + "</ul>\n";
  page.sections.push_back({.id = "method", .heading = "How this was measured, and its limits", .body = method});
  page.sections.push_back({.id = "machine", .heading = "Machine", .body = machine_html(report.machine)});
  if (!report.command.empty())
    page.sections.push_back({.id = "again", .heading = "Do it again", .body = "<pre><code>" + escape(report.command) + "</code></pre>\n"});
  return to_html(page);
}

}  // namespace pointsman::report

#include "report/variability.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "learn/stats.h"
#include "report/utf8.h"
#include "report/variability_checks.h"

namespace pointsman::report {
namespace {

bool has_all(const Frame& frame, std::initializer_list<const char*> columns) {
  return std::all_of(columns.begin(), columns.end(), [&](const char* c) { return frame.find(c).has_value(); });
}

Cell cell(double value) { return std::isfinite(value) ? Cell(value) : Cell(); }

}  // namespace

TableKind kind_of(const Frame& frame) {
  if (has_all(frame, {"metric", "mean", "std"})) return TableKind::kSummary;
  if (has_all(frame, {"PID", "T_Arrival", "T_First_CPU", "T_Completion", "TAT", "RT", "Total_CPU_Time"})) return TableKind::kProcesses;
  for (size_t row = 0; row < frame.rows(); ++row) {
    if (frame.columns().size() > 1 && frame.text(row, 0) == "count" && !frame.find("arm")) return TableKind::kDescribe;
  }
  return TableKind::kRuns;
}

const char* name_of(TableKind kind) {
  switch (kind) {
    case TableKind::kSummary: return "summary";
    case TableKind::kProcesses: return "processes";
    case TableKind::kDescribe: return "describe";
    case TableKind::kRuns: return "runs";
  }
  return "?";
}

const char* name_of(Flaw::Weight weight) {
  switch (weight) {
    case Flaw::Weight::kWrong: return "wrong";
    case Flaw::Weight::kSuspect: return "suspect";
    case Flaw::Weight::kNote: return "note";
  }
  return "?";
}

std::string at(const Frame& frame, size_t row, const std::string& metric) { return fmt::format("{}:{}{}{}", frame.file(), frame.line(row), metric.empty() ? "" : " ", metric); }

double runs_needed(double cv_percent, double effect_percent) {
  const double z = normal_quantile(.975) + normal_quantile(.8);
  const double n = 2 * z * z * (cv_percent / effect_percent) * (cv_percent / effect_percent);
  return std::isfinite(n) ? std::max(2.0, std::ceil(n)) : kMissing;
}

Variability examine(std::span<const Frame> frames) {
  Variability out;
  for (const Frame& frame : frames) {
    switch (kind_of(frame)) {
      case TableKind::kSummary: check_summary(frame, out); break;
      case TableKind::kProcesses: check_processes(frame, out); break;
      case TableKind::kRuns: check_runs(frame, out); break;
      case TableKind::kDescribe: break;  // all of them together below
    }
  }
  check_sums(frames, out);
  check_conventions_across(frames, out);
  check_room(frames, out);
  check_descriptions(frames, out);
  std::stable_sort(out.flaws.begin(), out.flaws.end(), [](const Flaw& a, const Flaw& b) { return a.weight < b.weight; });
  return out;
}

std::string Variability::flaw_text(size_t width) const {
  if (flaws.empty()) return "Nothing is wrong or suspect.\n";
  const auto many = [&](Flaw::Weight weight) { return std::count_if(flaws.begin(), flaws.end(), [&](const Flaw& f) { return f.weight == weight; }); };
  std::string out = fmt::format("{} findings: {} wrong, {} suspect, {} notes\n", flaws.size(), many(Flaw::Weight::kWrong), many(Flaw::Weight::kSuspect), many(Flaw::Weight::kNote));
  constexpr size_t kIndent = 4;
  for (const Flaw& flaw : flaws) {
    out += fmt::format("{:7}  {}  {}\n", name_of(flaw.weight), flaw.code, one_line(flaw.where));
    const std::string text = one_line(flaw.text);
    size_t used = 0;
    for (size_t at = 0; at < text.size();) {
      const size_t end = std::min(text.find(' ', at), text.size()), wide = display_width(text.substr(at, end - at));
      if (used > 0 && used + 1 + wide > width) {
        out += '\n';
        used = 0;
      }
      out += used == 0 ? std::string(kIndent, ' ') : " ";
      used += (used == 0 ? kIndent : 1) + wide;
      out += text.substr(at, end - at);
      at = end + 1;
    }
    out += '\n';
  }
  return out;
}

Table Variability::flaw_table() const {
  Table table("What is wrong, suspect, or limits a conclusion", {{"weight", "weight"}, {"code", "code"}, {"where", "where"}, {"text", "what"}});
  for (const Flaw& flaw : flaws) table.add({name_of(flaw.weight), flaw.code, flaw.where, flaw.text});
  if (flaws.empty()) table.notes.push_back("nothing was found");
  return table;
}

Table Variability::variation_table(Rows rows) const {
  Table table("Variation, and the runs that two unpaired arms need each to see an effect", {{"file", "file"},
                                                                                             {"metric", "metric"},
                                                                                             {"n", "n", Quantity::kCount},
                                                                                             {"mean", "mean", Quantity::kNumber, -6},
                                                                                             {"median", "median", Quantity::kNumber, -6},
                                                                                             {"std", "std", Quantity::kNumber, -6},
                                                                                             {"cv_percent", "CV %", Quantity::kNumber, 2},
                                                                                             {"mean_interval", "mean 95 %", Quantity::kNumber, -6},
                                                                                             {"drift_percent", "drift %", Quantity::kNumber, 1},
                                                                                             {"autocorrelation", "autocorr.", Quantity::kNumber, 2},
                                                                                             {"runs_1", "1 %", Quantity::kCount},
                                                                                             {"runs_2", "2 %", Quantity::kCount},
                                                                                             {"runs_5", "5 %", Quantity::kCount},
                                                                                             {"runs_10", "10 %", Quantity::kCount}});
  size_t same = 0;
  for (const Variation& v : variations) {
    if (rows == Rows::kVarying && v.std == 0 && ++same > 0) continue;
    table.add({v.file, v.metric, cell(v.n), cell(v.mean), cell(v.median), cell(v.std), cell(v.cv_percent), v.mean_interval.known() ? Cell(v.mean_interval) : Cell(), cell(v.drift_percent),
               cell(v.autocorrelation), cell(v.runs_1), cell(v.runs_2), cell(v.runs_5), cell(v.runs_10)});
  }
  if (same > 0) table.notes.push_back(fmt::format("{} more were the same in every run", same));
  table.notes.push_back("std with ddof 1; CV = std / mean; runs for power 0.8 at 5 %, two-sided; 95 % intervals are BCa bootstrap");
  return table;
}

Table Variability::comparison_table() const {
  Table table("Arms against the baseline", {{"metric", "metric"},
                                            {"baseline", "baseline"},
                                            {"other", "arm"},
                                            {"baseline_mean", "its mean", Quantity::kNumber, -6},
                                            {"other_mean", "arm's mean", Quantity::kNumber, -6},
                                            {"change_percent", "change %", Quantity::kNumber, 1},
                                            {"change_low", "low", Quantity::kNumber, 1},
                                            {"change_high", "high", Quantity::kNumber, 1},
                                            {"t", "t", Quantity::kNumber, 1},
                                            {"pairing_gain", "pairing saves", Quantity::kRatio}});
  for (const Comparison& c : comparisons) {
    table.add({c.metric, c.baseline, c.other, cell(c.baseline_mean), cell(c.other_mean), cell(c.change_percent), cell(c.change_low), cell(c.change_high), cell(c.t), cell(c.pairing_gain)});
    for (const std::string& reservation : c.reservations) table.notes.push_back(fmt::format("{} {}: {}", c.metric, c.other, reservation));
  }
  return table;
}

}  // namespace pointsman::report

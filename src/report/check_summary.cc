#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "report/format.h"
#include "report/variability_checks.h"

namespace pointsman::report {
namespace {

using Weight = Flaw::Weight;

struct Row {
  size_t index = 0;
  std::string metric;
  double mean = kMissing, normalized = kMissing, std = kMissing, cv = kMissing;
  bool cv_printed = false;
};

std::vector<Row> rows_of(const Frame& frame, Variability& out) {
  const size_t metric = *frame.find("metric"), mean = *frame.find("mean"), std = *frame.find("std");
  const auto normalized = frame.find("normalized_mean"), cv = frame.find("cv_%");
  std::vector<Row> rows;
  for (size_t i = 0; i < frame.rows(); ++i) {
    Row row{.index = i, .metric = frame.text(i, metric), .mean = frame.number(i, mean), .std = frame.number(i, std)};
    if (normalized) row.normalized = frame.number(i, *normalized);
    if (cv) {
      row.cv = frame.number(i, *cv);
      row.cv_printed = true;
    }
    for (const auto column : {std::optional(mean), std::optional(std), normalized, cv}) {
      if (column && !frame.is_number(i, *column)) {
        out.flaws.push_back({Weight::kWrong, "not-a-number", at(frame, i, row.metric), fmt::format("{} is '{}', no number", frame.columns()[*column], frame.text(i, *column))});
      }
    }
    if (!std::isfinite(row.mean) || !std::isfinite(row.std)) continue;
    rows.push_back(std::move(row));
  }
  return rows;
}

const Row* find(const std::vector<Row>& rows, const std::string& metric) {
  const auto found = std::find_if(rows.begin(), rows.end(), [&](const Row& r) { return r.metric == metric; });
  return found == rows.end() ? nullptr : &*found;
}

// Printed with two decimals, from numbers with six digits.
bool prints_as(double value, double printed) { return std::abs(value - printed) <= 0.0051 + 2e-5 * std::abs(printed); }

void check_convention(const Frame& frame, const Row& row, Variability& out) {
  if (!row.cv_printed) return;
  const std::string where = at(frame, row.index, row.metric);
  const double of_mean = 100 * row.std / row.mean, of_normalized = 100 * row.std / row.normalized;
  if (row.mean == 0) {
    out.flaws.push_back({Weight::kNote, "cv-undefined", where, "the mean is 0, so there is no CV"});
    return;
  }
  if (row.mean < 0) {
    out.flaws.push_back({Weight::kWrong, "negative-cv", where,
                         fmt::format("a CV of {} %: the mean is negative, and a quantity that changes its sign has no CV; std {} stands for itself", format_fixed(row.cv, 2), row.std)});
    return;
  }
  if (!std::isfinite(row.cv) || prints_as(of_mean, row.cv)) return;
  if (std::isfinite(row.normalized) && prints_as(of_normalized, row.cv)) {
    out.flaws.push_back({Weight::kWrong, "cv-of-normalized-mean", where,
                         fmt::format("the CV of {} % is std / normalized_mean; std / mean is {} %", format_fixed(row.cv, 2), format_fixed(of_mean, 2))});
    return;
  }
  out.flaws.push_back({Weight::kWrong, "cv-does-not-follow", where,
                       fmt::format("a CV of {} % is printed, but std / mean is {} %", format_fixed(row.cv, 2), format_fixed(of_mean, 2))});
}

void check_normalized(const Frame& frame, const std::vector<Row>& rows, Variability& out) {
  double ratio = 0;
  size_t same = 0, with = 0;
  for (const Row& row : rows) {
    if (!std::isfinite(row.normalized) || row.normalized == 0) continue;
    const double r = row.mean / row.normalized;
    if (with++ == 0) ratio = r;
    same += near(r, ratio, 1e-4) ? 1 : 0;
  }
  if (with == 0 || near(ratio, 1, 1e-4)) return;
  std::vector<std::string> senseless;
  for (const Row& row : rows) {
    // Only what adds up over CPUs can be divided by them.
    if (std::isfinite(row.normalized) && !row.metric.ends_with("_delta")) senseless.push_back(row.metric);
    if (row.metric.find("mem_") != std::string::npos && row.metric.ends_with("_delta")) senseless.push_back(row.metric);
  }
  out.flaws.push_back({Weight::kWrong, "normalized-mean", frame.file(),
                       fmt::format("normalized_mean is mean / {} in {} of {} rows; of percentages, bytes, times and ratios that means nothing: {}", format_fixed(ratio, 2), same, with,
                                   fmt::join(senseless, ", "))});
}

void check_pairs(const Frame& frame, const std::vector<Row>& rows, Variability& out) {
  for (size_t i = 0; i < rows.size(); ++i) {
    for (size_t k = i + 1; k < rows.size(); ++k) {
      const Row &a = rows[i], &b = rows[k];
      if (!(a.std > 0) || !(b.std > 0) || !near(a.std, b.std, 1e-4)) continue;
      const std::string where = at(frame, b.index, b.metric);
      if (near(a.mean, b.mean, 1e-4)) {
        out.flaws.push_back({Weight::kWrong, "duplicate", where,
                             fmt::format("the same as {}, mean {} and {}, std {} and {}: one counter read twice, not two quantities", a.metric, a.mean, b.mean, a.std, b.std)});
      } else {
        out.flaws.push_back({Weight::kSuspect, "collinear", where,
                             fmt::format("has the std of {} ({}): their sum or difference is constant, so one of the two tells nothing", a.metric, a.std)});
      }
    }
  }
}

// 0.6 % of 18 million: "1.85e7" is what a reader can compare with an uptime.
std::string scaled(double value) {
  if (value >= 1e9) return fmt::format("{:.3g} thousand million", value / 1e9);
  if (value >= 1e6) return fmt::format("{:.3g} million", value / 1e6);
  return fmt::format("{:.4g}", value);
}

void check_row(const Frame& frame, const std::vector<Row>& rows, const Row& row, Variability& out) {
  const std::string where = at(frame, row.index, row.metric);
  check_convention(frame, row, out);
  if (row.std == 0) {
    out.flaws.push_back({Weight::kNote, "constant", where,
                         row.mean == 0 ? std::string("0 in every run: the load never touched it") : fmt::format("{} in every run: a state from before, not activity", row.mean)});
  }
  // One value v among n zeros: mean v / n, std v / sqrt(n), so CV^2 is n.
  const double squared = row.mean > 0 ? row.std * row.std / (row.mean * row.mean) : 0, n = std::round(squared);
  if (n >= 5 && near(squared, n, 2e-4)) {
    out.flaws.push_back({Weight::kWrong, "one-nonzero-run", where,
                         fmt::format("a CV of {} % is 100 sqrt({}): exactly one of {} runs was not 0, it was {:.4g}", format_fixed(100 * std::sqrt(squared), 2), n, n, row.mean * n)});
  }
  if (const std::string suffix = "_total_pct_change"; row.metric.ends_with(suffix)) {
    const Row* delta = find(rows, row.metric.substr(0, row.metric.size() - suffix.size()) + "_total_delta");
    const std::string base = delta != nullptr && row.mean != 0 ? fmt::format("; its base is {}", row.metric.find("_io_") != std::string::npos ? format_bytes(100 * delta->mean / row.mean) : scaled(100 * delta->mean / row.mean)) : "";
    out.flaws.push_back({Weight::kWrong, "pct-change-of-counter", where,
                         "change in percent of what is counted since boot: it falls as the machine stays up, so its variation is that of the uptime" + base});
  }
  if (row.metric.ends_with("_delta") && row.metric.find("_total_") == std::string::npos) {
    const Row* level = find(rows, row.metric.substr(0, row.metric.size() - 6) + "_avg");
    if (level != nullptr && level->mean > 0 && std::abs(row.mean) > 0.05 * level->mean && std::abs(row.mean) > 3 * row.std) {
      out.flaws.push_back({Weight::kSuspect, "carry-over", where,
                           fmt::format("{} by {} ({} of its average) within each run: runs begin where the one before left the machine, wait for it to settle",
                                       row.mean > 0 ? "grows" : "falls", format_bytes(std::abs(row.mean)), format_percent(std::abs(row.mean) / level->mean))});
    }
  }
  const bool turnaround = row.metric.find("TAT") != std::string::npos || row.metric.find("urnaround") != std::string::npos;
  if (turnaround && row.mean >= 1 && std::ceil(row.mean) - row.mean <= 0.02 * row.mean) {
    out.flaws.push_back({Weight::kSuspect, "censored", where,
                         fmt::format("{:.4g} s is just below {:.0f} s: if jobs end by a timeout, this measures the timeout, whatever the scheduler; give jobs a fixed amount of work", row.mean, std::ceil(row.mean))});
  }
  if (row.mean > 0 && row.std > row.mean && !(n >= 5 && near(squared, n, 2e-4)) && row.metric.find("pct_change") == std::string::npos) {
    out.flaws.push_back({Weight::kNote, "heavy-tail", where, fmt::format("std is {:.1f} times the mean: compare medians or logarithms, not means", row.std / row.mean)});
  }
}

}  // namespace

void check_summary(const Frame& frame, Variability& out) {
  const std::vector<Row> rows = rows_of(frame, out);
  check_normalized(frame, rows, out);
  for (const Row& row : rows) {
    check_row(frame, rows, row, out);
    Variation v{.file = frame.file(), .metric = row.metric, .mean = row.mean, .std = row.std};
    if (row.mean > 0) {
      v.cv_percent = 100 * row.std / row.mean;
      v.runs_1 = runs_needed(v.cv_percent, 1);
      v.runs_2 = runs_needed(v.cv_percent, 2);
      v.runs_5 = runs_needed(v.cv_percent, 5);
      v.runs_10 = runs_needed(v.cv_percent, 10);
    }
    out.variations.push_back(std::move(v));
  }
  check_pairs(frame, rows, out);
}

std::string set_of(const Frame& frame) {
  const std::string file = frame.file();
  return file.substr(0, std::min(file.find('_'), file.rfind('.')));
}

void check_conventions_across(std::span<const Frame> frames, Variability& out) {
  const auto value = [](const Frame& frame, const std::string& metric, const char* column) {
    const auto at = frame.find(column);
    for (size_t i = 0; at && i < frame.rows(); ++i) {
      if (frame.text(i, *frame.find("metric")) == metric) return frame.number(i, *at);
    }
    return kMissing;
  };
  for (const Frame& divided : frames) {
    if (kind_of(divided) != TableKind::kSummary || !divided.find("normalized_mean")) continue;
    for (const Frame& whole : frames) {
      if (kind_of(whole) != TableKind::kSummary || whole.find("normalized_mean")) continue;
      std::vector<std::string> turned;
      size_t common = 0;
      for (size_t i = 0; i < whole.rows(); ++i) {
        const std::string metric = whole.text(i, *whole.find("metric"));
        const double theirs = whole.number(i, *whole.find("mean")), mean = value(divided, metric, "mean"), normalized = value(divided, metric, "normalized_mean");
        if (!std::isfinite(theirs) || !std::isfinite(mean) || !std::isfinite(normalized) || near(mean, normalized, 1e-4)) continue;
        ++common;
        if ((theirs - mean) * (theirs - normalized) < 0) turned.push_back(fmt::format("{} ({:.6g} against {:.6g} divided, {:.6g} as it was)", metric, theirs, normalized, mean));
      }
      if (common == 0) continue;
      out.flaws.push_back({turned.empty() ? Weight::kSuspect : Weight::kWrong, "unlike-conventions", fmt::format("{} and {}", whole.file(), divided.file()),
                           fmt::format("{} has one mean, {} a mean divided by cores, so the two do not compare{}", whole.file(), divided.file(),
                                       turned.empty() ? std::string() : fmt::format("; the order turns round in {} of {} metrics: {}", turned.size(), common, fmt::join(turned, ", ")))});
    }
  }
}

std::optional<std::pair<double, double>> judge_sum(const std::string& where, std::span<const SumTerm> terms, Variability& out) {
  double sum = 0, variance = 0;
  for (const SumTerm& term : terms) {
    sum += term.mean;
    variance += term.std * term.std;
  }
  if (!std::isfinite(sum) || !std::isfinite(variance) || !(sum > 0) || !(variance > 0)) return std::nullopt;
  std::vector<std::string> shares;
  const SumTerm* least = &terms[0];
  for (const SumTerm& term : terms) {
    shares.push_back(fmt::format("{} {:.1f} % of the mean and {:.0f} % of the variance", term.metric, 100 * term.mean / sum, 100 * term.std * term.std / variance));
    if (term.mean < least->mean) least = &term;
  }
  if (least->mean < 0.05 * sum) {
    out.flaws.push_back({Weight::kSuspect, "sum-of-unlike-units", where,
                         fmt::format("TAT + RT + CV of fairness = {:.4g} adds seconds to a ratio: {}; {} has no say in it. Take logarithms of ratios to a baseline instead", sum, fmt::join(shares, ", "),
                                     least->metric)});
  }
  return std::pair{sum, std::sqrt(variance)};
}

void check_sums(std::span<const Frame> frames, Variability& out) {
  std::vector<std::string> done;
  for (const Frame& first : frames) {
    if (kind_of(first) != TableKind::kSummary || std::find(done.begin(), done.end(), set_of(first)) != done.end()) continue;
    done.push_back(set_of(first));
    SumTerm terms[] = {{"Average_TAT"}, {"Average_RT"}, {"CV_Fairness"}};
    for (SumTerm& term : terms) {
      for (const Frame& frame : frames) {
        if (kind_of(frame) != TableKind::kSummary || set_of(frame) != set_of(first)) continue;
        for (size_t i = 0; i < frame.rows(); ++i) {
          if (frame.text(i, *frame.find("metric")) != term.metric) continue;
          term.mean = frame.number(i, *frame.find("mean"));
          term.std = frame.number(i, *frame.find("std"));
        }
      }
    }
    const auto judged = judge_sum(set_of(first), terms, out);
    if (!judged) continue;
    const auto [sum, deviation] = *judged;
    Variation v{.file = set_of(first), .metric = "TAT + RT + CV_Fairness", .mean = sum, .std = deviation};
    v.cv_percent = 100 * v.std / v.mean;
    v.runs_1 = runs_needed(v.cv_percent, 1);
    v.runs_2 = runs_needed(v.cv_percent, 2);
    v.runs_5 = runs_needed(v.cv_percent, 5);
    v.runs_10 = runs_needed(v.cv_percent, 10);
    out.variations.push_back(std::move(v));
  }
}

}  // namespace pointsman::report

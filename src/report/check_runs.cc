#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "learn/stats.h"
#include "report/format.h"
#include "report/variability_checks.h"

namespace pointsman::report {
namespace {

using Weight = Flaw::Weight;

constexpr size_t kFewRuns = 10;

// Pearson's, over the pairs of which both are known; NaN when one of them does not vary.
double correlation(std::span<const double> a, std::span<const double> b) {
  double n = 0, sa = 0, sb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    if (!std::isfinite(a[i]) || !std::isfinite(b[i])) continue;
    n += 1;
    sa += a[i];
    sb += b[i];
  }
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    if (!std::isfinite(a[i]) || !std::isfinite(b[i])) continue;
    const double x = a[i] - sa / n, y = b[i] - sb / n;
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  return n < 3 || !(aa > 0) || !(bb > 0) ? kMissing : ab / std::sqrt(aa * bb);
}

struct Metric {
  std::string name;
  std::vector<double> values;  // one a run, in the order of the file
};

void check_metric(const Frame& frame, const Metric& m, const std::vector<size_t>& rows, const std::string& arm, Variability& out) {
  std::vector<double> values, order;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (const double x = m.values[rows[i]]; std::isfinite(x)) {
      values.push_back(x);
      order.push_back(static_cast<double>(i));
    }
  }
  const std::string metric = arm.empty() ? m.name : m.name + " [" + arm + "]", where = frame.file() + " " + metric;
  const auto flaw = [&](Weight weight, const char* code, std::string text) { out.flaws.push_back({weight, code, where, std::move(text)}); };
  Variation v{.file = frame.file(), .metric = metric, .n = static_cast<double>(values.size()), .values = values};
  if (values.empty()) {
    flaw(Weight::kNote, "no-values", "not one value is known");
    return;
  }
  const double n = v.n;
  v.mean = mean_of(values);
  v.median = quantile_of(values, .5);
  if (values.size() < 2) {
    flaw(Weight::kNote, "one-run", "one run has no variation: repeat it");
    out.variations.push_back(std::move(v));
    return;
  }
  v.std = deviation_of(values);
  const auto interval = bootstrap_mean(values);
  v.mean_interval = {interval.value, interval.low, interval.high};
  if (v.std == 0) {
    flaw(Weight::kNote, "constant", v.mean == 0 ? std::string("0 in every run: the load never touched it") : fmt::format("{} in every run: it tells no run from another", v.mean));
    out.variations.push_back(std::move(v));
    return;
  }
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  if (*least < 0 && *most > 0) {
    flaw(Weight::kNote, "negative-cv", "changes its sign, so it has no CV");
  } else if (v.mean > 0) {
    v.cv_percent = 100 * v.std / v.mean;
    v.runs_1 = runs_needed(v.cv_percent, 1);
    v.runs_2 = runs_needed(v.cv_percent, 2);
    v.runs_5 = runs_needed(v.cv_percent, 5);
    v.runs_10 = runs_needed(v.cv_percent, 10);
    if (v.std > v.mean) flaw(Weight::kNote, "heavy-tail", fmt::format("std is {:.1f} times the mean: compare medians or logarithms, not means", v.std / v.mean));
  }
  const auto zeros = static_cast<size_t>(std::count(values.begin(), values.end(), 0.0));
  if (values.size() >= 5 && zeros + 1 == values.size()) flaw(Weight::kSuspect, "one-nonzero-run", fmt::format("exactly one of {} runs was not 0", values.size()));
  const auto at_most = static_cast<size_t>(std::count_if(values.begin(), values.end(), [&](double x) { return x > 0 && x >= 0.995 * *most; }));
  const bool turnaround = m.name.find("TAT") != std::string::npos || m.name.find("urnaround") != std::string::npos;
  if (turnaround && values.size() >= 5 && at_most * 5 >= values.size() && *least < 0.9 * *most) {
    flaw(Weight::kSuspect, "censored", fmt::format("{} of {} runs lie within 0.5 % of the largest, {}: do they end by a timeout?", at_most, values.size(), *most));
  }
  if (m.name.ends_with("_total_pct_change")) {
    flaw(Weight::kWrong, "pct-change-of-counter", "change in percent of what is counted since boot: it falls as the machine stays up, so its variation is that of the uptime");
  }
  if (values.size() >= 8) {
    // A straight line over the order of the runs, tested with Student's t at 1 %.
    const double r = correlation(order, values);
    const double t = std::abs(r) * std::sqrt((n - 2) / std::max(1e-12, 1 - r * r));
    if (t > student_t_quantile(.995, static_cast<int>(n) - 2)) {
      const double whole = r * v.std / deviation_of(order) * (order.back() - order.front());
      if (v.mean != 0) v.drift_percent = 100 * whole / std::abs(v.mean);
      flaw(Weight::kSuspect, "drift", fmt::format("{} by {:.3g} from the first run to the last{}: the machine was not the same throughout", whole > 0 ? "rises" : "falls", std::abs(whole),
                                                  v.mean != 0 ? fmt::format(" ({:.1f} % of the mean)", std::abs(v.drift_percent)) : ""));
    }
    std::vector<double> before(values.begin(), values.end() - 1), after(values.begin() + 1, values.end());
    v.autocorrelation = correlation(before, after);
    // Beyond what independent runs show one time in a hundred.
    if (std::abs(v.autocorrelation) > 2.576 / std::sqrt(n)) {
      flaw(Weight::kSuspect, "carry-over", fmt::format("neighbouring runs are alike (autocorrelation {:.2f}): {:.0f} runs tell as much as about {:.0f} independent ones", v.autocorrelation, n,
                                                       std::max(1.0, n * (1 - v.autocorrelation) / (1 + v.autocorrelation))));
    }
  }
  out.variations.push_back(std::move(v));
}

void check_columns(const Frame& frame, const std::vector<Metric>& metrics, Variability& out) {
  if (frame.rows() < 3) return;
  for (size_t i = 0; i < metrics.size(); ++i) {
    for (size_t k = i + 1; k < metrics.size(); ++k) {
      const Metric &a = metrics[i], &b = metrics[k];
      const double r = correlation(a.values, b.values);
      if (!(std::abs(r) > 0.9999)) continue;
      double most = 0;
      for (size_t row = 0; row < a.values.size(); ++row) {
        if (std::isfinite(a.values[row]) && std::isfinite(b.values[row])) most = std::max(most, std::abs(a.values[row] - b.values[row]) / std::max(1e-300, std::abs(a.values[row])));
      }
      const std::string where = frame.file() + " " + b.name;
      if (most < 1e-3)
        out.flaws.push_back({Weight::kWrong, "duplicate", where, fmt::format("the same as {} in every run", a.name)});
      else
        out.flaws.push_back({Weight::kSuspect, "collinear", where, fmt::format("follows from {} (correlation {:.5f}), so one of the two tells nothing", a.name, r)});
    }
  }
}

// Fifty metrics that this load never touched are one finding, and so are fifty with few runs.
void gather(const Frame& frame, const std::vector<std::string>& arms, size_t from, Variability& out) {
  for (const std::string& arm : arms) {
    double least = INFINITY;
    for (const Variation& v : out.variations) {
      if (v.file == frame.file() && v.n >= 2 && (arm.empty() || v.metric.ends_with(" [" + arm + "]"))) least = std::min(least, v.n);
    }
    if (least < static_cast<double>(kFewRuns)) {
      out.flaws.push_back({Weight::kNote, "few-runs", frame.file() + (arm.empty() ? "" : " [" + arm + "]"), fmt::format("{:.0f} runs: an interval from so few is a guess", least)});
    }
  }
  const auto untouched = [&](const Flaw& flaw) { return (flaw.code == "constant" && flaw.text.starts_with("0 in every run")) || flaw.code == "heavy-tail"; };
  for (const auto& [code, text] : {std::pair{"constant", "0 in every run, the load never touched them: "}, {"heavy-tail", "std is larger than the mean, compare medians or logarithms, not means: "}}) {
    std::vector<std::string> names;
    for (size_t i = from; i < out.flaws.size(); ++i) {
      const Flaw& flaw = out.flaws[i];
      if (flaw.code != code || !untouched(flaw)) continue;
      std::string name = flaw.where.substr(std::min(flaw.where.size(), frame.file().size() + 1));
      names.push_back(std::move(name));
    }
    if (names.size() < 3) continue;
    out.flaws.erase(std::remove_if(out.flaws.begin() + static_cast<std::ptrdiff_t>(from), out.flaws.end(), [&](const Flaw& f) { return f.code == code && untouched(f); }), out.flaws.end());
    out.flaws.push_back({Weight::kNote, code, frame.file(), text + fmt::format("{}", fmt::join(names, ", "))});
  }
}

// Blocks that have both arms, each arm's mean within the block; without blocks the two series as they are.
Comparison compare(const Metric& m, const std::vector<std::string>& arms, const std::vector<std::string>& blocks, const std::string& base, const std::string& other) {
  Comparison c{.metric = m.name, .baseline = base, .other = other};
  std::vector<double> a, b;
  std::map<std::string, std::pair<std::vector<double>, std::vector<double>>> by_block;
  for (size_t i = 0; i < m.values.size(); ++i) {
    if (!std::isfinite(m.values[i]) || (arms[i] != base && arms[i] != other)) continue;
    (arms[i] == base ? a : b).push_back(m.values[i]);
    if (!blocks.empty()) (arms[i] == base ? by_block[blocks[i]].first : by_block[blocks[i]].second).push_back(m.values[i]);
  }
  c.baseline_mean = mean_of(a);
  c.other_mean = mean_of(b);
  if (a.size() < 2 || b.size() < 2) {
    c.reservations.push_back("fewer than two runs of one arm");
    return c;
  }
  if (!(std::abs(c.baseline_mean) > 0)) {
    c.reservations.push_back(fmt::format("{}'s mean is {}: nothing is a percentage of it", base, c.baseline_mean));
    return c;
  }
  // Of a baseline below 0 too, more is a positive change.
  const double whole = std::abs(c.baseline_mean);
  c.change_percent = 100 * (c.other_mean - c.baseline_mean) / whole;
  std::vector<double> differences;
  for (const auto& [_, both] : by_block) {
    if (!both.first.empty() && !both.second.empty()) differences.push_back(mean_of(both.second) - mean_of(both.first));
  }
  const double va = deviation_of(a) * deviation_of(a), vb = deviation_of(b) * deviation_of(b);
  if (differences.size() >= 3) {
    const auto paired = paired_t(differences);
    c.change_percent = 100 * paired.value / whole;
    c.change_low = 100 * paired.low / whole;
    c.change_high = 100 * paired.high / whole;
    const double vd = deviation_of(differences) * deviation_of(differences);
    if (vd > 0) {
      c.t = paired.value / std::sqrt(vd / static_cast<double>(differences.size()));
      c.pairing_gain = (va + vb) / vd;
    }
    return c;
  }
  const double na = static_cast<double>(a.size()), nb = static_cast<double>(b.size()), error = std::sqrt(va / na + vb / nb);
  if (error > 0) {
    c.t = (c.other_mean - c.baseline_mean) / error;
    const double freedom = std::pow(va / na + vb / nb, 2) / (std::pow(va / na, 2) / (na - 1) + std::pow(vb / nb, 2) / (nb - 1));
    const double reach = student_t_quantile(.975, std::max(1, static_cast<int>(freedom))) * error;
    c.change_low = c.change_percent - 100 * reach / whole;
    c.change_high = c.change_percent + 100 * reach / whole;
  }
  c.reservations.push_back(blocks.empty() ? "no column block: runs of the two arms are not paired" : fmt::format("{} blocks have both arms, 3 are needed to pair them", differences.size()));
  // One arm's runs all before the other's cannot be told from a drift.
  const auto last_a = std::find(arms.rbegin(), arms.rend(), base), last_b = std::find(arms.rbegin(), arms.rend(), other);
  const auto first_a = std::find(arms.begin(), arms.end(), base), first_b = std::find(arms.begin(), arms.end(), other);
  if (last_a.base() <= first_b || last_b.base() <= first_a) c.reservations.push_back("the arms were not interleaved: a drift would look the same");
  return c;
}

}  // namespace

void check_runs(const Frame& frame, Variability& out) {
  const auto arm = frame.find("arm"), block = frame.find("block");
  static const std::set<std::string, std::less<>> kNoMetrics = {"", "arm", "block", "run", "seed", "time", "time_s", "span_s"};
  std::vector<Metric> metrics;
  for (size_t column = 0; column < frame.columns().size(); ++column) {
    if (kNoMetrics.contains(frame.columns()[column])) continue;
    size_t bad = 0, first_bad = 0;
    for (size_t row = 0; row < frame.rows(); ++row) {
      if (!frame.is_number(row, column) && bad++ == 0) first_bad = row;
    }
    if (bad == frame.rows()) continue;  // a column of names
    if (bad > 0) {
      out.flaws.push_back({Weight::kWrong, "not-a-number", at(frame, first_bad, frame.columns()[column]),
                           fmt::format("'{}' is no number{}; such rows do not count", frame.text(first_bad, column), bad > 1 ? fmt::format(", nor are {} others", bad - 1) : "")});
    }
    metrics.push_back({frame.columns()[column], frame.numbers(column)});
  }
  if (metrics.empty()) {
    out.flaws.push_back({Weight::kWrong, "no-numbers", frame.file(), "no column has numbers"});
    return;
  }
  std::vector<std::string> arms, blocks, names;
  for (size_t row = 0; row < frame.rows(); ++row) {
    arms.push_back(arm ? frame.text(row, *arm) : "");
    if (block) blocks.push_back(frame.text(row, *block));
    if (std::find(names.begin(), names.end(), arms.back()) == names.end()) names.push_back(arms.back());
  }
  const size_t before = out.flaws.size();
  for (const Metric& m : metrics) {
    for (const std::string& name : names) {
      std::vector<size_t> rows;
      for (size_t row = 0; row < frame.rows(); ++row) {
        if (arms[row] == name) rows.push_back(row);
      }
      check_metric(frame, m, rows, name, out);
    }
  }
  gather(frame, names, before, out);
  check_columns(frame, metrics, out);
  for (const std::string& name : names) {
    SumTerm terms[] = {{"Average_TAT"}, {"Average_RT"}, {"CV_Fairness"}};
    for (SumTerm& term : terms) {
      for (const Variation& v : out.variations) {
        if (v.file == frame.file() && v.metric == term.metric + (name.empty() ? "" : " [" + name + "]")) term.mean = v.mean, term.std = v.std;
      }
    }
    judge_sum(frame.file() + (name.empty() ? "" : " [" + name + "]"), terms, out);
  }
  if (names.size() < 2) return;
  const auto named = std::find_if(names.begin(), names.end(), [](const std::string& n) { return n == "eevdf" || n == "cfs" || n == "baseline" || n == "A"; });
  const std::string base = named == names.end() ? names.front() : *named;
  size_t compared = 0;
  std::vector<std::string> differing;
  for (const Metric& m : metrics) {
    for (const std::string& name : names) {
      if (name == base) continue;
      Comparison c = compare(m, arms, blocks, base, name);
      // An arm against itself shows what the method takes for an effect where there is none.
      const bool same = name.starts_with(base) && name.size() == base.size() + 2 && name.ends_with("/A");
      if (same && std::isfinite(c.change_low)) {
        ++compared;
        if (c.change_low > 0 || c.change_high < 0) differing.push_back(fmt::format("{} by {:.1f} % [{:.1f}, {:.1f}]", m.name, c.change_percent, c.change_low, c.change_high));
      }
      out.comparisons.push_back(std::move(c));
    }
  }
  if (compared == 0) return;
  // At 5 % one in twenty differs by chance; more than that by a margin of 99 % does not.
  const double chance = .05 * static_cast<double>(compared), margin = 2.326 * std::sqrt(.95 * chance);
  const bool too_many = static_cast<double>(differing.size()) > chance + margin;
  out.flaws.push_back({too_many ? Weight::kWrong : Weight::kNote, too_many ? "a-a-differs" : "a-a-agrees", frame.file(),
                       fmt::format("{} against itself: {} of {} metrics differ at 5 %, {:.1f} would by chance{}{}{}", base, differing.size(), compared, chance, differing.empty() ? "" : ": ", fmt::join(differing, ", "),
                                   too_many ? "; what other arms show here may be nothing either" : "")});
}

}  // namespace pointsman::report

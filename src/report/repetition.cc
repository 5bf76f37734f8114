#include "report/repetition.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/rng.h"
#include "learn/stats.h"
#include "report/frame.h"

namespace pointsman::report {
namespace {

std::string number(double value) { return std::isfinite(value) ? fmt::format("{}", value) : ""; }

// What schedulers act upon directly: switches, queues, delays, bursts.
bool about_cpu(const std::string& metric) {
  const std::string name = metric.substr(0, metric.find(" ["));
  if (name == "Average_RT") return true;
  constexpr const char* kParts[] = {"csw", "switch", "run_queue", "run_delay", "wakeup", "migration", "burst", "idle_exit", "active_threads", "fork", "slowdown", "steal"};
  return std::any_of(std::begin(kParts), std::end(kParts), [&](const char* part) { return name.find(part) != std::string::npos; });
}

}  // namespace

std::vector<PlannedRun> plan_runs(const RepetitionOptions& options) {
  std::vector<PlannedRun> out;
  for (int block = -options.warm_ups; block < options.blocks; ++block) {
    std::vector<std::string> order = options.arms;
    Rng rng(options.seed, "order of arms", static_cast<uint64_t>(block + options.warm_ups));
    for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[rng.below(i)]);
    for (std::string& arm : order) out.push_back({.block = block < 0 ? -1 : block, .arm = std::move(arm)});
  }
  return out;
}

std::string runs_csv(std::span<const RunFigures> runs) {
  std::vector<std::string> names;
  for (const RunFigures& run : runs) {
    for (const auto& [name, _] : run.metrics) {
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
  }
  std::string out = "run,block,arm,time_s";
  for (const std::string& name : names) out += "," + csv_field(name);
  out += '\n';
  for (size_t i = 0; i < runs.size(); ++i) {
    const RunFigures& run = runs[i];
    out += fmt::format("{},{},{},{:.3f}", i + 1, run.block + 1, csv_field(run.arm), run.time_s);
    for (const std::string& name : names) {
      const auto found = std::find_if(run.metrics.begin(), run.metrics.end(), [&](const auto& m) { return m.first == name; });
      out += "," + (found == run.metrics.end() ? std::string() : number(found->second));
    }
    out += '\n';
  }
  return out;
}

std::string summary_csv(std::span<const Variation> variations, Half half) {
  std::string out = "metric,mean,std,cv_%,n,median,mean_low,mean_high,drift_%,autocorrelation,runs_for_5_%\n";
  for (const Variation& v : variations) {
    if (about_cpu(v.metric) != (half == Half::kCpu)) continue;
    out += csv_field(v.metric);
    for (const double value : {v.mean, v.std, v.cv_percent, v.n, v.median, v.mean_interval.low, v.mean_interval.high, v.drift_percent, v.autocorrelation, v.runs_5}) out += "," + number(value);
    out += '\n';
  }
  return out;
}

SettleCurve settle_curve(const std::string& metric, double step_s, std::span<const std::vector<double>> values) {
  SettleCurve out{.metric = metric, .step_s = step_s, .mean = {}, .cv_percent = {}, .runs = values.size()};
  for (size_t step = 0;; ++step) {
    std::vector<double> here;
    size_t reached = 0;
    for (const auto& run : values) {
      if (step >= run.size()) continue;
      ++reached;
      if (std::isfinite(run[step])) here.push_back(run[step]);
    }
    if (reached == 0 || 2 * reached < values.size()) break;
    out.mean.push_back(here.empty() ? kMissing : mean_of(here));
    out.cv_percent.push_back(here.size() > 1 && out.mean.back() > 0 ? 100 * deviation_of(here) / out.mean.back() : kMissing);
  }
  const std::vector<double> means = known_of(out.mean);
  if (means.size() < 8 || means.size() != out.mean.size()) return out;
  size_t best = 0;
  double least = INFINITY;
  // To three quarters of them, so that a minimum at a half is told from one that is still to come.
  for (size_t from = 0; from <= means.size() * 3 / 4; ++from) {
    const std::span<const double> rest(means.begin() + static_cast<std::ptrdiff_t>(from), means.end());
    const double mean = mean_of(rest), left = static_cast<double>(rest.size());
    double squares = 0;
    for (const double v : rest) squares += (v - mean) * (v - mean);
    if (const double error = squares / (left * left); error < least * (1 - 1e-9)) {
      least = error;
      best = from;
    }
  }
  if (2 * best <= means.size()) out.settled_s = static_cast<double>(best) * step_s;
  return out;
}

std::string settle_csv(std::span<const SettleCurve> curves) {
  std::string out = "metric,time_s,mean,cv_%\n";
  for (const SettleCurve& c : curves) {
    for (size_t i = 0; i < c.mean.size(); ++i) out += fmt::format("{},{:.3f},{},{}\n", csv_field(c.metric), c.step_s * static_cast<double>(i + 1), number(c.mean[i]), number(c.cv_percent[i]));
  }
  return out;
}

Table settle_table(std::span<const SettleCurve> curves) {
  Table table("How long after the start a metric settles", {{"metric", "metric"},
                                                             {"settled_s", "settled after", Quantity::kSeconds},
                                                             {"first", "first step", Quantity::kNumber, -4},
                                                             {"rest", "the rest", Quantity::kNumber, -4},
                                                             {"cv_first", "CV % then", Quantity::kNumber, 1},
                                                             {"cv_last", "CV % at the end", Quantity::kNumber, 1}});
  for (const SettleCurve& c : curves) {
    if (c.mean.empty()) continue;
    const auto cell = [](double value) { return std::isfinite(value) ? Cell(value) : Cell(); };
    const std::vector<double> rest(c.mean.begin() + std::min<std::ptrdiff_t>(std::ssize(c.mean) - 1, 1), c.mean.end());
    table.add({c.metric, std::isfinite(c.settled_s) ? Cell(c.settled_s) : Cell(c.mean.size() < 8 ? "too short" : "not settled"), cell(c.mean.front()), cell(mean_of(known_of(rest))), cell(c.cv_percent.front()),
               cell(c.cv_percent.back())});
  }
  table.notes.push_back("MSER: the steps at the start without which the mean of the rest is known best; CV over runs");
  return table;
}

}  // namespace pointsman::report

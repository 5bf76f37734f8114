#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "learn/stats.h"
#include "report/variability_checks.h"

namespace pointsman::report {

void check_processes(const Frame& frame, Variability& out) {
  using Weight = Flaw::Weight;
  const size_t pid = *frame.find("PID"), arrival = *frame.find("T_Arrival"), first = *frame.find("T_First_CPU"), completion = *frame.find("T_Completion"), tat = *frame.find("TAT"),
               rt = *frame.find("RT"), cpu = *frame.find("Total_CPU_Time");
  const auto threads = frame.find("threads");
  size_t complete = 0, right = 0;
  struct Impossible {
    size_t row;
    double ratio, cpu;
  };
  std::vector<Impossible> impossible;
  std::vector<double> turnarounds, responses, cpus;
  for (size_t i = 0; i < frame.rows(); ++i) {
    const auto value = [&](size_t column) { return frame.number(i, column); };
    const std::string who = fmt::format("process {}", frame.text(i, pid));
    const size_t needed[] = {pid, arrival, first, completion, tat, rt, cpu};
    const auto text = std::find_if(std::begin(needed), std::end(needed), [&](size_t c) { return !frame.is_number(i, c); });
    if (text != std::end(needed)) {
      const bool elided = frame.text(i, *text).find_first_not_of('.') == std::string::npos;
      out.flaws.push_back({elided ? Weight::kNote : Weight::kWrong, elided ? "rows-left-out" : "not-a-number", at(frame, i),
                           elided ? std::string("'...': rows were left out here, so sums over this table say nothing") : fmt::format("{} is '{}', no number", frame.columns()[*text], frame.text(i, *text))});
      continue;
    }
    if (!std::isfinite(value(tat)) || !std::isfinite(value(cpu))) continue;  // still alive
    ++complete;
    turnarounds.push_back(value(tat));
    if (std::isfinite(value(rt))) responses.push_back(value(rt));
    cpus.push_back(value(cpu));
    // Six decimals, each rounded.
    const double t = value(completion) - value(arrival), r = value(first) - value(arrival);
    if (std::abs(t - value(tat)) > 2e-6) {
      out.flaws.push_back({Weight::kWrong, "tat-does-not-follow", at(frame, i, who), fmt::format("TAT is {}, but T_Completion - T_Arrival is {:.6f}", frame.text(i, tat), t)});
    } else if (std::isfinite(r) && std::abs(r - value(rt)) > 2e-6) {
      out.flaws.push_back({Weight::kWrong, "rt-does-not-follow", at(frame, i, who), fmt::format("RT is {}, but T_First_CPU - T_Arrival is {:.6f}", frame.text(i, rt), r)});
    } else {
      ++right;
    }
    if (value(rt) == 0) {
      out.flaws.push_back({Weight::kSuspect, "rt-is-zero", at(frame, i, who), "RT is exactly 0: the arrival is the first sight of it, not its fork"});
    }
    const double allowed = value(tat) * (threads && value(*threads) >= 1 ? value(*threads) : 1);
    if (value(cpu) > allowed * 1.001 + 1e-6) impossible.push_back({i, value(cpu) / std::max(allowed, 1e-9), value(cpu)});
  }
  if (!impossible.empty()) {
    const auto [least, most] = std::minmax_element(impossible.begin(), impossible.end(), [](const Impossible& a, const Impossible& b) { return a.ratio < b.ratio; });
    std::vector<double> times;
    for (const Impossible& one : impossible) times.push_back(one.cpu);
    const bool alike = times.size() > 2 && deviation_of(times) < 0.01 * mean_of(times);
    out.flaws.push_back({Weight::kWrong, "cpu-time-exceeds-tat", at(frame, impossible.front().row),
                         fmt::format("{} of {} processes have more CPU time than they lived, {:.0f} to {:.0f} times{}{}", impossible.size(), complete, least->ratio, most->ratio,
                                     threads ? " what their threads could use" : "",
                                     alike ? fmt::format("; all about {:.2f} s: one amount was charged to each of them", mean_of(times)) : std::string())});
  }
  if (complete > 0) {
    out.flaws.push_back({Weight::kNote, "arithmetic", frame.file(), fmt::format("TAT and RT follow from their times in {} of {} rows", right, complete)});
  }
  const auto add = [&](const char* metric, const std::vector<double>& values) {
    if (values.empty()) return;
    Variation v{.file = frame.file(), .metric = metric, .n = static_cast<double>(values.size()), .mean = mean_of(values), .median = quantile_of(values, .5)};
    if (values.size() > 1) v.std = deviation_of(values);
    if (v.mean > 0) v.cv_percent = 100 * v.std / v.mean;
    out.variations.push_back(std::move(v));
  };
  add("TAT", turnarounds);
  add("RT", responses);
  add("Total_CPU_Time", cpus);
}

void check_room(std::span<const Frame> frames, Variability& out) {
  for (const Frame& processes : frames) {
    if (kind_of(processes) != TableKind::kProcesses) continue;
    std::vector<double> turnarounds;
    bool elided = false;
    for (size_t i = 0; i < processes.rows(); ++i) {
      const double tat = processes.number(i, *processes.find("TAT"));
      if (std::isfinite(tat)) turnarounds.push_back(tat);
      elided = elided || !processes.is_number(i, *processes.find("TAT"));
    }
    if (!elided || turnarounds.empty()) continue;  // a whole table speaks for itself
    for (const Frame& summary : frames) {
      if (kind_of(summary) != TableKind::kSummary || set_of(summary) != set_of(processes)) continue;
      for (size_t i = 0; i < summary.rows(); ++i) {
        if (summary.text(i, *summary.find("metric")) != "Average_TAT") continue;
        const double mean = summary.number(i, *summary.find("mean"));
        double sum = 0, longest_sum = 0;
        int longest = 0;
        for (const double tat : turnarounds) {
          sum += tat;
          if (tat > 2 * mean) longest_sum += tat, ++longest;
        }
        if (!(mean > 0) || longest == 0 || !(sum > mean * static_cast<double>(turnarounds.size()))) continue;
        const double each = longest_sum / longest, room = each / mean;
        out.flaws.push_back({Flaw::Weight::kSuspect, "mean-leaves-no-room", at(summary, i, "Average_TAT"),
                             fmt::format("{} processes shown in {} took {:.3g} s together, so a mean of {:.4g} s needs {:.0f} processes at least; one of {:.3g} s needs {:.1f}",
                                         turnarounds.size(), processes.file(), sum, mean, std::ceil(sum / mean), each, room)});
      }
    }
  }
}

}  // namespace pointsman::report

#include "cli/demo_view.h"

#include <algorithm>
#include <cmath>

#include "report/format.h"

namespace pointsman {

namespace {

int feature_index(std::string_view name) {
  const auto catalogue = feature_catalogue();
  for (size_t i = 0; i < catalogue.size(); ++i)
    if (catalogue[i].name == name) return static_cast<int>(i);
  return -1;
}

// Features are held as ln(1 + x) where they are rates; people read x.
std::string words_of(const FeatureVector& features) {
  std::string out;
  const auto add = [&](std::string_view name, const auto& text_of) {
    if (const int i = feature_index(name); i >= 0) out += (out.empty() ? "" : ", ") + text_of(std::expm1(features[static_cast<size_t>(i)]));
  };
  const auto number = [](std::string_view what) { return [what](double value) { return fmt::format("{:.3g} {}", value, what); }; };
  add("forks", number("forks/s/CPU"));
  add("wakeups", number("wake-ups/s/CPU"));
  add("burst_mean", [](double us) { return report::format_seconds(us * 1e-6) + " a burst"; });
  add("runnable_mean", number("runnable/CPU"));
  return out;
}

std::vector<int64_t> ends_of(const Scenario& scenario) {
  std::vector<int64_t> ends;
  int64_t at = 0;
  for (const Phase& phase : scenario.phases) ends.push_back(at += phase.length_ns);
  return ends;
}

}  // namespace

double mean_phase_cost(const EpisodeResult& result) {
  const auto phases = result.phase_costs();
  double sum = 0;
  for (const Costs& costs : phases) sum += costs.log_slowdown;
  return sum / static_cast<double>(phases.size());
}

std::vector<report::Sight> sights_of(const Scenario& scenario, const EpisodeResult& result) {
  std::vector<report::Sight> sights;
  const auto ends = ends_of(scenario);
  for (size_t phase = 0; phase < ends.size(); ++phase) {
    const int64_t from = phase == 0 ? 0 : ends[phase - 1];
    FeatureVector sum{};
    int windows = 0;
    std::map<std::string, int> under;
    const WindowRow* last = nullptr;
    for (const WindowRow& w : result.windows) {
      if (w.end_ns <= from || w.end_ns > ends[phase]) continue;
      ++under[std::string(arm_name(w.taken))];
      if (w.idle) continue;
      for (size_t i = 0; i < kFeatures; ++i) sum[i] += w.features[i];
      ++windows;
      last = &w;
    }
    report::Sight sight;
    sight.phase = static_cast<int>(phase);
    if (windows > 0) {
      for (double& value : sum) value /= windows;
      sight.saw = words_of(sum);
    }
    std::vector<std::pair<int, std::string>> arms_by_time;
    for (const auto& [arm, n] : under) arms_by_time.emplace_back(-n, arm);
    std::sort(arms_by_time.begin(), arms_by_time.end());
    for (const auto& [n, arm] : arms_by_time)
      sight.chose += fmt::format("{}{} {:.0f} %", sight.chose.empty() ? "" : ", ", arm, -100.0 * n / std::max<double>(1, static_cast<double>(ends[phase] - from) / 250e6));
    if (last) sight.why = last->why + (last->held_back.empty() ? "" : " | " + last->held_back);
    sights.push_back(std::move(sight));
  }
  return sights;
}

report::DemoScenario demo_scenario_of(const Scenario& scenario, const std::string& split) {
  report::DemoScenario out;
  out.name = scenario.name;
  out.split = split;
  double at_s = 0;
  for (const Phase& phase : scenario.phases) {
    report::DemoPhase row;
    row.family = phase.family;
    if (auto family = find_family(phase.family)) {
      row.regime = (*family)->regime;
      row.imitates = (*family)->imitates;
    }
    row.start_s = at_s;
    row.length_s = static_cast<double>(phase.length_ns) / 1e9;
    at_s += row.length_s;
    out.phases.push_back(std::move(row));
  }
  return out;
}

report::DemoRun demo_run_of(const Scenario& scenario, const DemoTask& task, const EpisodeRequest& request, const EpisodeResult& result) {
  report::DemoRun run;
  run.scenario = scenario.name;
  run.seed = request.seed;
  run.controller = task.label;
  const Costs all = result.costs();
  run.costs.log_slowdown = all.log_slowdown;
  run.costs.mean_tat_s = all.mean_tat_s;
  run.costs.mean_rt_s = all.mean_rt_s;
  run.costs.cv_fairness = all.cv_fairness;
  run.costs.seed_l = all.seed_l;
  run.costs.p99_rt_short_s = all.p99_rt_short_s;
  run.swaps = result.swaps();
  run.end_s = static_cast<double>(result.makespan_ns) / 1e9;
  run.distrust = result.distrust;
  run.results_hash = result.results_hash;
  if (!result.windows.empty()) {
    report::DemoStep first;
    first.arm = arm_name(result.windows.front().active);
    first.why = "the first arm";
    run.steps.push_back(std::move(first));
  }
  for (const WindowRow& w : result.windows) {
    if (w.swap.empty()) continue;
    report::DemoStep step;
    step.decided_s = static_cast<double>(w.end_ns) / 1e9;
    step.t_s = step.decided_s + static_cast<double>(std::max<int64_t>(0, w.swap_times.call_ns)) / 1e9;
    step.arm = arm_name(w.taken);
    step.why = w.held_back.empty() ? w.why : w.held_back;
    step.refused = w.swap != "confirmed";
    run.steps.push_back(std::move(step));
  }
  run.seen = sights_of(scenario, result);
  return run;
}

EvaluatedRun evaluated_run_of(const Scenario& scenario, const DemoTask& task, const EpisodeResult& result) {
  EvaluatedRun run;
  run.controller = task.label;
  run.scenario = scenario.name;
  run.seed = task.seed;
  const auto phases = result.phase_costs();
  for (size_t i = 0; i < phases.size(); ++i) run.phases.push_back({scenario.phases[i].family, phases[i]});
  run.whole = result.costs();
  run.swaps = result.swaps();
  run.sound = result.distrust.empty();
  return run;
}

}  // namespace pointsman

#include "cli/evaluate_live.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "cli/demo_view.h"
#include "cli/model_option.h"
#include "cli/split_data.h"
#include "cli/statistics.h"
#include "cli/verb.h"
#include "lab/rivals.h"
#include "lab/splits.h"
#include "learn/controllers.h"
#include "learn/from_ledger.h"
#include "learn/oracle.h"
#include "report/progress.h"

namespace pointsman {

namespace {

constexpr int kPhases = 6;
constexpr double kGuardLimit = 1.05;  // an episode dearer than this times its twin under eevdf is a failure of the guard

struct Stage {
  Scenario scenario{};
  std::string split{}, oracle{};
};

struct Episode {
  DemoTask task{};
  EpisodeRequest request{};
};

Result<std::vector<Stage>> stages_of(const LiveEvaluation& o, const Dataset& matrix) {
  const auto phase_ns = static_cast<int64_t>(o.phase_seconds * 1e9);
  const std::vector<std::string> held_out(held_out_families().begin(), held_out_families().end());
  const auto costs = family_costs(matrix);
  std::vector<Stage> out;
  auto known = draw_scenario("mixed", 3, kPhases, phase_ns, held_out);
  auto unseen = draw_held_out_scenario(2, phase_ns);
  if (!known) return fail(known.error());
  if (!unseen) return fail(unseen.error());
  out.push_back({std::move(*known), "test-seeds", ""});
  out.push_back({std::move(*unseen), "test-families", ""});
  for (Stage& stage : out) {
    auto plan = oracle_plan(stage.scenario, costs);
    if (!plan) return fail(plan.error());
    stage.oracle = schedule_spec(*plan);
  }
  return out;
}

void add_row(report::Table& table, const std::string& split, const ControllerResult& r, int guard_failures, int episodes) {
  int harmed = 0;
  for (const FamilyResult& f : r.families) harmed += f.harmed ? 1 : 0;
  table.add({split, r.controller, to_report(r.ratio), to_report(r.gap_vs_train_static), to_report(r.gap_vs_hindsight), to_report(r.swaps), static_cast<double>(r.worse), static_cast<double>(harmed), r.worst_ratio,
             r.worst_episode, static_cast<double>(guard_failures) / std::max(episodes, 1)});
}

}  // namespace

Result<Unit> evaluate_live(const LiveEvaluation& o) {
  if (o.controllers.size() > kMostLive) return fail(ErrorCode::kInvalidArgument, "--live takes {} controllers at most, {} were named", kMostLive, o.controllers.size());
  if (auto registered = o.lab.register_arms(); !registered) return registered;
  std::string model;
  for (const std::string& text : o.controllers) {
    if (text.find("model=") != std::string::npos) return fail(ErrorCode::kInvalidArgument, "--live {}: name the model with --model, it has to come along into the guest", text);
    if (is_learned(text)) {
      auto bytes = load_model_bytes(o.model, text);
      if (!bytes) return fail(bytes.error());
      model = std::move(*bytes);
    } else if (auto known = make_controller(text); !known) {
      return fail(as_usage(known.error()));
    }
  }
  // The oracle's phases are named families.
  auto data = read_matrix_data(o.data, shipped_matrices().first(1));
  if (!data) return fail(data.error());
  auto everything = dataset_of(data->runs, {});
  if (!everything) return fail(everything.error().at("the matrix"));
  auto stages = stages_of(o, everything->dataset);
  if (!stages) return fail(stages.error());
  const std::string train_static = train_static_of(everything->dataset);

  // The twins, then those named.
  std::vector<std::pair<std::string, std::string>> contenders;  // label, spec
  const auto add = [&](const std::string& label, const std::string& spec) {
    if (std::none_of(contenders.begin(), contenders.end(), [&](const auto& c) { return c.first == label; })) contenders.emplace_back(label, spec);
  };
  for (const std::string& twin : {std::string("eevdf"), std::string(arms()[kDefaultArm].name), train_static}) add(twin, twin);
  for (const std::string& text : o.controllers) add(text, with_model(text, kGuestModelPath));
  add("oracle", "");
  std::vector<Episode> jobs;
  for (const auto& [label, spec] : contenders) {
    double seconds = 0;
    for (size_t s = 0; s < stages->size(); ++s)
      for (int i = 0; i < o.seeds; ++i) {
        EpisodeRequest request;
        request.scenario = (*stages)[s].scenario;
        request.seed = kFirstTestSeed + 500 + static_cast<uint64_t>(i);
        request.cpus = o.lab.cpus;
        request.controller = label == "oracle" ? (*stages)[s].oracle : spec;
        request.guard = is_learned(spec);
        for (const Phase& phase : request.scenario.phases) seconds += static_cast<double>(phase.length_ns) / 1e9;
        jobs.push_back({{s, request.seed, label}, std::move(request)});
      }
    fmt::print(stderr, "{}: {:.0f} virtual s in {} episodes\n", label, seconds, stages->size() * static_cast<size_t>(o.seeds));
  }
  auto bench = open_bench(o.lab, o.controllers);
  if (!bench) return fail(bench.error());
  std::vector<CampaignTask> tasks;
  for (size_t i = 0; i < jobs.size(); ++i) tasks.push_back({jobs[i].request, i});
  const SystemClock clock;
  report::ProgressOptions line;
  line.label = "live";
  line.total = static_cast<int64_t>(jobs.size());
  report::Progress progress(line, clock);
  std::vector<EpisodeResult> results(jobs.size());
  auto ran = run_campaign(bench->snapshot, tasks, {.workers = o.workers, .model = model}, [&](const CampaignTask& task, EpisodeResult result) -> Result<Unit> {
    const DemoTask& of = jobs[task.index].task;
    progress.advance(1, fmt::format("{} seed {} {}", (*stages)[of.scenario].scenario.name, of.seed, of.label));
    if (!result.distrust.empty()) progress.say(fmt::format("  marked, in no mean: {} seed {} {}: {}", (*stages)[of.scenario].scenario.name, of.seed, of.label, result.distrust));
    results[task.index] = std::move(result);
    return Unit{};
  });
  progress.finish();
  if (!ran) return ran;

  report::Table table(fmt::format("live on the real kernel, {} phases of {:.0f} s; shares are of the way to the oracle; rivals: {} (chosen on train), the best static in hindsight", kPhases, o.phase_seconds, train_static),
                      {{"split", "split"}, {"controller", "controller"}, {"ratio", "to eevdf", report::Quantity::kRatio}, {"vs_train_static", "vs train's static", report::Quantity::kRatio},
                       {"vs_hindsight", "vs hindsight", report::Quantity::kRatio}, {"swaps", "swaps a run", report::Quantity::kNumber, 1}, {"worse", "episodes worse than eevdf", report::Quantity::kCount},
                       {"harmed_families", "families harmed", report::Quantity::kCount}, {"worst", "worst episode", report::Quantity::kRatio}, {"worst_episode", "which"},
                       {"guard_failures", "dearer than eevdf's twin by 5 %", report::Quantity::kRatio}});
  report::Table families("by family, to eevdf", {{"split", "split"}, {"controller", "controller"}, {"family", "family"}, {"ratio", "to eevdf", report::Quantity::kRatio}, {"to_default", "to hyb", report::Quantity::kNumber, 2}});
  for (size_t s = 0; s < stages->size(); ++s) {
    std::vector<EvaluatedRun> runs;
    std::map<uint64_t, double> twin;
    for (size_t i = 0; i < jobs.size(); ++i) {
      if (jobs[i].task.scenario != s) continue;
      runs.push_back(evaluated_run_of((*stages)[s].scenario, jobs[i].task, results[i]));
      if (jobs[i].task.label == "eevdf" && results[i].distrust.empty()) twin[jobs[i].task.seed] = mean_phase_cost(results[i]);
    }
    EvaluationOptions options;
    options.train_static = train_static;
    auto evaluation = evaluate(runs, options);
    if (!evaluation) {
      table.notes.push_back(fmt::format("{}: {}", (*stages)[s].split, evaluation.error().message));
      continue;
    }
    for (const ControllerResult& r : evaluation->controllers) {
      int failures = 0, compared = 0;  // with a sound twin
      for (size_t i = 0; i < jobs.size(); ++i) {
        if (jobs[i].task.scenario != s || jobs[i].task.label != r.controller || !results[i].distrust.empty()) continue;
        const auto own = twin.find(jobs[i].task.seed);
        if (own == twin.end()) continue;
        ++compared;
        failures += mean_phase_cost(results[i]) > own->second + std::log(kGuardLimit);
      }
      add_row(table, (*stages)[s].split, r, failures, compared);
      for (const FamilyResult& f : r.families) families.add({(*stages)[s].split, r.controller, f.family, to_report(f.ratio), f.ratio_to_default});
    }
  }
  return report::emit(table.text() + "\n" + families.text(), nlohmann::json{{"live", table.json()}, {"families", families.json()}}, o.emit);
}

}  // namespace pointsman

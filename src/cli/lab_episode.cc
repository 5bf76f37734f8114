// pointsman lab episode: one scenario under one controller, told window by window.
#include <cmath>

#include "cli/lab_options.h"
#include "cli/model_option.h"
#include "cli/verb.h"
#include "lab/matrix.h"

namespace pointsman {

namespace {

struct Options {
  LabOptions lab;
  std::string scenario, family, controller = "hyb", model;
  uint64_t seed = 1;
  int draw = 0;
  double seconds = 3;
  bool windows = false;
  JsonOption json;
};

Result<Scenario> scenario_of(const Options& options) {
  if (!options.scenario.empty()) return load_scenario(options.scenario);
  if (options.family.empty()) return fail(ErrorCode::kInvalidArgument, "name a --scenario FILE or a --family (pointsman lab families lists them)");
  return scenario_of_family(options.family, static_cast<int64_t>(options.seconds * 1e9));
}

Result<Unit> run(const Options& options) {
  auto scenario = scenario_of(options);
  if (!scenario) return fail(scenario.error());
  auto model = load_model_bytes(options.model, options.controller);
  if (!model) return fail(model.error());
  auto bench = open_bench(options.lab);
  if (!bench) return fail(bench.error());
  const EpisodeRequest request{.scenario = *scenario, .seed = options.seed, .draw = options.draw, .cpus = options.lab.cpus, .controller = options.controller, .guard = is_learned(options.controller)};
  auto result = run_episode(bench->snapshot, request, *model);
  if (!result) return fail(result.error());

  report::Table table(fmt::format("{} seed {} under {}", scenario->name, options.seed, options.controller), {{"phase", "phase"}, {"family", "family"}, {"jobs", "jobs", report::Quantity::kCount}, {"geo_slowdown", "slowdown", report::Quantity::kNumber, 3},
                       {"mean_tat", "TAT", report::Quantity::kSeconds}, {"mean_rt", "RT", report::Quantity::kSeconds}, {"cv_fairness", "CV fairness", report::Quantity::kNumber, 3},
                       {"seed_l", "L", report::Quantity::kNumber, 3}, {"p99_rt_short", "p99 RT short", report::Quantity::kSeconds}});
  const auto add = [&](const std::string& phase, const std::string& family, const Costs& c) {
    table.add({phase, family, c.jobs, std::exp(c.log_slowdown), c.mean_tat_s, c.mean_rt_s, c.cv_fairness, c.seed_l, c.p99_rt_short_s});
  };
  const auto phases = result->phase_costs();
  for (size_t i = 0; i < phases.size(); ++i) add(std::to_string(i + 1), scenario->phases[i].family, phases[i]);
  if (phases.size() > 1) add("all", "", result->costs());
  table.notes.push_back(fmt::format("{} swaps; the agent used {:.2f} % of a CPU and {:.1f} MB; results {}", result->swaps(),
                                    100.0 * static_cast<double>(result->agent.cpu_ns) / static_cast<double>(std::max<int64_t>(1, result->agent.elapsed_ns)),
                                    static_cast<double>(result->agent.rss_bytes) / 1e6, result->results_hash));
  table.notes.push_back(fmt::format("{:.2f} virtual s in {:.2f} CPU s of the host ({:.2f} virtual s a CPU s)", result->virtual_seconds, result->cpu_seconds,
                                    result->virtual_seconds / result->cpu_seconds));
  table.notes.push_back("portfolio: " + result->portfolio.dump());
  if (!result->distrust.empty()) table.notes.push_back("NOT TO BE AVERAGED: " + result->distrust);
  if (options.windows && !options.json.emit().json)
    for (const WindowRow& w : result->windows)
      fmt::print("{:7.3f} s  {:6} {}{}  {}{}{}\n", static_cast<double>(w.end_ns) / 1e9, arms()[static_cast<size_t>(w.active)].name, w.idle ? "idle " : "",
                 w.taken != w.active ? fmt::format("-> {}", arms()[static_cast<size_t>(w.taken)].name) : "", w.why, w.held_back.empty() ? "" : " | " + w.held_back,
                 w.swap.empty() ? "" : " | " + w.swap);
  return report::emit(table, options.json.emit());
}

}  // namespace

void add_lab_episode(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<Options>();
  options->lab.add(app);
  app.add_option("--scenario", options->scenario, "Scenario to run")->type_name("FILE");
  app.add_option("--family", options->family, "One family instead of a scenario")->type_name("NAME");
  app.add_option("--seconds", options->seconds, "Length of the one phase")->capture_default_str()->check(CLI::Range(0.2, 600.0));
  app.add_option("--seed", options->seed, "Seed of the workload")->capture_default_str();
  app.add_option("--draw", options->draw, "Another draw of the moment at which it starts")->capture_default_str();
  app.add_option("--controller,--arm", options->controller, "An arm, or a controller (random, round_robin, scx_loader, classifier, schedule:0=hyb,2s=las ...)")->capture_default_str();
  app.add_option("--model", options->model, "Model file for the controllers that need one")->type_name("FILE");
  app.add_flag("--windows", options->windows, "Tell every decision window");
  options->json.add(app);
  app.footer(examples({{"pointsman lab episode --family pareto --arm las", "one family under one policy"},
                       {"pointsman lab episode --scenario scenarios/workday.toml --controller classifier --windows", "what the agent saw and did"}}));
  app.callback([options, &exit_code] {
    if (auto done = run(*options); !done) exit_code = report_error(done.error());
  });
}

}  // namespace pointsman

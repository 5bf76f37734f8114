// pointsman lab episode: one scenario under one controller, told window by window.
#include <unistd.h>

#include <cmath>

#include "cli/lab_options.h"
#include "cli/matrix_view.h"
#include "cli/model_option.h"
#include "cli/verb.h"
#include "lab/counterfactual.h"
#include "lab/matrix.h"
#include "learn/controllers.h"
#include "report/progress.h"

namespace pointsman {

namespace {

struct Options {
  LabOptions lab;
  std::string scenario, family, controller = "hyb", model, ledger;
  uint64_t seed = 1;
  int draw = 0;
  double seconds = 3;
  std::vector<std::string> disturbances;
  bool windows = false, counterfactuals = false, guard = false;
  JsonOption json;
};

Result<Scenario> scenario_of(const Options& options) {
  if (!options.scenario.empty()) return load_scenario(options.scenario);
  if (options.family.empty()) return fail(ErrorCode::kInvalidArgument, "name a --scenario FILE or a --family (pointsman lab families lists them)");
  return scenario_of_family(options.family, static_cast<int64_t>(options.seconds * 1e9));
}

// Each swap beside its replay without it.
Result<report::Table> counterfactual_table(const LabBench& bench, const EpisodeRequest& request, const EpisodeResult& factual, std::string_view model) {
  const SystemClock clock;
  report::ProgressOptions line;
  line.label = "replays without a swap";
  line.total = factual.swaps();
  report::Progress progress(line, clock);
  auto all = counterfactuals_of(bench.snapshot, request, factual, {.model = model}, [&](size_t, size_t) { progress.advance(1, ""); });
  progress.finish();
  if (!all) return fail(all.error());
  report::Table table("each swap, and the same run without it, to the end of the phase (5 s at most)",
                      {{"at", "at", report::Quantity::kSeconds}, {"from", "from"}, {"to", "to"}, {"jobs", "jobs", report::Quantity::kCount}, {"with", "slowdown with", report::Quantity::kNumber, 3},
                       {"without", "without", report::Quantity::kNumber, 3}, {"paid", "paid"}, {"same_past", "same past"}});
  size_t paid = 0, counted = 0;
  for (const Counterfactual& one : *all) {
    const WindowRow& w = factual.windows[one.window];
    table.add({static_cast<double>(w.end_ns) / 1e9, std::string(arm_name(one.stayed)), std::string(arm_name(w.taken)), static_cast<double>(one.jobs), std::exp(one.with_swap),
               std::exp(one.without), std::string(one.jobs == 0 ? "-" : one.paid() ? "yes" : "no"), std::string(one.same_past ? "yes" : "NO")});
    if (!one.distrust.empty() || one.jobs == 0) continue;
    ++counted;
    paid += one.paid() ? 1 : 0;
  }
  table.notes.push_back(fmt::format("{} of {} swaps paid", paid, counted));
  return table;
}

Result<Unit> run(Options options) {
  if (auto registered = options.lab.register_arms(); !registered) return registered;
  auto scenario = scenario_of(options);
  if (!scenario) return fail(scenario.error());
  EpisodeRequest request{.scenario = *scenario, .seed = options.seed, .draw = options.draw, .cpus = options.lab.cpus, .controller = options.controller, .guard = options.guard || is_learned(options.controller)};
  for (const std::string& text : options.disturbances) {
    auto disturbance = parse_disturbance(text);
    if (!disturbance) return fail(disturbance.error());
    request.disturbances.push_back(*disturbance);
  }
  // Its key would be that of the undisturbed, unguarded run.
  if (!options.ledger.empty() && !request.disturbances.empty()) return fail(ErrorCode::kInvalidArgument, "--ledger keeps no disturbed runs: leave out --disturb or --ledger");
  if (!options.ledger.empty() && options.guard && !is_learned(options.controller)) return fail(ErrorCode::kInvalidArgument, "--ledger keeps {} as it is by itself: leave out --guard or --ledger", options.controller);
  auto model = load_model_bytes(options.model, options.controller);
  if (!model) return fail(model.error());
  if (is_learned(options.controller)) {
    if (options.controller.find("model=") != std::string::npos) return fail(ErrorCode::kInvalidArgument, "--controller {}: name the model with --model, it has to come along into the guest", options.controller);
    request.controller = with_model(options.controller, kGuestModelPath);
  } else if (auto known = make_controller(options.controller, options.seed); !known) {
    return fail(as_usage(known.error()));  // here, not after a boot
  }
  auto bench = open_bench(options.lab, std::span(&options.controller, 1));
  if (!bench) return fail(bench.error());
  auto result = run_episode(bench->snapshot, request, *model);
  if (!result) return fail(result.error());
  if (!options.ledger.empty()) {
    auto ledger = open_ledger(options.ledger);
    if (!ledger) return fail(ledger.error());
    const LedgerRun row = ledger_run_of(request, *result, bench->identities);
    if (auto merged = ledger->merge(std::span(&row, 1)); !merged) return fail(merged.error());
  }

  report::Table table(fmt::format("{} seed {} under {}", scenario->name, options.seed, options.controller), {{"phase", "phase"}, {"family", "family"}, {"jobs", "jobs", report::Quantity::kCount}, {"geo_slowdown", "slowdown", report::Quantity::kNumber, 3},
                       {"mean_tat", "TAT", report::Quantity::kSeconds}, {"mean_rt", "RT", report::Quantity::kSeconds}, {"cv_fairness", "CV fairness", report::Quantity::kNumber, 3},
                       {"seed_l", "L", report::Quantity::kNumber, 3}, {"p99_rt_short", "p99 RT short", report::Quantity::kSeconds}});
  const auto add = [&](const std::string& phase, const std::string& family, const Costs& c) {
    table.add({phase, family, c.jobs, std::exp(c.log_slowdown), c.mean_tat_s, c.mean_rt_s, c.cv_fairness, c.seed_l, c.p99_rt_short_s});
  };
  const auto phases = result->phase_costs();
  for (size_t i = 0; i < phases.size(); ++i) add(std::to_string(i + 1), scenario->phases[i].family, phases[i]);
  if (phases.size() > 1) add("all", "", result->costs());
  table.notes.push_back(fmt::format("{} swaps; the agent used {:.2f} % of a CPU and {:.1f} MB, {} of {} ticks were late; results {}", result->swaps(),
                                    100.0 * static_cast<double>(result->agent.cpu_ns) / static_cast<double>(std::max<int64_t>(1, result->agent.elapsed_ns)),
                                    static_cast<double>(result->agent.rss_bytes) / 1e6, result->agent.late_ticks, result->agent.ticks, result->results_hash));
  table.notes.push_back(fmt::format("{:.2f} virtual s in {:.2f} CPU s of the host ({:.2f} virtual s a CPU s)", result->virtual_seconds, result->cpu_seconds,
                                    result->virtual_seconds / result->cpu_seconds));
  table.notes.push_back("portfolio: " + result->portfolio.dump());
  if (result->first_swap.call_ns >= 0) table.notes.push_back(fmt::format("the swap to its first arm took {:.1f} ms", static_cast<double>(result->first_swap.call_ns) / 1e6));
  for (const nlohmann::json& disturbance : result->disturbances) table.notes.push_back("beside it: " + disturbance.dump());
  if (!result->distrust.empty()) table.notes.push_back("NOT TO BE AVERAGED: " + result->distrust);
  if (options.windows && !options.json.emit().json)
    for (const WindowRow& w : result->windows)
      fmt::print("{:7.3f} s  {:6} {}{}  {}{}{}\n", static_cast<double>(w.end_ns) / 1e9, arm_name(w.active), w.idle ? "idle " : "",
                 w.taken != w.active ? fmt::format("-> {}", arm_name(w.taken)) : "", w.why, w.held_back.empty() ? "" : " | " + w.held_back,
                 w.swap.empty() ? "" : " | " + w.swap);
  if (!options.counterfactuals) return report::emit(table, options.json.emit());
  auto swaps = counterfactual_table(*bench, request, *result, *model);
  if (!swaps) return fail(swaps.error());
  const report::TextStyle style{.color = report::wants_color(STDOUT_FILENO)};
  return report::emit(table.text(style) + "\n" + swaps->text(style), {{"phases", table.json()}, {"swaps", swaps->json()}}, options.json.emit());
}

}  // namespace

void add_lab_episode(CommandLine& app, int& exit_code) {
  auto options = std::make_shared<Options>();
  options->lab.add(app);
  options->lab.add_arm_file(app);
  app.add_option("--scenario", options->scenario, "Scenario to run").type_name("FILE");
  app.add_option("--family", options->family, "One family instead of a scenario").type_name("NAME");
  app.add_option("--seconds", options->seconds, "Length of the one phase").capture_default_str().between(0.2, 600.0);
  app.add_option("--seed", options->seed, "Seed of the workload").capture_default_str();
  app.add_option("--draw", options->draw, "Another draw of the moment at which it starts").capture_default_str();
  app.add_option("--controller,--arm", options->controller, "An arm, or a controller (agent, random, round_robin, scx_loader, classifier, schedule:0=hyb,2s=las ...)").capture_default_str();
  app.add_option("--model", options->model, "Model file for the controllers that need one").type_name("FILE");
  app.add_option("--ledger", options->ledger, "Keep the run in this ledger too, for pointsman explain and pointsman evaluate --from").type_name("FILE");
  app.add_flag("--guard", options->guard, "The agent's guard watches over this controller too; over learned ones it always does");
  app.add_option("--disturb", options->disturbances, "What else happens meanwhile: hogs@1s-3s:32, nappers@1s-3s:32, fork_bomb@1s-3s:200, sysrq@2s, foreign@1s-3s").type_name("WHAT");
  app.add_flag("--windows", options->windows, "Tell every decision window");
  app.add_flag("--counterfactuals", options->counterfactuals, "Run it again without each swap: which of them paid?");
  options->json.add(app);
  app.footer(examples({{"pointsman lab episode --family pareto --arm las", "one family under one policy"},
                       {"pointsman lab episode --scenario scenarios/workday.toml --controller classifier --windows", "what the agent saw and did"},
                       {"pointsman lab episode --scenario scenarios/conflict.toml --controller classifier --counterfactuals", "did each of its swaps pay?"}}));
  app.callback([options, &exit_code] {
    if (auto done = run(*options); !done) exit_code = report_error(done.error());
  });
}

}  // namespace pointsman

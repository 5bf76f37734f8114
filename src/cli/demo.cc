// pointsman demo: on a real kernel, a changing workload under every scheduler in turn and under the agent; which was best when, what the agent chose, and how
// much of the gap between the best fixed scheduler and a perfect chooser it closed.
#include <algorithm>
#include <cmath>
#include <ctime>
#include <numeric>

#include "base/file.h"
#include "cli/demo_view.h"
#include "cli/lab_options.h"
#include "cli/model_option.h"
#include "cli/project.h"
#include "cli/statistics.h"
#include "cli/verb.h"
#include "lab/rivals.h"
#include "lab/splits.h"
#include "learn/from_ledger.h"
#include "learn/model.h"
#include "learn/oracle.h"
#include "report/progress.h"
#include "store/matrix_file.h"

namespace pointsman {

namespace {

// Fixed before anything was measured: the first two scenarios that the rule of draw_scenario gives, and the first of the held-out families.
constexpr std::array<uint64_t, 2> kScenarioSeeds = {1, 2};
constexpr uint64_t kHeldOutSeed = 1;
constexpr int kPhases = 6;
// A marked run is no measurement: it begins again at another moment of the idle machine, this often at most.
constexpr int kRedraws = 2;

struct Options {
  LabOptions lab;
  int seeds = 3, held_out_seeds = 1, workers = 0;
  uint64_t first_seed = kFirstTestSeed + 1;
  double phase_seconds = 5;
  std::string model, data, html = "report.html";
  JsonOption json;
};

struct Job {
  DemoTask task;
  EpisodeRequest request;
};

struct Stage {
  std::vector<Scenario> scenarios;
  std::vector<std::string> splits;
  std::vector<std::vector<ScheduleEntry>> oracles;
  std::string train_static;
};

Result<Stage> prepare(const Options& options, const std::vector<LedgerRun>& matrix) {
  Stage stage;
  const auto phase_ns = static_cast<int64_t>(options.phase_seconds * 1e9);
  const std::vector<std::string> held_out(held_out_families().begin(), held_out_families().end());
  for (const uint64_t seed : kScenarioSeeds) {
    auto scenario = draw_scenario("mixed", seed, kPhases, phase_ns, held_out);
    if (!scenario) return fail(scenario.error());
    stage.scenarios.push_back(std::move(*scenario));
    stage.splits.emplace_back("test-seeds");
  }
  if (options.held_out_seeds > 0) {
    auto scenario = draw_held_out_scenario(kHeldOutSeed, phase_ns);
    if (!scenario) return fail(scenario.error());
    stage.scenarios.push_back(std::move(*scenario));
    stage.splits.emplace_back("test-families");
  }
  // No window is left out: the oracle and the static choice only need the costs.
  auto everything = dataset_of(matrix, {});
  if (!everything) return fail(everything.error().at("the matrix"));
  const auto costs = family_costs(everything->dataset);
  for (const Scenario& scenario : stage.scenarios) {
    auto plan = oracle_plan(scenario, costs);
    if (!plan) return fail(plan.error());
    stage.oracles.push_back(std::move(*plan));
  }
  stage.train_static = train_static_of(everything->dataset);
  return stage;
}

std::vector<Job> jobs_of(const Options& options, const Stage& stage) {
  std::vector<Job> jobs;
  for (size_t s = 0; s < stage.scenarios.size(); ++s) {
    const bool held_out = stage.splits[s] == "test-families";
    for (int i = 0; i < (held_out ? options.held_out_seeds : options.seeds); ++i) {
      const uint64_t seed = options.first_seed + static_cast<uint64_t>(i);
      const auto add = [&](const std::string& label, const std::string& controller, bool guard) {
        EpisodeRequest request;
        request.scenario = stage.scenarios[s];
        request.seed = seed;
        request.cpus = options.lab.cpus;
        request.controller = controller;
        request.guard = guard;
        jobs.push_back({{s, seed, label}, std::move(request)});
      };
      add("agent", with_model("agent", kGuestModelPath), true);
      for (size_t arm = 0; arm < kChoosable; ++arm) add(std::string(arms()[arm].name), std::string(arms()[arm].name), false);
      add("oracle", schedule_spec(stage.oracles[s]), false);
      if (held_out) continue;  // the two baselines that do not enter the gap are shown on the known families
      add("random", "random", false);
      add("scx_loader", "scx_loader", false);
    }
  }
  return jobs;
}

report::Interval ratio_interval(const Interval& interval) { return to_report(interval); }

// A split without a sound episode is said so in `how`, and the rest is reported.
void add_gaps(report::DemoReport& out, const Stage& stage, const std::vector<EvaluatedRun>& runs) {
  for (const std::string split : {"test-seeds", "test-families"}) {
    std::vector<EvaluatedRun> of_split;
    for (const EvaluatedRun& run : runs)
      for (size_t s = 0; s < stage.scenarios.size(); ++s)
        if (stage.scenarios[s].name == run.scenario && stage.splits[s] == split) of_split.push_back(run);
    if (of_split.empty()) continue;
    EvaluationOptions options;
    options.train_static = stage.train_static;
    auto evaluation = evaluate(of_split, options);
    if (!evaluation) {
      out.how.push_back(fmt::format("{}: no gap is given: {}", split, evaluation.error().message));
      continue;
    }
    for (const ControllerResult& result : evaluation->controllers) {
      if (result.controller != "agent") continue;
      report::GapClosed gap;
      gap.split = split;
      gap.controller = "agent";
      gap.train_static = evaluation->train_static;
      gap.hindsight_static = evaluation->hindsight_static;
      gap.blocks = evaluation->blocks;
      gap.vs_train_static = ratio_interval(result.gap_vs_train_static);
      gap.vs_hindsight = ratio_interval(result.gap_vs_hindsight);
      out.gaps.push_back(std::move(gap));
    }
    for (const ControllerResult& result : evaluation->controllers)
      for (const PhaseResult& phase : result.phases)
        for (report::DemoScenario& scenario : out.scenarios)
          if (scenario.name == phase.scenario) scenario.phases[static_cast<size_t>(phase.phase)].costs.push_back({result.controller, to_report(phase.ratio)});
  }
}

// How far the oracle is from the best static arm of each scenario, as a share of cost: what there is to gain at all.
std::vector<std::string> oracle_lines(const report::DemoReport& out) {
  std::vector<std::string> lines;
  double sum = 0;
  int n = 0;
  for (const report::DemoScenario& scenario : out.scenarios) {
    std::map<std::string, std::pair<double, int>> by_controller;
    for (const report::DemoRun& run : out.runs)
      if (run.scenario == scenario.name && run.distrust.empty()) {
        by_controller[run.controller].first += run.costs.ln_ratio;
        ++by_controller[run.controller].second;
      }
    const auto mean = [&](const std::string& name) { return by_controller[name].first / by_controller[name].second; };
    std::string best;
    for (size_t arm = 0; arm < kChoosable; ++arm) {
      const std::string name(arms()[arm].name);
      if (best.empty() || mean(name) < mean(best)) best = name;
    }
    const double gap = 1 - std::exp(mean("oracle") - mean(best));
    lines.push_back(fmt::format("{}: the oracle is {:.1f} % below the best static arm, {}", scenario.name, 100 * gap, best));
    if (scenario.split == "test-seeds") {
      sum += gap;
      ++n;
    }
  }
  if (n > 1) lines.push_back(fmt::format("mean of the known families' scenarios: {:.1f} %", 100 * sum / n));
  return lines;
}

std::string cpu_model() {
  auto text = read_file("/proc/cpuinfo");
  if (!text) return "";
  const size_t at = text->find("model name");
  if (at == std::string::npos) return "";
  const size_t colon = text->find(':', at);
  return text->substr(colon + 2, text->find('\n', colon) - colon - 2);
}

void add_overheads(report::DemoReport& out, const std::vector<EpisodeResult>& results, const std::vector<Job>& jobs) {
  std::vector<double> cpu, rss, tick;
  std::map<std::string, std::vector<double>> calls, waits;
  for (size_t i = 0; i < jobs.size(); ++i) {
    for (const WindowRow& w : results[i].windows)
      if (w.swap == "confirmed") {
        const std::string kind = w.active == kEevdf || w.taken == kEevdf ? "warm" : "hot";
        calls[kind].push_back(static_cast<double>(w.swap_times.call_ns) / 1e9);
        if (w.swap_times.longest_wait_ns >= 0) waits[kind].push_back(static_cast<double>(w.swap_times.longest_wait_ns) / 1e9);
      }
    if (jobs[i].task.label != "agent") continue;
    cpu.push_back(static_cast<double>(results[i].agent.cpu_ns) / static_cast<double>(std::max<int64_t>(1, results[i].agent.elapsed_ns)));
    rss.push_back(static_cast<double>(results[i].agent.rss_bytes));
    tick.push_back(static_cast<double>(results[i].agent.tick_p99_ns) / 1e9);
  }
  out.overhead.cpu_ratio = mean_of(cpu);
  out.overhead.rss_bytes = mean_of(rss);
  out.overhead.tick_p99_s = mean_of(tick);
  for (const auto& [kind, seconds] : calls) {
    report::SwapTime time;
    time.kind = kind;
    time.count = static_cast<double>(seconds.size());
    time.call_p50_s = quantile_of(seconds, .5);
    time.call_p99_s = quantile_of(seconds, .99);
    if (!waits[kind].empty()) time.longest_wait_s = quantile_of(waits[kind], 1);
    out.swap_times.push_back(std::move(time));
  }
}

// Runs all jobs, the marked ones again; leaves in each job the request that its result came from. Returns how many runs were drawn anew.
Result<int> run_jobs(const Options& options, const LabBench& bench, const std::string& model, const Stage& stage, std::vector<Job>& jobs, std::vector<EpisodeResult>& results) {
  const SystemClock clock;
  std::vector<size_t> due(jobs.size());
  std::iota(due.begin(), due.end(), size_t{0});
  int redrawn = 0;
  for (int round = 0;; ++round) {
    report::ProgressOptions line;
    line.label = round == 0 ? "demo" : "demo, marked runs drawn anew";
    line.total = static_cast<int64_t>(due.size());
    report::Progress progress(line, clock);
    std::vector<CampaignTask> tasks;
    for (const size_t i : due) tasks.push_back({jobs[i].request, i});
    auto ran = run_campaign(bench.snapshot, tasks, {.workers = options.workers, .model = model}, [&](const CampaignTask& task, EpisodeResult result) -> Result<Unit> {
      const Job& job = jobs[task.index];
      const Scenario& scenario = stage.scenarios[job.task.scenario];
      progress.advance(1, fmt::format("{} seed {} {}", scenario.name, job.task.seed, job.task.label));
      if (job.task.label == "agent")
        for (const report::Sight& sight : sights_of(scenario, result))
          progress.say(fmt::format("  {} seed {}  {:<10} saw {}; chose {}", scenario.name, job.task.seed, scenario.phases[static_cast<size_t>(sight.phase)].family, sight.saw, sight.chose));
      if (!result.distrust.empty())
        progress.say(fmt::format("  marked, {}: {} seed {} {}: {}", round < kRedraws ? "to be drawn anew" : "in no mean", scenario.name, job.task.seed, job.task.label, result.distrust));
      results[task.index] = std::move(result);
      return Unit{};
    });
    if (!ran) return fail(ran.error());
    progress.finish();
    std::erase_if(due, [&](size_t i) { return results[i].distrust.empty(); });
    if (due.empty() || round == kRedraws) return redrawn;
    for (const size_t i : due) ++jobs[i].request.draw;
    redrawn += static_cast<int>(due.size());
  }
}

// With what was asked for beyond the defaults, so that it makes the same page.
std::string command_of(const Options& o) {
  const Options defaults;
  std::string out = fmt::format("pointsman demo --seeds {} --held-out-seeds {}", o.seeds, o.held_out_seeds);
  if (o.first_seed != defaults.first_seed) out += fmt::format(" --first-seed {}", o.first_seed);
  if (o.phase_seconds != defaults.phase_seconds) out += fmt::format(" --phase-seconds {}", o.phase_seconds);
  if (o.lab.cpus != defaults.lab.cpus) out += fmt::format(" --cpus {}", o.lab.cpus);
  if (o.lab.memory_mb != defaults.lab.memory_mb) out += fmt::format(" --memory {}", o.lab.memory_mb);
  if (!o.lab.kernel.empty()) out += " --kernel " + o.lab.kernel;
  if (!o.model.empty()) out += " --model " + o.model;
  if (!o.data.empty()) out += " --data " + o.data;
  return out;
}

Result<Unit> run(const Options& options) {
  const std::string data = options.data.empty() ? find_in_project("data/matrix.pmm") : options.data;
  if (data.empty()) return fail(ErrorCode::kNotFound, "no data/matrix.pmm, which the oracle needs: name a matrix file with --data, or make one with pointsman lab matrix --write");
  auto matrix = read_matrix(data);
  if (!matrix) return fail(matrix.error());
  auto model = load_model_bytes(options.model, "agent");
  if (!model) return fail(model.error());
  auto stage = prepare(options, *matrix);
  if (!stage) return fail(stage.error());
  std::vector<Job> jobs = jobs_of(options, *stage);

  for (size_t s = 0; s < stage->scenarios.size(); ++s) {
    std::string families;
    for (const Phase& phase : stage->scenarios[s].phases) families += (families.empty() ? "" : ", ") + phase.family;
    fmt::print(stderr, "{} ({}): {}\n", stage->scenarios[s].name, stage->splits[s], families);
  }
  auto bench = open_bench(options.lab);
  if (!bench) return fail(bench.error());

  std::vector<EpisodeResult> results(jobs.size());
  auto redrawn = run_jobs(options, *bench, *model, *stage, jobs, results);
  if (!redrawn) return fail(redrawn.error());

  report::DemoReport out;
  std::vector<EvaluatedRun> evaluated;
  std::map<std::pair<size_t, uint64_t>, double> baseline;
  for (size_t i = 0; i < jobs.size(); ++i)
    if (jobs[i].task.label == out.baseline) baseline[{jobs[i].task.scenario, jobs[i].task.seed}] = mean_phase_cost(results[i]);
  for (size_t s = 0; s < stage->scenarios.size(); ++s) out.scenarios.push_back(demo_scenario_of(stage->scenarios[s], stage->splits[s]));
  for (size_t i = 0; i < jobs.size(); ++i) {
    const Scenario& scenario = stage->scenarios[jobs[i].task.scenario];
    report::DemoRun row = demo_run_of(scenario, jobs[i].task, jobs[i].request, results[i]);
    row.costs.ln_ratio = mean_phase_cost(results[i]) - baseline[{jobs[i].task.scenario, jobs[i].task.seed}];
    out.runs.push_back(std::move(row));
    evaluated.push_back(evaluated_run_of(scenario, jobs[i].task, results[i]));
  }
  const auto info = [](const std::string& name, const std::string& kind, const std::string& summary) {
    report::ControllerInfo c;
    c.name = name;
    c.kind = kind;
    c.summary = summary;
    return c;
  };
  out.controllers.push_back(info("agent", "learned", "the classifier with its guard: predicts every arm's cost from a quarter second of features"));
  for (size_t arm = 0; arm < kChoosable; ++arm) out.controllers.push_back(info(std::string(arms()[arm].name), "static", std::string(arms()[arm].summary)));
  out.controllers.push_back(info("random", "random", "a fresh draw among the choosable arms every second"));
  out.controllers.push_back(info("scx_loader", "rule", "the rule that ships today: any CPU over 90 % for 5 s, then dl; all below for 30 s, then eevdf"));
  out.controllers.push_back(info("oracle", "oracle", "knows the phases and the matrix, pays for its swaps"));
  add_gaps(out, *stage, evaluated);
  add_overheads(out, results, jobs);
  out.machine.kernel = bench->machine.kernel.release;
  out.machine.qemu = bench->identities.qemu;
  out.machine.binary_hash = bench->identities.binary;
  out.machine.snapshot = bench->identities.snapshot;
  out.machine.guest_cpus = options.lab.cpus;
  out.machine.guest_memory_bytes = static_cast<double>(options.lab.memory_mb) * (1 << 20);
  out.machine.host_cpu = cpu_model();
  out.machine.host_cpus = static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
  const std::time_t now = std::time(nullptr);
  char date[32];
  std::strftime(date, sizeof date, "%Y-%m-%d", std::gmtime(&now));
  out.machine.date = date;
  const std::vector<std::string> troubles = std::move(out.how);
  out.how = {
      fmt::format("Scenarios are drawn by a rule that was fixed before anything was measured: {} phases of about {:.0f} s, each from another regime (batch, tail, interactive, switching) in random order, "
                  "families drawn uniformly within the regime; the first two scenarios that the rule gives. Families marked test-families were never used in training or in any choice.",
                  kPhases, options.phase_seconds),
      fmt::format("Each run is a fork of one saved virtual machine; the plan of jobs is fixed by its seed ({} to {}) and the same for every controller. The cost is the geometric-mean slowdown (TAT / service) of each phase's "
                  "jobs; phases count equally; ratios are to eevdf on the same jobs.",
                  options.first_seed, options.first_seed + static_cast<uint64_t>(options.seeds) - 1),
      fmt::format("The oracle switches at the phases' boundaries to the arm that the matrix ({}) says is best for the family, pays for its swaps, and is no upper bound on a single run.", options.data.empty() ? "data/matrix.pmm" : options.data)};
  for (const std::string& text : oracle_lines(out)) out.how.push_back(text);
  if (*redrawn > 0)
    out.how.push_back(fmt::format("{} runs were marked (their dispatcher was late, or the self-test failed) and begun again at another moment of the idle machine, {} times at most.", *redrawn, kRedraws));
  out.how.insert(out.how.end(), troubles.begin(), troubles.end());
  out.command = command_of(options);
  report::summarise(out, interval_of_mean);

  if (!options.html.empty()) {
    if (auto written = write_file(options.html, report::to_html(out)); !written) return written;
  }
  std::string text = report::to_text(out);
  for (const std::string& oracle : oracle_lines(out)) text += oracle + "\n";
  for (const std::string& trouble : troubles) text += trouble + "\n";
  if (!options.html.empty()) text += "\nThe whole story: " + options.html + "\n";
  return report::emit(text, report::to_json(out), options.json.emit());
}

}  // namespace

void add_demo(CommandLine& app, int& exit_code) {
  auto options = std::make_shared<Options>();
  options->lab.add(app);
  app.add_option("--seeds", options->seeds, "Seeds of each scenario of known families").capture_default_str().between(1, 1000);
  app.add_option("--held-out-seeds", options->held_out_seeds, "Seeds of the scenario of held-out families").capture_default_str().between(0, 1000);
  app.add_option("--first-seed", options->first_seed, "First seed").capture_default_str();
  app.add_option("--phase-seconds", options->phase_seconds, "Length of a phase in virtual seconds").capture_default_str().between(0.5, 600.0);
  app.add_option("--model", options->model, "Model of the agent (default: models/default.pmm of the project)").type_name("FILE");
  app.add_option("--data", options->data, "Matrix that the oracle knows (default: data/matrix.pmm of the project)").type_name("FILE");
  app.add_option("--html", options->html, "Where the page goes; empty for none").capture_default_str().type_name("FILE");
  app.add_option("--workers", options->workers, "Forks at a time (default: one for each CPU)").between(1, 64);
  options->json.add(app);
  app.footer(examples({{"pointsman demo", "the main job; writes report.html"}, {"pointsman demo --seeds 10 --held-out-seeds 4 --json=result.json", "the run behind the README's table"}}));
  app.callback([options, &exit_code] {
    if (auto done = run(*options); !done) exit_code = report_error(done.error());
  });
}

}  // namespace pointsman

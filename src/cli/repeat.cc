#include "cli/repeat.h"

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <poll.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <map>
#include <thread>

#include "base/clock.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/model_option.h"
#include "cli/verb.h"
#include "lab/campaign.h"
#include "lab/matrix.h"
#include "learn/controllers.h"
#include "learn/cost.h"
#include "learn/stats.h"
#include "metrics/catalogue.h"
#include "metrics/probe.h"
#include "metrics/sampler.h"
#include "metrics/tracer.h"
#include "report/progress.h"
#include "sched/kernel_host.h"
#include "sched/swapper.h"
#include "workload/runner.h"

namespace pointsman {
namespace {

bool interrupted() {
  pollfd one{.fd = interrupt_fd(), .events = POLLIN, .revents = 0};
  return one.fd >= 0 && ::poll(&one, 1, 0) > 0;
}

// False when a Ctrl-C ended it.
bool sleep_s(double seconds) {
  pollfd one{.fd = interrupt_fd(), .events = POLLIN, .revents = 0};
  return ::poll(&one, 1, static_cast<int>(seconds * 1000)) <= 0;
}

std::string true_arm(const std::string& arm) { return arm.ends_with("/A") ? arm.substr(0, arm.size() - 2) : arm; }

using Metrics = std::vector<std::pair<std::string, double>>;

// The seed's three and what belongs to them, of jobs or of processes.
void add_costs(Metrics& out, const Costs& costs) {
  out.emplace_back("jobs", costs.jobs);
  out.emplace_back("Average_TAT", costs.mean_tat_s);
  out.emplace_back("Average_RT", costs.mean_rt_s);
  out.emplace_back("CV_Fairness", costs.cv_fairness);
  out.emplace_back("L", costs.seed_l);
  out.emplace_back("geometric_slowdown", std::exp(costs.log_slowdown));
  if (std::isfinite(costs.p99_rt_short_s)) out.emplace_back("p99_short_RT", costs.p99_rt_short_s);
}

// A counter by its growth, all else by its average: the names that the tables of this project's beginning had, where they had one.
void add_metrics(Metrics& out, std::span<const Snapshot> snapshots) {
  for (const MetricValue& m : evaluate_metrics(snapshots)) {
    const bool counter = m.spec->kind == MetricKind::kCounter;
    const std::optional<double>& value = counter ? m.delta : m.avg;
    if (!value) continue;
    const std::string_view canonical = m.spec->canonical;
    const bool named = canonical.ends_with("_delta") || canonical.ends_with("_avg");
    out.emplace_back(named ? std::string(canonical) : fmt::format("{}{}", m.spec->name, counter ? "_delta" : "_avg"), *value);
  }
}

// Of each metric its value in each step since a run's start, run by run.
class Settling {
 public:
  void add(std::span<const Snapshot> snapshots) {
    std::map<std::string, std::vector<double>> run;
    for (size_t i = 1; i < snapshots.size(); ++i) {
      for (const MetricValue& m : evaluate_metrics(snapshots.subspan(i - 1, 2))) {
        const bool counter = m.spec->kind == MetricKind::kCounter;
        const std::optional<double>& value = counter ? m.rate : m.avg;
        run[fmt::format("{}{}", m.spec->name, counter ? "_per_s" : "")].push_back(value.value_or(report::kMissing));
      }
    }
    for (auto& [name, values] : run) runs_[name].push_back(std::move(values));
  }
  [[nodiscard]] std::vector<report::SettleCurve> curves(double step_s) const {
    std::vector<report::SettleCurve> out;
    for (const auto& [name, values] : runs_) {
      report::SettleCurve curve = report::settle_curve(name, step_s, values);
      // One that never moves has nothing to settle.
      const std::vector<double> known = report::known_of(curve.mean);
      if (known.size() >= 2 && deviation_of(known) > 0) out.push_back(std::move(curve));
    }
    return out;
  }

 private:
  std::map<std::string, std::vector<std::vector<double>>> runs_;
};

class Host {
 public:
  static Result<Host> open(const RepeatOptions& options) {
    Host host(options);
    const bool other = std::any_of(options.arms.begin(), options.arms.end(), [](const std::string& arm) { return true_arm(arm) != "eevdf"; });
    for (const std::string& arm : options.arms) {
      if (auto known = find_arm(true_arm(arm)); !known) return fail(ErrorCode::kInvalidArgument, "{}", known.error().message);
    }
    if (other) {
      auto opened = KernelHost::open({}, *host.clock_);
      if (!opened) return fail(opened.error().at("only eevdf can run here (--lab runs the others in the exact guest)"));
      host.host_ = std::move(*opened);
      host.swapper_ = std::make_unique<Swapper>(*host.host_, *host.clock_);
    }
    if (!options.family.empty() || !options.scenario.empty()) {
      auto scenario = options.scenario.empty() ? Result<Scenario>(scenario_of_family(options.family, static_cast<int64_t>(options.seconds * 1e9))) : load_scenario(options.scenario);
      if (!scenario) return fail(scenario.error());
      if (auto known = check_scenario(*scenario); !known) return fail(known.error());
      host.scenario_ = std::move(*scenario);
      host.burn_ = calibrate_burn();
    } else {
      auto tracer = Tracer::open({.scope = TracerOptions::Scope::kTree, .root = ::getpid()});
      if (!tracer) return fail(tracer.error());
      host.tracer_.emplace(std::move(*tracer));
    }
    auto probe = Probe::open({.states = true});
    if (!probe) return fail(probe.error());
    host.probe_ = std::make_unique<Probe>(std::move(*probe));
    auto sampler = Sampler::open({.roots = {}, .probe = host.probe_.get(), .clock = host.clock_.get()});
    if (!sampler) return fail(sampler.error());
    host.sampler_.emplace(std::move(*sampler));
    return host;
  }

  // Nothing when a Ctrl-C ended it.
  Result<std::optional<Metrics>> run(const report::PlannedRun& planned, Settling& settling) {
    if (swapper_) {
      auto arm = find_arm(true_arm(planned.arm));
      if (!arm) return fail(arm.error());
      if (swapper_->current() != *arm) {
        const Outcome outcome = swapper_->swap(*arm);
        if (outcome.verdict != Outcome::Verdict::kConfirmed) return fail(ErrorCode::kIo, "taking {}: {}", planned.arm, outcome.why);
      }
    }
    if (!sleep_s(options_.settle_s)) return std::optional<Metrics>();
    snapshots_.clear();
    snapshots_.push_back(sampler_->tick());
    auto figures = scenario_.phases.empty() ? run_command() : run_family(planned);
    if (!figures || !*figures) return figures;
    snapshots_.push_back(sampler_->tick());
    if (planned.block < 0) return figures;
    // Whole steps only: the last may be a short one.
    const std::span<const Snapshot> all(snapshots_);
    if (all.size() > 2) settling.add(all.first(all.size() - 1));
    const auto skip_ns = static_cast<int64_t>(options_.skip_s * 1e9);
    const auto kept = std::find_if(snapshots_.begin(), snapshots_.end(), [&](const Snapshot& s) { return s.taken_ns - snapshots_.front().taken_ns >= skip_ns; });
    if (snapshots_.end() - kept < 2) {
      return fail(ErrorCode::kInvalidArgument, "a run took {:.2f} s, of which --skip {} leaves nothing", static_cast<double>(snapshots_.back().taken_ns - snapshots_.front().taken_ns) / 1e9, options_.skip_s);
    }
    add_metrics(**figures, all.subspan(static_cast<size_t>(kept - snapshots_.begin())));
    return figures;
  }

 private:
  explicit Host(const RepeatOptions& options) : options_(options), clock_(std::make_unique<SystemClock>()) {}

  [[nodiscard]] int64_t step_ns() const { return static_cast<int64_t>(options_.step_s * 1e9); }

  Result<std::optional<Metrics>> run_command() {
    std::vector<TracedProcess> processes;
    if (auto drained = tracer_->drain(processes, {.all = true}); !drained) return fail(drained.error());
    processes.clear();
    const int64_t start_ns = clock_->now_ns();
    auto command = Command::start(options_.command, Command::Output::kNowhere);
    if (!command) return fail(command.error());
    for (int64_t due_ns = start_ns + step_ns(); !command->wait(static_cast<int>(std::max<int64_t>(0, (due_ns - clock_->now_ns()) / kMillisecond)));) {
      if (interrupted()) {
        command->stop();
        return std::optional<Metrics>();
      }
      if (clock_->now_ns() < due_ns) continue;
      snapshots_.push_back(sampler_->tick());
      due_ns += step_ns();
      if (auto drained = tracer_->drain(processes, {}); !drained) return fail(drained.error());
    }
    const int64_t end_ns = clock_->now_ns();
    if (interrupted()) return std::optional<Metrics>();
    if (command->exit_code() != 0) return fail(ErrorCode::kIo, "{} ended with exit code {}: a run that fails is no measurement", options_.command.front(), command->exit_code());
    // A parent hears of a child's end a little before the child's last switch.
    const auto seen = [&] { return std::any_of(processes.begin(), processes.end(), [&](const TracedProcess& p) { return p.pid == command->pid(); }); };
    for (int i = 0; i < 100 && !seen(); ++i) {
      clock_->sleep_until_ns(clock_->now_ns() + kMillisecond);
      if (auto drained = tracer_->drain(processes, {.all = true}); !drained) return fail(drained.error());
    }
    std::vector<JobOutcome> jobs;
    uint64_t cpu_ns = 0;
    for (const TracedProcess& p : processes) {
      if (p.sums.before != 0 || p.sums.completion_ns == 0 || p.sums.first_cpu_ns == 0) continue;
      jobs.push_back({.tat_ns = static_cast<int64_t>(p.sums.completion_ns - p.sums.arrival_ns), .rt_ns = static_cast<int64_t>(p.sums.first_cpu_ns - p.sums.arrival_ns), .service_ns = static_cast<int64_t>(p.sums.cpu_ns)});
      cpu_ns += p.sums.cpu_ns;
    }
    Metrics out{{"wall_s", static_cast<double>(end_ns - start_ns) / 1e9}, {"cpu_s", static_cast<double>(cpu_ns) / 1e9}};
    add_costs(out, costs_of(jobs));
    return std::optional(std::move(out));
  }

  Result<std::optional<Metrics>> run_family(const report::PlannedRun& planned) {
    const uint64_t seed = options_.seed + (options_.vary_seed && planned.block > 0 ? static_cast<uint64_t>(planned.block) : 0);
    auto plan = draw_plan(scenario_, seed, std::min(probe_->cpus(), 64));
    if (!plan) return fail(plan.error());
    std::atomic<bool> cancel{false}, done{false};
    std::optional<Result<RunRecord>> record;
    const int64_t start_ns = clock_->now_ns();
    std::thread runner([&] {
      record.emplace(run_plan(*plan, 0, {.burn_by_cpu_clock = false, .burn_rate = burn_, .cancel = &cancel}));
      done = true;
    });
    for (int64_t due_ns = start_ns + step_ns(); !done;) {
      if (interrupted()) cancel = true;
      clock_->sleep_until_ns(std::min(due_ns, clock_->now_ns() + 10 * kMillisecond));
      if (clock_->now_ns() < due_ns) continue;
      snapshots_.push_back(sampler_->tick());
      due_ns += step_ns();
    }
    runner.join();
    if (cancel) return std::optional<Metrics>();
    if (!*record) return fail(record->error());
    std::vector<JobOutcome> jobs;
    for (size_t i = 0; i < (*record)->jobs.size(); ++i) {
      const JobRecord& job = (*record)->jobs[i];
      if (job.completed_ns < 0) return fail(ErrorCode::kIo, "job {} did not end", i);
      jobs.push_back({.tat_ns = job.completed_ns - job.planned_ns, .rt_ns = job.first_run_ns - job.planned_ns, .service_ns = plan->jobs[i].service_ns, .kind = plan->jobs[i].kind, .phase = plan->jobs[i].phase});
    }
    Metrics out{{"makespan_s", static_cast<double>((*record)->makespan_ns) / 1e9}, {"dispatch_lag_p99_s", static_cast<double>((*record)->dispatch_lag_p99_ns) / 1e9}};
    add_costs(out, costs_of(jobs));
    return std::optional(std::move(out));
  }

  const RepeatOptions& options_;
  std::unique_ptr<SystemClock> clock_;
  std::unique_ptr<KernelHost> host_;
  std::unique_ptr<Swapper> swapper_;
  Scenario scenario_;
  BurnRate burn_;
  std::optional<Tracer> tracer_;
  std::unique_ptr<Probe> probe_;
  std::optional<Sampler> sampler_;
  std::vector<Snapshot> snapshots_;
};

Result<Repeated> repeat_here(const RepeatOptions& options, const std::function<Result<Unit>(const std::vector<report::RunFigures>&)>& on_run) {
  interrupt_fd();
  auto host = Host::open(options);
  if (!host) return fail(host.error());
  const SystemClock clock;
  Repeated out;
  Settling settling;
  const auto planned = report::plan_runs({.arms = options.arms, .blocks = options.blocks, .warm_ups = options.warm_ups, .seed = options.seed});
  report::ProgressOptions line;
  line.label = "runs";
  line.total = static_cast<int64_t>(planned.size());
  report::Progress progress(line, clock);
  int64_t first_ns = 0;
  for (const report::PlannedRun& run : planned) {
    if (run.block >= 0 && first_ns == 0) first_ns = clock.now_ns();
    const double time_s = static_cast<double>(clock.now_ns() - first_ns) / 1e9;
    auto figures = host->run(run, settling);
    if (!figures) return fail(figures.error());
    if (!*figures) {
      out.interrupted = true;
      break;
    }
    progress.advance(1, run.block < 0 ? "warm-up" : run.arm);
    if (run.block < 0) continue;
    out.runs.push_back({.block = run.block, .arm = run.arm, .time_s = time_s, .metrics = std::move(**figures)});
    if (auto told = on_run(out.runs); !told) return fail(told.error());
  }
  progress.finish();
  out.settling = settling.curves(options.step_s);
  return out;
}

// Each run is a fork of one snapshot, so nothing of one is left to the next: no settling, no warm-up. The draw is what differs: another moment of the idle machine.
Result<Repeated> repeat_in_lab(const RepeatOptions& options, const std::function<Result<Unit>(const std::vector<report::RunFigures>&)>& on_run) {
  auto scenario = options.scenario.empty() ? Result<Scenario>(scenario_of_family(options.family, static_cast<int64_t>(options.seconds * 1e9))) : load_scenario(options.scenario);
  if (!scenario) return fail(scenario.error());
  if (auto known = check_scenario(*scenario); !known) return fail(known.error());
  std::vector<CampaignTask> tasks;
  const auto planned = report::plan_runs({.arms = options.arms, .blocks = options.blocks, .warm_ups = 0, .seed = options.seed});
  for (size_t i = 0; i < planned.size(); ++i) {
    const std::string arm = true_arm(planned[i].arm);
    if (is_learned(arm)) return fail(ErrorCode::kInvalidArgument, "--arms {}: a learned controller needs its model; pointsman lab episode runs it", arm);
    if (auto known = make_controller(arm, options.seed); !known) return fail(as_usage(known.error()));
    const auto block = static_cast<uint64_t>(planned[i].block);
    tasks.push_back({{.scenario = *scenario,
                      .seed = options.seed + (options.vary_seed ? block : 0),
                      .draw = static_cast<int>(block) + (arm == planned[i].arm ? 0 : options.blocks),
                      .cpus = options.lab->cpus,
                      .controller = arm},
                     i});
  }
  std::vector<std::string> wanted;
  for (const std::string& arm : options.arms) wanted.push_back(true_arm(arm));
  auto bench = open_bench(*options.lab, wanted);
  if (!bench) return fail(bench.error());
  const SystemClock clock;
  report::ProgressOptions line;
  line.label = "runs";
  line.total = static_cast<int64_t>(tasks.size());
  report::Progress progress(line, clock);
  Repeated out;
  std::map<size_t, report::RunFigures> done;
  std::map<std::string, std::vector<std::vector<double>>> windows;
  double step_s = .25;
  auto ran = run_campaign(bench->snapshot, tasks, {}, [&](const CampaignTask& task, EpisodeResult result) -> Result<Unit> {
    progress.advance(1, planned[task.index].arm);
    if (!result.distrust.empty()) {
      out.notes.push_back(fmt::format("block {} under {} is left out: {}", planned[task.index].block + 1, planned[task.index].arm, result.distrust));
      return Unit{};
    }
    Metrics metrics{{"makespan_s", static_cast<double>(result.makespan_ns) / 1e9}};
    add_costs(metrics, result.costs());
    const auto catalogue = feature_catalogue();
    std::vector<double> sums(catalogue.size());
    for (size_t f = 0; f < catalogue.size(); ++f) {
      std::vector<double> steps;
      for (const WindowRow& w : result.windows) {
        steps.push_back(w.features[f]);
        sums[f] += w.features[f];
      }
      windows[std::string(catalogue[f].name)].push_back(std::move(steps));
      if (!result.windows.empty()) metrics.emplace_back(catalogue[f].name, sums[f] / static_cast<double>(result.windows.size()));
    }
    if (result.windows.size() > 1) step_s = static_cast<double>(result.windows[1].end_ns - result.windows[0].end_ns) / 1e9;
    done[task.index] = {.block = planned[task.index].block, .arm = planned[task.index].arm, .time_s = 0, .metrics = std::move(metrics)};
    out.runs.clear();
    for (const auto& [_, figures] : done) out.runs.push_back(figures);
    return on_run(out.runs);
  });
  progress.finish();
  if (!ran && ran.error().code != ErrorCode::kInterrupted) return fail(ran.error());
  out.interrupted = !ran;
  for (const auto& [name, values] : windows) {
    report::SettleCurve curve = report::settle_curve(name, step_s, values);
    const std::vector<double> known = report::known_of(curve.mean);
    if (known.size() >= 2 && deviation_of(known) > 0) out.settling.push_back(std::move(curve));
  }
  return out;
}

}  // namespace

Result<Repeated> repeat(const RepeatOptions& options, const std::function<Result<Unit>(const std::vector<report::RunFigures>&)>& on_run) {
  for (const std::string& arm : options.arms) {
    if (std::count(options.arms.begin(), options.arms.end(), arm) > 1) return fail(ErrorCode::kInvalidArgument, "--arms names {} twice: for an arm against itself write {},{}/A", arm, arm, arm);
  }
  if (!options.family.empty()) {
    if (auto known = find_family(options.family); !known) return fail(as_usage(known.error()));
  }
  return options.lab ? repeat_in_lab(options, on_run) : repeat_here(options, on_run);
}

}  // namespace pointsman

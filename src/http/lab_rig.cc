#include "http/lab_rig.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>

#include "http/costs_json.h"
#include "http/result_windows.h"
#include "lab/episode.h"
#include "metrics/catalogue.h"
#include "report/process_table.h"

namespace pointsman {

using nlohmann::json;

Result<std::unique_ptr<Rig>> LabRig::open(GuestSnapshot snapshot, Identities identities, Options options, const Catalogue& catalogue) {
  std::unique_ptr<LabRig> rig(new LabRig(std::move(snapshot), std::move(identities), std::move(options), catalogue));
  if (!rig->options_.ledger.empty()) {
    auto ledger = Ledger::open(rig->options_.ledger);
    if (!ledger) return fail(ledger.error());
    rig->ledger_ = std::make_unique<Ledger>(std::move(*ledger));
  }
  RigInfo& info = rig->info_;
  info.backend = "lab";
  info.kernel = rig->options_.kernel;
  info.cpus = rig->options_.cpus;
  for (const Arm& arm : arms())
    info.arms.push_back({.name = std::string(arm.name), .kind = kind_of(arm), .summary = std::string(arm.summary),
                         .unavailable = arm.kind == ArmKind::kExternal ? "this server's guest has only the built-in arms" : ""});
  info.notes.emplace_back("times are virtual; the same workload, seed and repeat give the same bits");
  return std::unique_ptr<Rig>(std::move(rig));
}

Result<RepeatResult> LabRig::run(const RepeatRequest& request, const std::atomic<bool>& /*cancel*/) {
  // What an earlier repeat was ended by.
  signalfd_siginfo old{};
  while (options_.cancel_fd >= 0 && ::read(options_.cancel_fd, &old, sizeof old) == static_cast<ssize_t>(sizeof old)) {
  }
  const ExperimentSpec& spec = request.spec;
  auto scenario = scenario_of(spec.workload, catalogue_);
  if (!scenario) return fail(scenario.error());
  const EpisodeRequest episode{.scenario = std::move(*scenario), .seed = spec.seed, .draw = request.repeat, .cpus = options_.cpus, .controller = spec.arm};
  auto ran = run_episode(snapshot_, episode, {});
  if (!ran) return fail(ran.error());

  const std::vector<JobOutcome> outcomes = ran->outcomes();
  json kinds = json::object();
  for (const auto& [kind, costs] : costs_by(JobGrouping::kKind, outcomes)) kinds[ran->plan.kinds[kind]] = costs_json(costs);
  std::vector<report::ProcessRow> rows;
  const auto seconds = [](int64_t ns) { return static_cast<double>(ns) / 1e9; };
  for (size_t i = 0; i < ran->jobs.size(); ++i) {
    const JobRecord& job = ran->jobs[i];
    if (job.completed_ns < 0) continue;
    rows.push_back({.pid = static_cast<int64_t>(i), .command = ran->plan.kinds[ran->plan.jobs[i].kind], .arrival_s = seconds(job.planned_ns), .first_cpu_s = seconds(job.first_run_ns),
                    .completion_s = seconds(job.completed_ns), .cpu_s = seconds(job.cpu_ns), .exit_code = 0});
  }
  report::sort_processes(rows, {});
  const size_t most = std::max<size_t>(1, options_.process_rows / static_cast<size_t>(spec.repeats));
  const json costs = costs_json(ran->costs());
  json result = {{"repeat", request.repeat},
                 {"costs", costs},
                 {"costs_by_kind", kinds},
                 {"process_costs", nullptr},
                 {"plan", fmt::format("{:016x}", ran->plan.hash())},
                 {"dispatch_lag_p99_s", seconds(ran->dispatch_lag_p99_ns)},
                 {"kernel_says", ran->final_ops.empty() ? "eevdf" : ran->final_ops},
                 {"results_hash", ran->results_hash},
                 {"processes", {{"count", rows.size()}, {"rows", report::process_table(std::span(rows).first(std::min(most, rows.size()))).json()}}},
                 {"features", json::object()},
                 {"absent", json::object()},
                 {"notes", {"rows are jobs, PID is their number in the plan; times from the plan's start"}}};
  for (const MetricSpec& metric : metric_catalogue()) {
    if (!metric.of_seed) continue;
    result["features"][std::string(metric.canonical)] = nullptr;
    result["absent"][std::string(metric.canonical)] = "an episode of the exact lab is watched by the probe alone";
  }
  std::vector<ResultWindow> windows;
  const size_t most_windows = std::max<size_t>(8, options_.windows / static_cast<size_t>(spec.repeats));
  for (const WindowRow& w : ran->windows)
    if (windows.size() < most_windows) windows.push_back({.end_ns = w.end_ns, .idle = w.idle, .features = w.features});
  if (ran->windows.size() > most_windows) result["notes"].push_back(fmt::format("the first {} of {} windows", most_windows, ran->windows.size()));
  result["windows"] = to_json(windows);
  if (!ran->distrust.empty()) result["rejected"] = ran->distrust;
  if (ledger_) {
    const LedgerRun run = ledger_run_of(episode, *ran, identities_);
    // The same run again has the same bits: then it is there already.
    if (auto merged = ledger_->merge(std::span(&run, 1)); !merged) return fail(merged.error());
  }
  return RepeatResult{.costs = costs.dump(), .result = result.dump(-1, ' ', false, json::error_handler_t::replace)};
}

}  // namespace pointsman

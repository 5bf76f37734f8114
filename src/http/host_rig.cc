#include "http/host_rig.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

#include "base/file_hash.h"
#include "base/hash.h"
#include "http/costs_json.h"
#include "http/exec_program.h"
#include "http/observation.h"
#include "metrics/catalogue.h"
#include "report/traced_rows.h"
#include "sched/external_host.h"
#include "sched/kernel_host.h"
#include "sched/priority.h"
#include "sched/shadow_host.h"

namespace pointsman {

using nlohmann::json;

namespace {

json or_null(const std::optional<double>& value) { return value && std::isfinite(*value) ? json(*value) : json(); }

// What the workload did, from wherever it was run.
struct Done {
  std::vector<JobOutcome> jobs{};
  json kinds = json::object();
  double makespan_s = 0;
  int64_t dispatch_lag_p99_ns = 0;
  std::string plan{};
  uint64_t results = 0;  // hash
  json program{};        // of a program: how it ended, what it said
  std::string rejected{};
};

Result<Done> run_named(const Plan& plan, const RunOptions& options) {
  auto record = run_plan(plan, 0, options);
  if (!record) return fail(record.error());
  Done done;
  Hash64 hash;
  for (size_t i = 0; i < record->jobs.size(); ++i) {
    const JobRecord& job = record->jobs[i];
    if (job.completed_ns < 0) continue;
    done.jobs.push_back({.tat_ns = job.completed_ns - job.planned_ns, .rt_ns = job.first_run_ns - job.planned_ns, .service_ns = plan.jobs[i].service_ns,
                         .kind = plan.jobs[i].kind, .phase = plan.jobs[i].phase});
    hash.add(static_cast<uint64_t>(job.first_run_ns)).add(static_cast<uint64_t>(job.completed_ns));
  }
  for (const auto& [kind, costs] : costs_by(JobGrouping::kKind, done.jobs)) done.kinds[plan.kinds[kind]] = costs_json(costs);
  done.makespan_s = static_cast<double>(record->makespan_ns) / 1e9;
  done.dispatch_lag_p99_ns = record->dispatch_lag_p99_ns;
  done.plan = fmt::format("{:016x}", plan.hash());
  done.results = hash.value();
  return done;
}

// What of an output may stand in JSON: bytes that are no UTF-8 are replaced when it is written.
Result<Done> run_exec(const ExperimentSpec& spec, const std::atomic<bool>& cancel) {
  auto end = run_program({.words = spec.workload.exec, .limit_ns = static_cast<int64_t>(spec.workload.seconds * 1e9), .cancel = &cancel});
  if (!end) return fail(end.error());
  Done done;
  done.makespan_s = static_cast<double>(end->wall_ns) / 1e9;
  done.program = {{"exit_code", end->exit_code}, {"stdout", end->out}, {"stdout_bytes", end->out_bytes}, {"stderr", end->err}, {"stderr_bytes", end->err_bytes}};
  if (end->exit_code != 0) done.rejected = fmt::format("the program ended with {}", end->exit_code);
  Hash64 words;
  for (const std::string& word : spec.workload.exec) words.add(word);
  done.plan = words.hex();
  done.results = Hash64{}.add(static_cast<uint64_t>(end->wall_ns)).value();
  return done;
}

// The nineteen T_* features by their canonical names, and what lacks why.
void add_features(json& out, const std::vector<MetricValue>& metrics) {
  out["features"] = json::object();
  out["absent"] = json::object();
  for (const MetricValue& m : metrics) {
    if (!m.spec->of_seed) continue;
    const std::string name(m.spec->canonical);
    const std::optional<double>& value = name.ends_with("_delta") ? m.delta : m.avg;
    out["features"][name] = or_null(value);
    if (!value) out["absent"][name] = m.absent.empty() ? "no value" : m.absent;
  }
}

// Without those that only start the others: the runner's supervisor, a child of ours, and its dispatcher; a program's first process, a child of ours.
std::vector<report::ProcessRow> rows_of(const std::vector<TracedProcess>& processes, int starters) {
  const int64_t self = ::getpid();
  std::vector<report::ProcessRow> rows;
  std::set<int64_t> ours;  // an external scheduler's program is one too
  for (const TracedProcess& process : processes) {
    rows.push_back(report::row_of(process));
    if (rows.back().parent == self) ours.insert(rows.back().pid);
  }
  std::erase_if(rows, [&](const report::ProcessRow& row) { return row.parent == self || (starters > 1 && ours.contains(row.parent)); });
  report::sort_processes(rows, {});
  return rows;
}

Costs process_costs(const std::vector<report::ProcessRow>& rows) {
  std::vector<JobOutcome> outcomes;
  for (const report::ProcessRow& row : rows) {
    if (!row.exit_code || !std::isfinite(row.turnaround_s()) || !std::isfinite(row.response_s())) continue;
    outcomes.push_back({.tat_ns = static_cast<int64_t>(row.turnaround_s() * 1e9), .rt_ns = static_cast<int64_t>(row.response_s() * 1e9),
                        .service_ns = static_cast<int64_t>(row.cpu_s * 1e9)});
  }
  return costs_of(outcomes);
}

LedgerCosts ledger_costs(const Costs& c) {
  return {.jobs = c.jobs, .unscored = c.unscored, .log_slowdown = c.log_slowdown, .mean_tat_s = c.mean_tat_s, .mean_rt_s = c.mean_rt_s, .cv_fairness = c.cv_fairness,
          .seed_l = c.seed_l, .mean_slowdown = c.mean_slowdown, .p99_rt_short_s = c.p99_rt_short_s, .p99_tat_s = c.p99_tat_s, .makespan_s = c.makespan_s};
}

}  // namespace

Result<std::unique_ptr<Rig>> HostRig::open(Options options, const Catalogue& catalogue) {
  std::unique_ptr<HostRig> rig(new HostRig(std::move(options), catalogue));
  if (auto prepared = rig->prepare(); !prepared) return fail(prepared.error());
  return std::unique_ptr<Rig>(std::move(rig));
}

Result<Unit> HostRig::prepare() {
  burn_rate_ = calibrate_burn();  // as an ordinary task: nothing else is kept waiting
  utsname system{};
  ::uname(&system);
  info_.backend = options_.guest ? "vm" : "host";
  if (options_.guest) info_.notes.emplace_back("a virtual machine with a network: not exact, its times vary with what its host does");
  info_.kernel = system.release;
  auto hash = hash_of_file("/proc/self/exe");
  if (!hash) return fail(hash.error());
  binary_ = *hash;
  if (!options_.ledger.empty()) {
    auto ledger = Ledger::open(options_.ledger);
    if (!ledger) return fail(ledger.error());
    ledger_ = std::make_unique<Ledger>(std::move(*ledger));
  }
  if (auto outranked = outrank_ordinary_tasks(); !outranked) return fail(outranked.error().at("experiments swap schedulers and must outrank what they measure"));
  std::string no_arms;
  KernelHost::Options host_options;
  host_options.sysfs = options_.sysfs;
  host_options.procfs = options_.procfs;
  if (auto host = KernelHost::open(host_options, clock_)) {
    portfolio_ = std::move(*host);
    ExternalHost::Options external;
    external.sysfs = options_.sysfs;
    external.folders = options_.scheduler_folders;
    host_ = std::make_unique<ExternalHost>(*portfolio_, clock_, std::move(external));
  } else {
    no_arms = host.error().message;
    host_ = std::make_unique<ShadowHost>(options_.sysfs);
    info_.notes.push_back("only eevdf: " + no_arms);
  }
  swapper_ = std::make_unique<Swapper>(*host_, clock_);
  for (const Arm& arm : arms()) {
    const std::string obstacle = arm.kind == ArmKind::kKernel ? "" : no_arms.empty() ? host_->obstacle(arm.policy) : no_arms;
    info_.arms.push_back({.name = std::string(arm.name), .kind = kind_of(arm), .summary = std::string(arm.summary), .unavailable = obstacle});
  }

  SamplerOptions sampler_options;
  sampler_options.roots = {.procfs = options_.procfs, .sysfs = options_.sysfs};
  if (auto probe = Probe::open({.states = true})) {
    probe_ = std::make_unique<Probe>(std::move(*probe));
    sampler_options.probe = probe_.get();
  } else {
    sampler_options.probe_absent = probe.error().message;
    info_.notes.push_back("no probe: " + probe.error().message);
  }
  auto sampler = Sampler::open(sampler_options);
  if (!sampler) return fail(sampler.error());
  sampler_ = std::make_unique<Sampler>(std::move(*sampler));
  info_.cpus = static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN));
  if (auto tracer = Tracer::open({.scope = TracerOptions::Scope::kTree, .root = ::getpid()}))
    tracer_ = std::make_unique<Tracer>(std::move(*tracer));
  else
    info_.notes.push_back("no table of processes: " + tracer.error().message);
  return Unit{};
}

Result<RepeatResult> HostRig::run(const RepeatRequest& request, const std::atomic<bool>& cancel) {
  const ExperimentSpec& spec = request.spec;
  auto arm = find_arm(spec.arm);
  if (!arm) return fail(arm.error());
  const bool is_program = !spec.workload.exec.empty();
  auto plan = is_program ? Result<Plan>(Plan{}) : plan_of(spec.workload, catalogue_, spec.seed, std::clamp(info_.cpus, 1, 64));
  if (!plan) return fail(plan.error());
  Observation observation({.sampler = *sampler_, .tracer = tracer_.get(), .probe = probe_.get()}, clock_, {.windows = std::max<size_t>(8, options_.windows / static_cast<size_t>(spec.repeats))});
  if (!request.trace_file.empty()) {
    if (auto tracing = observation.trace_to(request.trace_file, ::getpid()); !tracing) return fail(tracing.error());
  }

  // Whatever happens below, the machine ends on eevdf.
  struct BackToEevdf {
    Swapper& swapper;
    ~BackToEevdf() {
      if (swapper.current() && *swapper.current() != kEevdf) swapper.swap(kEevdf);
    }
  };
  Outcome attached;
  std::optional<Result<Done>> done;
  {
    const BackToEevdf guard{*swapper_};
    swapper_->check();
    attached = swapper_->swap(*arm);
    if (attached.verdict != Outcome::Verdict::kConfirmed)
      return fail(ErrorCode::kIo, "{} was not taken: {}: {}", spec.arm, name_of(attached.verdict), attached.why);
    if (auto begun = observation.begin(); !begun) return fail(begun.error());
    std::mutex mutex;
    std::condition_variable ended;
    RunOptions run_options;
    run_options.burn_by_cpu_clock = false;
    run_options.burn_rate = burn_rate_;
    run_options.limit_ns = options_.limit_ns;
    run_options.scratch_device = options_.scratch_device;
    run_options.cancel = &cancel;
    // The workload's own thread waits; its processes are ordinary tasks, whatever this thread is.
    std::jthread runner([&] {
      auto result = is_program ? run_exec(spec, cancel) : run_named(*plan, run_options);
      const std::lock_guard lock(mutex);
      done.emplace(std::move(result));
      ended.notify_one();
    });
    Result<Unit> watched = Unit{};
    for (std::unique_lock lock(mutex); !done;) {
      const auto wait = std::chrono::nanoseconds(std::max<int64_t>(0, observation.next_tick_ns() - clock_.now_ns()));
      if (ended.wait_for(lock, wait, [&] { return done.has_value(); })) break;
      lock.unlock();
      if (watched) watched = observation.tick();
      lock.lock();
    }
    runner.join();
    if (auto closed = observation.end(); watched && !closed) watched = closed;
    if (!*done) return fail(cancel.load() ? Error{ErrorCode::kInterrupted, "cancelled"} : done->error());
    if (!watched) return fail(watched.error());
    const Notice notice = swapper_->check();
    if (notice.ejection) return fail(ErrorCode::kIo, "{} did not last: the kernel threw it out: {} {}", spec.arm, notice.ejection->reason, notice.ejection->message);
    if (swapper_->current() != *arm) return fail(ErrorCode::kIo, "{} did not last until the end: the kernel says '{}'", spec.arm, swapper_->kernel().ops);
  }
  if (swapper_->current() != kEevdf) return fail(ErrorCode::kIo, "the kernel did not go back to eevdf: it says '{}'", swapper_->kernel().ops);

  const std::vector<report::ProcessRow> rows = rows_of(observation.processes(), is_program ? 1 : 2);
  // A program has no jobs that we know of: its processes are them.
  Costs costs = is_program ? process_costs(rows) : costs_of((*done)->jobs);
  costs.makespan_s = (*done)->makespan_s;
  json result = {{"repeat", request.repeat},
                 {"costs", costs_json(costs)},
                 {"costs_by_kind", (*done)->kinds},
                 {"process_costs", tracer_ ? costs_json(process_costs(rows)) : json()},
                 {"plan", (*done)->plan},
                 {"dispatch_lag_p99_s", static_cast<double>((*done)->dispatch_lag_p99_ns) / 1e9},
                 {"swap", {{"from", attached.from ? arm_name(*attached.from) : ""}, {"to", spec.arm}, {"verdict", name_of(attached.verdict)}}},
                 {"kernel_says", attached.after.ops.empty() ? "eevdf" : attached.after.ops}};
  if (attached.times.call_ns >= 0) result["swap"]["call_s"] = static_cast<double>(attached.times.call_ns) / 1e9;
  if (is_program) result["program"] = (*done)->program;
  if (!(*done)->rejected.empty()) result["rejected"] = (*done)->rejected;
  add_features(result, evaluate_metrics(observation.snapshots()));
  result["windows"] = probe_ ? to_json(observation.windows()) : json();
  const size_t most = std::max<size_t>(1, options_.process_rows / static_cast<size_t>(spec.repeats));
  json table = report::process_table(std::span(rows).first(std::min(most, rows.size()))).json();
  result["processes"] = {{"count", rows.size() + observation.dropped_processes()}, {"rows", std::move(table)}};
  json notes = observation.notes();
  for (const std::string& note : info_.notes) notes.push_back(note);
  if (rows.size() > most) notes.push_back(fmt::format("the first {} of {} processes", most, rows.size()));
  result["notes"] = std::move(notes);

  if (ledger_) {
    LedgerRun run;
    run.key = {.scenario = is_program ? "exec" : spec.workload.name, .controller = spec.arm, .seed = spec.seed, .draw = static_cast<uint64_t>(request.repeat), .kernel = info_.kernel, .binary = binary_,
               .plan = (*done)->plan, .snapshot = fmt::format("experiment {}", request.experiment)};
    run.split = info_.backend;
    run.selftest_ok = true;  // there is none on a machine of its own: the self-test guards against artefacts of the emulator
    run.rejected = (*done)->rejected;
    run.results_hash = fmt::format("{:016x}", (*done)->results);
    run.details = json{{"experiment", request.experiment}, {"spec", to_json(spec)}}.dump();
    run.costs.push_back(ledger_costs(costs));
    if (auto appended = ledger_->append(run); !appended) return fail(appended.error());
  }
  json brief = costs_json(costs);
  for (const auto& [name, value] : result["features"].items()) brief[name] = value;
  return RepeatResult{.costs = brief.dump(), .result = result.dump(-1, ' ', false, json::error_handler_t::replace)};
}

}  // namespace pointsman

#include "lab/episode.h"

#include <unistd.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <thread>

#include "base/file.h"
#include "bpf/probe/hist.h"
#include "lab/brought_arms.h"
#include "learn/controllers.h"
#include "learn/votes.h"
#include "metrics/bursts.h"
#include "metrics/groups.h"
#include "metrics/probe.h"
#include "metrics/tracer.h"
#include "sched/priority.h"
#include "sched/swapper.h"

namespace pointsman {

namespace {

// A dispatcher later than this made arrivals of its own; such a run is no draw of the plan. It outranks all tasks, so its lateness is that of starting them,
// the same under every arm, and TAT counts it (from the plan).
constexpr int64_t kGreatestLagNs = 20 * kMillisecond;  // ten times what the densest family needs
constexpr double kSettleSeconds = 5;
constexpr int64_t kStartGridNs = 10 * kMillisecond;
constexpr const char* kScratchDevice = "/dev/nullb0";  // the guest's block device without a disk

nlohmann::json array_of(const auto& values) { return nlohmann::json(std::vector<double>(values.begin(), values.end())); }

nlohmann::json to_json(const SwapTimes& t) {
  return {{"call_ns", t.call_ns},           {"attach_ns", t.attach_ns},
          {"detach_ns", t.detach_ns},       {"first_dispatch_ns", t.first_dispatch_ns},
          {"all_cpus_ns", t.all_cpus_ns},   {"longest_wait_ns", t.longest_wait_ns},
          {"moved", t.moved}};
}

SwapTimes swap_times_from(const nlohmann::json& v) {
  SwapTimes t;
  t.call_ns = v.at("call_ns");
  t.attach_ns = v.at("attach_ns");
  t.detach_ns = v.at("detach_ns");
  t.first_dispatch_ns = v.at("first_dispatch_ns");
  t.all_cpus_ns = v.at("all_cpus_ns");
  t.longest_wait_ns = v.at("longest_wait_ns");
  t.moved = v.at("moved");
  return t;
}

std::string describe(const Outcome& outcome) {
  return outcome.why.empty() ? name_of(outcome.verdict) : fmt::format("{}: {}", name_of(outcome.verdict), outcome.why);
}

// Keeps the windows of one run, and completes each swap's times at the next window, when its first dispatches have been seen.
class EpisodeRecorder : public Recorder {
 public:
  EpisodeRecorder(SchedulerHost& host, int64_t start_ns) : host_(host), start_ns_(start_ns) {}

  void on_window(const WindowRecord& window) override {
    complete_swap();
    nlohmann::json row = {{"end_ns", window.end_ns - start_ns_},
                          {"active", arm_name(window.active)},
                          {"wanted", arm_name(window.decision.arm)},
                          {"taken", arm_name(window.taken)},
                          {"idle", window.idle},
                          {"features", array_of(window.features)},
                          {"p99_short_wait_ms", window.p99_short_wait_ms},
                          {"propensity", window.decision.propensity},
                          {"why", window.decision.why},
                          {"held_back", window.held_back}};
    if (window.decision.predicted) row["predicted"] = array_of(*window.decision.predicted);
    if (window.decision.deviation) row["deviation"] = array_of(*window.decision.deviation);
    if (window.live_cost) row["live_cost"] = *window.live_cost;
    if (window.replayed) row["replayed"] = array_of(*window.replayed);
    if (!window.decision.votes.empty()) row["votes"] = write_votes(window.decision.votes);
    if (window.outcome) {
      row["swap"] = describe(*window.outcome);
      row["swap_times"] = to_json(window.outcome->times);
      open_swap_ = rows_.size();
    }
    rows_.push_back(std::move(row));
  }

  nlohmann::json finish() {
    complete_swap();
    return std::move(rows_);
  }

 private:
  void complete_swap() {
    if (!open_swap_) return;
    const SwapTimes times = host_.last_times();
    nlohmann::json& row = rows_[*open_swap_]["swap_times"];
    row["first_dispatch_ns"] = times.first_dispatch_ns;
    row["all_cpus_ns"] = times.all_cpus_ns;
    row["longest_wait_ns"] = times.longest_wait_ns;
    row["moved"] = times.moved;
    open_swap_.reset();
  }

  SchedulerHost& host_;
  int64_t start_ns_;
  nlohmann::json rows_ = nlohmann::json::array();
  std::optional<size_t> open_swap_;
};

// No overruling. It goes to the guest all the same, and as raw bytes: reading text takes as many instructions as its digits please, and with one more or less
// the guest's CPUs would take other turns than in the run that is replayed.
constexpr Overruling kNever{.from_ns = std::numeric_limits<int64_t>::max(), .until_ns = std::numeric_limits<int64_t>::max()};
static_assert(std::is_trivially_copyable_v<Overruling>);

}  // namespace

nlohmann::json to_json(const EpisodeRequest& request) {
  nlohmann::json out = {{"kind", "episode"},
                        {"scenario", to_json(request.scenario)},
                        {"seed", request.seed},
                        {"draw", request.draw},
                        {"cpus", request.cpus},
                        {"controller", request.controller},
                        {"guard", request.guard}};
  // Only where there are some: a longer request takes longer to read, and is another draw.
  for (const Disturbance& disturbance : request.disturbances) out["disturbances"].push_back(spell(disturbance));
  return out;
}

Result<EpisodeRequest> episode_request_from(const nlohmann::json& value) {
  try {
    EpisodeRequest request;
    auto scenario = scenario_from_json(value.at("scenario"));
    if (!scenario) return fail(scenario.error());
    request.scenario = std::move(*scenario);
    request.seed = value.at("seed");
    request.draw = value.at("draw");
    request.cpus = value.at("cpus");
    request.controller = value.at("controller");
    request.guard = value.at("guard");
    if (const auto disturbances = value.find("disturbances"); disturbances != value.end()) {
      for (const nlohmann::json& text : *disturbances) {
        auto disturbance = parse_disturbance(text.get<std::string>());
        if (!disturbance) return fail(disturbance.error());
        request.disturbances.push_back(*disturbance);
      }
    }
    return request;
  } catch (const nlohmann::json::exception& error) {
    return fail(ErrorCode::kInvalidArgument, "episode request: {}", error.what());
  }
}

Result<EpisodeStage> EpisodeStage::open() {
  auto clock = std::make_unique<SystemClock>();
  auto host = KernelHost::open({}, *clock);
  if (!host) return fail(host.error());
  // The recorder is verified before the snapshot; only an agent that wants it starts it.
  auto sensor = MetricsSensor::open({.bursts = true});
  if (!sensor) return fail(sensor.error());
  ExternalHost::Options options;
  options.folders = {kGuestArmFolder};
  auto all = std::make_unique<ExternalHost>(**host, *clock, options);
  for (ArmId id = kBuiltInArms; id < static_cast<ArmId>(arms().size()); ++id) {
    if (auto loaded = all->preload(*external_arm(id)); !loaded) return fail(loaded.error());
  }
  return EpisodeStage(std::move(clock), std::move(*host), std::move(all), std::move(*sensor));
}

Result<Unit> EpisodeStage::trial(FrameWriter& out) {
  if (auto outranked = outrank_ordinary_tasks(); !outranked) return fail(outranked.error());
  Swapper swapper(*host_, *clock_);
  nlohmann::json rows = nlohmann::json::array();
  const auto all = arms();
  for (size_t i = 0; i <= all.size(); ++i) {
    const auto arm = static_cast<ArmId>(i % all.size());  // back to eevdf at the end
    const Outcome outcome = swapper.swap(arm);
    rows.push_back({{"arm", arm_name(arm)}, {"outcome", describe(outcome)}, {"call_ns", outcome.times.call_ns}, {"attach_ns", outcome.times.attach_ns}, {"detach_ns", outcome.times.detach_ns}, {"ops", outcome.after.ops}});
    if (outcome.verdict != Outcome::Verdict::kConfirmed) return fail(ErrorCode::kUnsupported, "{}: {}", arm_name(arm), describe(outcome));
  }
  return out.send_json("trial", rows);
}

Result<Unit> EpisodeStage::verified(FrameWriter& out) const {
  auto probe = Probe::open({.states = true});
  if (!probe) return fail(probe.error());
  auto bursts = BurstRecorder::open();
  if (!bursts) return fail(bursts.error());
  auto groups = Groups::open(GroupBy::kAll);
  if (!groups) return fail(groups.error());
  auto tracer = Tracer::open({.scope = TracerOptions::Scope::kTree, .root = ::getpid(), .events = true});
  if (!tracer) return fail(tracer.error());
  const std::pair<const char*, const BpfObject*> objects[] = {
      {"portfolio", &portfolio_->object()}, {"probe", &probe->object()}, {"bursts", &bursts->object()}, {"groups", &groups->object()}, {"trace", &tracer->object()}};
  nlohmann::json counts = nlohmann::json::object();
  for (const auto& [name, object] : objects) {
    auto verified = object->verified_instructions();
    if (!verified) return fail(verified.error());
    counts[name] = *verified;
  }
  return out.send_json("verified", counts);
}

Result<Unit> EpisodeStage::begin_exec(const nlohmann::json& request) {
  auto arm = find_arm(request.value("arm", "eevdf"));
  if (!arm) return fail(arm.error());
  exec_arm_ = *arm;
  if (auto outranked = outrank_ordinary_tasks(); !outranked) return fail(outranked.error());
  exec_swapper_ = std::make_unique<Swapper>(*host_, *clock_);
  if (exec_arm_ != kEevdf) {
    const Outcome outcome = exec_swapper_->swap(exec_arm_);
    if (outcome.verdict != Outcome::Verdict::kConfirmed) return fail(ErrorCode::kIo, "{}: {}", arm_name(exec_arm_), describe(outcome));
  }
  auto reading = sensor_->read();
  if (!reading) return fail(reading.error());
  exec_begin_ = *reading;
  return Unit{};
}

Result<Unit> EpisodeStage::end_exec(FrameWriter& out) {
  auto reading = sensor_->read();
  if (!reading) return fail(reading.error());
  exec_swapper_->check();
  if (exec_swapper_->current() != exec_arm_)
    return fail(ErrorCode::kIo, "{} did not last until the program's end: the kernel says '{}'", arm_name(exec_arm_), exec_swapper_->kernel().ops);
  if (arms()[static_cast<size_t>(exec_arm_)].kind == ArmKind::kExternal) {
    if (auto sent = out.send("scheduler_output", host_->output()); !sent) return sent;
  }
  const pm_probe &a = exec_begin_.probe, &b = reading->probe;
  const auto quantile_ms = [](const pm_u64 (&before)[PM_HIST_BUCKETS], const pm_u64 (&after)[PM_HIST_BUCKETS], double q) {
    std::array<uint64_t, PM_HIST_BUCKETS> delta{};
    for (size_t i = 0; i < delta.size(); ++i) delta[i] = after[i] - before[i];
    return hist_quantile_ns(delta, q) / 1e6;
  };
  const auto mean_ms = [](pm_u64 sum_ns, pm_u64 n) { return n ? static_cast<double>(sum_ns) / static_cast<double>(n) / 1e6 : 0.0; };
  return out.send_json("probe", nlohmann::json{{"arm", arm_name(exec_arm_)},
                                          {"seconds", static_cast<double>(reading->moment_ns - exec_begin_.moment_ns) / 1e9},
                                          {"busy_s", static_cast<double>(b.busy_ns - a.busy_ns) / 1e9},
                                          {"idle_s", static_cast<double>(b.idle_ns - a.idle_ns) / 1e9},
                                          {"forks", b.forks - a.forks},
                                          {"exits", b.exits - a.exits},
                                          {"wakeups", b.wakeups - a.wakeups},
                                          {"voluntary_switches", b.voluntary - a.voluntary},
                                          {"involuntary_switches", b.involuntary - a.involuntary},
                                          {"migrations", b.migrations - a.migrations},
                                          {"mean_tat_ms", mean_ms(b.tat_ns - a.tat_ns, b.exits - a.exits)},
                                          {"mean_rt_ms", mean_ms(b.rt_ns - a.rt_ns, b.first_runs - a.first_runs)},
                                          {"run_delay_s", static_cast<double>(b.wait_ns - a.wait_ns) / 1e9},
                                          {"p50_wait_ms", quantile_ms(a.wait_hist, b.wait_hist, .5)},
                                          {"p99_wait_ms", quantile_ms(a.wait_hist, b.wait_hist, .99)},
                                          {"p99_tat_ms", quantile_ms(a.tat_hist, b.tat_hist, .99)},
                                          {"lost", b.lost - a.lost}});
}

Result<Unit> EpisodeStage::run(const nlohmann::json& value, FrameWriter& out) {
  auto request = episode_request_from(value);
  if (!request) return fail(request.error());
  auto plan = draw_plan(request->scenario, request->seed, request->cpus);
  if (!plan) return fail(plan.error());
  auto blob = read_blob(value.at("blob_bytes"));
  if (!blob) return fail(blob.error());
  Overruling overruling;
  if (blob->size() < sizeof overruling) return fail(ErrorCode::kInvalidArgument, "episode request: {} bytes beside it", blob->size());
  std::memcpy(&overruling, blob->data(), sizeof overruling);
  // A trained controller names its model's file; here the host's bytes stand for it.
  if (blob->size() > sizeof overruling) {
    if (auto written = write_file(kGuestModelPath, blob->substr(sizeof overruling)); !written) return written;
  }
  auto controller = make_controller(request->controller, request->seed);
  if (!controller) return fail(controller.error());
  // Overruled or not, so that a replay executes the same instructions up to the decision.
  *controller = std::make_unique<Overruled>(std::move(*controller), overruling);
  if (auto outranked = outrank_ordinary_tasks(); !outranked) return fail(outranked.error());
  std::optional<Disturbers> disturbers;
  if (!request->disturbances.empty()) {
    auto gathered = Disturbers::gather(request->disturbances);
    if (!gathered) return fail(gathered.error());
    disturbers.emplace(std::move(*gathered));
  }

  Swapper swapper(*host_, *clock_);
  SwapTimes first_swap;
  if (const ArmId first = (*controller)->first_arm(); first != kEevdf) {
    const Outcome outcome = swapper.swap(first);
    if (outcome.verdict != Outcome::Verdict::kConfirmed) return fail(ErrorCode::kIo, "the first arm, {}: {}", arm_name(first), describe(outcome));
    first_swap = outcome.times;
  }
  const double settle = Rng(request->seed, "settle", static_cast<uint64_t>(request->draw)).uniform() * kSettleSeconds;
  // On a grid: how long it took to read the request, or the bytes of a model, is no part of the draw.
  const int64_t earliest_ns = clock_->now_ns() + static_cast<int64_t>(settle * 1e9) + 100 * kMillisecond;
  const int64_t start_ns = (earliest_ns / kStartGridNs + 1) * kStartGridNs;

  EpisodeRecorder recorder(*host_, start_ns);
  NoPin nobody;
  AgentOptions options;
  options.guard.enabled = request->guard;
  Agent agent(*clock_, *sensor_, swapper, **controller, nobody, recorder, options);
  if (disturbers) disturbers->start(start_ns);
  Result<RunRecord> record = fail(ErrorCode::kIo, "the plan was not run");
  {
    // The plan waits in a thread of its own; it is the dispatcher's child processes that run it. The agent keeps this thread, which outranks them.
    std::jthread runner([&] {
      RunOptions run_options;
      run_options.scratch_device = kScratchDevice;
      record = run_plan(*plan, start_ns, run_options);
      agent.stop();
    });
    clock_->sleep_until_ns(start_ns);
    if (auto ran = agent.run(); !ran) return fail(ran.error());
  }
  nlohmann::json disturbances = disturbers ? disturbers->finish() : nlohmann::json::array();
  if (!record) return fail(record.error());
  nlohmann::json windows = recorder.finish();
  swapper.check();
  const KernelState& kernel = swapper.kernel();
  const AgentCost cost = agent.cost();
  uint64_t preempts = 0;
  for (int cpu = 0; cpu < PM_MAX_CPUS; ++cpu) preempts += portfolio_->shared().cpu[cpu].preempts;
  const nlohmann::json summary = {{"plan", fmt::format("{:016x}", plan->hash())},
                                  {"makespan_ns", record->makespan_ns},
                                  {"dispatch_lag_p99_ns", record->dispatch_lag_p99_ns},
                                  {"dispatch_lag_max_ns", record->dispatch_lag_max_ns},
                                  {"unfinished", record->unfinished},
                                  {"final_ops", kernel.ops},
                                  {"final_policy", kernel.policy},
                                  {"final_arm", swapper.current() ? arm_name(*swapper.current()) : "none"},
                                  {"first_swap", to_json(first_swap)},
                                  {"portfolio", {{"preempts", preempts}, {"moved", uint64_t{portfolio_->shared().moved}}, {"aged", uint64_t{portfolio_->shared().aged}}, {"rescues", uint64_t{portfolio_->shared().rescues}}}},
                                  {"agent",
                                   {{"cpu_ns", cost.cpu_ns},
                                    {"elapsed_ns", cost.elapsed_ns},
                                    {"tick_p50_ns", cost.tick_p50_ns},
                                    {"tick_p99_ns", cost.tick_p99_ns},
                                    {"tick_max_ns", cost.tick_max_ns},
                                    {"ticks", cost.ticks},
                                    {"late_ticks", cost.late_ticks},
                                    {"rss_bytes", cost.rss_bytes}}}};
  if (auto sent = out.send_json("episode", summary); !sent) return sent;
  if (disturbers) {
    if (auto sent = out.send_json("disturbances", disturbances); !sent) return sent;
  }
  if (auto sent = out.send_json("windows", windows); !sent) return sent;
  const std::string_view jobs(reinterpret_cast<const char*>(record->jobs.data()), record->jobs.size() * sizeof(JobRecord));
  return out.send("jobs", jobs);
}

namespace {

Result<std::vector<WindowRow>> windows_from(const nlohmann::json& rows) {
  std::vector<WindowRow> windows;
  for (const nlohmann::json& row : rows) {
    WindowRow w;
    w.end_ns = row.at("end_ns");
    for (auto [key, arm] : {std::pair{"active", &w.active}, std::pair{"wanted", &w.wanted}, std::pair{"taken", &w.taken}}) {
      auto found = find_arm(row.at(key).get<std::string>());
      if (!found) return fail(found.error());
      *arm = *found;
    }
    w.idle = row.at("idle");
    w.features = row.at("features").get<FeatureVector>();
    w.p99_short_wait_ms = row.at("p99_short_wait_ms");
    w.propensity = row.at("propensity");
    w.why = row.at("why");
    w.held_back = row.at("held_back");
    using PerArm = std::array<double, kChoosable>;
    if (row.contains("predicted")) w.predicted = row.at("predicted").get<PerArm>();
    if (row.contains("deviation")) w.deviation = row.at("deviation").get<PerArm>();
    if (row.contains("live_cost")) w.live_cost = row.at("live_cost").get<double>();
    if (row.contains("replayed")) w.replayed = row.at("replayed").get<PerArm>();
    w.votes = row.value("votes", "");
    if (row.contains("swap")) {
      w.swap = row.at("swap");
      w.swap_times = swap_times_from(row.at("swap_times"));
    }
    windows.push_back(std::move(w));
  }
  return windows;
}

}  // namespace

Result<EpisodeResult> run_episode(const GuestSnapshot& snapshot, const EpisodeRequest& request, std::string_view model) {
  EpisodeResult result;
  auto plan = draw_plan(request.scenario, request.seed, request.cpus);
  if (!plan) return fail(plan.error());
  result.plan = std::move(*plan);
  nlohmann::json sent = to_json(request);
  const Overruling overruling = request.overruling.value_or(kNever);
  std::string blob(reinterpret_cast<const char*>(&overruling), sizeof overruling);
  blob += model;
  sent["blob_bytes"] = blob.size();
  auto run = snapshot.run(sent, blob, {});
  if (!run) return fail(run.error());
  result.results_hash = run->results_hash;
  result.host_seconds = run->host_seconds;
  result.cpu_seconds = run->cpu_seconds;
  result.virtual_seconds = run->virtual_seconds;
  try {
    auto summary = run->json("episode");
    if (!summary) return fail(summary.error());
    if (summary->at("plan") != fmt::format("{:016x}", result.plan.hash()))
      return fail(ErrorCode::kCorrupt, "the guest drew another plan than the host from {} seed {}", request.scenario.name, request.seed);
    result.makespan_ns = summary->at("makespan_ns");
    result.dispatch_lag_p99_ns = summary->at("dispatch_lag_p99_ns");
    result.final_ops = summary->at("final_ops");
    result.portfolio = summary->at("portfolio");
    result.first_swap = swap_times_from(summary->at("first_swap"));
    // A static arm that did not last measured another one under its name.
    if (const auto arm = find_arm(request.controller); arm && summary->at("final_arm") != request.controller && request.disturbances.empty())
      result.distrust = fmt::format("{} did not last: at the end the kernel ran {}", request.controller, result.final_ops.empty() ? "eevdf" : result.final_ops);
    const nlohmann::json& agent = summary->at("agent");
    result.agent = {.cpu_ns = agent.at("cpu_ns"),
                    .elapsed_ns = agent.at("elapsed_ns"),
                    .tick_p50_ns = agent.at("tick_p50_ns"),
                    .tick_p99_ns = agent.at("tick_p99_ns"),
                    .tick_max_ns = agent.at("tick_max_ns"),
                    .ticks = agent.at("ticks"),
                    .late_ticks = agent.at("late_ticks"),
                    .rss_bytes = agent.at("rss_bytes")};
    if (!request.disturbances.empty()) {
      auto disturbances = run->json("disturbances");
      if (!disturbances) return fail(disturbances.error());
      result.disturbances = std::move(*disturbances);
    }
    auto rows = run->json("windows");
    if (!rows) return fail(rows.error());
    auto windows = windows_from(*rows);
    if (!windows) return fail(windows.error());
    result.windows = std::move(*windows);
    for (const Frame& frame : run->frames) {
      if (frame.type != "jobs") continue;
      if (frame.payload.size() != result.plan.jobs.size() * sizeof(JobRecord))
        return fail(ErrorCode::kCorrupt, "{} bytes of job records for {} jobs", frame.payload.size(), result.plan.jobs.size());
      result.jobs.resize(result.plan.jobs.size());
      std::memcpy(result.jobs.data(), frame.payload.data(), frame.payload.size());
    }
    if (result.jobs.size() != result.plan.jobs.size()) return fail(ErrorCode::kCorrupt, "the guest sent no job records");
    const int unfinished = summary->at("unfinished");
    if (unfinished > 0) result.distrust = fmt::format("{} jobs did not finish", unfinished);
    if (result.dispatch_lag_p99_ns > kGreatestLagNs)
      result.distrust = fmt::format("the dispatcher was late by {:.1f} ms (p99)", static_cast<double>(result.dispatch_lag_p99_ns) / 1e6);
    if (const nlohmann::json& hello = snapshot.hello(); hello.contains("selftest") && !hello.at("selftest").value("good", false))
      result.distrust = "the ping-pong self-test failed";
  } catch (const nlohmann::json::exception& error) {
    return fail(ErrorCode::kCorrupt, "the guest's answer: {}", error.what());
  }
  return result;
}

std::vector<JobOutcome> EpisodeResult::outcomes() const {
  std::vector<JobOutcome> out;
  out.reserve(jobs.size());
  for (size_t i = 0; i < jobs.size(); ++i) {
    if (jobs[i].completed_ns < 0) continue;
    out.push_back({.tat_ns = jobs[i].completed_ns - jobs[i].planned_ns,
                   .rt_ns = jobs[i].first_run_ns - jobs[i].planned_ns,
                   .service_ns = plan.jobs[i].service_ns,
                   .kind = plan.jobs[i].kind,
                   .phase = plan.jobs[i].phase});
  }
  return out;
}

Costs EpisodeResult::costs() const {
  const auto all = outcomes();
  Costs costs = costs_of(all);
  costs.makespan_s = static_cast<double>(makespan_ns) / 1e9;
  return costs;
}

std::vector<Costs> EpisodeResult::phase_costs() const {
  const auto all = outcomes();
  uint16_t phases = 0;
  for (const Job& job : plan.jobs) phases = std::max<uint16_t>(phases, static_cast<uint16_t>(job.phase + 1));
  std::vector<Costs> out;
  for (uint16_t phase = 0; phase < phases; ++phase) {
    std::vector<JobOutcome> of_phase;
    for (const JobOutcome& job : all)
      if (job.phase == phase) of_phase.push_back(job);
    out.push_back(costs_of(of_phase));
  }
  return out;
}

int EpisodeResult::swaps() const {
  int n = 0;
  for (const WindowRow& window : windows) n += window.swap == "confirmed" ? 1 : 0;
  return n;
}

}  // namespace pointsman

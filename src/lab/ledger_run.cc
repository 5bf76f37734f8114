#include "lab/ledger_run.h"

#include "lab/splits.h"
#include "learn/dataset.h"

namespace pointsman {

namespace {

LedgerCosts ledger_costs_of(const Costs& c, int phase, const std::string& family) {
  return {.phase = phase,
          .family = family,
          .jobs = c.jobs,
          .log_slowdown = c.log_slowdown,
          .mean_tat_s = c.mean_tat_s,
          .mean_rt_s = c.mean_rt_s,
          .cv_fairness = c.cv_fairness,
          .seed_l = c.seed_l,
          .mean_slowdown = c.mean_slowdown,
          .p99_rt_short_s = c.p99_rt_short_s,
          .p99_tat_s = c.p99_tat_s,
          .makespan_s = c.makespan_s};
}

// The part of an outcome before ": ", and the rest.
std::pair<std::string, std::string> divided(const std::string& outcome) {
  const size_t colon = outcome.find(": ");
  if (colon == std::string::npos) return {outcome, ""};
  return {outcome.substr(0, colon), outcome.substr(colon + 2)};
}

}  // namespace

RunKey run_key_of(const EpisodeRequest& request, const Identities& identities) {
  RunKey key;
  key.scenario = request.scenario.name;
  key.controller = request.controller;
  key.seed = request.seed;
  key.draw = static_cast<uint64_t>(request.draw);
  key.kernel = identities.kernel;
  key.binary = identities.binary;
  key.qemu = identities.qemu;
  key.snapshot = identities.snapshot;
  if (auto plan = draw_plan(request.scenario, request.seed, request.cpus)) key.plan = fmt::format("{:016x}", plan->hash());
  return key;
}

LedgerRun ledger_run_of(const EpisodeRequest& request, const EpisodeResult& result, const Identities& identities) {
  LedgerRun run;
  run.key = run_key_of(request, identities);
  const std::string& family = request.scenario.phases.front().family;
  run.split = split_of(family, request.seed);
  for (const Phase& phase : request.scenario.phases)
    if (is_held_out(phase.family)) run.split = "test-families";
  run.selftest_ok = result.distrust.find("self-test") == std::string::npos;
  run.rejected = result.distrust;
  run.features_schema = feature_catalogue_hash();
  run.results_hash = result.results_hash;
  run.details = nlohmann::json{{"agent_cpu_ns", result.agent.cpu_ns},
                               {"agent_elapsed_ns", result.agent.elapsed_ns},
                               {"agent_rss_bytes", result.agent.rss_bytes},
                               {"agent_tick_p99_ns", result.agent.tick_p99_ns},
                               {"dispatch_lag_p99_ns", result.dispatch_lag_p99_ns},
                               {"virtual_seconds", result.virtual_seconds}}
                    .dump();
  run.costs.push_back(ledger_costs_of(result.costs(), -1, ""));
  const auto phases = result.phase_costs();
  for (size_t i = 0; i < phases.size(); ++i) run.costs.push_back(ledger_costs_of(phases[i], static_cast<int>(i), request.scenario.phases[i].family));
  for (const WindowRow& w : result.windows) {
    run.windows.push_back({.end_ns = w.end_ns, .arm = std::string(arm_name(w.active)), .idle = w.idle, .features = {w.features.begin(), w.features.end()}});
    LedgerDecision decision{.at_ns = w.end_ns, .arm = std::string(arm_name(w.wanted)), .taken = std::string(arm_name(w.taken)), .propensity = w.propensity, .why = w.why, .held_back = w.held_back};
    if (w.predicted) decision.predicted.assign(w.predicted->begin(), w.predicted->end());
    if (w.deviation) decision.deviation.assign(w.deviation->begin(), w.deviation->end());
    if (w.live_cost) decision.live_cost = *w.live_cost;
    if (w.replayed) decision.replayed.assign(w.replayed->begin(), w.replayed->end());
    decision.votes = w.votes;
    run.decisions.push_back(std::move(decision));
    if (w.swap.empty()) continue;
    auto [outcome, detail] = divided(w.swap);
    const SwapTimes& t = w.swap_times;
    run.swaps.push_back({.at_ns = w.end_ns, .from = std::string(arm_name(w.active)), .to = std::string(arm_name(w.taken)), .outcome = outcome, .detail = detail,
                         .call_ns = t.call_ns, .attach_ns = t.attach_ns, .detach_ns = t.detach_ns, .first_dispatch_ns = t.first_dispatch_ns,
                         .all_cpus_ns = t.all_cpus_ns, .longest_wait_ns = t.longest_wait_ns, .moved = t.moved});
  }
  return run;
}

}  // namespace pointsman

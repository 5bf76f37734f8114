#include "learn/from_ledger.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string>
#include <tuple>

namespace pointsman {

namespace {

bool sound(const LedgerRun& run) { return run.selftest_ok && run.rejected.empty(); }

// The costs of all jobs of one phase; nullptr when there are none.
const LedgerCosts* phase_of(const LedgerRun& run, int phase) {
  for (const LedgerCosts& costs : run.costs)
    if (costs.phase == phase && costs.kind == -1) return &costs;
  return nullptr;
}

auto identity_of(const RunKey& k) { return std::tie(k.kernel, k.binary, k.plan, k.qemu, k.snapshot); }

}  // namespace

Costs costs_of(const LedgerCosts& c) {
  return {.jobs = c.jobs,
          .unscored = c.unscored,
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

Result<LedgerDataset> dataset_of(std::span<const LedgerRun> runs, const DatasetOptions& options) {
  using Arms = std::array<const LedgerRun*, kChoosable>;
  const auto before = [](const RunKey* a, const RunKey* b) { return reads_before(*a, *b); };
  std::vector<RunKey> keys;  // of blocks: without a controller
  keys.reserve(runs.size());
  std::map<const RunKey*, Arms, decltype(before)> blocks(before);
  for (const LedgerRun& run : runs) {
    const auto arm = find_arm(run.key.controller);
    if (!arm || *arm >= kChoosable || phase_of(run, 0) == nullptr || phase_of(run, 1) != nullptr) continue;
    keys.push_back(run.key);
    keys.back().controller.clear();
    auto& slot = blocks.try_emplace(&keys.back(), Arms{}).first->second[static_cast<size_t>(*arm)];
    if (sound(run)) slot = &run;
  }

  LedgerDataset out;
  for (const auto& [key, block_runs] : blocks) {
    Block block{.family = key->scenario, .seed = key->seed, .draw = key->draw};
    bool complete = std::find(block_runs.begin(), block_runs.end(), nullptr) == block_runs.end();
    int windows = 0;
    for (size_t arm = 0; complete && arm < kChoosable; ++arm) {
      const LedgerRun& run = *block_runs[arm];
      const auto cost = log_cost(costs_of(*phase_of(run, 0)), costs_of(*phase_of(*block_runs[kEevdf], 0)), options.objective);
      complete = cost.has_value();
      if (!complete) break;
      block.family = phase_of(run, 0)->family;
      block.log_cost[arm] = *cost;
      if (!run.windows.empty() && run.features_schema != feature_catalogue_hash())
        return fail(ErrorCode::kUnsupported, "{} was recorded with other features ({}) than this build computes ({}): run it anew",
                    describe(run.key), run.features_schema, feature_catalogue_hash());
      for (const LedgerWindow& window : run.windows) {
        const bool outside = window.end_ns < options.from_ns || (options.until_ns > 0 && window.end_ns > options.until_ns);
        if (window.idle || outside || window.arm != run.key.controller) continue;
        if (window.features.size() != kFeatures)
          return fail(ErrorCode::kUnsupported, "{} has {} features a window, this build {}", describe(run.key), window.features.size(),
                      kFeatures);
        std::copy(window.features.begin(), window.features.end(), block.windows[arm].emplace_back().begin());
        ++windows;
      }
    }
    if (!complete || windows == 0) {
      ++out.incomplete;
      continue;
    }
    out.windows += windows;
    out.dataset.blocks.push_back(std::move(block));
  }
  if (out.dataset.blocks.empty())
    return fail(ErrorCode::kInvalidArgument, "no block has a sound run under each choosable arm ({} runs, {} incomplete blocks)",
                runs.size(), out.incomplete);
  if (auto checked = check(out.dataset); !checked) return fail(checked.error());
  return out;
}

Result<std::vector<EvaluatedRun>> evaluated_runs_of(std::span<const LedgerRun> runs) {
  std::vector<EvaluatedRun> out;
  std::map<std::tuple<std::string, uint64_t, uint64_t>, const LedgerRun*> episodes;
  for (const LedgerRun& run : runs) {
    const auto [first, fresh] = episodes.try_emplace({run.key.scenario, run.key.seed, run.key.draw}, &run);
    if (!fresh && identity_of(first->second->key) != identity_of(run.key))
      return fail(ErrorCode::kInvalidArgument,
                  "{} and {} cannot be compared: they come from different kernels, binaries, plans, emulators or snapshots",
                  describe(first->second->key), describe(run.key));
    const LedgerCosts* whole = phase_of(run, -1);
    if (whole == nullptr || phase_of(run, 0) == nullptr) return fail(ErrorCode::kInvalidArgument, "{} has no costs", describe(run.key));
    EvaluatedRun evaluated{.controller = run.key.controller, .scenario = run.key.scenario, .seed = run.key.seed, .draw = run.key.draw};
    for (int phase = 0; const LedgerCosts* costs = phase_of(run, phase); ++phase)
      evaluated.phases.push_back({costs->family, costs_of(*costs)});
    evaluated.whole = costs_of(*whole);
    evaluated.swaps =
        static_cast<int>(std::count_if(run.swaps.begin(), run.swaps.end(), [](const LedgerSwap& s) { return s.outcome == "confirmed"; }));
    evaluated.sound = sound(run);
    out.push_back(std::move(evaluated));
  }
  return out;
}

Result<LedgerLog> logged_decisions_of(std::span<const LedgerRun> runs,
                                      const std::function<Result<std::unique_ptr<Controller>>(uint64_t seed)>& target) {
  size_t queue = 0;
  for (size_t f = 0; f < kFeatures; ++f)
    if (feature_catalogue()[f].name == "runnable_mean") queue = f;
  LedgerLog out;
  std::map<std::pair<std::string, uint64_t>, uint32_t> block_of;
  for (const LedgerRun& run : runs) {
    if (!sound(run) || run.windows.empty()) continue;
    if (run.features_schema != feature_catalogue_hash())
      return fail(ErrorCode::kUnsupported, "{} was recorded with other features ({}) than this build computes ({}): run it anew",
                  describe(run.key), run.features_schema, feature_catalogue_hash());
    auto controller = target(run.key.seed);
    if (!controller) return fail(controller.error());
    const auto [block, fresh] = block_of.try_emplace({run.key.scenario, run.key.seed}, static_cast<uint32_t>(out.blocks.size()));
    if (fresh) out.blocks.push_back(fmt::format("{} seed {}", run.key.scenario, run.key.seed));
    std::map<int64_t, const LedgerDecision*> decisions;
    for (const LedgerDecision& d : run.decisions) decisions[d.at_ns] = &d;
    const LedgerDecision* drawn = nullptr;
    LoggedDecision logged;
    double sum = 0, count = 0;
    const auto finish = [&] {
      if (drawn != nullptr && count > 0) {
        logged.cost = sum / count;
        out.decisions.push_back(logged);
      }
      drawn = nullptr;
      sum = count = 0;
    };
    for (const LedgerWindow& window : run.windows) {
      if (window.features.size() != kFeatures)
        return fail(ErrorCode::kUnsupported, "{} has {} features a window, this build {}", describe(run.key), window.features.size(),
                    kFeatures);
      if (drawn != nullptr && !window.idle) {
        sum += static_cast<double>(window.features[queue]);
        ++count;
      }
      const auto active = find_arm(window.arm);
      Context context;
      context.since_start_ns = window.end_ns;
      context.active = active ? *active : kDefaultArm;
      context.idle = window.idle;
      std::copy(window.features.begin(), window.features.end(), context.features.begin());
      const Decision wanted = (*controller)->decide(context);
      const auto decision = decisions.find(window.end_ns);
      if (decision == decisions.end()) continue;
      const LedgerDecision& d = *decision->second;
      if (!(d.propensity < 1)) {
        ++out.certain;
        continue;
      }
      finish();
      const auto taken = find_arm(d.taken);
      if (d.taken != d.arm || !taken || *taken >= kChoosable) {
        ++out.held_back;
        continue;
      }
      drawn = &d;
      logged = {.block = block->second, .arm = *taken, .propensity = d.propensity};
      if (wanted.distribution)
        logged.target = *wanted.distribution;
      else if (wanted.arm >= 0 && wanted.arm < kChoosable)
        logged.target[static_cast<size_t>(wanted.arm)] = 1;
      else
        drawn = nullptr;
    }
    finish();
  }
  if (out.decisions.empty())
    return fail(ErrorCode::kInvalidArgument,
                "no decision in these runs was drawn by chance and carried out ({} certain, {} held back): off-policy estimates need a run "
                "under random, or a policy that explores",
                out.certain, out.held_back);
  // Each block is predicted by the others, so that the prediction knows nothing of the noise that it is to correct.
  std::map<uint32_t, std::array<std::pair<double, double>, kChoosable>> by_block;
  std::array<std::pair<double, double>, kChoosable> all{};
  double total = 0;
  for (const LoggedDecision& d : out.decisions) {
    for (auto* sums : {&all, &by_block[d.block]}) {
      (*sums)[static_cast<size_t>(d.arm)].first += d.cost;
      (*sums)[static_cast<size_t>(d.arm)].second += 1;
    }
    total += d.cost / static_cast<double>(out.decisions.size());
  }
  for (LoggedDecision& d : out.decisions)
    for (size_t a = 0; a < kChoosable; ++a) {
      const double n = all[a].second - by_block[d.block][a].second;
      d.predicted[a] = n > 0 ? (all[a].first - by_block[d.block][a].first) / n : total;
    }
  return out;
}

}  // namespace pointsman

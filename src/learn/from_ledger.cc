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

}  // namespace pointsman

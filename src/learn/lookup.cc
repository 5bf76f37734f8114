#include "learn/lookup.h"

#include <algorithm>
#include <string_view>

#include "base/rng.h"

namespace pointsman {

namespace {

size_t queue_feature() {
  for (size_t f = 0; f < kFeatures; ++f)
    if (feature_catalogue()[f].name == "runnable_mean") return f;
  return 0;
}

}  // namespace

std::vector<LookupDecision> live_through(std::span<const LookupPhase> phases, Controller& controller, const LookupOptions& options) {
  static const size_t queue = queue_feature();
  std::vector<LookupDecision> out;
  Context context;
  context.active = std::clamp(controller.first_arm(), 0, kChoosable - 1);
  int64_t swapped_ns = 0;
  for (size_t p = 0; p < phases.size(); ++p) {
    const Block& block = *phases[p].block;
    const double best = *std::min_element(block.log_cost.begin(), block.log_cost.end());
    const double level = 14 + Rng(block.seed, block.family, block.draw).normal();
    int since_swap = 0;  // windows under the active arm, in this phase
    double queued = 0;
    for (int w = 0; w < phases[p].windows; ++w) {
      const auto& recorded = block.windows[static_cast<size_t>(context.active)];
      context.since_start_ns += options.window_ns;
      if (recorded.empty()) continue;
      const FeatureVector& seen = recorded[static_cast<size_t>(w) % recorded.size()];
      const auto active = static_cast<size_t>(context.active);
      context.features = seen;
      context.since_swap_ns = context.since_start_ns - swapped_ns;
      ++since_swap;
      queued += seen[queue];
      context.live_cost.reset();
      if (since_swap % options.cost_windows == 0) {
        if (options.live_cost == LookupOptions::LiveCost::kQueue) context.live_cost = queued / options.cost_windows;
        if (options.live_cost == LookupOptions::LiveCost::kSimulated) {
          Rng noise(options.seed + block.seed, "live cost of " + block.family,
                    (p * 100'000 + static_cast<size_t>(w)) * kChoosable + active);
          context.live_cost = level + block.log_cost[active] + options.noise * noise.normal();
        }
        queued = 0;
      }
      const Decision d = controller.decide(context);
      LookupDecision& made = out.emplace_back();
      made.phase = p;
      made.active = context.active;
      made.arm = d.arm >= 0 && d.arm < kChoosable ? d.arm : kDefaultArm;
      made.propensity = d.propensity;
      if (d.distribution)
        made.distribution = *d.distribution;
      else
        made.distribution[static_cast<size_t>(made.arm)] = 1;
      made.cost = block.log_cost[static_cast<size_t>(made.arm)] - block.log_cost[kEevdf];
      made.regret = block.log_cost[static_cast<size_t>(made.arm)] - best;
      made.seen = &seen;
      if (made.arm != context.active) {
        swapped_ns = context.since_start_ns;
        since_swap = 0;
        queued = 0;
      }
      context.active = made.arm;
    }
  }
  return out;
}

std::vector<int> adaptation(std::span<const LookupPhase> phases, std::span<const LookupDecision> decisions, double near) {
  std::vector<int> out;
  for (const LookupPhase& phase : phases) out.push_back(phase.windows);
  std::vector<int> count(phases.size());
  for (const LookupDecision& d : decisions) {
    const int n = ++count[d.phase];
    if (d.regret <= near) out[d.phase] = std::min(out[d.phase], n);
  }
  return out;
}

}  // namespace pointsman

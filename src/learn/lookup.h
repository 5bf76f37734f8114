// Lookup: lets any controller live through recorded blocks: the next window is seen as it was recorded under the arm that it took, and
// costs what that arm cost in that block. What carries over from one arm to the next (a backlog) is not in it: that only live runs show.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "learn/controller.h"
#include "learn/dataset.h"

namespace pointsman {

struct LookupOptions {
  enum class LiveCost {
    kNone,       // the controller is told nothing
    kQueue,      // the mean run-queue length as recorded: a real signal, whose rank correlation with the cost is about one half
    kSimulated,  // the arm's true cost, with noise of `noise` and a level of the block's own
  };
  LiveCost live_cost = LiveCost::kSimulated;
  double noise = .25;    // of one cost window, ln: what the episode cost has in windows of 1 s
  int cost_windows = 4;  // decision windows in a cost window
  int64_t window_ns = 250'000'000;
  uint64_t seed = 1;  // of the noise, which is the same for every controller
};

// Some windows of one block; more than were recorded: they come again from the first.
struct LookupPhase {
  const Block* block = nullptr;
  int windows = 0;
};
struct LookupDecision {
  size_t phase = 0;
  ArmId active = 0, arm = 0;
  double propensity = 1;
  ArmCosts distribution{};      // of the arm
  double cost = 0, regret = 0;  // of the arm taken, ln: ratio to eevdf, above the block's best
  const FeatureVector* seen = nullptr;
};

// Windows in which a block has no recording under the active arm are passed over.
std::vector<LookupDecision> live_through(std::span<const LookupPhase> phases, Controller& controller, const LookupOptions& options);

// How many decisions from the beginning of each phase until the first arm within `near` (ln cost) of the best; those that never get there
// count as the phase's length.
std::vector<int> adaptation(std::span<const LookupPhase> phases, std::span<const LookupDecision> decisions, double near);

}  // namespace pointsman

// The live cost: what a window cost the episodes in it, in ln turnaround, from recorded bursts alone: what a controller learns from that
// has no jobs with arrival times to look at. Flow form: a window is charged with what the ln turnarounds of all episodes have grown in it,
// also of those that are not finished, divided by the arrivals: so windows add up to the whole run, and letting the old starve pays
// nothing. Its level belongs to the workload; only differences between arms mean anything.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "learn/replay.h"

namespace pointsman {

struct LiveCostOptions {
  int64_t nap_ns = 2'000'000;  // a shorter sleep belongs to the episode
  int64_t floor_ns = 50'000;   // of a turnaround's logarithm
};
struct LiveCost {
  double log_turnaround = 0;  // an arrival
  int arrivals = 0;
};
// Of the window (from_ns, to_ns]. Bursts of episodes that began earlier should be there too: without them an episode counts from its first
// burst that is. nullopt: nothing arrived and nothing was under way.
std::optional<LiveCost> live_cost(std::span<const RecordedBurst> bursts, int64_t from_ns, int64_t to_ns,
                                  const LiveCostOptions& options = {});

}  // namespace pointsman

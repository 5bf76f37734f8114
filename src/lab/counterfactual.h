// Counterfactual: did a swap pay? The episode is run again from the same save with the same actions up to that decision, and without the swap from there on.
#pragma once

#include <functional>
#include <vector>

#include "lab/campaign.h"

namespace pointsman {

struct Counterfactual {
  size_t window = 0;       // of the factual run: the decision
  ArmId stayed = kEevdf;   // the arm before the swap, held instead
  int64_t until_ns = 0;    // to the end of the phase, but no longer than kCounterfactualNs
  size_t jobs = 0;         // those not done at the decision, or that arrived until then
  double with_swap = 0, without = 0;  // their mean ln slowdown
  bool same_past = false;  // every window before the decision is the same in both runs, to the bit
  std::string distrust{};  // of the replay
  [[nodiscard]] bool paid() const { return without > with_swap; }
};

inline constexpr int64_t kCounterfactualNs = 5 * kSecond;

// One for each confirmed swap of `factual`, which came from `request`. Replays run in parallel; on_progress gets (done, total).
Result<std::vector<Counterfactual>> counterfactuals_of(const GuestSnapshot& snapshot, const EpisodeRequest& request, const EpisodeResult& factual,
                                                       const CampaignOptions& options, const std::function<void(size_t, size_t)>& on_progress);

}  // namespace pointsman

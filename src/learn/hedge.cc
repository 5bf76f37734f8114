#include "learn/hedge.h"

#include <algorithm>

#include "base/exact_math.h"

namespace pointsman {

std::vector<double> Hedge::weights(std::span<const bool> awake) const {
  std::vector<double> out(weights_.size());
  double total = 0;
  for (size_t i = 0; i < out.size(); ++i) total += awake[i] ? weights_[i] : 0;
  for (size_t i = 0; i < out.size(); ++i) out[i] = awake[i] && total > 0 ? weights_[i] / total : 0;
  return out;
}

void Hedge::update(std::span<const double> losses, std::span<const bool> awake) {
  double before = 0, after = 0;
  for (size_t i = 0; i < weights_.size(); ++i) {
    if (!awake[i]) continue;
    before += weights_[i];
    weights_[i] *= exact_exp(-options_.rate * std::clamp(losses[i], -5.0, 5.0));
    after += weights_[i];
  }
  if (!(after > 0)) return;
  const auto count = static_cast<double>(std::count(awake.begin(), awake.end(), true));
  // Those awake keep what they had together; a share of it is dealt out evenly.
  for (size_t i = 0; i < weights_.size(); ++i)
    if (awake[i]) weights_[i] = before * ((1 - options_.share) * weights_[i] / after + options_.share / count);
}

}  // namespace pointsman

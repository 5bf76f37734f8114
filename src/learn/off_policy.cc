#include "learn/off_policy.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace pointsman {

Result<OffPolicyEstimate> off_policy(std::span<const LoggedDecision> log, const BootstrapOptions& options) {
  if (log.empty()) return fail(ErrorCode::kInvalidArgument, "off-policy evaluation: the log has no decisions");
  struct Sums {
    double n = 0, weight = 0, weighted = 0, robust = 0;
  };
  std::map<uint32_t, Sums> by_block;
  OffPolicyEstimate out;
  double weights = 0, squares = 0;
  std::array<bool, kChoosable> taken{};
  for (size_t i = 0; i < log.size(); ++i) {
    const LoggedDecision& d = log[i];
    const auto bad = [&](const char* what) {
      return fail(ErrorCode::kInvalidArgument, "off-policy evaluation: decision {}: {}", i + 1, what);
    };
    if (d.arm < 0 || d.arm >= kChoosable) return bad("its arm is none that can be chosen");
    if (!(d.propensity > 0 && d.propensity <= 1 + 1e-9)) return bad("its propensity is not in (0, 1]: what was not drawn tells nothing");
    if (!std::isfinite(d.cost)) return bad("its cost is not a number");
    double total = 0, direct = 0;
    for (size_t a = 0; a < kChoosable; ++a) {
      if (!(d.target[a] >= 0) || !std::isfinite(d.predicted[a]))
        return bad("the target's probabilities or the predicted costs are no numbers");
      total += d.target[a];
      direct += d.target[a] * d.predicted[a];
    }
    if (std::abs(total - 1) > 1e-6) return bad("the target's probabilities do not add up to 1");
    const auto arm = static_cast<size_t>(d.arm);
    taken[arm] = true;
    const double weight = d.target[arm] / d.propensity;
    Sums& sums = by_block[d.block];
    sums.n += 1;
    sums.weight += weight;
    sums.weighted += weight * d.cost;
    sums.robust += direct + weight * (d.cost - d.predicted[arm]);
    weights += weight;
    squares += weight * weight;
    out.largest_weight = std::max(out.largest_weight, weight);
    out.logged += d.cost / static_cast<double>(log.size());
  }
  for (const LoggedDecision& d : log)
    for (size_t a = 0; a < kChoosable; ++a)
      if (!taken[a]) out.unsupported += d.target[a] / static_cast<double>(log.size());
  out.effective_decisions = squares > 0 ? weights * weights / squares : 0;
  std::vector<Sums> blocks;
  for (const auto& [block, sums] : by_block) blocks.push_back(sums);
  const auto estimate = [&](auto numerator, auto denominator) {
    return bootstrap(
        static_cast<uint32_t>(blocks.size()),
        [&](std::span<const uint32_t> sample) {
          double above = 0, below = 0;
          for (const uint32_t b : sample) {
            above += numerator(blocks[b]);
            below += denominator(blocks[b]);
          }
          return below > 0 ? above / below : std::nan("");
        },
        options);
  };
  const auto count = [](const Sums& s) { return s.n; };
  out.ips = estimate([](const Sums& s) { return s.weighted; }, count);
  out.snips = estimate([](const Sums& s) { return s.weighted; }, [](const Sums& s) { return s.weight; });
  out.doubly_robust = estimate([](const Sums& s) { return s.robust; }, count);
  return out;
}

}  // namespace pointsman

// Off-policy evaluation: what another policy would have cost, from decisions that were made by a policy whose probabilities are known.
// IPS: Horvitz and Thompson, JASA 47 (1952). SNIPS: Swaminathan and Joachims, NeurIPS 2015. Doubly robust: Dudik, Langford, Li, ICML 2011.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "learn/dataset.h"
#include "learn/stats.h"

namespace pointsman {

struct LoggedDecision {
  uint32_t block = 0;     // what belongs together and is resampled together
  ArmId arm = 0;          // that was taken
  double propensity = 0;  // with which it was
  double cost = 0;        // that it had
  ArmCosts target{};      // the other policy's probabilities in the same situation
  ArmCosts predicted{};   // costs by any model, for the doubly robust estimate; a bad one costs width, not truth
};

struct OffPolicyEstimate {
  Interval ips{}, snips{}, doubly_robust{};  // mean cost a decision
  double logged = 0;                         // of what was done
  double effective_decisions = 0;            // (sum w)^2 / sum w^2: as many as if all had counted alike
  double largest_weight = 0;
  double unsupported = 0;  // share of the target's probability on arms that these decisions cannot speak for (never taken in the log)
};
// Errors: kInvalidArgument (no decisions; a propensity that is 0 or no probability; a target that does not add up to 1; a cost that is no
// number), with the decision's number.
Result<OffPolicyEstimate> off_policy(std::span<const LoggedDecision> log, const BootstrapOptions& options = {});

}  // namespace pointsman

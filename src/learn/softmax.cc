#include "learn/softmax.h"

#include <algorithm>
#include <array>
#include <string>

#include "base/exact_math.h"

namespace pointsman {

namespace {

constexpr std::array kLosses{PolicyLoss::kLabel, PolicyLoss::kSeed, PolicyLoss::kExpectedCost, PolicyLoss::kReinforce};

// Logarithms of the softmax: finite for finite logits.
ArmCosts log_softmax(std::span<const double> logits) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const double v : logits) sum += exact_exp(std::max(v - largest, -600.0));
  const double shift = largest + exact_log(sum);
  ArmCosts out{};
  for (size_t a = 0; a < kChoosable; ++a) out[a] = logits[a] - shift;
  return out;
}

}  // namespace

ArmCosts softmax(std::span<const double> logits) {
  ArmCosts out = log_softmax(logits);
  for (double& v : out) v = exact_exp(std::max(v, -600.0));
  return out;
}

ArmId draw_arm(const ArmCosts& probabilities, double uniform) {
  ArmId last = 0;  // the last arm that can be drawn at all: rounding may leave a rest
  for (ArmId arm = 0; arm < kChoosable; ++arm) {
    const double p = probabilities[static_cast<size_t>(arm)];
    if (!(p > 0)) continue;
    last = arm;
    if (uniform < p) return arm;
    uniform -= p;
  }
  return last;
}

std::string_view name_of(PolicyLoss loss) {
  switch (loss) {
    case PolicyLoss::kLabel:
      return "label";
    case PolicyLoss::kSeed:
      return "seed";
    case PolicyLoss::kExpectedCost:
      return "expected-cost";
    case PolicyLoss::kReinforce:
      return "reinforce";
  }
  return "";
}

Result<PolicyLoss> find_policy_loss(std::string_view name) {
  std::string known;
  for (const PolicyLoss loss : kLosses) {
    if (name_of(loss) == name) return loss;
    known.append(" ").append(name_of(loss));
  }
  return fail(ErrorCode::kNotFound, "there is no loss '{}' (there are:{})", name, known);
}

double policy_loss(PolicyLoss loss, std::span<const double> logits, std::span<const double> costs, std::span<double> slopes) {
  const ArmCosts logs = log_softmax(logits), a = softmax(logits);
  double total = 0, value = 0;
  switch (loss) {
    case PolicyLoss::kLabel: {
      const auto best = static_cast<size_t>(std::min_element(costs.begin(), costs.end()) - costs.begin());
      for (size_t i = 0; i < kChoosable; ++i) slopes[i] = a[i] - (i == best ? 1 : 0);
      return -logs[best];
    }
    case PolicyLoss::kSeed:
      for (size_t i = 0; i < kChoosable; ++i) {
        total += costs[i];
        value += costs[i] * logs[i];
      }
      for (size_t i = 0; i < kChoosable; ++i) slopes[i] = costs[i] - a[i] * total;
      return value;
    case PolicyLoss::kExpectedCost:
    case PolicyLoss::kReinforce:  // its expectation
      for (size_t i = 0; i < kChoosable; ++i) value += a[i] * costs[i];
      for (size_t i = 0; i < kChoosable; ++i) slopes[i] = a[i] * (costs[i] - value);
      return value;
  }
  return value;
}

double regret_loss(std::span<const double> predicted, std::span<const double> regret, const DecisionLoss& decision, std::span<double> slopes) {
  double loss = 0;
  ArmCosts logits{}, by_logit{};
  for (size_t a = 0; a < kChoosable; ++a) {
    const double error = predicted[a] - regret[a];
    loss += error * error / 2;
    slopes[a] = error;
    logits[a] = -predicted[a] / decision.temperature;
  }
  if (!(decision.weight > 0)) return loss;
  loss += decision.weight * policy_loss(PolicyLoss::kExpectedCost, logits, regret, by_logit);
  for (size_t a = 0; a < kChoosable; ++a) slopes[a] -= decision.weight * by_logit[a] / decision.temperature;
  return loss;
}

double entropy_bonus(std::span<const double> logits, double weight, std::span<double> slopes) {
  const ArmCosts logs = log_softmax(logits), a = softmax(logits);
  double entropy = 0;
  for (size_t i = 0; i < kChoosable; ++i) entropy -= a[i] * logs[i];
  for (size_t i = 0; i < kChoosable; ++i) slopes[i] += weight * a[i] * (logs[i] + entropy);
  return -weight * entropy;
}

double reinforce_loss(std::span<const double> logits, const Taken& taken, std::span<double> slopes) {
  const ArmCosts logs = log_softmax(logits), a = softmax(logits);
  const auto arm = static_cast<size_t>(taken.arm);
  for (size_t i = 0; i < kChoosable; ++i) slopes[i] = taken.advantage * ((i == arm ? 1 : 0) - a[i]);
  return taken.advantage * logs[arm];
}

}  // namespace pointsman

// OnlinePolicy: a policy that learns while it plays, from one outcome at a time: it sees windows, takes an arm with a known probability, is told what that cost, and
// changes before it is asked again. Only the cost of what was taken is known. Works off line from the machine that is decided for.
// Each outcome is learned from many times: importance weights (probability now / probability when it was taken, bounded) make up for the policy having changed since.
// Deterministic: same calls, options and seed give the same bits.
// Source: Williams 1992 (the slope); Swaminathan and Joachims, "Counterfactual risk minimization", ICML 2015 (learning from logged propensities with bounded weights).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "learn/explore.h"
#include "learn/mlp.h"
#include "learn/model.h"

namespace pointsman {

struct OnlinePolicyOptions {
  std::array<bool, kChoosable> offered{};  // the arms that can be had; the others get no probability, in the model neither
  std::vector<int> hidden{32};
  Exploration explore{.kind = Exploration::Kind::kSqrt};  // not kUcb1, whose choices have no probability
  int steps = 40;  // of the optimiser after each outcome, each on `batch` windows drawn from all outcomes so far
  int batch = 64;
  double rate = 2e-3, decay = 1e-3;
  double entropy = .03;    // weight of the bonus, which keeps it from closing on an arm before it knows the others
  double most_weight = 5;  // of an importance weight
  double clip = 1;         // of a cost's size: how bad a bad arm is beyond this does not matter
  uint64_t seed = 1;
};

class OnlinePolicy {
 public:
  // Errors: kInvalidArgument (fewer than two arms offered, an option out of range).
  static Result<OnlinePolicy> make(const OnlinePolicyOptions& options);

  struct Drawn {
    ArmId arm = kDefaultArm;
    double propensity = 1;       // with which it was drawn
    double exploring = 0;        // probability of a uniform draw at this decision
    ArmCosts policy{};           // without exploration
  };
  // The windows were seen under `active`; their opinions count equally. Without windows: a uniform draw.
  [[nodiscard]] Drawn draw(std::span<const FeatureVector> windows, ArmId active);
  // The likeliest arm, without exploration or chance.
  [[nodiscard]] ArmId best(std::span<const FeatureVector> windows, ArmId active) const;

  struct Outcome {
    std::vector<FeatureVector> windows{};
    ArmId active = kDefaultArm, taken = kDefaultArm;
    double propensity = 1;
    double cost = 0;  // ln ratio to a reference that does not depend on what was taken: the same work under the arm that every life begins with
  };
  // Outcomes without windows teach nothing.
  void learn(Outcome outcome);

  // As a policy that `--controller policy` runs.
  [[nodiscard]] Model model() const;
  [[nodiscard]] size_t outcomes() const { return outcomes_.size(); }
  [[nodiscard]] size_t windows() const { return rows_; }
  [[nodiscard]] const OnlinePolicyOptions& options() const { return options_; }

 private:
  OnlinePolicy(const OnlinePolicyOptions& options, Mlp<float> net);
  [[nodiscard]] ArmCosts distribution(std::span<const FeatureVector> windows, ArmId active) const;
  [[nodiscard]] std::array<double, kChoosable> logits_of(std::span<const float> outputs) const;
  void standardise();

  OnlinePolicyOptions options_;
  Model frame_;  // only its mean and scale
  Mlp<float> net_;
  Adam<float> adam_;
  std::vector<Outcome> outcomes_;
  size_t rows_ = 0;
  uint64_t draws_ = 0, updates_ = 0;
};

}  // namespace pointsman

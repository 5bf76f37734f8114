// Softmax policies: from logits to a distribution over arms, and the losses by which one is trained, with their slopes.
// Shapes: logits, costs and slopes [kChoosable].
#pragma once

#include <span>
#include <string_view>

#include "base/result.h"
#include "learn/dataset.h"
#include "sched/arm.h"

namespace pointsman {

ArmCosts softmax(std::span<const double> logits);
// From a distribution to an arm, by a uniform draw of [0, 1).
ArmId draw_arm(const ArmCosts& probabilities, double uniform);

enum class PolicyLoss {
  kLabel,  // -ln a_best: the classifier's; how much a choice matters is thrown away
  kSeed,   // sum L_i ln a_i, minimised to the letter: without a lower bound, since it falls for ever as the dearest arm's a_i goes to 0
  kExpectedCost,  // sum a_i L_i: what the policy costs, all arms' costs being known
  kReinforce,     // (L - b) ln a of the arm that was taken: only its cost is known
};
std::string_view name_of(PolicyLoss loss);
// Errors: kNotFound, with the names that exist.
Result<PolicyLoss> find_policy_loss(std::string_view name);

// With full information. Returns the loss, writes its slopes by the logits.
double policy_loss(PolicyLoss loss, std::span<const double> logits, std::span<const double> costs, std::span<double> slopes);

// For predictions of every arm's regret: half the squared errors, and `weight` times what a choice by them costs, a softmax with that temperature (ln cost)
// standing for the choice. An error between two arms that nobody would take then matters less than one that changes what is taken.
// Source of the idea: Elmachtoub and Grigas, "Smart 'predict, then optimize'", Management Science 68 (2022).
struct DecisionLoss {
  double weight = 0, temperature = .1;
};
double regret_loss(std::span<const double> predicted, std::span<const double> regret, const DecisionLoss& decision, std::span<double> slopes);

// -weight * H(a), which keeps a distribution from closing on one arm before it knows the others: the slope of the expected cost by an arm's
// logit vanishes with its probability. Adds to the slopes.
double entropy_bonus(std::span<const double> logits, double weight, std::span<double> slopes);

// The score function's: advantage * ln a_taken, whose slope is an unbiased estimate of that of the expected cost when `advantage` is cost
// minus a baseline that does not depend on the arm, times probability / propensity. Source: Williams, Machine Learning 8 (1992).
struct Taken {
  ArmId arm = 0;
  double advantage = 0;
};
double reinforce_loss(std::span<const double> logits, const Taken& taken, std::span<double> slopes);

}  // namespace pointsman

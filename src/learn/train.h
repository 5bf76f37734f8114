// Training: a model by any learner of the table, from data with full information (each block's cost is known under every arm), and its
// judgement by look-up on data it has not seen.
// Deterministic: same data, options and seed give the same bits, on any number of threads.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "learn/dataset.h"
#include "learn/learners.h"
#include "learn/model.h"
#include "learn/stats.h"

namespace pointsman {

// Errors: kInvalidArgument (options out of range; what check() says of the data), kNotFound (the algorithm).
Result<Model> train(const Dataset& dataset, const TrainOptions& options);

// Predictions for every window of every block, made by nets that have not seen that block, and the static arm that the same training data
// would have chosen.
struct HeldOut {
  struct OfBlock {
    std::array<std::vector<Prediction>, kChoosable> windows{};
    ArmId train_static = kDefaultArm;
  };
  std::vector<OfBlock> blocks{};  // as in the data set
};
HeldOut predict_all(const Model& model, const Dataset& dataset, ArmId train_static);

// Cross-validation: families or seeds are dealt into `folds` groups (0: each its own); each group is predicted by a model trained on the
// others.
struct CrossOptions {
  enum class LeaveOut { kFamily, kSeed };
  LeaveOut leave_out = LeaveOut::kSeed;
  int folds = 0;
  std::function<void(int fold, int folds)> on_fold = nullptr;  // when it begins
};
// Errors: those of train(); kInvalidArgument (fewer than two groups).
Result<HeldOut> cross_predict(const Dataset& dataset, const TrainOptions& train_options, const CrossOptions& options);

// Closed loop by look-up: start under the default arm; after each window take the rule's arm, and see the next window as it was recorded
// under that arm. A block's cost is the mean, over its decisions, of the cost of the arm taken. What carries over from one arm to the next
// (a backlog) is not in it: that only live runs show.
struct LookupBlock {
  double agent = 0, default_arm = 0, oracle = 0, eevdf = 0;  // ln ratios
  int decisions = 0, swaps = 0;
};
LookupBlock closed_loop(const Block& block, const HeldOut::OfBlock& predictions, const Rule& rule);

struct FamilyScore {
  std::string family{};
  int blocks = 0;
  double agent = 0, default_arm = 0, oracle = 0;  // means of ln ratios
  ArmId best_arm = kDefaultArm;                   // in hindsight
};
struct LookupScore {
  // Share of the way from the rival to the oracle (the best arm of each block).
  Interval vs_default{}, vs_train_static{}, vs_hindsight{};
  ArmId hindsight = kDefaultArm;                                                        // the best static arm on these very blocks
  double agent = 0, default_arm = 0, train_static = 0, hindsight_cost = 0, oracle = 0;  // means over blocks of ln ratios to eevdf
  double swaps_per_decision = 0;
  double worst_harm = 0;  // the largest over families of ln(agent / default arm); 0 when none is worse
  std::string worst_family{};
  std::vector<FamilyScore> families{};  // by name
};
LookupScore score(const Dataset& dataset, const HeldOut& held_out, const Rule& rule, const BootstrapOptions& bootstrap_options = {});

// The rule of a grid with the least mean cost among those that harm no family by more than `most_harm` against the default arm; when none
// is that harmless, the least harmful. Meant for validation data: what it was chosen on it must not be judged on.
struct RuleGrid {
  // Deviations not below 1: most of validation are families that training knew, which cannot show what the distance protects from. With .5, families left out of train
  // cost up to four times what they cost under hyb. Blocks do not change, so they cannot say what a memory is worth where workloads do: .7 was chosen on lives of phases.
  // Margins below the hysteresis of an agent would never be acted on.
  std::vector<double> deviations{1, 1.25, 1.5, 2}, margins{.05, .1}, ewmas{.7};
  double most_harm = .05;
};
RuleGrid rule_grid(ModelKind kind);  // that of its kind: of a policy the margin is a ratio of probabilities, and the deviation that of their logarithms
Rule tune_rule(const Dataset& dataset, const HeldOut& held_out, const RuleGrid& grid);

}  // namespace pointsman

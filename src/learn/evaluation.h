// Evaluation: from the costs of runs (controller x episode) to the table that a report prints: ratios to the reference, per phase and
// family, gap closed, swaps, harm; each with its interval over blocks. Pure: same runs and options, same table.
// An episode is (scenario, seed, draw), a block (scenario, seed): draws of one seed are averaged before anything else.
// Only episodes that every controller ran soundly count.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "learn/cost.h"
#include "learn/stats.h"

namespace pointsman {

struct EvaluatedRun {
  std::string controller{}, scenario{};
  uint64_t seed = 0, draw = 0;
  struct Phase {
    std::string family{};
    Costs costs{};
  };
  std::vector<Phase> phases{};  // in order of time; the same in every run of an episode
  Costs whole{};                // over all jobs
  int swaps = 0;
  bool sound = true;  // self-test passed, not rejected
};

struct EvaluationOptions {
  Objective objective{};
  std::string reference = "eevdf", default_arm = "hyb", oracle = "oracle";
  std::string train_static{};          // the static arm chosen on training data; empty: not known
  std::vector<std::string> statics{};  // among which hindsight chooses; empty: every controller named like an arm
  double tie = .01;                    // two costs within this are equal
  double family_harm = .05;            // a family this much worse than under the default arm is harmed
  BootstrapOptions bootstrap{};
};

struct FamilyResult {
  std::string family{};
  Interval ratio{};             // to the reference
  double ratio_to_default = 0;  // NaN when the default arm did not run
  bool harmed = false;
};
struct PhaseResult {
  std::string scenario{}, family{};
  int phase = 0;
  Interval ratio{};
};
struct ControllerResult {
  std::string controller{};
  Interval ratio{};                                                               // cost, geometric mean over blocks, to the reference
  Interval tat_ratio{}, rt_ratio{}, cv_ratio{}, p99_rt_short_ratio{}, l_ratio{};  // over all jobs of an episode; NaN where not defined
  double mean_tat_s = 0, mean_rt_s = 0, cv_fairness = 0, p99_rt_short_s = 0, seed_l = 0;  // means over blocks
  Interval gap_vs_train_static{}, gap_vs_hindsight{};
  Interval swaps{};                     // per episode
  int better = 0, ties = 0, worse = 0;  // episodes against the reference; worse = harmed
  double worst_ratio = 0;               // the worst episode
  std::string worst_episode{};
  int over_p99_limit = 0;  // episodes that break the objective's constraint
  std::vector<PhaseResult> phases{};
  std::vector<FamilyResult> families{};  // by name
};
struct Evaluation {
  int blocks = 0, episodes = 0;
  int dropped = 0;          // episodes that some controller did not run soundly
  int phases_left_out = 0;  // where the cost is not defined under some controller
  std::string hindsight_static{}, train_static{};
  std::vector<ControllerResult> controllers{};  // in the order in which they first come in the runs
};

// Errors: kInvalidArgument (no complete episode; no run of the reference; a train_static that did not run; runs of one episode with
// different phases; one run twice).
Result<Evaluation> evaluate(std::span<const EvaluatedRun> runs, const EvaluationOptions& options);

}  // namespace pointsman

// Judge: many controllers on the blocks of one split, by look-up: what each cost against the rivals, per family, over time, with intervals
// over blocks and tests that are corrected for their number. Pure: same blocks and controllers, same judgement.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "learn/controller.h"
#include "learn/lookup.h"
#include "learn/stats.h"

namespace pointsman {

struct Contender {
  std::string name{}, summary{};
  // Anew for every block; `seed` is the block's.
  std::function<Result<std::unique_ptr<Controller>>(uint64_t seed)> make{};
};

struct JudgeOptions {
  ArmId train_static = kDefaultArm;
  int windows = 0;  // of each life; 0: as many as were recorded
  // Ends of the spans that are told apart, in windows: after 2 s, 10 s, 20 s.
  std::vector<int> spans{8, 40, 80};
  double tie = .01, harm = .01, family_harm = .05;
  LookupOptions lookup{};
  BootstrapOptions bootstrap{};
  std::function<void()> on_contender = nullptr;  // when one is done
};

struct Judgement {
  std::string name{}, summary{};
  double cost = 0;   // mean over blocks of the ln ratio to eevdf
  Interval ratio{};  // its exponential
  Interval vs_default{}, vs_train_static{}, vs_hindsight{};
  std::vector<Interval> vs_default_by_span{};
  double p_vs_default = 1;    // Wilcoxon over blocks, corrected for the number of contenders (Holm)
  double top1 = 0, tied = 0;  // share of decisions that took the best arm; one within `tie` of it
  double swaps = 0;           // a decision
  double harmed_blocks = 0;   // share of blocks worse than eevdf by more than `harm`
  int harmed_families = 0;    // worse than the default arm by more than `family_harm`
  double worst_ratio = 1;     // the worst block, to eevdf
  std::string worst_block{};
  std::vector<double> regret{};  // mean over blocks at each decision, ln
  struct OfFamily {
    std::string family{};
    int blocks = 0;
    double ratio = 1, to_default = 1, oracle = 1;  // geometric means
  };
  std::vector<OfFamily> families{};  // by name
};
struct JudgedSplit {
  int blocks = 0;
  ArmId hindsight = kDefaultArm;                                             // the static arm that is best on these very blocks
  double default_arm = 0, train_static = 0, hindsight_cost = 0, oracle = 0;  // means of ln ratios to eevdf
  std::vector<Judgement> contenders{};
};
// Errors: those of making a controller; kInvalidArgument (no blocks).
Result<JudgedSplit> judge(const Dataset& dataset, std::span<const Contender> contenders, const JudgeOptions& options);

// A contender's life through phases of changing families: the same sequences for all.
struct PhasedOptions {
  int scenarios = 20, phases = 10;
  int shortest = 8, longest = 60;  // windows of a phase
  double near = .05;               // adapted: an arm within this of the best (ln)
  uint64_t seed = 1;
  LookupOptions lookup{};
  BootstrapOptions bootstrap{};
};
struct PhasedJudgement {
  std::string name{};
  Interval vs_default{}, vs_hindsight{};  // over scenarios; hindsight: the best static arm of each scenario
  double median_adaptation = 0;           // decisions
  double swaps_per_phase = 0;
  double swaps_that_do_not_pay = 0;  // share of swaps to an arm that costs more in that block than the one left
};
Result<std::vector<PhasedJudgement>> judge_phased(const Dataset& dataset, std::span<const Contender> contenders,
                                                  const PhasedOptions& options);

// Is the test honest? Pairs of one and the same random controller under different seeds: the share of pairs that it calls different at 5 %.
Result<double> false_alarm_rate(const Dataset& dataset, const Contender& contender, int pairs, const LookupOptions& lookup);

}  // namespace pointsman

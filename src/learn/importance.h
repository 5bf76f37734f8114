// Importance: which features carry what a policy lives from. Two questions: what does a trained model lose when one feature is shuffled (what it leans on), and
// which few features suffice when learning anew (what is not redundant).
// Deterministic by seed. Errors: those of train().
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/result.h"
#include "learn/learners.h"
#include "learn/model.h"
#include "learn/train.h"

namespace pointsman {

struct Permuted {
  size_t feature = 0;
  double loss = 0;  // of the share of the way from the default arm to the oracle, mean over shuffles
};
// Values are shuffled among the windows that were seen under the same arm, which leaves the feature's own distribution as it is. Largest loss first.
struct PermutationOptions {
  int shuffles = 3;
  uint64_t seed = 1;
};
std::vector<Permuted> permutation_importance(const Model& model, const Dataset& dataset, const PermutationOptions& options = {});

struct Selected {
  size_t feature = 0;
  double inner = 0, outer = 0;  // share of the way with it and all before it: where it was chosen, and on data that had no part in choosing
};
// Nested forward selection: each step takes the feature with which a model that is trained on one half of `train_set` (by seed) does best on the other half; what is
// told of it comes from `outer`.
struct SelectionOptions {
  int steps = 6;
  std::function<void()> on_step = nullptr;
};
Result<std::vector<Selected>> forward_selection(const Dataset& train_set, const Dataset& outer, const TrainOptions& train_options, const SelectionOptions& options = {});

}  // namespace pointsman

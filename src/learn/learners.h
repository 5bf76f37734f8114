// Every learner, by name. Adding one: a file with its train_NAME, and a line in the table of learners.cc.
// Deterministic: same data, options and seed give the same bits, on any number of threads.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "learn/dataset.h"
#include "learn/examples.h"
#include "learn/explore.h"
#include "learn/model.h"
#include "learn/softmax.h"

namespace pointsman {

struct TrainOptions {
  std::vector<int> hidden{32, 32};
  int nets = 5;  // members of the ensemble
  int epochs = 30;
  int batch = 64;
  double rate = 3e-3, last_rate = 1e-4;  // falls linearly from one to the other
  double decay = 1e-4;
  double clip = 1;  // of the regret: how bad a bad arm is beyond this does not matter
  using Resample = pointsman::Resample;
  Resample resample = Resample::kBlock;
  uint64_t seed = 1;
  int threads = 1;
  Rule rule{};
  // After each epoch of each member, with its mean loss; calls never overlap.
  std::function<void(int net, int epoch, double loss)> on_epoch = nullptr;

  std::string_view algorithm = "mlp";

  DecisionLoss decision{};  // of mlp

  double penalty = .03;  // ridge: on the squares of the coefficients, per unit of the examples' weight

  struct Trees {
    int per_member = 10;
    int leaves = 32;    // at most, in each tree
    double least = 10;  // weight of examples in a leaf
  };
  Trees trees{};

  struct Policy {
    PolicyLoss loss = PolicyLoss::kExpectedCost;
    // Of reinforce: lives of one block, of several decisions each; 0: as many as would pass over the data `epochs` times.
    int episodes = 0;
    int rollouts = 8;  // of one block at a time; the mean of the others at the same moment is the baseline of each
    Exploration explore{.kind = Exploration::Kind::kConstant, .rate = .05};
    double entropy = .05;     // weight of the bonus with expected-cost and reinforce, falls to 0
    double most_weight = 10;  // of an importance weight
  };
  Policy policy{};
};
// What makes the model that ships. The weight of the decision was chosen on validation and on families left out of train; so was twice the usual number of passes.
inline TrainOptions shipped_training() {
  TrainOptions options;
  options.epochs = 60;
  options.decision = {.weight = 30, .temperature = 1};
  return options;
}
// Errors: kInvalidArgument, kNotFound (the algorithm).
Result<Unit> check(const TrainOptions& options);

struct Learner {
  std::string_view name, summary;
  Result<Model> (*train)(const Dataset& dataset, const TrainOptions& options) = nullptr;
};
std::span<const Learner> learners();
// Errors: kNotFound, with the names that exist.
Result<const Learner*> find_learner(std::string_view name);

}  // namespace pointsman

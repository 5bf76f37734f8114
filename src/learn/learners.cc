#include "learn/learners.h"

#include <array>
#include <string>

namespace pointsman {

Result<Model> train_nets(const Dataset&, const TrainOptions&);
Result<Model> train_ridge(const Dataset&, const TrainOptions&);
Result<Model> train_trees(const Dataset&, const TrainOptions&);
Result<Model> train_softmax(const Dataset&, const TrainOptions&);
Result<Model> train_policy(const Dataset&, const TrainOptions&);

namespace {
constexpr std::array kLearners{
    Learner{"mlp", "an ensemble of networks predicts the regret of every arm", train_nets},
    Learner{"ridge", "linear forms predict the regret of every arm", train_ridge},
    Learner{"trees", "extremely randomised trees predict the regret of every arm", train_trees},
    Learner{"softmax", "a linear softmax over the arms; by default a classifier of the best one (--loss label)", train_softmax},
    Learner{"policy", "a network with a softmax over the arms, trained by --loss", train_policy},
};
}  // namespace

std::span<const Learner> learners() { return kLearners; }

Result<const Learner*> find_learner(std::string_view name) {
  std::string known;
  for (const Learner& learner : kLearners) {
    if (learner.name == name) return &learner;
    known.append(" ").append(learner.name);
  }
  return fail(ErrorCode::kNotFound, "there is no learner '{}' (there are:{})", name, known);
}

Result<Unit> check(const TrainOptions& o) {
  const auto bad = [](const char* what, auto value) {
    return fail(ErrorCode::kInvalidArgument, "training: {} = {} is out of range", what, value);
  };
  if (auto learner = find_learner(o.algorithm); !learner) return fail(learner.error());
  if (o.nets < 1 || o.nets > kMostNets) return bad("nets", o.nets);
  if (o.epochs < 1) return bad("epochs", o.epochs);
  if (o.batch < 1 || o.batch > 1 << 16) return bad("batch", o.batch);
  if (!(o.rate > 0 && o.rate <= 1)) return bad("rate", o.rate);
  if (!(o.last_rate >= 0 && o.last_rate <= o.rate)) return bad("last_rate", o.last_rate);
  if (!(o.decay >= 0 && o.decay <= 1)) return bad("decay", o.decay);
  if (!(o.clip > 0 && o.clip <= 100)) return bad("clip", o.clip);
  if (o.threads < 1) return bad("threads", o.threads);
  if (o.hidden.size() > 6) return bad("hidden layers", o.hidden.size());
  for (const int width : o.hidden)
    if (width < 1 || width > kWidestLayer) return bad("hidden width", width);
  if (!(o.penalty > 0 && o.penalty <= 1e6)) return bad("penalty", o.penalty);
  if (o.trees.per_member < 1 || static_cast<size_t>(o.trees.per_member * o.nets) > kMostTrees)
    return bad("trees of a member", o.trees.per_member);
  if (o.trees.leaves < 1 || static_cast<size_t>(o.trees.leaves) > kMostLeaves) return bad("leaves", o.trees.leaves);
  if (!(o.decision.weight >= 0)) return bad("weight of the decision", o.decision.weight);
  if (!(o.decision.temperature > 0)) return bad("temperature of the decision", o.decision.temperature);
  if (!(o.trees.least >= 0)) return bad("least weight of a leaf", o.trees.least);
  if (o.policy.episodes < 0) return bad("episodes", o.policy.episodes);
  if (o.policy.rollouts < 2 || o.policy.rollouts > 1024) return bad("rollouts", o.policy.rollouts);
  if (!(o.policy.entropy >= 0 && o.policy.entropy <= 100)) return bad("entropy", o.policy.entropy);
  if (!(o.policy.most_weight >= 1)) return bad("largest importance weight", o.policy.most_weight);
  return Unit{};
}

}  // namespace pointsman

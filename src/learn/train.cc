#include "learn/train.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "base/rng.h"

namespace pointsman {

Result<Model> train(const Dataset& dataset, const TrainOptions& options) {
  if (auto sound = check(options); !sound) return fail(sound.error());
  if (auto sound = check(dataset); !sound) return fail(sound.error());
  auto learner = find_learner(options.algorithm);
  if (!learner) return fail(learner.error());
  auto model = (*learner)->train(dataset, options);
  if (model) model->rule = options.rule;
  return model;
}

HeldOut predict_all(const Model& model, const Dataset& dataset, ArmId train_static) {
  HeldOut out;
  for (const Block& block : dataset.blocks) {
    HeldOut::OfBlock& predictions = out.blocks.emplace_back();
    predictions.train_static = train_static;
    for (ArmId arm = 0; arm < kChoosable; ++arm)
      for (const FeatureVector& window : block.windows[static_cast<size_t>(arm)])
        predictions.windows[static_cast<size_t>(arm)].push_back(model.predict(window, arm));
  }
  return out;
}

Result<HeldOut> cross_predict(const Dataset& dataset, const TrainOptions& train_options, const CrossOptions& options) {
  if (auto sound = check(dataset); !sound) return fail(sound.error());
  const auto key_of = [&](const Block& block) {
    return options.leave_out == CrossOptions::LeaveOut::kFamily ? block.family : std::to_string(block.seed);
  };
  std::set<std::string> keys;
  for (const Block& block : dataset.blocks) keys.insert(key_of(block));
  const int folds = options.folds > 0 ? std::min<int>(options.folds, static_cast<int>(keys.size())) : static_cast<int>(keys.size());
  if (folds < 2)
    return fail(ErrorCode::kInvalidArgument, "cross-validation needs two {} at least, the data set has {}",
                options.leave_out == CrossOptions::LeaveOut::kFamily ? "families" : "seeds", keys.size());
  // Dealt like cards, after a shuffle: neighbours by name are often relatives.
  std::vector<std::string> dealt(keys.begin(), keys.end());
  Rng rng(train_options.seed, "folds");
  for (size_t i = dealt.size(); i > 1; --i) std::swap(dealt[i - 1], dealt[rng.below(i)]);
  std::map<std::string, int> fold_of;
  for (size_t i = 0; i < dealt.size(); ++i) fold_of[dealt[i]] = static_cast<int>(i) % folds;

  HeldOut out;
  out.blocks.resize(dataset.blocks.size());
  for (int fold = 0; fold < folds; ++fold) {
    if (options.on_fold) options.on_fold(fold, folds);
    Dataset seen, unseen;
    std::vector<size_t> places;
    for (size_t b = 0; b < dataset.blocks.size(); ++b) {
      const bool left_out = fold_of.at(key_of(dataset.blocks[b])) == fold;
      (left_out ? unseen : seen).blocks.push_back(dataset.blocks[b]);
      if (left_out) places.push_back(b);
    }
    auto model = train(seen, train_options);
    if (!model) return fail(model.error());
    HeldOut predictions = predict_all(*model, unseen, best_static(seen));
    for (size_t i = 0; i < places.size(); ++i) out.blocks[places[i]] = std::move(predictions.blocks[i]);
  }
  return out;
}

LookupBlock closed_loop(const Block& block, const HeldOut::OfBlock& predictions, const Rule& rule) {
  LookupBlock out;
  out.default_arm = block.log_cost[kDefaultArm];
  out.eevdf = block.log_cost[kEevdf];
  out.oracle = *std::min_element(block.log_cost.begin(), block.log_cost.end());
  ArmId active = kDefaultArm;
  Prediction running;
  double sum = 0;
  const size_t length = predictions.windows[kDefaultArm].size();
  for (size_t t = 0; t < length; ++t) {
    // A run under one arm may be a few windows shorter than under another.
    const auto& seen = predictions.windows[static_cast<size_t>(active)];
    if (!seen.empty()) {
      smooth(running, seen[std::min(t, seen.size() - 1)], rule.ewma);
      const ArmId next = choose_from(active, running, rule).arm;
      out.swaps += next != active;
      active = next;
    }
    ++out.decisions;
    sum += block.log_cost[static_cast<size_t>(active)];
  }
  out.agent = length > 0 ? sum / static_cast<double>(length) : out.default_arm;
  return out;
}

LookupScore score(const Dataset& dataset, const HeldOut& held_out, const Rule& rule, const BootstrapOptions& bootstrap_options) {
  LookupScore out;
  out.hindsight = best_static(dataset);
  std::vector<GapBlock> vs_default, vs_train, vs_hindsight;
  double decisions = 0, swaps = 0;
  struct Sum {
    FamilyScore score;
    ArmCosts costs{};
  };
  std::map<std::string, Sum> families;
  for (size_t b = 0; b < dataset.blocks.size(); ++b) {
    const Block& block = dataset.blocks[b];
    const LookupBlock looked_up = closed_loop(block, held_out.blocks[b], rule);
    const double train_static = block.log_cost[static_cast<size_t>(held_out.blocks[b].train_static)];
    const double hindsight = block.log_cost[static_cast<size_t>(out.hindsight)];
    vs_default.push_back({looked_up.agent, looked_up.default_arm, looked_up.oracle});
    vs_train.push_back({looked_up.agent, train_static, looked_up.oracle});
    vs_hindsight.push_back({looked_up.agent, hindsight, looked_up.oracle});
    const auto n = static_cast<double>(dataset.blocks.size());
    out.agent += (looked_up.agent - looked_up.eevdf) / n;
    out.default_arm += (looked_up.default_arm - looked_up.eevdf) / n;
    out.train_static += (train_static - looked_up.eevdf) / n;
    out.hindsight_cost += (hindsight - looked_up.eevdf) / n;
    out.oracle += (looked_up.oracle - looked_up.eevdf) / n;
    decisions += looked_up.decisions;
    swaps += looked_up.swaps;
    Sum& sum = families[block.family];
    ++sum.score.blocks;
    sum.score.agent += looked_up.agent - looked_up.eevdf;
    sum.score.default_arm += looked_up.default_arm - looked_up.eevdf;
    sum.score.oracle += looked_up.oracle - looked_up.eevdf;
    for (size_t arm = 0; arm < kChoosable; ++arm) sum.costs[arm] += block.log_cost[arm];
  }
  out.vs_default = gap_closed(vs_default, bootstrap_options);
  out.vs_train_static = gap_closed(vs_train, bootstrap_options);
  out.vs_hindsight = gap_closed(vs_hindsight, bootstrap_options);
  out.swaps_per_decision = decisions > 0 ? swaps / decisions : 0;
  for (auto& [family, sum] : families) {
    FamilyScore& s = sum.score;
    s.family = family;
    s.agent /= s.blocks;
    s.default_arm /= s.blocks;
    s.oracle /= s.blocks;
    s.best_arm = static_cast<ArmId>(std::min_element(sum.costs.begin(), sum.costs.end()) - sum.costs.begin());
    if (s.agent - s.default_arm > out.worst_harm) {
      out.worst_harm = s.agent - s.default_arm;
      out.worst_family = family;
    }
    out.families.push_back(s);
  }
  return out;
}

RuleGrid rule_grid(ModelKind kind) {
  if (!is_policy(kind)) return {};
  return {.deviations = {0, .5, 1, 2}, .margins = {0, .5, 1, 2, 4}};
}

Rule tune_rule(const Dataset& dataset, const HeldOut& held_out, const RuleGrid& grid) {
  std::optional<Rule> best;
  double best_cost = 0, best_excess = 0;
  for (const double deviations : grid.deviations)
    for (const double margin : grid.margins)
      for (const double ewma : grid.ewmas) {
        const Rule rule{.deviations = deviations, .margin = margin, .ewma = ewma};
        const LookupScore s = score(dataset, held_out, rule, {.resamples = 0});
        const double excess = std::max(0.0, s.worst_harm - grid.most_harm);
        if (best && (excess > best_excess || (excess == best_excess && s.agent >= best_cost))) continue;
        best = rule;
        best_cost = s.agent;
        best_excess = excess;
      }
  return best.value_or(Rule{});
}

}  // namespace pointsman

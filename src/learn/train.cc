#include "learn/train.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <map>
#include <mutex>
#include <numeric>
#include <set>
#include <thread>

#include "base/exact_math.h"
#include "base/rng.h"

namespace pointsman {

namespace {

constexpr double kMostWeight = 10;  // of one window, in means: a block of two windows must not shake the gradient

// One row a window; what the nets share.
struct Examples {
  std::vector<float> inputs;    // [n][kModelInputs]
  std::vector<uint32_t> block;  // [n]
  std::vector<float> regret;    // [blocks][kChoosable], clipped
  std::vector<double> weight;   // [n], mean 1: families count equally, in them blocks, in them windows
};

std::map<std::string_view, std::vector<uint32_t>> blocks_by_family(const Dataset& dataset) {
  std::map<std::string_view, std::vector<uint32_t>> out;
  for (uint32_t b = 0; b < dataset.blocks.size(); ++b) out[dataset.blocks[b].family].push_back(b);
  return out;
}

Examples make_examples(const Dataset& dataset, double clip, Model& model) {
  Examples out;
  const auto families = blocks_by_family(dataset);
  std::vector<const FeatureVector*> rows;
  std::vector<ArmId> active;
  for (uint32_t b = 0; b < dataset.blocks.size(); ++b) {
    const Block& block = dataset.blocks[b];
    const double best = *std::min_element(block.log_cost.begin(), block.log_cost.end());
    for (const double cost : block.log_cost) out.regret.push_back(static_cast<float>(std::min(cost - best, clip)));
    size_t windows = 0;
    for (const auto& of_arm : block.windows) windows += of_arm.size();
    const double share =
        1 / (static_cast<double>(families.size()) * static_cast<double>(families.at(block.family).size()) * static_cast<double>(windows));
    for (ArmId arm = 0; arm < kChoosable; ++arm)
      for (const FeatureVector& window : block.windows[static_cast<size_t>(arm)]) {
        rows.push_back(&window);
        active.push_back(arm);
        out.block.push_back(b);
        out.weight.push_back(share);
      }
  }
  for (double& w : out.weight) w *= static_cast<double>(rows.size());
  for (size_t f = 0; f < kFeatures; ++f) {
    double sum = 0, total = 0;
    for (size_t i = 0; i < rows.size(); ++i) {
      sum += out.weight[i] * (*rows[i])[f];
      total += out.weight[i];
    }
    const double mean = sum / total;
    double squares = 0;
    for (size_t i = 0; i < rows.size(); ++i) squares += out.weight[i] * ((*rows[i])[f] - mean) * ((*rows[i])[f] - mean);
    const double deviation = exact_sqrt(squares / total);
    model.mean[f] = mean;
    model.scale[f] = deviation > 1e-6 ? 1 / deviation : 0;  // a feature that never moved says nothing; one that moves later must not shout
  }
  out.inputs.resize(rows.size() * kModelInputs);
  for (size_t i = 0; i < rows.size(); ++i) {
    model_input(model, *rows[i], active[i], std::span(out.inputs).subspan(i * kModelInputs, kModelInputs));
    out.weight[i] = std::min(out.weight[i], kMostWeight);
  }
  return out;
}

// How often each block is in the sample of one net.
std::vector<int> draw_blocks(const Dataset& dataset, TrainOptions::Resample resample, Rng& rng) {
  std::vector<int> count(dataset.blocks.size());
  const auto families = blocks_by_family(dataset);
  if (resample == TrainOptions::Resample::kBlock) {
    for (const auto& [family, members] : families)
      for (size_t i = 0; i < members.size(); ++i) ++count[members[rng.below(members.size())]];
    return count;
  }
  std::vector<const std::vector<uint32_t>*> groups;
  for (const auto& [family, members] : families) groups.push_back(&members);
  for (size_t i = 0; i < groups.size(); ++i)
    for (const uint32_t b : *groups[rng.below(groups.size())]) ++count[b];
  return count;
}

using EpochReport = std::function<void(int epoch, double loss)>;

Mlp<float> train_net(const Examples& examples, const std::vector<int>& count, const TrainOptions& options, Rng& rng,
                     const EpochReport& report) {
  std::vector<int> sizes{kModelInputs};
  sizes.insert(sizes.end(), options.hidden.begin(), options.hidden.end());
  sizes.push_back(kChoosable);
  auto net = Mlp<float>::random(std::move(sizes), rng);
  Adam<float> adam(net.parameters().size());
  Mlp<float>::Workspace work;
  std::vector<float> gradient(net.parameters().size());

  std::vector<uint32_t> order;
  for (uint32_t i = 0; i < examples.block.size(); ++i)
    if (count[examples.block[i]] > 0) order.push_back(i);
  const auto batch = static_cast<size_t>(options.batch);
  std::vector<float> inputs(batch * kModelInputs), targets(batch * kChoosable), weights(batch);
  const size_t steps = (order.size() + batch - 1) / batch * static_cast<size_t>(options.epochs);
  size_t step = 0;
  for (int epoch = 0; epoch < options.epochs; ++epoch) {
    for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[rng.below(i)]);
    double loss = 0;
    for (size_t at = 0; at < order.size(); at += batch, ++step) {
      const size_t n = std::min(batch, order.size() - at);
      for (size_t s = 0; s < n; ++s) {
        const uint32_t example = order[at + s], block = examples.block[example];
        std::copy_n(examples.inputs.data() + size_t{example} * kModelInputs, kModelInputs, inputs.data() + s * kModelInputs);
        std::copy_n(examples.regret.data() + size_t{block} * kChoosable, kChoosable, targets.data() + s * kChoosable);
        weights[s] = static_cast<float>(examples.weight[example] * count[block]);
      }
      loss += static_cast<double>(net.gradient(std::span(inputs).first(n * kModelInputs), std::span(targets).first(n * kChoosable),
                                               std::span(weights).first(n), gradient, work)) *
              static_cast<double>(n);
      const double passed = static_cast<double>(step) / static_cast<double>(steps);
      adam.step(net.parameters(), gradient,
                {.rate = static_cast<float>(options.rate + (options.last_rate - options.rate) * passed),
                 .decay = static_cast<float>(options.decay)});
    }
    report(epoch, loss / static_cast<double>(std::max<size_t>(order.size(), 1)));
  }
  return net;
}

Result<Unit> check(const TrainOptions& o) {
  const auto bad = [](const char* what, auto value) {
    return fail(ErrorCode::kInvalidArgument, "training: {} = {} is out of range", what, value);
  };
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
  return Unit{};
}

}  // namespace

Result<Model> train(const Dataset& dataset, const TrainOptions& options) {
  if (auto sound = check(options); !sound) return fail(sound.error());
  if (auto sound = check(dataset); !sound) return fail(sound.error());
  Model model;
  model.rule = options.rule;
  const Examples examples = make_examples(dataset, options.clip, model);

  const auto nets = static_cast<size_t>(options.nets);
  std::vector<std::optional<Mlp<float>>> trained(nets);
  std::mutex reporting;
  std::atomic<size_t> next = 0;
  const auto work = [&] {
    for (size_t k = next++; k < nets; k = next++) {
      Rng rng(options.seed, "train net", k);
      const std::vector<int> count = draw_blocks(dataset, options.resample, rng);
      trained[k] = train_net(examples, count, options, rng, [&](int epoch, double loss) {
        if (!options.on_epoch) return;
        const std::scoped_lock lock(reporting);
        options.on_epoch(static_cast<int>(k), epoch, loss);
      });
    }
  };
  std::vector<std::thread> helpers;
  for (int t = 1; t < std::min(options.threads, options.nets); ++t) helpers.emplace_back(work);
  work();
  for (std::thread& helper : helpers) helper.join();
  for (auto& net : trained) model.nets.push_back(std::move(*net));
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
      const ArmId next = choose(running, rule).arm;
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

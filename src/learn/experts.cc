// Experts: four say what they expect of every arm: the trained model (prior), the replay of recorded bursts
// (what-if), the live cost (bandit), and one that always says "stay". Hedge weighs them by what their advice would have cost; the robust
// rule leaves the default arm only for a gain outside the uncertainty of the mixture: that of each expert and their disagreement.
#include <algorithm>
#include <cmath>

#include "base/exact_math.h"
#include "base/rng.h"
#include "learn/bandit.h"
#include "learn/hedge.h"
#include "learn/softmax.h"

namespace pointsman {

namespace {

enum Expert : size_t { kPrior, kReplayed, kBandit, kStay, kExperts };
constexpr std::array<std::string_view, kExperts> kNames{"prior", "what_if", "bandit", "stay"};

struct ExpertsOptions {
  Rule rule{};
  ArmEffects::Options effects{};
  Hedge::Options hedge{};
  double replay_deviation = .15;  // of a replayed gain, for what no replay sees; beside how much its jobs disagree
  double explore = 0;             // probability of following the bandit's draw where it promises no more harm than `harm`
  double harm = .1;
  std::array<bool, kExperts> heard{true, true, true, true};
  std::array<bool, kChoosable> allowed{true, true, true, true, true, true};
  uint64_t seed = 1;
};

struct Opinion {
  bool awake = false;
  ArmCosts gain{};       // ln cost less the default arm's
  ArmCosts deviation{};  // of that
  [[nodiscard]] ArmId best() const { return static_cast<ArmId>(std::min_element(gain.begin(), gain.end()) - gain.begin()); }
};

class Experts : public Controller {
 public:
  Experts(std::optional<Model> model, ChangeWatch watch, const ExpertsOptions& options)
      : model_(std::move(model)),
        watch_(std::move(watch)),
        o_(options),
        effects_(options.effects),
        hedge_(kExperts, options.hedge),
        table_(options.seed) {}
  [[nodiscard]] std::string name() const override { return "experts"; }
  [[nodiscard]] bool wants_bursts() const override { return true; }

  Decision decide(const Context& context) override {
    if (context.idle) {
      running_ = {};
      replayed_.reset();
      return keep(context, "idle: keeps the arm");
    }
    for (size_t f = 0; f < kFeatures; ++f)
      if (!std::isfinite(context.features[f]))
        return keep(context, fmt::format("keeps the arm: feature '{}' is not a number", feature_catalogue()[f].name));
    const bool changed = watch_.context_changed(context.features, context.active);
    if (changed) restart();
    const FeatureVector standardised = see(context);
    if (context.live_cost && std::isfinite(*context.live_cost) && context.active < kChoosable) learn(context, standardised);

    auto opinions = opinions_of(standardised);
    std::array<bool, kExperts> awake{};
    for (size_t e = 0; e < kExperts; ++e) awake[e] = opinions[e].awake;
    const std::vector<double> weights = hedge_.weights(awake);
    Decision out = by_rule(opinions, weights);
    explore(context, standardised, out);
    for (size_t e = 0; e < kExperts; ++e) advice_[e] = opinions[e].awake ? std::optional(opinions[e].best()) : std::nullopt;
    return out;
  }

 private:
  static Decision keep(const Context& context, std::string why) { return {.arm = context.active, .propensity = 1, .why = std::move(why)}; }

  void restart() {
    running_ = {};
    replayed_.reset();
    effects_.restart();
    advice_ = {};
  }

  FeatureVector see(const Context& context) {
    if (context.replayed && std::all_of(context.replayed->begin(), context.replayed->end(), [](double v) { return std::isfinite(v); })) {
      if (!replayed_) {
        replayed_ = *context.replayed;
        replayed_deviation_ = context.replayed_deviation.value_or(ArmCosts{});
      }
      for (size_t a = 0; a < kChoosable; ++a) {
        (*replayed_)[a] = ((*replayed_)[a] + (*context.replayed)[a]) / 2;
        replayed_deviation_[a] = (replayed_deviation_[a] + context.replayed_deviation.value_or(ArmCosts{})[a]) / 2;
      }
    }
    FeatureVector out{};
    if (!model_) return out;
    smooth(running_, model_->predict(context.features, context.active), model_->rule.ewma);
    for (size_t f = 0; f < kFeatures; ++f)
      out[f] = std::clamp((context.features[f] - model_->mean[f]) * model_->scale[f], -kFeatureClamp, kFeatureClamp);
    return out;
  }

  void learn(const Context& context, const FeatureVector& standardised) {
    const double cost = *context.live_cost;
    const auto surprise = effects_.surprise(standardised, context.active, cost);
    if (surprise && watch_.cost_changed(*surprise)) effects_.restart();
    effects_.observe(standardised, context.active, cost);
    // What each advice would have cost, by all that is believed now.
    const ArmEffects::Belief belief = effects_.belief(standardised);
    std::array<double, kExperts> losses{};
    std::array<bool, kExperts> awake{};
    for (size_t e = 0; e < kExperts; ++e) {
      awake[e] = advice_[e].has_value();
      if (awake[e]) losses[e] = belief.mean[static_cast<size_t>(*advice_[e])] - belief.mean[kDefaultArm];
    }
    hedge_.update(losses, awake);
  }

  std::array<Opinion, kExperts> opinions_of(const FeatureVector& standardised) {
    std::array<Opinion, kExperts> out;
    if (model_ && running_.nets > 0) {
      const Choice choice = choose(running_, {.deviations = 0, .margin = 0});
      out[kPrior] = {.awake = true, .gain = choice.predicted, .deviation = choice.deviation};
    }
    if (replayed_) {
      out[kReplayed] = {.awake = true, .gain = *replayed_};
      for (size_t a = 0; a < kChoosable; ++a)
        out[kReplayed].deviation[a] = exact_sqrt(o_.replay_deviation * o_.replay_deviation + replayed_deviation_[a] * replayed_deviation_[a]);
      out[kReplayed].deviation[kDefaultArm] = 0;
    }
    // The bandit believes what the others predict until the cost says otherwise.
    ArmCosts prior{};
    if (out[kPrior].awake && out[kReplayed].awake)
      for (size_t a = 0; a < kChoosable; ++a) prior[a] = (out[kPrior].gain[a] + out[kReplayed].gain[a]) / 2;
    else if (out[kPrior].awake)
      prior = out[kPrior].gain;
    else if (out[kReplayed].awake)
      prior = out[kReplayed].gain;
    effects_.set_prior(prior);
    if (effects_.costs_seen() > 0) {
      const ArmEffects::Belief belief = effects_.belief(standardised);
      out[kBandit].awake = true;
      for (ArmId arm = 0; arm < kChoosable; ++arm) {
        const auto a = static_cast<size_t>(arm);
        out[kBandit].gain[a] = belief.mean[a] - belief.mean[kDefaultArm];
        out[kBandit].deviation[a] = arm == kDefaultArm ? 0 : belief.gain_deviation(arm);
      }
    }
    out[kStay].awake = true;
    for (size_t e = 0; e < kExperts; ++e) out[e].awake = out[e].awake && o_.heard[e];
    return out;
  }

  Decision by_rule(const std::array<Opinion, kExperts>& opinions, const std::vector<double>& weights) const {
    Decision out{.arm = kDefaultArm, .propensity = 1};
    ArmCosts gain{}, deviation{};
    // Whoever says "stay" gives no estimate that others could disagree with: its weight only takes from what they promise.
    const double heard = 1 - weights[kStay];
    double best = 0;
    for (ArmId arm = 0; arm < kChoosable && heard > 0; ++arm) {
      const auto a = static_cast<size_t>(arm);
      if (arm == kDefaultArm) continue;
      double mean = 0, squares = 0;
      for (size_t e = 0; e < kStay; ++e) mean += weights[e] / heard * opinions[e].gain[a];
      for (size_t e = 0; e < kStay; ++e) {
        const double off = opinions[e].gain[a] - mean;
        squares += weights[e] / heard * (opinions[e].deviation[a] * opinions[e].deviation[a] + off * off);
      }
      gain[a] = heard * mean;
      deviation[a] = heard * exact_sqrt(squares);
      if (o_.allowed[a] && -gain[a] > o_.rule.margin && -gain[a] > o_.rule.deviations * deviation[a] && -gain[a] > best) {
        best = -gain[a];
        out.arm = arm;
      }
    }
    out.predicted = gain;
    out.deviation = deviation;
    for (size_t e = 0; e < kExperts; ++e)
      if (opinions[e].awake) out.votes.push_back({.expert = kNames[e], .weight = weights[e], .gain = opinions[e].gain, .deviation = opinions[e].deviation});
    std::string voices;
    for (size_t e = 0; e < kExperts; ++e)
      if (opinions[e].awake)
        voices += fmt::format("{}{} {:.0f} %{}", voices.empty() ? "" : ", ", kNames[e], 100 * weights[e],
                              e == kStay ? "" : fmt::format(" says {}", arm_name(opinions[e].best())));
    out.why = fmt::format("{}: {}", arm_name(out.arm), voices);
    return out;
  }

  // Now and then the bandit's own draw, which tries what the rule is not sure of; only when a cost has just come in, and never an arm that
  // is believed to harm.
  void explore(const Context& context, const FeatureVector& standardised, Decision& decision) {
    if (!(o_.explore > 0) || effects_.costs_seen() == 0) return;
    if (!context.live_cost) {
      // An arm that is on trial stays until its cost is known.
      if (!trial_) return;
      decision.arm = *trial_;
      decision.why = fmt::format("{}: on trial until its cost is known", arm_name(*trial_));
      return;
    }
    trial_.reset();
    const ArmEffects::Belief belief = effects_.belief(standardised);
    ArmCosts draw = table_.frequencies(belief);
    double kept = 0;
    for (size_t a = 0; a < kChoosable; ++a) {
      if (!o_.allowed[a] || belief.mean[a] - belief.mean[kDefaultArm] > o_.harm) draw[a] = 0;
      kept += draw[a];
    }
    if (!(kept > 0)) return;
    ArmCosts p{};
    for (size_t a = 0; a < kChoosable; ++a) p[a] = o_.explore * draw[a] / kept;
    p[static_cast<size_t>(decision.arm)] += 1 - o_.explore;
    Rng rng(o_.seed, "experts", draws_++);
    const ArmId arm = draw_arm(p, rng.uniform());
    decision.propensity = p[static_cast<size_t>(arm)];
    decision.distribution = p;
    if (arm == decision.arm) return;
    trial_ = decision.arm = arm;
    decision.why = fmt::format("{}: tried, with probability {:.2f}", arm_name(arm), decision.propensity);
    decision.predicted.reset();
    decision.deviation.reset();
  }

  std::optional<Model> model_;
  ChangeWatch watch_;
  ExpertsOptions o_;
  ArmEffects effects_;
  Hedge hedge_;
  ThompsonTable table_;
  Prediction running_;
  std::optional<ArmCosts> replayed_;
  ArmCosts replayed_deviation_{};
  std::array<std::optional<ArmId>, kExperts> advice_{};
  std::optional<ArmId> trial_;
  uint64_t draws_ = 0;
};

}  // namespace

Result<std::unique_ptr<Controller>> make_experts(const ControllerSpec& spec) {
  if (auto allowed = spec.allow({"model", "deviations", "margin", "tau", "slope", "noise", "forget", "eta", "share", "explore", "harm",
                                 "without", "change", "seed", "arms"});
      !allowed)
    return fail(allowed.error());
  ExpertsOptions o;
  const auto arms_allowed = spec.choosable("arms");
  if (!arms_allowed) return fail(arms_allowed.error());
  o.allowed = *arms_allowed;
  std::optional<Model> model;
  if (const std::string path = spec.text("model", "none"); path != "none") {
    auto loaded = load_model(path);
    if (!loaded) return fail(loaded.error().at("controller 'experts'"));
    if (is_policy(loaded->kind))
      return fail(ErrorCode::kInvalidArgument, "controller 'experts': {} predicts no costs: it is a {}", path, name_of(loaded->kind));
    o.rule = loaded->rule;
    model = std::move(*loaded);
  }
  const auto effects = effects_options(spec, {});
  if (!effects) return fail(effects.error());
  o.effects = *effects;
  if (effects->slope > 0 && !model)
    return fail(ErrorCode::kInvalidArgument, "controller 'experts' needs model=FILE for slopes, by which it standardises features");
  const auto deviations = spec.number("deviations", o.rule.deviations, 0, 1000), margin = spec.number("margin", o.rule.margin, 0, 1000),
             eta = spec.number("eta", o.hedge.rate, 0, 100), share = spec.number("share", o.hedge.share, 0, 1),
             explore = spec.number("explore", o.explore, 0, 1), harm = spec.number("harm", o.harm, 0, 100);
  for (const auto* option : {&deviations, &margin, &eta, &share, &explore, &harm})
    if (!*option) return fail(option->error());
  o.rule.deviations = *deviations;
  o.rule.margin = *margin;
  o.hedge = {.rate = *eta, .share = *share};
  o.explore = *explore;
  o.harm = *harm;
  // "prior+bandit": who is not heard, for ablations.
  std::string_view silent;
  const std::string without = spec.text("without", "");
  silent = without;
  while (!silent.empty()) {
    const size_t plus = silent.find('+');
    const std::string_view name = silent.substr(0, plus);
    const auto found = std::find(kNames.begin(), kNames.end(), name);
    if (found == kNames.end())
      return fail(ErrorCode::kInvalidArgument, "controller 'experts': there is no expert '{}' (there are: prior what_if bandit stay)",
                  name);
    o.heard[static_cast<size_t>(found - kNames.begin())] = false;
    silent = plus == std::string_view::npos ? std::string_view() : silent.substr(plus + 1);
  }
  auto watch = ChangeWatch::of(spec.text("change", "cusum"));
  if (!watch) return fail(watch.error().at("controller 'experts'"));
  const auto seed = spec.whole("seed", static_cast<int64_t>(spec.seed()), 0, INT64_MAX);
  if (!seed) return fail(seed.error());
  o.seed = static_cast<uint64_t>(*seed);
  return std::unique_ptr<Controller>(std::make_unique<Experts>(std::move(model), std::move(*watch), o));
}

}  // namespace pointsman

#include "learn/classifier.h"

#include <algorithm>
#include <cmath>

#include "learn/controllers.h"

namespace pointsman {

namespace {

// A factor of seven: waves and bursts of one workload stay below it.
constexpr double kChange = 2;

// ln ratio -> how many percent lower.
double percent_below(double log_ratio) { return 100 * (1 - std::exp(log_ratio)); }

constexpr int64_t kReplayNs = 1'000'000'000, kLeastReplayNs = 450'000'000;
// What is steady for long is replayed a few times at once, then seldom.
constexpr int kReplaysAtOnce = 2;
constexpr int64_t kReplaysApartNs = 4'000'000'000;

std::string explain(const Choice& choice) {
  const auto rival = static_cast<size_t>(choice.arm != kDefaultArm ? choice.arm : choice.best_rival);
  if (choice.best_rival == kDefaultArm) return fmt::format("{}: no other arm is predicted better", arm_name(kDefaultArm));
  const std::string predicted = fmt::format("predicted {:.0f} % below {} (+-{:.0f})", percent_below(choice.predicted[rival]),
                                            arm_name(kDefaultArm), 100 * choice.deviation[rival]);
  if (choice.arm != kDefaultArm) return fmt::format("{}: {}", arm_name(choice.arm), predicted);
  return fmt::format("{}: {} is {}, too little to be sure", arm_name(kDefaultArm), arm_name(choice.best_rival), predicted);
}

}  // namespace

void Classifier::forget() {
  running_ = {};
  heard_ = {};
}

// Whether a replay will be due `ahead_ns` from now.
bool Classifier::replay_due(const Context& context, int64_t ahead_ns) const {
  if (!(options_.replay > 0) || context.active >= kChoosable) return false;
  const Heard& heard = heard_[static_cast<size_t>(context.active)];
  return heard.replays == 0 || context.since_start_ns + ahead_ns - heard.to_ns >= (heard.replays < kReplaysAtOnce ? kLeastReplayNs : kReplaysApartNs);
}

bool Classifier::wants_recording(const Context& context) const { return replay_due(context, kReplayNs); }

std::optional<int64_t> Classifier::replays_from_ns(const Context& context) const {
  if (!context.recording_since_ns || !replay_due(context, 0)) return std::nullopt;
  const int64_t from =
      std::max({steady_since_ns_, context.since_start_ns - context.since_swap_ns, context.since_start_ns - kReplayNs, *context.recording_since_ns});
  if (context.since_start_ns - from < kLeastReplayNs) return std::nullopt;
  return from;
}

void Classifier::hear_replay(const Context& context) {
  if (!context.replayed || !(options_.replay > 0) || context.active >= kChoosable) return;
  if (context.replayed_to_ns <= std::max(steady_since_ns_, context.since_start_ns - context.since_swap_ns)) return;
  if (!std::all_of(context.replayed->begin(), context.replayed->end(), [](double v) { return std::isfinite(v); })) return;
  const auto under = static_cast<size_t>(context.active);
  Heard& heard = heard_[under];
  heard.to_ns = context.replayed_to_ns;
  const bool first = heard.replays++ == 0;
  for (size_t a = 0; a < kChoosable; ++a) {
    const double gain = (*context.replayed)[a] - (*context.replayed)[under];
    heard.gain[a] = first ? gain : (heard.gain[a] + gain) / 2;
  }
}

bool Classifier::has_heard() const {
  return std::any_of(heard_.begin(), heard_.end(), [](const Heard& h) { return h.replays > 0; });
}

// The networks' predictions, moved and spread so that their mean and deviation are those of model and replays together.
Prediction Classifier::with_replays() const {
  if (!has_heard()) return running_;
  const Choice model = choose(running_, {.deviations = 0, .margin = 0});
  ArmCosts mean = model.predicted, precision{};
  for (size_t a = 0; a < kChoosable; ++a) precision[a] = 1 / (model.deviation[a] * model.deviation[a] + options_.model_floor * options_.model_floor);
  mean[kDefaultArm] = 0;
  const auto learn = [&](size_t arm, double said) {
    const double more = 1 / (options_.replay * options_.replay);
    mean[arm] = (mean[arm] * precision[arm] + said * more) / (precision[arm] + more);
    precision[arm] += more;
  };
  const Heard& home = heard_[kDefaultArm];
  for (size_t a = 0; a < kChoosable && home.replays > 0; ++a)
    if (a != kDefaultArm) learn(a, home.gain[a]);
  // Under another arm a server that is late serves its queue in one burst, so its many requests look like one job: what a replay makes of that can be wrong by any
  // factor, in favour of the arm that made it late. So of what ran under that arm only what speaks against it counts.
  for (size_t under = 0; under < kChoosable; ++under) {
    const Heard& away = heard_[under];
    if (under == kDefaultArm || away.replays == 0) continue;
    if (const double said = -away.gain[kDefaultArm]; said > mean[under]) learn(under, said);
    for (size_t a = 0; a < kChoosable; ++a)
      if (const double said = mean[under] + away.gain[a]; a != kDefaultArm && a != under && said < mean[a]) learn(a, said);
  }
  Prediction out = running_;
  for (size_t a = 0; a < kChoosable; ++a) {
    const double spread = model.deviation[a] > 0 ? std::sqrt(1 / precision[a]) / model.deviation[a] : 0;
    for (size_t k = 0; k < static_cast<size_t>(out.nets); ++k) {
      const double gain = static_cast<double>(running_.regret[k][a]) - static_cast<double>(running_.regret[k][kDefaultArm]);
      out.regret[k][a] = static_cast<float>(mean[a] + (gain - model.predicted[a]) * spread);
    }
  }
  return out;
}

Decision Classifier::decide(const Context& context) {
  if (context.idle) {
    forget();
    last_.reset();
    steady_since_ns_ = context.since_start_ns;
    return {.arm = context.active, .propensity = 1, .why = "idle: keeps the arm"};
  }
  for (size_t f = 0; f < kFeatures; ++f)
    if (!std::isfinite(context.features[f]))
      return {.arm = context.active,
              .propensity = 1,
              .why = fmt::format("keeps the arm: feature '{}' is not a number", feature_catalogue()[f].name)};
  const auto jumped = [&](size_t feature) { return std::abs(context.features[feature] - (*last_)[feature]) > options_.change; };
  if (options_.change > 0 && last_ && (jumped(kForksFeature) || jumped(kWakeupsFeature))) {
    forget();
    steady_since_ns_ = context.since_start_ns;
  }
  hear_replay(context);
  last_ = context.features;
  smooth(running_, model_.predict(context.features, context.active), model_.rule.ewma);
  const Prediction both = with_replays();
  Rule rule = model_.rule;
  if (has_heard()) rule.deviations = std::min(rule.deviations, options_.replay_deviations);
  Prediction allowed = both;
  for (size_t arm = 0; arm < kChoosable; ++arm) {
    if (options_.allowed[arm]) continue;
    for (auto& regret : allowed.regret) regret[arm] = regret[kDefaultArm];  // no gain, so no choice
  }
  Choice choice = choose_from(context.active, allowed, rule);
  const Choice free = choose(both, rule);
  choice.predicted = free.predicted;
  choice.deviation = free.deviation;
  return {.arm = choice.arm, .propensity = 1, .why = explain(choice), .predicted = choice.predicted, .deviation = choice.deviation};
}

namespace {

// The model's rule is what the options default to.
Result<std::unique_ptr<Controller>> classifier_of(const ControllerSpec& spec, std::string_view name) {
  if (auto known = spec.allow({"model", "deviations", "margin", "ewma", "change", "arms", "replay"}); !known) return fail(known.error());
  const std::string path = spec.text("model", "");
  if (path.empty()) return fail(ErrorCode::kInvalidArgument, "controller '{}' needs model=FILE", name);
  auto model = load_model(path);
  if (!model) return fail(model.error().at(fmt::format("controller '{}'", name)));
  const auto deviations = spec.number("deviations", model->rule.deviations, 0, 1000);
  const auto margin = spec.number("margin", model->rule.margin, 0, 1000);
  const auto ewma = spec.number("ewma", model->rule.ewma, 0, .999);
  const auto change = spec.number("change", kChange, 0, 100);
  const auto replay = spec.number("replay", 0, 0, 10);
  for (const auto* option : {&deviations, &margin, &ewma, &change, &replay})
    if (!*option) return fail(option->error());
  if (*replay > 0 && is_policy(model->kind))
    return fail(ErrorCode::kInvalidArgument, "controller '{}': a {} predicts no costs that a replay could be set against", name, name_of(model->kind));
  model->rule = {.deviations = *deviations, .margin = *margin, .ewma = *ewma};
  auto allowed = spec.choosable("arms");
  if (!allowed) return fail(allowed.error());
  return std::unique_ptr<Controller>(std::make_unique<Classifier>(std::move(*model), Classifier::Options{.allowed = *allowed, .change = *change, .replay = *replay}));
}

}  // namespace

Result<std::unique_ptr<Controller>> make_classifier(const ControllerSpec& spec) { return classifier_of(spec, "classifier"); }

// What ships: the model with its own rule. Why without replays: docs/adr/006.
Result<std::unique_ptr<Controller>> make_agent(const ControllerSpec& spec) { return classifier_of(spec, "agent"); }

}  // namespace pointsman

#include "learn/classifier.h"

#include <cmath>

#include "learn/controllers.h"

namespace pointsman {

namespace {

// A factor of seven: waves and bursts of one workload stay below it.
constexpr double kChange = 2;

std::string_view name_of(ArmId arm) { return arms()[static_cast<size_t>(arm)].name; }

// ln ratio -> how many percent lower.
double percent_below(double log_ratio) { return 100 * (1 - std::exp(log_ratio)); }

std::string explain(const Choice& choice) {
  const auto rival = static_cast<size_t>(choice.arm != kDefaultArm ? choice.arm : choice.best_rival);
  if (choice.best_rival == kDefaultArm) return fmt::format("{}: no other arm is predicted better", name_of(kDefaultArm));
  const std::string predicted = fmt::format("predicted {:.0f} % below {} (+-{:.0f})", percent_below(choice.predicted[rival]),
                                            name_of(kDefaultArm), 100 * choice.deviation[rival]);
  if (choice.arm != kDefaultArm) return fmt::format("{}: {}", name_of(choice.arm), predicted);
  return fmt::format("{}: {} is {}, too little to be sure", name_of(kDefaultArm), name_of(choice.best_rival), predicted);
}

}  // namespace

Decision Classifier::decide(const Context& context) {
  if (context.idle) {
    running_ = {};
    last_.reset();
    return {.arm = context.active, .propensity = 1, .why = "idle: keeps the arm"};
  }
  for (size_t f = 0; f < kFeatures; ++f)
    if (!std::isfinite(context.features[f]))
      return {.arm = context.active,
              .propensity = 1,
              .why = fmt::format("keeps the arm: feature '{}' is not a number", feature_catalogue()[f].name)};
  const auto jumped = [&](size_t feature) { return std::abs(context.features[feature] - (*last_)[feature]) > options_.change; };
  if (options_.change > 0 && last_ && (jumped(kForksFeature) || jumped(kWakeupsFeature))) running_ = {};
  last_ = context.features;
  smooth(running_, model_.predict(context.features, context.active), model_.rule.ewma);
  Prediction allowed = running_;
  for (size_t arm = 0; arm < kChoosable; ++arm) {
    if (options_.allowed[arm]) continue;
    for (auto& regret : allowed.regret) regret[arm] = regret[kDefaultArm];  // no gain, so no choice
  }
  Choice choice = choose_from(context.active, allowed, model_.rule);
  const Choice free = choose(running_, model_.rule);
  choice.predicted = free.predicted;
  choice.deviation = free.deviation;
  return {.arm = choice.arm, .propensity = 1, .why = explain(choice), .predicted = choice.predicted, .deviation = choice.deviation};
}

Result<std::unique_ptr<Controller>> make_classifier(const ControllerSpec& spec) {
  if (auto known = spec.allow({"model", "deviations", "margin", "ewma", "change", "arms"}); !known) return fail(known.error());
  const std::string path = spec.text("model", "");
  if (path.empty()) return fail(ErrorCode::kInvalidArgument, "controller 'classifier' needs model=FILE");
  auto model = load_model(path);
  if (!model) return fail(model.error().at("controller 'classifier'"));
  const auto deviations = spec.number("deviations", model->rule.deviations, 0, 1000);
  const auto margin = spec.number("margin", model->rule.margin, 0, 1000);
  const auto ewma = spec.number("ewma", model->rule.ewma, 0, .999);
  const auto change = spec.number("change", kChange, 0, 100);
  for (const auto* option : {&deviations, &margin, &ewma, &change})
    if (!*option) return fail(option->error());
  model->rule = {.deviations = *deviations, .margin = *margin, .ewma = *ewma};
  auto allowed = spec.choosable("arms");
  if (!allowed) return fail(allowed.error());
  return std::unique_ptr<Controller>(std::make_unique<Classifier>(std::move(*model), Classifier::Options{.allowed = *allowed, .change = *change}));
}

}  // namespace pointsman

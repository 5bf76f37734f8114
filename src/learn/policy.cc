// The learned distribution over arms, drawn from anew every few busy windows, with exploration; and the same arm in between.
#include <cmath>

#include "base/rng.h"
#include "learn/controllers.h"
#include "learn/explore.h"
#include "learn/model.h"
#include "learn/softmax.h"

namespace pointsman {

namespace {

struct PolicyOptions {
  Exploration explore{};
  double temperature = 1;
  int64_t every = 1;
  uint64_t seed = 1;
};

class Policy : public Controller {
 public:
  Policy(Model model, const PolicyOptions& options) : model_(std::move(model)), options_(options), explorer_(options.explore) {}
  [[nodiscard]] std::string name() const override { return "policy"; }

  Decision decide(const Context& context) override {
    if (context.idle) {
      running_ = {};
      return keep(context, "idle: keeps the arm");
    }
    for (size_t f = 0; f < kFeatures; ++f)
      if (!std::isfinite(context.features[f]))
        return keep(context, fmt::format("keeps the arm: feature '{}' is not a number", feature_catalogue()[f].name));
    smooth(running_, model_.predict(context.features, context.active), model_.rule.ewma);
    if (windows_++ % options_.every != 0) return keep(context, "between draws");
    const ArmCosts policy = distribution(running_, options_.temperature), drawn_from = explorer_.mix(policy);
    Rng rng(options_.seed, "policy controller", draws_++);
    const ArmId arm = draw_arm(drawn_from, rng.uniform());
    explorer_.took(arm);
    const auto a = static_cast<size_t>(arm);
    return {.arm = arm,
            .propensity = drawn_from[a],
            .why = fmt::format("{}: drawn with probability {:.2f} (the policy alone: {:.2f})", arms()[a].name, drawn_from[a], policy[a]),
            .distribution = drawn_from};
  }

 private:
  static Decision keep(const Context& context, std::string why) { return {.arm = context.active, .propensity = 1, .why = std::move(why)}; }
  // Of the members' mean log probabilities.
  static ArmCosts distribution(const Prediction& p, double temperature) {
    std::array<double, kChoosable> logits{};
    for (size_t k = 0; k < static_cast<size_t>(p.nets); ++k)
      for (size_t a = 0; a < kChoosable; ++a) logits[a] -= static_cast<double>(p.regret[k][a]) / p.nets / temperature;
    return softmax(logits);
  }

  Model model_;
  PolicyOptions options_;
  Explorer explorer_;
  Prediction running_;
  int64_t windows_ = 0;
  uint64_t draws_ = 0;
};

}  // namespace

Result<std::unique_ptr<Controller>> make_policy(const ControllerSpec& spec) {
  if (auto allowed = spec.allow({"model", "explore", "temperature", "every", "seed"}); !allowed) return fail(allowed.error());
  const std::string path = spec.text("model", "");
  if (path.empty()) return fail(ErrorCode::kInvalidArgument, "controller 'policy' needs model=FILE");
  auto model = load_model(path);
  if (!model) return fail(model.error().at("controller 'policy'"));
  if (!is_policy(model->kind))
    return fail(ErrorCode::kInvalidArgument, "controller 'policy': {} holds no policy but an {}; controller 'classifier' takes it", path,
                name_of(model->kind));
  auto explore = parse_exploration(spec.text("explore", "none"));
  if (!explore) return fail(explore.error().at("controller 'policy'"));
  const auto temperature = spec.number("temperature", 1, .01, 100);
  if (!temperature) return fail(temperature.error());
  const auto every = spec.whole("every", 1, 1, 1'000'000);
  if (!every) return fail(every.error());
  const auto seed = spec.whole("seed", static_cast<int64_t>(spec.seed()), 0, INT64_MAX);
  if (!seed) return fail(seed.error());
  return std::unique_ptr<Controller>(std::make_unique<Policy>(
      std::move(*model),
      PolicyOptions{.explore = *explore, .temperature = *temperature, .every = *every, .seed = static_cast<uint64_t>(*seed)}));
}

}  // namespace pointsman

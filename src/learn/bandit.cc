#include "learn/bandit.h"

#include <algorithm>
#include <cmath>

#include "base/exact_math.h"
#include "base/rng.h"
#include "learn/softmax.h"

namespace pointsman {

namespace {

class BanditController : public Controller {
 public:
  struct Parts {
    std::string name{};
    std::unique_ptr<Bandit> bandit{};
    std::optional<Model> model{};
    ChangeWatch watch{};
    uint64_t seed = 1;
  };
  explicit BanditController(Parts parts) : p_(std::move(parts)) {}
  [[nodiscard]] std::string name() const override { return p_.name; }
  [[nodiscard]] bool wants_bursts() const override { return true; }

  Decision decide(const Context& context) override {
    if (context.idle) {
      running_ = {};
      return keep(context, "idle: keeps the arm");
    }
    for (size_t f = 0; f < kFeatures; ++f)
      if (!std::isfinite(context.features[f]))
        return keep(context, fmt::format("keeps the arm: feature '{}' is not a number", feature_catalogue()[f].name));
    if (context.live_cost && !std::isfinite(*context.live_cost)) return keep(context, "keeps the arm: the live cost is not a number");
    bool anew = first_;
    if (p_.watch.context_changed(context.features, context.active)) {
      restart();
      anew = true;
    }
    const BanditView view = see(context);
    if (context.live_cost && context.active < kChoosable) {
      const auto surprise = p_.bandit->surprise(view, context.active, *context.live_cost);
      if (surprise && p_.watch.cost_changed(*surprise)) restart();
      p_.bandit->observe(view, context.active, *context.live_cost, propensity_);
      anew = true;
    }
    if (!anew) return keep(context, "waits for the cost of its arm");
    first_ = false;
    const ArmCosts p = p_.bandit->distribution(view);
    Rng rng(p_.seed, "bandit", draws_++);
    const ArmId arm = draw_arm(p, rng.uniform());
    propensity_ = p[static_cast<size_t>(arm)];
    return {.arm = arm,
            .propensity = propensity_,
            .why = fmt::format("{}: {} with probability {:.2f}", p_.name, arm_name(arm), propensity_),
            .distribution = p};
  }

 private:
  static Decision keep(const Context& context, std::string why) { return {.arm = context.active, .propensity = 1, .why = std::move(why)}; }
  void restart() {
    p_.bandit->restart();
    running_ = {};
  }
  BanditView see(const Context& context) {
    BanditView view;
    if (!p_.model) return view;
    smooth(running_, p_.model->predict(context.features, context.active), .5);
    view.prior = choose(running_, {.deviations = 0, .margin = 0}).predicted;
    for (size_t f = 0; f < kFeatures; ++f)
      view.standardised[f] = std::clamp((context.features[f] - p_.model->mean[f]) * p_.model->scale[f], -kFeatureClamp, kFeatureClamp);
    return view;
  }

  Parts p_;
  Prediction running_;
  double propensity_ = 1;
  uint64_t draws_ = 0;
  bool first_ = true;
};

}  // namespace

Result<Unit> allow_bandit_options(const ControllerSpec& spec, std::initializer_list<std::string_view> own) {
  std::vector<std::string_view> all(kBanditOptions.begin(), kBanditOptions.end());
  all.insert(all.end(), own.begin(), own.end());
  return spec.allow(all);
}

Result<ArmEffects::Options> effects_options(const ControllerSpec& spec, const ArmEffects::Options& defaults) {
  const auto tau = spec.number("tau", defaults.tau, 1e-3, 100), slope = spec.number("slope", defaults.slope, 0, 100),
             noise = spec.number("noise", defaults.noise, 1e-3, 100), forget = spec.number("forget", defaults.forget, 0, 1);
  for (const auto* option : {&tau, &slope, &noise, &forget})
    if (!*option) return fail(option->error());
  return ArmEffects::Options{.tau = *tau, .slope = *slope, .noise = *noise, .forget = *forget};
}

Result<std::unique_ptr<Controller>> make_bandit_controller(const ControllerSpec& spec, std::unique_ptr<Bandit> bandit,
                                                           const BanditNeeds& needs) {
  BanditController::Parts parts;
  parts.name = spec.name();
  parts.bandit = std::move(bandit);
  if (const std::string path = spec.text("model", "none"); path != "none") {
    auto model = load_model(path);
    if (!model) return fail(model.error().at("controller '" + spec.name() + "'"));
    if (is_policy(model->kind))
      return fail(ErrorCode::kInvalidArgument, "controller '{}': {} predicts no costs: it is a {}", spec.name(), path,
                  name_of(model->kind));
    parts.model = std::move(*model);
  } else if (needs.model) {
    return fail(ErrorCode::kInvalidArgument, "controller '{}' needs model=FILE, by which it standardises features", spec.name());
  }
  auto watch = ChangeWatch::of(spec.text("change", "cusum"));
  if (!watch) return fail(watch.error().at("controller '" + spec.name() + "'"));
  parts.watch = std::move(*watch);
  const auto seed = spec.whole("seed", static_cast<int64_t>(spec.seed()), 0, INT64_MAX);
  if (!seed) return fail(seed.error());
  parts.seed = static_cast<uint64_t>(*seed);
  return std::unique_ptr<Controller>(std::make_unique<BanditController>(std::move(parts)));
}

ThompsonTable::ThompsonTable(uint64_t seed) {
  Rng rng(seed, "thompson table");
  for (ArmCosts& row : normals_)
    for (double& v : row) v = rng.normal();
}

ArmCosts ThompsonTable::frequencies(const ArmEffects::Belief& belief) const {
  auto root = belief.covariance;
  cholesky(root, kChoosable);
  ArmCosts out{};
  for (const ArmCosts& normal : normals_) {
    size_t best = 0;
    double least = 0;
    for (size_t a = 0; a < kChoosable; ++a) {
      double cost = belief.mean[a];
      for (size_t k = 0; k <= a; ++k) cost += root[a * kChoosable + k] * normal[k];
      if (a == 0 || cost < least) {
        least = cost;
        best = a;
      }
    }
    out[best] += 1.0 / kDraws;
  }
  return out;
}

Result<ChangeWatch> ChangeWatch::of(std::string_view detector) {
  ChangeWatch out;
  for (int i = 0; i < 3; ++i) {
    auto made = make_change_detector(detector);
    if (!made) return fail(made.error());
    if (i == 0)
      out.cost_ = std::move(*made);
    else
      out.context_.push_back({.detector = std::move(*made)});
  }
  return out;
}

void ChangeWatch::restart() {
  if (cost_) cost_->restart();
  for (Series& series : context_) {
    if (series.detector) series.detector->restart();
    for (Standardiser& s : series.standardise) s.restart();
  }
}

bool ChangeWatch::context_changed(const FeatureVector& features, ArmId active) {
  if (active < 0 || active >= kChoosable) return false;
  bool alarm = false;
  for (size_t i = 0; i < context_.size(); ++i) {
    // Forks and wake-ups: they belong to the workload more than to the arm.
    const double value = context_[i].standardise[static_cast<size_t>(active)](features[i == 0 ? 0 : 2]);
    alarm |= context_[i].detector && context_[i].detector->observe(value);
  }
  if (alarm) restart();
  return alarm;
}

bool ChangeWatch::cost_changed(double surprise) {
  if (!cost_ || !cost_->observe(std::clamp(surprise, -8.0, 8.0))) return false;
  restart();
  return true;
}

}  // namespace pointsman

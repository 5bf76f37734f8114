// SquareCB: inverse-gap weighting around any regression; here the model's prediction corrected by the live cost. Clean probabilities.
// Source: Foster and Rakhlin, ICML 2020.
#include <algorithm>

#include "base/exact_math.h"
#include "learn/bandit.h"

namespace pointsman {

namespace {

class SquareCb : public Bandit {
 public:
  SquareCb(const ArmEffects::Options& options, double gamma) : effects_(options), gamma_(gamma) {}

  void observe(const BanditView& view, ArmId arm, double cost, double /*propensity*/) override {
    effects_.set_prior(view.prior);
    effects_.observe(view.standardised, arm, cost);
  }
  ArmCosts distribution(const BanditView& view) override {
    effects_.set_prior(view.prior);
    const ArmCosts cost = effects_.belief(view.standardised).mean;
    const auto best = static_cast<size_t>(std::min_element(cost.begin(), cost.end()) - cost.begin());
    // Bolder the more has been seen since the last change.
    const double gamma = gamma_ * exact_sqrt(1.0 + effects_.costs_seen());
    ArmCosts out{};
    out[best] = 1;
    for (size_t a = 0; a < kChoosable; ++a) {
      if (a == best) continue;
      out[a] = 1 / (kChoosable + gamma * (cost[a] - cost[best]));
      out[best] -= out[a];
    }
    return out;
  }
  void restart() override { effects_.restart(); }
  [[nodiscard]] std::optional<double> surprise(const BanditView& view, ArmId arm, double cost) const override {
    return effects_.surprise(view.standardised, arm, cost);
  }

 private:
  ArmEffects effects_;
  double gamma_;
};

}  // namespace

Result<std::unique_ptr<Controller>> make_square_cb(const ControllerSpec& spec) {
  if (auto allowed = allow_bandit_options(spec, {"tau", "slope", "noise", "forget", "gamma"}); !allowed) return fail(allowed.error());
  const auto options = effects_options(spec, {});
  if (!options) return fail(options.error());
  const auto gamma = spec.number("gamma", 20, 0, 1e6);
  if (!gamma) return fail(gamma.error());
  return make_bandit_controller(spec, std::make_unique<SquareCb>(*options, *gamma), {.model = options->slope > 0});
}

}  // namespace pointsman

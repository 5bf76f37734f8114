// Thompson sampling on the live cost: each arm is taken as often as it is believed to be the best one. `thompson` believes in one effect an
// arm, around the model's prediction; `lin_thompson` in effects that depend on features, and forgets.
// Source: Thompson, Biometrika 25 (1933); Agrawal and Goyal, ICML 2013; Russac, Vernade, Cappe, NeurIPS 2019 for the discount.
#include "learn/bandit.h"

namespace pointsman {

namespace {

class Thompson : public Bandit {
 public:
  Thompson(const ArmEffects::Options& options, uint64_t seed) : effects_(options), table_(seed) {}

  void observe(const BanditView& view, ArmId arm, double cost, double /*propensity*/) override {
    effects_.set_prior(view.prior);
    effects_.observe(view.standardised, arm, cost);
  }
  ArmCosts distribution(const BanditView& view) override {
    effects_.set_prior(view.prior);
    return table_.frequencies(effects_.belief(view.standardised));
  }
  void restart() override { effects_.restart(); }
  [[nodiscard]] std::optional<double> surprise(const BanditView& view, ArmId arm, double cost) const override {
    return effects_.surprise(view.standardised, arm, cost);
  }

 private:
  ArmEffects effects_;
  ThompsonTable table_;
};

Result<std::unique_ptr<Controller>> make(const ControllerSpec& spec, const ArmEffects::Options& defaults) {
  if (auto allowed = allow_bandit_options(spec, {"tau", "slope", "noise", "forget"}); !allowed) return fail(allowed.error());
  const auto options = effects_options(spec, defaults);
  if (!options) return fail(options.error());
  return make_bandit_controller(spec, std::make_unique<Thompson>(*options, spec.seed()), {.model = options->slope > 0});
}

}  // namespace

Result<std::unique_ptr<Controller>> make_thompson(const ControllerSpec& spec) { return make(spec, {}); }
Result<std::unique_ptr<Controller>> make_lin_thompson(const ControllerSpec& spec) { return make(spec, {.slope = .2, .forget = .02}); }

}  // namespace pointsman

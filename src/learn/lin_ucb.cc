// LinUCB: the arm whose cost may be the least, by a confidence bound around a linear form of the features. Draws nothing, so it is certain
// of what it takes. Source: Li, Chu, Langford, Schapire, WWW 2010.
#include "base/exact_math.h"
#include "learn/bandit.h"

namespace pointsman {

namespace {

class LinUcb : public Bandit {
 public:
  LinUcb(const ArmEffects::Options& options, double width) : effects_(options), width_(width) {}

  void observe(const BanditView& view, ArmId arm, double cost, double /*propensity*/) override {
    effects_.set_prior(view.prior);
    effects_.observe(view.standardised, arm, cost);
  }
  ArmCosts distribution(const BanditView& view) override {
    effects_.set_prior(view.prior);
    const ArmEffects::Belief belief = effects_.belief(view.standardised);
    size_t best = 0;
    double least = 0;
    for (size_t a = 0; a < kChoosable; ++a) {
      const double bound = belief.mean[a] - width_ * exact_sqrt(belief.covariance[a * kChoosable + a]);
      if (a == 0 || bound < least) {
        best = a;
        least = bound;
      }
    }
    ArmCosts out{};
    out[best] = 1;
    return out;
  }
  void restart() override { effects_.restart(); }
  [[nodiscard]] std::optional<double> surprise(const BanditView& view, ArmId arm, double cost) const override {
    return effects_.surprise(view.standardised, arm, cost);
  }

 private:
  ArmEffects effects_;
  double width_;
};

}  // namespace

Result<std::unique_ptr<Controller>> make_lin_ucb(const ControllerSpec& spec) {
  if (auto allowed = allow_bandit_options(spec, {"tau", "slope", "noise", "forget", "width"}); !allowed) return fail(allowed.error());
  const auto options = effects_options(spec, {.slope = .2});
  if (!options) return fail(options.error());
  const auto width = spec.number("width", 1, 0, 100);
  if (!width) return fail(width.error());
  return make_bandit_controller(spec, std::make_unique<LinUcb>(*options, *width), {.model = options->slope > 0});
}

}  // namespace pointsman

// EXP3.S: exponential weights on importance-weighted losses, with a share that keeps every arm's weight alive, so that it tracks changes.
// Assumes nothing about how costs come about; slow, because every cost tells of one arm only.
// Source: Auer, Cesa-Bianchi, Freund, Schapire, SIAM J. Computing 32 (2002).
#include <algorithm>

#include "base/exact_math.h"
#include "learn/bandit.h"

namespace pointsman {

namespace {

class Exp3s : public Bandit {
 public:
  struct Options {
    double gamma = .15;   // share of uniform draws
    double share = .001;  // by theory one over the number of decisions
    double range = 1;     // ln cost: what counts as the whole way from best to worst
  };
  explicit Exp3s(const Options& options) : o_(options) { restart(); }

  void observe(const BanditView& /*view*/, ArmId arm, double cost, double propensity) override {
    // Costs have no bounds of their own: gains are taken around a slow average of them.
    average_ += (cost - average_) / std::min(++seen_, 16.0);
    const double gain = std::clamp(.5 - (cost - average_) / (2 * o_.range), 0.0, 1.0) / std::max(propensity, o_.gamma / kChoosable);
    double total = 0;
    weights_[static_cast<size_t>(arm)] *= exact_exp(std::min(o_.gamma * gain / kChoosable, 50.0));
    for (const double w : weights_) total += w;
    for (double& w : weights_) w = w / total + o_.share / kChoosable;
  }
  ArmCosts distribution(const BanditView& /*view*/) override {
    double total = 0;
    for (const double w : weights_) total += w;
    ArmCosts out{};
    for (size_t a = 0; a < kChoosable; ++a) out[a] = (1 - o_.gamma) * weights_[a] / total + o_.gamma / kChoosable;
    return out;
  }
  void restart() override {
    weights_.fill(1);
    average_ = seen_ = 0;
  }

 private:
  Options o_;
  ArmCosts weights_{};
  double average_ = 0, seen_ = 0;
};

}  // namespace

Result<std::unique_ptr<Controller>> make_exp3s(const ControllerSpec& spec) {
  if (auto allowed = allow_bandit_options(spec, {"gamma", "share", "range"}); !allowed) return fail(allowed.error());
  Exp3s::Options options;
  const auto gamma = spec.number("gamma", options.gamma, .001, 1), share = spec.number("share", options.share, 0, 1),
             range = spec.number("range", options.range, .01, 100);
  for (const auto* option : {&gamma, &share, &range})
    if (!*option) return fail(option->error());
  options = {.gamma = *gamma, .share = *share, .range = *range};
  return make_bandit_controller(spec, std::make_unique<Exp3s>(options));
}

}  // namespace pointsman

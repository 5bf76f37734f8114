// D-UCB: upper confidence bounds on discounted means, without any context. With no discount it is UCB1.
// Source: Garivier and Moulines, ALT 2011; Auer, Cesa-Bianchi, Fischer, Machine Learning 47 (2002).
#include <algorithm>

#include "base/exact_math.h"
#include "learn/bandit.h"

namespace pointsman {

namespace {

class DiscountedUcb : public Bandit {
 public:
  struct Options {
    double discount = 1;
    double width = .25;  // deviation of one cost, which scales the bound
  };
  explicit DiscountedUcb(const Options& options) : o_(options) {}

  void observe(const BanditView& /*view*/, ArmId arm, double cost, double /*propensity*/) override {
    for (size_t a = 0; a < kChoosable; ++a) {
      times_[a] *= o_.discount;
      sums_[a] *= o_.discount;
    }
    times_[static_cast<size_t>(arm)] += 1;
    sums_[static_cast<size_t>(arm)] += cost;
  }
  ArmCosts distribution(const BanditView& /*view*/) override {
    double total = 0;
    for (const double n : times_) total += n;
    size_t best = 0;
    double least = 0;
    for (size_t a = 0; a < kChoosable; ++a) {
      // What has never been tried, or long ago, comes first.
      const double bound =
          times_[a] > 1e-3 ? sums_[a] / times_[a] - o_.width * exact_sqrt(2 * exact_log(std::max(total, 1.0)) / times_[a]) : -1e9;
      if (a == 0 || bound < least) {
        best = a;
        least = bound;
      }
    }
    ArmCosts out{};
    out[best] = 1;
    return out;
  }
  void restart() override { times_ = sums_ = {}; }

 private:
  Options o_;
  ArmCosts times_{}, sums_{};
};

Result<std::unique_ptr<Controller>> make(const ControllerSpec& spec, const DiscountedUcb::Options& defaults) {
  if (auto allowed = allow_bandit_options(spec, {"discount", "width"}); !allowed) return fail(allowed.error());
  const auto discount = spec.number("discount", defaults.discount, .5, 1), width = spec.number("width", defaults.width, 0, 100);
  for (const auto* option : {&discount, &width})
    if (!*option) return fail(option->error());
  return make_bandit_controller(spec, std::make_unique<DiscountedUcb>(DiscountedUcb::Options{.discount = *discount, .width = *width}));
}

}  // namespace

Result<std::unique_ptr<Controller>> make_d_ucb(const ControllerSpec& spec) { return make(spec, {.discount = .97}); }
Result<std::unique_ptr<Controller>> make_ucb1(const ControllerSpec& spec) { return make(spec, {.discount = 1}); }

}  // namespace pointsman

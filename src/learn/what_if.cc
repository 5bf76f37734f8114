// What-if: the arm under which the bursts of the last second or two, replayed, cost least; the default arm unless the gain is clear. Needs
// no training and no exploration.
#include <cmath>

#include "learn/controllers.h"

namespace pointsman {

namespace {

class WhatIf : public Controller {
 public:
  WhatIf(double margin, double ewma) : margin_(margin), ewma_(ewma) {}
  [[nodiscard]] std::string name() const override { return "what_if"; }
  [[nodiscard]] bool wants_bursts() const override { return true; }

  Decision decide(const Context& context) override {
    if (context.idle) {
      costs_.reset();
      return keep(context, "idle: keeps the arm");
    }
    if (!context.replayed) return keep(context, "no replay");
    for (const double cost : *context.replayed)
      if (!std::isfinite(cost)) return keep(context, "keeps the arm: the replay's cost is not a number");
    if (!costs_)
      costs_ = *context.replayed;
    else
      for (size_t a = 0; a < kChoosable; ++a) (*costs_)[a] = ewma_ * (*costs_)[a] + (1 - ewma_) * (*context.replayed)[a];
    size_t best = kDefaultArm;
    for (size_t a = 0; a < kChoosable; ++a)
      if ((*costs_)[a] < (*costs_)[best]) best = a;
    const double gain = (*costs_)[kDefaultArm] - (*costs_)[best];
    const bool clear = gain > margin_;
    return {.arm = clear ? static_cast<ArmId>(best) : kDefaultArm,
            .propensity = 1,
            .why = clear ? fmt::format("{}: replayed {:.0f} % below {}", arms()[best].name, 100 * (1 - std::exp(-gain)),
                                       arms()[kDefaultArm].name)
                         : fmt::format("{}: no arm replays clearly better", arms()[kDefaultArm].name),
            .predicted = costs_};
  }

 private:
  static Decision keep(const Context& context, const char* why) { return {.arm = context.active, .propensity = 1, .why = why}; }
  double margin_, ewma_;
  std::optional<std::array<double, kChoosable>> costs_;
};

}  // namespace

Result<std::unique_ptr<Controller>> make_what_if(const ControllerSpec& spec) {
  if (auto allowed = spec.allow({"margin", "ewma"}); !allowed) return fail(allowed.error());
  const auto margin = spec.number("margin", .05, 0, 1000), ewma = spec.number("ewma", .3, 0, .999);
  for (const auto* option : {&margin, &ewma})
    if (!*option) return fail(option->error());
  return std::unique_ptr<Controller>(std::make_unique<WhatIf>(*margin, *ewma));
}

}  // namespace pointsman

// What-if: the arm under which the bursts of the last second or two, replayed, cost least; the default arm unless the gain is clear: above a margin, and above
// so many deviations of what the replayed jobs say. Needs no training and no exploration.
#include <cmath>

#include "learn/controllers.h"

namespace pointsman {

namespace {

class WhatIf : public Controller {
 public:
  struct Options {
    double margin = .1, deviations = 1, ewma = .3;
    std::array<bool, kChoosable> allowed{};
  };
  explicit WhatIf(const Options& options) : o_(options) {}
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
    const Costs fresh = context.replayed_deviation.value_or(Costs{});
    if (!costs_) {
      costs_ = *context.replayed;
      deviation_ = fresh;
    } else {
      for (size_t a = 0; a < kChoosable; ++a) {
        (*costs_)[a] = o_.ewma * (*costs_)[a] + (1 - o_.ewma) * (*context.replayed)[a];
        deviation_[a] = o_.ewma * deviation_[a] + (1 - o_.ewma) * fresh[a];
      }
    }
    size_t best = kDefaultArm;
    for (size_t a = 0; a < kChoosable; ++a) {
      const double promised = (*costs_)[kDefaultArm] - (*costs_)[a];
      if (o_.allowed[a] && promised > o_.margin && promised > o_.deviations * deviation_[a] && (*costs_)[a] < (*costs_)[best]) best = a;
    }
    const double gain = (*costs_)[kDefaultArm] - (*costs_)[best];
    const bool clear = best != kDefaultArm;
    return {.arm = clear ? static_cast<ArmId>(best) : kDefaultArm,
            .propensity = 1,
            .why = clear ? fmt::format("{}: replayed {:.0f} % below {}", arms()[best].name, 100 * (1 - std::exp(-gain)),
                                       arms()[kDefaultArm].name)
                         : fmt::format("{}: no arm replays clearly better", arms()[kDefaultArm].name),
            .predicted = costs_,
            .deviation = deviation_};
  }

 private:
  static Decision keep(const Context& context, const char* why) { return {.arm = context.active, .propensity = 1, .why = why}; }
  using Costs = std::array<double, kChoosable>;
  Options o_;
  std::optional<Costs> costs_;
  Costs deviation_{};
};

}  // namespace

Result<std::unique_ptr<Controller>> make_what_if(const ControllerSpec& spec) {
  if (auto allowed = spec.allow({"margin", "deviations", "ewma", "arms"}); !allowed) return fail(allowed.error());
  const auto margin = spec.number("margin", .1, 0, 1000), deviations = spec.number("deviations", 1, 0, 1000), ewma = spec.number("ewma", .3, 0, .999);
  for (const auto* option : {&margin, &deviations, &ewma})
    if (!*option) return fail(option->error());
  const auto chosen = spec.choosable("arms");
  if (!chosen) return fail(chosen.error());
  return std::unique_ptr<Controller>(std::make_unique<WhatIf>(WhatIf::Options{.margin = *margin, .deviations = *deviations, .ewma = *ewma, .allowed = *chosen}));
}

}  // namespace pointsman

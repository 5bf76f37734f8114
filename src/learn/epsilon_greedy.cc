// Epsilon-greedy on the live cost: the arm of least running cost, and a uniform draw now and then: with probability 1 / sqrt(n), which fits
// a world that does not change, or with a constant one, which goes on noticing (what bpftune ships, at 5 %).
#include <algorithm>

#include "learn/bandit.h"
#include "learn/explore.h"

namespace pointsman {

namespace {

class EpsilonGreedy : public Bandit {
 public:
  EpsilonGreedy(const Exploration& exploration, double rate) : exploration_(exploration), rate_(rate), explorer_(exploration) {}

  void observe(const BanditView& /*view*/, ArmId arm, double cost, double /*propensity*/) override {
    const auto a = static_cast<size_t>(arm);
    cost_[a] = times_[a] == 0 ? cost : cost_[a] + std::max(rate_, 1 / (times_[a] + 1)) * (cost - cost_[a]);
    ++times_[a];
    explorer_.took(arm);
  }
  ArmCosts distribution(const BanditView& view) override {
    // An arm without a cost of its own is where the prior puts it from the arms that have one.
    double offset = 0, known = 0;
    for (size_t a = 0; a < kChoosable; ++a)
      if (times_[a] > 0) {
        offset += cost_[a] - view.prior[a];
        ++known;
      }
    size_t best = kDefaultArm;
    double least = 0;
    bool found = false;
    for (size_t a = 0; a < kChoosable; ++a) {
      const double cost = times_[a] > 0 ? cost_[a] : view.prior[a] + (known > 0 ? offset / known : 0);
      if (!found || cost < least) {
        found = true;
        best = a;
        least = cost;
      }
    }
    ArmCosts greedy{};
    greedy[best] = 1;
    return explorer_.mix(greedy);
  }
  void restart() override {
    times_ = cost_ = {};
    explorer_ = Explorer(exploration_);
  }

 private:
  Exploration exploration_;
  double rate_;
  Explorer explorer_;
  ArmCosts times_{}, cost_{};
};

}  // namespace

Result<std::unique_ptr<Controller>> make_epsilon_greedy(const ControllerSpec& spec) {
  if (auto allowed = allow_bandit_options(spec, {"explore", "rate"}); !allowed) return fail(allowed.error());
  const auto explore = parse_exploration(spec.text("explore", "0.05"));
  if (!explore) return fail(explore.error().at("controller 'epsilon_greedy'"));
  const auto rate = spec.number("rate", .1, 0, 1);
  if (!rate) return fail(rate.error());
  return make_bandit_controller(spec, std::make_unique<EpsilonGreedy>(*explore, *rate));
}

}  // namespace pointsman

// Bandit: learns on line from the live cost of the arm that was active, and says with which probability it would take each arm next. The
// controller around it is the same for all: it asks when a cost has come in or something has changed, draws, and keeps the arm in between.
#pragma once

#include <memory>
#include <optional>

#include "learn/arm_effects.h"
#include "learn/change.h"
#include "learn/controllers.h"
#include "learn/model.h"

namespace pointsman {

// What a bandit sees of the moment.
struct BanditView {
  FeatureVector standardised{};  // by the model; zero without one
  ArmCosts prior{};              // predicted by the model, ln ratio to the default arm; zero without one
};

class Bandit {
 public:
  virtual ~Bandit() = default;
  // `propensity`: with which `arm` had been taken.
  virtual void observe(const BanditView& view, ArmId arm, double cost, double propensity) = 0;
  // Adds up to 1.
  virtual ArmCosts distribution(const BanditView& view) = 0;
  virtual void restart() = 0;
  // How far a cost is from what it expected, in deviations, where it expects anything.
  [[nodiscard]] virtual std::optional<double> surprise(const BanditView& /*view*/, ArmId /*arm*/, double /*cost*/) const {
    return std::nullopt;
  }
};

// The options that all bandits have besides their own: model (FILE, or none), change, seed.
inline constexpr std::array<std::string_view, 3> kBanditOptions{"model", "change", "seed"};
// Refuses options that are neither common nor among `own`.
Result<Unit> allow_bandit_options(const ControllerSpec& spec, std::initializer_list<std::string_view> own);
// Errors: those of the options and of the model file; kInvalidArgument when a model is needed and not given.
struct BanditNeeds {
  bool model = false;
};
Result<std::unique_ptr<Controller>> make_bandit_controller(const ControllerSpec& spec, std::unique_ptr<Bandit> bandit,
                                                           const BanditNeeds& needs = {});
// tau, slope, noise, forget of a spec.
Result<ArmEffects::Options> effects_options(const ControllerSpec& spec, const ArmEffects::Options& defaults);

// With which frequency each arm has the least cost under a belief, over a fixed table of normal draws: a distribution that can be drawn
// from and whose probabilities are known, which Thompson sampling by single draws has not.
class ThompsonTable {
 public:
  explicit ThompsonTable(uint64_t seed);
  [[nodiscard]] ArmCosts frequencies(const ArmEffects::Belief& belief) const;

 private:
  static constexpr size_t kDraws = 200;
  std::array<ArmCosts, kDraws> normals_{};
};

// Watches the context (forks, wake-ups) and, where there is one, a cost's surprise.
class ChangeWatch {
 public:
  // Errors: kInvalidArgument (no such detector).
  static Result<ChangeWatch> of(std::string_view detector);
  // True on an alarm; it has then begun anew. What is usual is known for each arm apart, because arms move the features too.
  bool context_changed(const FeatureVector& features, ArmId active);
  bool cost_changed(double surprise);

 private:
  struct Series {
    std::unique_ptr<ChangeDetector> detector;
    std::array<Standardiser, kChoosable> standardise{};
  };
  void restart();
  std::vector<Series> context_;
  std::unique_ptr<ChangeDetector> cost_;
};

}  // namespace pointsman

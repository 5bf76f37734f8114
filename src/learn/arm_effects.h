// ArmEffects: what is believed of the arms' costs from the live cost alone: cost = level of the workload + effect of the arm + noise, the
// effect being a constant or a linear form of a few features, around a prior that a model may give. One Gaussian posterior over all of it.
// Shapes: means [kChoosable], covariance [kChoosable][kChoosable], ln costs; the level, which no choice changes, is in none of them.
#pragma once

#include <array>
#include <optional>

#include "learn/dataset.h"
#include "learn/features.h"
#include "learn/gaussian.h"

namespace pointsman {

// The features that carry most of what there is to know, by forward selection.
inline constexpr int kEffectFeatures = 5;
std::array<double, kEffectFeatures> effect_features(const FeatureVector& standardised);

class ArmEffects {
 public:
  struct Options {
    double tau = .6;     // deviation of an arm's effect around its prior
    double slope = 0;    // deviation of its coefficients by a feature; 0: features play no part
    double noise = .25;  // deviation of one cost window
    double forget = 0;   // share of what was learned that is lost with every cost
  };
  explicit ArmEffects(const Options& options);

  struct Belief {
    ArmCosts mean{};
    std::array<double, kChoosable * kChoosable> covariance{};

    // Of an arm's cost less the default arm's.
    [[nodiscard]] double gain_deviation(ArmId arm) const;
  };
  // `prior`: what is expected of the arms before any cost is seen; only differences matter.
  void set_prior(const ArmCosts& prior);
  void observe(const FeatureVector& standardised, ArmId arm, double cost);
  [[nodiscard]] Belief belief(const FeatureVector& standardised) const;
  // How far a cost lies from what was expected, in deviations; nullopt before the first.
  [[nodiscard]] std::optional<double> surprise(const FeatureVector& standardised, ArmId arm, double cost) const;
  void restart();
  [[nodiscard]] int costs_seen() const { return seen_; }

 private:
  [[nodiscard]] std::vector<double> form(const FeatureVector& standardised, ArmId arm, bool with_level) const;
  [[nodiscard]] size_t per_arm() const { return options_.slope > 0 ? 1 + kEffectFeatures : 1; }
  static Gaussian make_posterior(const Options& options);
  void move_prior();

  Options options_;
  Gaussian posterior_;
  ArmCosts prior_{};
  double level_ = 0;  // the first cost: where the level's own prior is
  int seen_ = 0;
};

}  // namespace pointsman

#include "learn/arm_effects.h"

#include <algorithm>
#include <string_view>

#include "base/exact_math.h"

namespace pointsman {

namespace {

constexpr double kLevelDeviation = 3;  // ln: workloads' turnarounds lie orders of magnitude apart

constexpr std::array<std::string_view, kEffectFeatures> kChosen{"forks", "burst_p99", "exit_cpu_mean", "idle_share", "exit_cpu_cv"};

std::array<size_t, kEffectFeatures> places() {
  std::array<size_t, kEffectFeatures> out{};
  for (size_t i = 0; i < kEffectFeatures; ++i)
    for (size_t f = 0; f < kFeatures; ++f)
      if (feature_catalogue()[f].name == kChosen[i]) out[i] = f;
  return out;
}

}  // namespace

std::array<double, kEffectFeatures> effect_features(const FeatureVector& standardised) {
  static const std::array<size_t, kEffectFeatures> at = places();
  std::array<double, kEffectFeatures> out{};
  for (size_t i = 0; i < kEffectFeatures; ++i) out[i] = standardised[at[i]];
  return out;
}

ArmEffects::ArmEffects(const Options& options) : options_(options), posterior_(make_posterior(options)) {}

Gaussian ArmEffects::make_posterior(const Options& options) {
  std::vector<double> deviations{kLevelDeviation};
  for (int arm = 0; arm < kChoosable; ++arm) {
    deviations.push_back(options.tau);
    if (options.slope > 0) deviations.insert(deviations.end(), kEffectFeatures, options.slope);
  }
  return Gaussian(std::vector<double>(deviations.size()), deviations);
}

void ArmEffects::move_prior() {
  std::vector<double> mean(posterior_.size());
  mean[0] = level_;
  for (size_t arm = 0; arm < kChoosable; ++arm) mean[1 + arm * per_arm()] = prior_[arm];
  posterior_.set_prior_mean(mean);
}

void ArmEffects::set_prior(const ArmCosts& prior) {
  if (prior == prior_) return;
  prior_ = prior;
  move_prior();
}

std::vector<double> ArmEffects::form(const FeatureVector& standardised, ArmId arm, bool with_level) const {
  std::vector<double> out(posterior_.size());
  out[0] = with_level ? 1 : 0;
  const size_t at = 1 + static_cast<size_t>(arm) * per_arm();
  out[at] = 1;
  if (options_.slope > 0) {
    const auto x = effect_features(standardised);
    std::copy(x.begin(), x.end(), out.begin() + static_cast<ptrdiff_t>(at) + 1);
  }
  return out;
}

void ArmEffects::observe(const FeatureVector& standardised, ArmId arm, double cost) {
  if (seen_++ == 0) {
    level_ = cost - prior_[static_cast<size_t>(arm)];
    move_prior();
  }
  posterior_.forget(options_.forget);
  posterior_.observe(form(standardised, arm, true), cost, options_.noise);
}

ArmEffects::Belief ArmEffects::belief(const FeatureVector& standardised) const {
  std::array<std::vector<double>, kChoosable> forms;
  for (ArmId arm = 0; arm < kChoosable; ++arm) forms[static_cast<size_t>(arm)] = form(standardised, arm, false);
  Belief out;
  posterior_.joint(forms, out.mean, out.covariance);
  return out;
}

std::optional<double> ArmEffects::surprise(const FeatureVector& standardised, ArmId arm, double cost) const {
  if (seen_ == 0) return std::nullopt;
  const std::array<std::vector<double>, 1> forms{form(standardised, arm, true)};
  double mean = 0, variance = 0;
  posterior_.joint(forms, std::span(&mean, 1), std::span(&variance, 1));
  return (cost - mean) / exact_sqrt(variance + options_.noise * options_.noise);
}

double ArmEffects::Belief::gain_deviation(ArmId arm) const {
  const auto a = static_cast<size_t>(arm), h = static_cast<size_t>(kDefaultArm);
  const double variance = covariance[a * kChoosable + a] + covariance[h * kChoosable + h] - 2 * covariance[a * kChoosable + h];
  return exact_sqrt(std::max(variance, 0.0));
}

void ArmEffects::restart() {
  posterior_.restart();
  seen_ = 0;
}

}  // namespace pointsman

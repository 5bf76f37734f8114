// Gaussian: the posterior of a Bayesian linear regression with known noise: prior N(mean, diagonal), observations y = phi . theta + noise.
// Kept as precisions, so that forgetting falls back to the prior and never blows up. Own arithmetic in a fixed order: same bits everywhere.
// Shapes: theta and phi [size].
#pragma once

#include <span>
#include <vector>

namespace pointsman {

class Gaussian {
 public:
  // deviations > 0.
  Gaussian(std::span<const double> prior_mean, std::span<const double> prior_deviation);

  // Moves the prior's mean and, with it, everything that was not learned from data.
  void set_prior_mean(std::span<const double> mean);
  // Data lose this share of their weight, 0 .. 1.
  void forget(double share);
  void observe(std::span<const double> phi, double y, double noise_deviation);
  void restart();

  [[nodiscard]] size_t size() const { return prior_precision_.size(); }
  [[nodiscard]] std::span<const double> mean() const;
  [[nodiscard]] double mean_of(std::span<const double> phi) const;
  // Mean and covariance of several linear forms at once. forms [n][size]; means [n], covariance [n][n].
  void joint(std::span<const std::vector<double>> forms, std::span<double> means, std::span<double> covariance) const;

 private:
  void solve() const;
  // The data's part of the precision and of precision * mean.
  std::vector<double> prior_mean_, prior_precision_, precision_, moment_;
  mutable std::vector<double> factor_, mean_;  // Cholesky factor of the whole precision, posterior mean
  mutable bool fresh_ = false;
};

// Lower triangular L with L L' = a, in place, [n][n]; what is not positive definite is held up by a trace on the diagonal.
void cholesky(std::span<double> a, size_t n);

}  // namespace pointsman

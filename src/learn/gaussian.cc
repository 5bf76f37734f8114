#include "learn/gaussian.h"

#include <algorithm>

#include "base/exact_math.h"

namespace pointsman {

void cholesky(std::span<double> a, size_t n) {
  for (size_t j = 0; j < n; ++j) {
    for (size_t k = 0; k < j; ++k)
      for (size_t i = j; i < n; ++i) a[i * n + j] -= a[i * n + k] * a[j * n + k];
    const double pivot = exact_sqrt(std::max(a[j * n + j], 1e-12));
    for (size_t i = j; i < n; ++i) a[i * n + j] /= pivot;
    for (size_t i = 0; i < j; ++i) a[i * n + j] = 0;
    a[j * n + j] = pivot;
  }
}

Gaussian::Gaussian(std::span<const double> prior_mean, std::span<const double> prior_deviation)
    : prior_mean_(prior_mean.begin(), prior_mean.end()) {
  for (const double d : prior_deviation) prior_precision_.push_back(1 / (d * d));
  restart();
}

void Gaussian::restart() {
  precision_.assign(size() * size(), 0);
  moment_.assign(size(), 0);
  fresh_ = false;
}

void Gaussian::set_prior_mean(std::span<const double> mean) {
  prior_mean_.assign(mean.begin(), mean.end());
  fresh_ = false;
}

void Gaussian::forget(double share) {
  for (double& v : precision_) v *= 1 - share;
  for (double& v : moment_) v *= 1 - share;
  fresh_ = false;
}

void Gaussian::observe(std::span<const double> phi, double y, double noise_deviation) {
  const double weight = 1 / (noise_deviation * noise_deviation);
  for (size_t i = 0; i < size(); ++i) {
    if (phi[i] == 0) continue;
    for (size_t j = 0; j < size(); ++j) precision_[i * size() + j] += weight * phi[i] * phi[j];
    moment_[i] += weight * phi[i] * y;
  }
  fresh_ = false;
}

void Gaussian::solve() const {
  if (fresh_) return;
  fresh_ = true;
  const size_t n = size();
  factor_ = precision_;
  mean_ = moment_;
  for (size_t i = 0; i < n; ++i) {
    factor_[i * n + i] += prior_precision_[i];
    mean_[i] += prior_precision_[i] * prior_mean_[i];
  }
  cholesky(factor_, n);
  for (size_t i = 0; i < n; ++i) {
    for (size_t k = 0; k < i; ++k) mean_[i] -= factor_[i * n + k] * mean_[k];
    mean_[i] /= factor_[i * n + i];
  }
  for (size_t i = n; i-- > 0;) {
    for (size_t k = i + 1; k < n; ++k) mean_[i] -= factor_[k * n + i] * mean_[k];
    mean_[i] /= factor_[i * n + i];
  }
}

std::span<const double> Gaussian::mean() const {
  solve();
  return mean_;
}

double Gaussian::mean_of(std::span<const double> phi) const {
  solve();
  double out = 0;
  for (size_t i = 0; i < size(); ++i) out += phi[i] * mean_[i];
  return out;
}

void Gaussian::joint(std::span<const std::vector<double>> forms, std::span<double> means, std::span<double> covariance) const {
  solve();
  const size_t n = size();
  // With precision = L L', the covariance of the forms is (L^-1 forms)' (L^-1 forms).
  std::vector<std::vector<double>> solved(forms.begin(), forms.end());
  for (std::vector<double>& x : solved)
    for (size_t i = 0; i < n; ++i) {
      for (size_t k = 0; k < i; ++k) x[i] -= factor_[i * n + k] * x[k];
      x[i] /= factor_[i * n + i];
    }
  for (size_t a = 0; a < forms.size(); ++a) {
    means[a] = mean_of(forms[a]);
    for (size_t b = 0; b < forms.size(); ++b) {
      double sum = 0;
      for (size_t i = 0; i < n; ++i) sum += solved[a][i] * solved[b][i];
      covariance[a * forms.size() + b] = sum;
    }
  }
}

}  // namespace pointsman

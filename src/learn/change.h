// Change detectors: when has what is observed stopped being what it was? Observations are standardised: mean 0, deviation 1 until a change.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pointsman {

class ChangeDetector {
 public:
  virtual ~ChangeDetector() = default;
  // True when this observation completes the evidence of a change; it has then begun anew.
  virtual bool observe(double standardised) = 0;
  virtual void restart() = 0;
};

// Two-sided cumulative sum: alarms when what exceeds the drift adds up to the threshold. Source: Page, Biometrika 41 (1954).
class Cusum : public ChangeDetector {
 public:
  struct Options {
    double drift = .5;  // half of the shift to be found, in deviations
    double threshold = 6;
  };
  explicit Cusum(const Options& options) : options_(options) {}
  bool observe(double standardised) override;
  void restart() override { up_ = down_ = 0; }

 private:
  Options options_;
  double up_ = 0, down_ = 0;
};

// Generalised likelihood ratio of a shift of the mean at any moment of the last `memory` observations, the mean before it being estimated
// too. Source: Besson, Kaufmann, Maillard, Seznec, JMLR 23 (2022), with the Gaussian divergence and known deviation.
class Glr : public ChangeDetector {
 public:
  struct Options {
    double threshold = 9;  // of the log likelihood ratio
    size_t memory = 128;
  };
  explicit Glr(const Options& options) : options_(options) {}
  bool observe(double standardised) override;
  void restart() override { seen_.clear(); }

 private:
  Options options_;
  std::vector<double> seen_;
};

// "none" (nullptr), "cusum", "glr". Errors: kInvalidArgument.
Result<std::unique_ptr<ChangeDetector>> make_change_detector(std::string_view name);

// Brings a series to mean 0 and deviation 1 by slow averages of its own; what comes first is 0.
class Standardiser {
 public:
  double operator()(double value);
  void restart() { count_ = 0; }

 private:
  double count_ = 0, mean_ = 0, variance_ = 0;
};

}  // namespace pointsman

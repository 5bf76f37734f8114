// Hedge with fixed share: weights over experts that fall with their losses and are shared anew a little each time, so that an expert that
// was bad can come back when the world changes. Source: Freund and Schapire, JCSS 55 (1997); Herbster and Warmuth, Machine Learning 32
// (1998).
#pragma once

#include <span>
#include <vector>

namespace pointsman {

class Hedge {
 public:
  struct Options {
    double rate = 2;
    double share = .02;
  };
  Hedge(size_t experts, const Options& options) : options_(options), weights_(experts, 1.0 / static_cast<double>(experts)) {}

  // Adds up to 1 over those awake; an expert without an opinion sleeps and loses nothing.
  [[nodiscard]] std::vector<double> weights(std::span<const bool> awake) const;
  void update(std::span<const double> losses, std::span<const bool> awake);

 private:
  Options options_;
  std::vector<double> weights_;
};

}  // namespace pointsman

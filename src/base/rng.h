// Rng: a counter-based random stream. The key names what is drawn (seed, family, job, purpose), so any draw can be made again alone,
// in any order, and adding a draw for one purpose changes no other. Same bits on every machine and build: integers and exact_math.h only.
// Source: Philox4x32-10, Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011; checked against its published vectors.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace pointsman {

std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

class Rng {
 public:
  // Streams with different (seed, name, index) are independent.
  Rng(uint64_t seed, std::string_view name, uint64_t index = 0);

  uint64_t next();                                // 64 uniform bits
  double uniform();                               // [0, 1), 53 bits
  double uniform(double low, double high);        // [low, high)
  uint64_t below(uint64_t n);                     // 0 .. n-1, without bias; n > 0
  int64_t between(int64_t low, int64_t high);     // low .. high, both included
  double exponential(double mean);
  double normal();                                // mean 0, deviation 1
  double lognormal(double mean, double sigma);    // `mean` is the mean of the values, sigma that of their logarithm
  double pareto(double alpha, double low, double high);  // bounded Pareto

 private:
  std::array<uint32_t, 2> key_{};
  std::array<uint32_t, 4> counter_{};
  std::array<uint32_t, 4> block_{};
  int used_ = 4;
};

}  // namespace pointsman

// Statistics that reports rest on: means, quantiles, Jain's index, and intervals over blocks (bootstrap, paired t).
// A block is one independent draw (family or scenario x seed); what belongs to one block is never resampled apart.
// Where a number is not defined (nothing to average, one block only) it is NaN: printers write "-", JSON null.
// Same seed, same interval: each resample has its own counter-based stream.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace pointsman {

double mean_of(std::span<const double> values);
double geomean_of(std::span<const double> values);    // values > 0
double deviation_of(std::span<const double> values);  // ddof 1
// Linear between order statistics (Hyndman and Fan's type 7, what numpy and R do by default); 0 <= q <= 1.
double quantile_of(std::span<const double> values, double q);
// (sum x)^2 / (n sum x^2): 1 when all are equal, 1/n when one has everything. Source: Jain, Chiu, Hawe, DEC-TR-301, 1984.
double jain_of(std::span<const double> values);

double normal_cdf(double z);
double normal_quantile(double p);              // 0 < p < 1
double student_t_quantile(double p, int dof);  // 0 < p < 1, dof >= 1

struct Interval {
  double value = 0;  // the statistic of the data itself
  double low = 0, high = 0;
};

struct BootstrapOptions {
  enum class Kind {
    kPercentile,
    kBca,  // bias-corrected and accelerated: Efron, JASA 82 (1987)
  };
  Kind kind = Kind::kBca;
  int resamples = 2000;
  double level = .95;
  uint64_t seed = 1;
};

// The statistic of a sample of blocks, given as indices (drawn with replacement; also each leave-one-out sample, for BCa).
using BlockStatistic = std::function<double(std::span<const uint32_t> blocks)>;

// Resamples in which the statistic is not defined are left out; when that is more than one in twenty, or there are fewer than two blocks,
// the ends are NaN.
Interval bootstrap(uint32_t blocks, const BlockStatistic& statistic, const BootstrapOptions& options = {});

// Mean over blocks of `values` with its bootstrap interval.
Interval bootstrap_mean(std::span<const double> values, const BootstrapOptions& options = {});

// Mean of paired differences (for example ln ratios, one per seed) with Student's interval.
Interval paired_t(std::span<const double> differences, double level = .95);

// Two-sided p of Wilcoxon's signed-rank test that paired differences lie around 0. Zeros are left out, equal sizes share their ranks; exact
// up to 40 pairs, then the normal approximation. 1 without a difference that is not zero.
double wilcoxon_p(std::span<const double> differences);
// Holm's correction of several p: each as if it were the only one, at the same family-wise error. Source: Holm, Scand. J. Statistics 6
// (1979).
std::vector<double> holm(std::span<const double> p);

// Costs of one block, as ln ratios to the same reference.
struct GapBlock {
  double agent = 0, rival = 0, oracle = 0;
};
// (mean rival - mean agent) / (mean rival - mean oracle): 0 is as good as the rival, 1 as good as the oracle. A ratio of means, not a mean
// of ratios, so that blocks where there is nothing to gain do not blow it up. NaN where the oracle is no better than the rival by 1e-9.
Interval gap_closed(std::span<const GapBlock> blocks, const BootstrapOptions& options = {});

}  // namespace pointsman

#include "learn/change.h"

#include <algorithm>

#include "base/exact_math.h"

namespace pointsman {

bool Cusum::observe(double standardised) {
  up_ = std::max(0.0, up_ + standardised - options_.drift);
  down_ = std::max(0.0, down_ - standardised - options_.drift);
  if (up_ < options_.threshold && down_ < options_.threshold) return false;
  restart();
  return true;
}

bool Glr::observe(double standardised) {
  if (seen_.size() == options_.memory) seen_.erase(seen_.begin());
  seen_.push_back(standardised);
  double total = 0, before = 0;
  for (const double v : seen_) total += v;
  const auto n = static_cast<double>(seen_.size());
  for (size_t s = 0; s + 1 < seen_.size(); ++s) {
    before += seen_[s];
    const auto first = static_cast<double>(s + 1);
    const double shift = before / first - (total - before) / (n - first);
    if (first * (n - first) / n * shift * shift / 2 > options_.threshold) {
      restart();
      return true;
    }
  }
  return false;
}

Result<std::unique_ptr<ChangeDetector>> make_change_detector(std::string_view name) {
  std::unique_ptr<ChangeDetector> out;
  if (name == "cusum")
    out = std::make_unique<Cusum>(Cusum::Options{});
  else if (name == "glr")
    out = std::make_unique<Glr>(Glr::Options{});
  else if (name != "none")
    return fail(ErrorCode::kInvalidArgument, "'{}' is not a change detector (there are: none cusum glr)", name);
  return out;
}

double Standardiser::operator()(double value) {
  ++count_;
  if (count_ == 1) {
    mean_ = value;
    variance_ = 0;
    return 0;
  }
  const double off = value - mean_;
  // The first few say too little of the spread to be held against it.
  const double out = count_ > 4 && variance_ > 0 ? std::clamp(off / exact_sqrt(std::max(variance_, 1e-4)), -8.0, 8.0) : 0;
  const double share = std::max(1 / count_, 1.0 / 32);
  mean_ += share * off;
  variance_ = (1 - share) * (variance_ + share * off * off);
  return out;
}

}  // namespace pointsman

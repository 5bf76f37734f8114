// Exploration: how a policy departs from what it would take, so that it keeps learning what else there is; with the probabilities that
// result, which whoever learns from the decisions must know.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "learn/dataset.h"

namespace pointsman {

struct Exploration {
  enum class Kind {
    kNone,
    kSqrt,      // a uniform draw with probability 1 / sqrt(n) at the n-th decision: dies out, so it fits worlds that do not change
    kConstant,  // a uniform draw with probability `rate`
    kUcb1,      // no draw: the arm of the largest ln probability + width * sqrt(2 ln n / times taken); Auer, Cesa-Bianchi, Fischer 2002
  };
  Kind kind = Kind::kNone;
  double rate = .05, width = 1;
};
// "none", "sqrt", "ucb1", or a rate 0 .. 1. Errors: kInvalidArgument.
Result<Exploration> parse_exploration(std::string_view text);
std::string to_string(const Exploration& exploration);

class Explorer {
 public:
  explicit Explorer(const Exploration& exploration) : exploration_(exploration) {}

  // What to draw from at this decision; every arm's propensity.
  [[nodiscard]] ArmCosts mix(const ArmCosts& policy) const;
  void took(ArmId arm);

 private:
  Exploration exploration_;
  double decisions_ = 0;
  ArmCosts times_{};
};

}  // namespace pointsman

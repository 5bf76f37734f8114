#include "learn/explore.h"

#include <algorithm>
#include <charconv>

#include "base/exact_math.h"

namespace pointsman {

Result<Exploration> parse_exploration(std::string_view text) {
  if (text == "none") return Exploration{};
  if (text == "sqrt") return Exploration{.kind = Exploration::Kind::kSqrt};
  if (text == "ucb1") return Exploration{.kind = Exploration::Kind::kUcb1};
  double rate = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), rate);
  if (error != std::errc{} || end != text.data() + text.size() || !(rate >= 0 && rate <= 1))
    return fail(ErrorCode::kInvalidArgument, "exploration '{}' is not none, sqrt, ucb1 or a rate 0 .. 1", text);
  return Exploration{.kind = Exploration::Kind::kConstant, .rate = rate};
}

std::string to_string(const Exploration& exploration) {
  switch (exploration.kind) {
    case Exploration::Kind::kNone:
      return "none";
    case Exploration::Kind::kSqrt:
      return "sqrt";
    case Exploration::Kind::kConstant:
      return fmt::format("{}", exploration.rate);
    case Exploration::Kind::kUcb1:
      return "ucb1";
  }
  return "";
}

ArmCosts Explorer::mix(const ArmCosts& policy) const {
  if (exploration_.kind == Exploration::Kind::kUcb1) {
    size_t best = 0;
    double best_index = 0;
    for (size_t arm = 0; arm < kChoosable; ++arm) {
      // Each arm once before any twice.
      const double bonus = times_[arm] > 0 ? exploration_.width * exact_sqrt(2 * exact_log(decisions_) / times_[arm]) : 1e9;
      const double index = exact_log(std::max(policy[arm], 1e-250)) + bonus;
      if (arm == 0 || index > best_index) {
        best = arm;
        best_index = index;
      }
    }
    ArmCosts out{};
    out[best] = 1;
    return out;
  }
  double rate = 0;
  if (exploration_.kind == Exploration::Kind::kConstant) rate = exploration_.rate;
  if (exploration_.kind == Exploration::Kind::kSqrt) rate = 1 / exact_sqrt(decisions_ + 1);
  ArmCosts out = policy;
  for (double& p : out) p = (1 - rate) * p + rate / kChoosable;
  return out;
}

void Explorer::took(ArmId arm) {
  ++decisions_;
  if (arm >= 0 && arm < kChoosable) ++times_[static_cast<size_t>(arm)];
}

}  // namespace pointsman

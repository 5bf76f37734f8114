#include "learn/overruled.h"

namespace pointsman {

Decision Overruled::decide(const Context& context) {
  Decision decision = inner_->decide(context);
  if (context.since_start_ns < overruling_.from_ns || context.since_start_ns >= overruling_.until_ns) return decision;
  decision.why = fmt::format("overruled: {} instead of {}", arms()[static_cast<size_t>(overruling_.arm)].name, arms()[static_cast<size_t>(decision.arm)].name);
  decision.arm = overruling_.arm;
  decision.propensity = 1;
  return decision;
}

}  // namespace pointsman

#include "learn/overruled.h"

namespace pointsman {

Decision Overruled::decide(const Context& context) {
  Decision decision = inner_->decide(context);
  if (context.since_start_ns < overruling_.from_ns || context.since_start_ns >= overruling_.until_ns) return decision;
  decision.why = fmt::format("overruled: {} instead of {}", arm_name(overruling_.arm), arm_name(decision.arm));
  decision.arm = overruling_.arm;
  decision.propensity = 1;
  return decision;
}

}  // namespace pointsman

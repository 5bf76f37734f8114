#include "http/costs_json.h"

#include <cmath>

namespace pointsman {

using nlohmann::json;

json costs_json(const Costs& c) {
  const auto number = [](double value) { return std::isfinite(value) ? json(value) : json(); };
  json out = {{"jobs", c.jobs},
              {"mean_tat_s", number(c.mean_tat_s)},
              {"mean_rt_s", number(c.mean_rt_s)},
              {"cv_fairness", number(c.cv_fairness)},
              {"seed_l", number(c.seed_l)},
              {"geo_slowdown", number(std::exp(c.log_slowdown))},
              {"mean_slowdown", number(c.mean_slowdown)},
              {"p99_rt_short_s", number(c.p99_rt_short_s)},
              {"p99_tat_s", number(c.p99_tat_s)}};
  if (c.makespan_s > 0) out["makespan_s"] = c.makespan_s;
  return out;
}

const char* kind_of(const Arm& arm) {
  switch (arm.kind) {
    case ArmKind::kKernel: return "kernel";
    case ArmKind::kPolicy: return "policy";
    case ArmKind::kExternal: return "external";
  }
  return "?";
}

}  // namespace pointsman

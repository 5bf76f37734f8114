// What both rigs say in the same way.
#pragma once

#include <nlohmann/json.hpp>

#include "learn/cost.h"
#include "sched/arm.h"

namespace pointsman {

// Costs over jobs or processes as results have them: numbers, null where one is not defined.
nlohmann::json costs_json(const Costs& costs);
const char* kind_of(const Arm& arm);

}  // namespace pointsman

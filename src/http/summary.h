// What the repeats of an experiment have in common: mean, deviation and coefficient of variation of each cost.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>

namespace pointsman {

// COSTS: JSON objects of numbers, one a repeat. For each name: {mean, std (ddof 1; null for one repeat), cv, min, max}; null values are left out.
nlohmann::json summary_of(std::span<const std::string> costs);

}  // namespace pointsman

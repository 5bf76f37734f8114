// Result windows: the decision windows of one repeat as its result carries them, so that a model can learn from them on another machine.
// Errors: of reading: kUnsupported (other features than this build computes), kCorrupt.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <vector>

#include "base/result.h"
#include "learn/features.h"

namespace pointsman {

struct ResultWindow {
  int64_t end_ns = 0;  // from the repeat's start
  bool idle = false;   // nothing to decide
  FeatureVector features{};
};
// {"schema", "names", "rows": [{"end_s", "idle", "values"}]}
nlohmann::json to_json(std::span<const ResultWindow> windows);
// Of a repeat's result; none where it has no windows.
Result<std::vector<ResultWindow>> windows_of(const nlohmann::json& repeat);

}  // namespace pointsman

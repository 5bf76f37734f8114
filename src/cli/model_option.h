// Which controllers are trained, and where their model is found.
#pragma once

#include <string>

#include "base/result.h"

namespace pointsman {

bool is_learned(const std::string& controller);
// The bytes of the model that CONTROLLER needs: PATH, or models/default.pmm beside the project; empty for controllers that need none.
// Errors: kNotFound.
Result<std::string> load_model_bytes(const std::string& path, const std::string& controller);

}  // namespace pointsman

// Which controllers are trained, and where their model is found.
#pragma once

#include <string>

#include "base/result.h"

namespace pointsman {

bool is_learned(const std::string& controller);
// CONTROLLER with model=PATH among its options; as it is when it needs none or names one itself.
std::string with_model(const std::string& controller, const std::string& path);
// PATH, or models/default.pmm beside the project. Errors: kNotFound.
Result<std::string> find_model(const std::string& path, const std::string& controller);
// The bytes of the model that CONTROLLER needs; empty for controllers that need none. Errors: kNotFound, those of the model file.
Result<std::string> load_model_bytes(const std::string& path, const std::string& controller);

}  // namespace pointsman

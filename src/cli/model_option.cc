#include "cli/model_option.h"

#include "base/file.h"
#include "cli/project.h"

namespace pointsman {

bool is_learned(const std::string& controller) { return controller.starts_with("classifier"); }

Result<std::string> load_model_bytes(const std::string& path, const std::string& controller) {
  if (!is_learned(controller)) return std::string();
  std::string chosen = path.empty() ? find_in_project("models/default.pmm") : path;
  if (chosen.empty()) return fail(ErrorCode::kNotFound, "{} needs a model and there is no models/default.pmm: name one with --model, or make one with pointsman train", controller);
  return read_file(chosen);
}

}  // namespace pointsman

#include "cli/model_option.h"

#include <algorithm>
#include <array>

#include "base/file.h"
#include "cli/project.h"
#include "learn/model.h"

namespace pointsman {

bool is_learned(const std::string& controller) {
  const std::string name = controller.substr(0, controller.find(':'));
  constexpr std::array kLearned{"agent", "classifier", "policy", "experts", "thompson", "lin_thompson", "lin_ucb", "square_cb"};
  return std::find(kLearned.begin(), kLearned.end(), name) != kLearned.end();
}

std::string with_model(const std::string& controller, const std::string& path) {
  if (!is_learned(controller) || controller.find("model=") != std::string::npos) return controller;
  return fmt::format("{}{}model={}", controller, controller.find(':') == std::string::npos ? ":" : ",", path);
}

Result<std::string> find_model(const std::string& path, const std::string& controller) {
  std::string chosen = path.empty() ? find_in_project("models/default.pmm") : path;
  if (chosen.empty()) return fail(ErrorCode::kNotFound, "{} needs a model and there is no models/default.pmm: name one with --model, or make one with pointsman train", controller);
  return chosen;
}

Result<std::string> load_model_bytes(const std::string& path, const std::string& controller) {
  if (!is_learned(controller)) return std::string();
  auto chosen = find_model(path, controller);
  if (!chosen) return fail(chosen.error());
  auto bytes = read_file(*chosen);
  if (!bytes) return bytes;
  if (auto decoded = decode_model(*bytes); !decoded) return fail(decoded.error().at(*chosen));
  return bytes;
}

}  // namespace pointsman

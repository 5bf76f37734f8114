#include "cli/arm_file.h"

#include <filesystem>

#include "cli/project.h"
#include "sched/external_arm.h"

namespace pointsman {

Result<Unit> register_known_arms() {
  if (auto done = register_external_arms(shipped_external_arms()); !done) return done;
  std::error_code ignored;
  return std::filesystem::exists(kMachineArmFile, ignored) ? register_arm_file(kMachineArmFile) : Result<Unit>(Unit{});
}

Result<Unit> register_arm_file(const std::string& path) {
  if (path.empty()) return Unit{};
  auto arms = load_external_arms(path);
  if (!arms) return fail(arms.error());
  return register_external_arms(*arms);
}

std::vector<std::string> scheduler_folders() {
  const std::string built = find_in_project("build/deps/schedulers");
  return built.empty() ? std::vector<std::string>{} : std::vector<std::string>{built};
}

}  // namespace pointsman

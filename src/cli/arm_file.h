// External arms on this host: what we ship, what the machine's and the user's files add, and where their programs are.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace pointsman {

inline constexpr const char* kMachineArmFile = "/etc/pointsman/arms.toml";

// What is shipped, and kMachineArmFile where there is one. Once, before any arm is looked up.
Result<Unit> register_known_arms();
// A user's file; nothing for an empty path.
Result<Unit> register_arm_file(const std::string& path);
// Where scripts/setup --schedulers puts what it builds; empty outside of a project.
std::vector<std::string> scheduler_folders();

}  // namespace pointsman

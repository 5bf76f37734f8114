// BroughtArms: external arms on their way into the guest: their programs and objects as files of the image, their descriptions beside the boot request.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/result.h"
#include "lab/image.h"
#include "sched/external_arm.h"

namespace pointsman {

inline constexpr const char* kGuestArmFolder = "/schedulers";

struct BroughtArms {
  std::vector<BroughtFile> files;
  nlohmann::json descriptions = nlohmann::json::array();  // the boot request's "arms"
};

// FOLDERS is where their files are looked for on this host. Errors: kNotFound (a program or object that is not here).
Result<BroughtArms> bring_arms(std::span<const ExternalArm> arms, std::span<const std::string> folders);

// In the guest: makes arms of what the boot request has.
Result<Unit> take_brought_arms(const nlohmann::json& boot);

// The external arms that TEXTS name, each once: "scx_simple", or "schedule:0=hyb,1s=scx_simple".
std::vector<ExternalArm> external_arms_among(std::span<const std::string> texts);

}  // namespace pointsman

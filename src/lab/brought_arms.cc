#include "lab/brought_arms.h"

#include <algorithm>
#include <filesystem>

namespace pointsman {

Result<BroughtArms> bring_arms(std::span<const ExternalArm> arms, std::span<const std::string> folders) {
  BroughtArms out;
  for (const ExternalArm& arm : arms) {
    auto host = find_file(arm, folders);
    if (!host) return fail(host.error());
    BroughtFile file;
    file.host = *host;
    file.guest = std::string(kGuestArmFolder) + "/" + std::filesystem::path(*host).filename().string();
    const auto same = std::find_if(out.files.begin(), out.files.end(), [&](const BroughtFile& f) { return f.guest == file.guest; });
    if (same != out.files.end() && same->host != file.host) return fail(ErrorCode::kInvalidArgument, "{} and {} cannot come along together: both would be {}", same->host, file.host, file.guest);
    ExternalArm there = arm;
    (arm.warm() ? there.object : there.command.front()) = file.guest;
    out.descriptions.push_back(to_json(there));
    if (same == out.files.end()) out.files.push_back(std::move(file));
  }
  return out;
}

Result<Unit> take_brought_arms(const nlohmann::json& boot) {
  std::vector<ExternalArm> arms;
  const auto described = boot.find("arms");
  if (described == boot.end()) return Unit{};
  for (const nlohmann::json& description : *described) {
    auto arm = external_arm_from(description);
    if (!arm) return fail(arm.error());
    arms.push_back(std::move(*arm));
  }
  return register_external_arms(arms);
}

std::vector<ExternalArm> external_arms_among(std::span<const std::string> texts) {
  constexpr std::string_view kWord = "abcdefghijklmnopqrstuvwxyz0123456789_-.";
  std::vector<ExternalArm> out;
  for (std::string_view rest : texts) {
    while (!rest.empty()) {
      rest.remove_prefix(std::min(rest.find_first_of(kWord), rest.size()));
      const std::string_view word = rest.substr(0, rest.find_first_not_of(kWord));
      rest.remove_prefix(word.size());
      const auto id = find_arm(word);
      const ExternalArm* arm = id ? external_arm(*id) : nullptr;
      if (arm != nullptr && std::none_of(out.begin(), out.end(), [&](const ExternalArm& a) { return a.name == word; })) out.push_back(*arm);
    }
  }
  return out;
}

}  // namespace pointsman

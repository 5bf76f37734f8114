// Scenarios as TOML and as JSON; what is read can be written and is read again.
#include <nlohmann/json.hpp>

#include "workload/scenario.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, size_t size) {
  using namespace pointsman;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (auto scenario : {parse_scenario(text, "fuzz.toml"), scenario_from_json(nlohmann::json::parse(text, nullptr, false))}) {
    if (!scenario) {
      if (scenario.error().message.empty()) __builtin_trap();
      continue;
    }
    if (!scenario_from_json(to_json(*scenario))) __builtin_trap();
  }
  return 0;
}

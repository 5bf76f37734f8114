// What stands on the command line and in few words: controllers, exploration, durations, disturbances.
#include "lab/disturbance.h"
#include "learn/controllers.h"
#include "learn/explore.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, size_t size) {
  using namespace pointsman;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto told = [](const auto& result) {
    if (!result && result.error().message.empty()) __builtin_trap();
  };
  told(ControllerSpec::parse(text, 1));
  // Those that name a file would read it.
  if (text.find("model") == std::string_view::npos) told(make_controller(text, 1));
  told(parse_exploration(text));
  told(parse_duration(text));
  told(parse_disturbance(text));
  return 0;
}

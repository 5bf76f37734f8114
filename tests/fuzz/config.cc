// The agent's configuration.
#include "agent/config.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, size_t size) {
  auto config = pointsman::parse_config({reinterpret_cast<const char*>(data), size}, "fuzz.toml");
  if (!config && config.error().message.empty()) __builtin_trap();
  return 0;
}

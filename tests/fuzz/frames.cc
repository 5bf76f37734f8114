// The serial line's frames and ELF files: bytes from a guest, and of programs that come along into it.
#include "lab/elf.h"
#include "lab/frame.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, size_t size) {
  using namespace pointsman;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  auto frames = read_frames(bytes);
  if (!frames && frames.error().message.empty()) __builtin_trap();
  salvage_frames(bytes);
  auto needs = read_elf(bytes);
  if (!needs && needs.error().message.empty()) __builtin_trap();
  return 0;
}

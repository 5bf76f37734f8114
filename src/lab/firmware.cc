#include "lab/firmware.h"

#include <sys/io.h>

#include <algorithm>

namespace pointsman {

namespace {

constexpr uint16_t kSelectorPort = 0x510, kDataPort = 0x511;
constexpr uint16_t kSignature = 0x0000, kDirectory = 0x0019;
constexpr size_t kNameBytes = 56;
constexpr size_t kTextStep = 512;

void read_on(std::string& out, size_t bytes) {
  const size_t at = out.size();
  out.resize(at + bytes);
  insb(kDataPort, out.data() + at, bytes);
}

std::string next_bytes(size_t bytes) {
  std::string out;
  read_on(out, bytes);
  return out;
}

uint32_t big_endian(const std::string& bytes, size_t at, size_t count) {
  uint32_t value = 0;
  for (size_t i = 0; i < count; ++i) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

}  // namespace

Result<FirmwareConfig> FirmwareConfig::open() {
  outw(kSignature, kSelectorPort);
  if (next_bytes(4) != "QEMU") return fail(ErrorCode::kUnsupported, "this machine has no fw_cfg device");
  FirmwareConfig config;
  outw(kDirectory, kSelectorPort);
  const uint32_t count = big_endian(next_bytes(4), 0, 4);
  for (uint32_t i = 0; i < count; ++i) {
    const std::string entry = next_bytes(8 + kNameBytes);  // size, selector, reserved, name
    const std::string name = entry.substr(8, std::min(entry.find('\0', 8), entry.size()) - 8);
    config.items_[name] = {.selector = static_cast<uint16_t>(big_endian(entry, 4, 2)), .size = big_endian(entry, 0, 4)};
  }
  return config;
}

Result<FirmwareConfig::Item> FirmwareConfig::find(const std::string& name) const {
  const auto item = items_.find(name);
  if (item == items_.end()) return fail(ErrorCode::kNotFound, "the host gave no {}", name);
  return item->second;
}

Result<std::string> FirmwareConfig::read_text(const std::string& name) const {
  auto item = find(name);
  if (!item) return fail(item.error());
  outw(item->selector, kSelectorPort);
  std::string text;
  while (text.size() < item->size) {
    const size_t before = text.size();
    read_on(text, std::min<size_t>(kTextStep, item->size - before));
    if (const size_t end = text.find('\0', before); end != std::string::npos) return text.substr(0, end);
  }
  return text;
}

Result<std::string> FirmwareConfig::read_bytes(const std::string& name, size_t size) const {
  auto item = find(name);
  if (!item) return fail(item.error());
  if (size > item->size) return fail(ErrorCode::kInvalidArgument, "{} has {} bytes, not {}", name, item->size, size);
  outw(item->selector, kSelectorPort);
  return next_bytes(size);
}

}  // namespace pointsman

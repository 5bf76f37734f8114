// FirmwareConfig: what the host handed to this machine under names (QEMU's fw_cfg), read from its ports. The kernel's own driver reads every page of an item
// from the item's start again, one port access a byte, which made the request the dearest part of a short run.
// Source: docs/specs/fw_cfg.txt of QEMU
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/result.h"

namespace pointsman {

// Threads: one at a time; the device has one position for all.
class FirmwareConfig {
 public:
  // Needs I/O privilege (Uart::open asks for it). Errors: kUnsupported (no such device).
  static Result<FirmwareConfig> open();
  // The item as text: up to its first NUL, or all of it. Errors: kNotFound.
  Result<std::string> read_text(const std::string& name) const;
  // Its first SIZE bytes. Errors: kNotFound, kInvalidArgument (it has fewer).
  Result<std::string> read_bytes(const std::string& name, size_t size) const;

 private:
  struct Item {
    uint16_t selector = 0;
    uint32_t size = 0;
  };
  Result<Item> find(const std::string& name) const;
  std::map<std::string, Item> items_;
};

}  // namespace pointsman

// Uart: the guest's second serial port, written to directly. The terminal layer costs an interrupt for every few bytes; this costs one port access a byte.
// Source: National Semiconductor PC16550D data sheet, registers THR, FCR, LSR.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace pointsman {

class Uart {
 public:
  // Asks for I/O privilege, which this thread and those it starts from then on keep.
  // Errors: kPermissionDenied (not root), kUnsupported (no port answers there).
  static Result<Uart> open(uint16_t port = 0x2f8);  // ttyS1
  // Errors: kIo (the port takes no more).
  Result<Unit> write(std::string_view bytes) const;

 private:
  explicit Uart(uint16_t port) : port_(port) {}
  uint16_t port_;
};

}  // namespace pointsman

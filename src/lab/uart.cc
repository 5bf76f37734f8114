#include "lab/uart.h"

#include <sys/io.h>

#include <algorithm>

namespace pointsman {

namespace {

constexpr uint16_t kFifoControl = 2, kLineStatus = 5, kScratch = 7;
constexpr uint8_t kFifoOn = 0x01, kHoldingEmpty = 0x20;
constexpr size_t kFifoBytes = 16;

}  // namespace

Result<Uart> Uart::open(uint16_t port) {
  if (::iopl(3) != 0) return fail_errno("iopl");
  outb(0x5a, static_cast<uint16_t>(port + kScratch));
  if (inb(static_cast<uint16_t>(port + kScratch)) != 0x5a) return fail(ErrorCode::kUnsupported, "no serial port at {:#x}", port);
  outb(kFifoOn, static_cast<uint16_t>(port + kFifoControl));
  return Uart(port);
}

Result<Unit> Uart::write(std::string_view bytes) const {
  while (!bytes.empty()) {
    int tries = 0;
    while ((inb(static_cast<uint16_t>(port_ + kLineStatus)) & kHoldingEmpty) == 0) {
      if (++tries > 1'000'000) return fail(ErrorCode::kIo, "the serial port for results takes no more");
      __builtin_ia32_pause();
    }
    const size_t n = std::min(bytes.size(), kFifoBytes);
    outsb(port_, bytes.data(), n);
    bytes.remove_prefix(n);
  }
  return Unit{};
}

}  // namespace pointsman

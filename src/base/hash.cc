#include "base/hash.h"

#include <fmt/core.h>

#include <array>

namespace pointsman {

namespace {

constexpr uint64_t kFnvPrime = 1099511628211ull;

constexpr std::array<uint32_t, 256> kCrcTable = [] {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t c = i;
    for (int bit = 0; bit < 8; ++bit) c = c & 1 ? c >> 1 ^ 0x82F63B78u : c >> 1;
    table[i] = c;
  }
  return table;
}();

}  // namespace

Hash64& Hash64::add(uint64_t number) {
  for (int i = 0; i < 8; ++i) state_ = (state_ ^ (number >> (8 * i) & 0xff)) * kFnvPrime;
  return *this;
}

Hash64& Hash64::add(std::string_view bytes) {
  add(bytes.size());
  for (const char c : bytes) state_ = (state_ ^ static_cast<unsigned char>(c)) * kFnvPrime;
  return *this;
}

// FNV's low bits are weak for short input, so the value is mixed once more (the finaliser of SplitMix64).
uint64_t Hash64::value() const {
  uint64_t x = state_;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ x >> 27) * 0x94d049bb133111ebull;
  return x ^ x >> 31;
}

std::string Hash64::hex() const { return fmt::format("{:016x}", value()); }

uint32_t crc32c(std::string_view bytes) {
  uint32_t c = ~0u;
  for (const char b : bytes) c = kCrcTable[(c ^ static_cast<unsigned char>(b)) & 0xff] ^ c >> 8;
  return ~c;
}

}  // namespace pointsman

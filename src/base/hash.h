// Hashes that tell things apart, not that keep secrets: FNV-1a 64 for identities, CRC-32C for the integrity of frames and files.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace pointsman {

class Hash64 {
 public:
  Hash64& add(std::string_view bytes);  // length first, so that ("ab", "c") and ("a", "bc") differ
  Hash64& add(uint64_t number);
  [[nodiscard]] uint64_t value() const;
  [[nodiscard]] std::string hex() const;

 private:
  uint64_t state_ = 14695981039346656037ull;
};

uint32_t crc32c(std::string_view bytes);

}  // namespace pointsman

// Cpio: writes a "newc" archive, the kernel's initramfs format, as a pure function of what was added: sorted, times 0, owner root.
// Source: Documentation/driver-api/early-userspace/buffer-format.rst
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pointsman {

// Paths are relative to the root, without a leading slash. Parents are added by themselves; a later entry of the same path replaces the earlier one.
class Cpio {
 public:
  void add_directory(const std::string& path, uint32_t permissions = 0755);
  void add_file(const std::string& path, std::string content, uint32_t permissions = 0644);
  void add_symlink(const std::string& path, std::string target);
  void add_character_device(const std::string& path, uint32_t major, uint32_t minor, uint32_t permissions = 0600);
  [[nodiscard]] bool contains(const std::string& path) const { return entries_.count(path) > 0; }
  [[nodiscard]] std::string archive() const;

 private:
  struct Entry {
    uint32_t mode = 0;
    uint32_t major = 0, minor = 0;
    std::string content;
  };
  void add(const std::string& path, Entry entry);
  std::map<std::string, Entry> entries_;  // in order of path, so that a folder stands before what is in it
};

// One gzip member without name or time. Errors: kIo (zlib has no memory).
Result<std::string> gzip(std::string_view bytes, int level);

}  // namespace pointsman

// KeptFile: a small file of the kernel, opened once and read again at every tick, into a buffer that only ever grows.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace pointsman {

class KeptFile {
 public:
  explicit KeptFile(std::string path) : path_(std::move(path)) {}

  // The whole content; valid until the next read. A file that cannot be opened is tried again each time. Errors: kNotFound, kPermissionDenied, kIo.
  Result<std::string_view> read();
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
  UniqueFd fd_;
  std::vector<char> buffer_;
};

}  // namespace pointsman

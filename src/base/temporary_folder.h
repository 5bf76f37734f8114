// TemporaryFolder: a folder of its own below the system's temporary one, gone at its end with all that is in it.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace pointsman {

class TemporaryFolder {
 public:
  // pointsman-PURPOSE-XXXXXX. Errors: those of mkdtemp.
  static Result<TemporaryFolder> make(std::string_view purpose);
  TemporaryFolder(TemporaryFolder&& other) noexcept : path_(std::exchange(other.path_, "")) {}
  TemporaryFolder& operator=(TemporaryFolder&& other) noexcept {
    std::swap(path_, other.path_);
    return *this;
  }
  ~TemporaryFolder();

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  explicit TemporaryFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

}  // namespace pointsman

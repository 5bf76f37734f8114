#include "base/temporary_folder.h"

#include <stdlib.h>

#include <filesystem>

namespace pointsman {

Result<TemporaryFolder> TemporaryFolder::make(std::string_view purpose) {
  std::string name = (std::filesystem::temp_directory_path() / fmt::format("pointsman-{}-XXXXXX", purpose)).string();
  if (::mkdtemp(name.data()) == nullptr) return fail_errno("make " + name);
  return TemporaryFolder(std::move(name));
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

}  // namespace pointsman

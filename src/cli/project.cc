#include "cli/project.h"

#include <filesystem>

namespace pointsman {

std::string find_in_project(const std::string& relative) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  for (fs::path start : {fs::current_path(ignored), fs::read_symlink("/proc/self/exe", ignored).parent_path()}) {
    for (fs::path folder = start; !folder.empty(); folder = folder.parent_path()) {
      if (fs::exists(folder / relative, ignored)) return (folder / relative).string();
      if (folder == folder.root_path()) break;
    }
  }
  return "";
}

}  // namespace pointsman

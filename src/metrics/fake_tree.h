// FakeTree: a throw-away procfs and sysfs for tests, whose files change in place as the kernel's do.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>

#include "base/temporary_folder.h"
#include "metrics/collector.h"

namespace pointsman {

class FakeTree {
 public:
  FakeTree() { std::filesystem::create_directories(root_ / "sys/block"); }

  // Overwrites in place: what holds the file open sees the new content.
  void write(const std::string& path, const std::string& content) const {
    std::ofstream file(root_ / path, std::ios::binary | std::ios::trunc);
    if (!file) {
      std::filesystem::create_directories((root_ / path).parent_path());
      file.open(root_ / path, std::ios::binary | std::ios::trunc);
    }
    file << content;
  }
  void remove(const std::string& path) const { std::filesystem::remove_all(root_ / path); }
  // Copies every file below `from` to the same place here.
  void overlay(const std::filesystem::path& from, const std::string& below) const {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(from)) {
      if (!entry.is_regular_file()) continue;
      std::ifstream in(entry.path(), std::ios::binary);
      const std::string content{std::istreambuf_iterator<char>(in), {}};
      write(below + "/" + std::filesystem::relative(entry.path(), from).string(), content);
    }
  }
  [[nodiscard]] Roots roots() const { return {.procfs = (root_ / "proc").string(), .sysfs = (root_ / "sys").string()}; }

 private:
  TemporaryFolder folder_ = *TemporaryFolder::make("tree");
  std::filesystem::path root_ = folder_.path();
};

}  // namespace pointsman

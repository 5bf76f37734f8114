// Tests that start machines and count those that are left: every process that descends from the binary carries the test's mark in its environment.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/file.h"
#include "tests/run_binary.h"

namespace pointsman {

class MarkedTest : public testing::Test {
 protected:
  [[nodiscard]] std::string mark() const { return folder_.path(); }
  [[nodiscard]] RunOptions marked() const {
    RunOptions options;
    options.folder = POINTSMAN_SOURCE_DIR;
    options.environment = {{"POINTSMAN_TEST_MARK", mark()}};
    return options;
  }
  // The command lines of the machines among them.
  [[nodiscard]] std::vector<std::string> machines() const {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      const std::string name = entry.path().filename();
      if (name.find_first_not_of("0123456789") != std::string::npos) continue;
      const auto environment = read_file(entry.path() / "environ");
      if (!environment || environment->find("POINTSMAN_TEST_MARK=" + mark()) == std::string::npos) continue;
      const auto line = read_file(entry.path() / "cmdline");
      if (line && line->find("qemu") != std::string::npos) found.push_back(*line);
    }
    return found;
  }

  TempFolder folder_;
};

}  // namespace pointsman

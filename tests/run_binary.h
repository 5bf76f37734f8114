// Runs the shipped binary as a user would, and tells what came out of it.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/temporary_folder.h"
#include "base/unique_fd.h"

namespace pointsman {

struct Ran {
  int exit_code = -1;  // -1: ended by a signal
  std::string out, err;
};

struct RunOptions {
  std::string folder = "/";            // working folder; the project is looked for from here and from the binary
  std::string standard_output{};       // a file in place of a pipe, such as /dev/full
  std::vector<std::string> before{};   // words in front of the binary, such as unshare -m
  std::vector<std::pair<std::string, std::string>> environment{};
  std::function<void(pid_t)> meanwhile{};  // called once it has been started
};

inline Ran run_binary(const std::vector<std::string>& arguments, const RunOptions& options = {}) {
  Ran ran;
  int out_ends[2], err_ends[2];
  if (::pipe2(out_ends, O_CLOEXEC) != 0 || ::pipe2(err_ends, O_CLOEXEC) != 0) return ran;
  UniqueFd out(out_ends[0]), err(err_ends[0]);
  std::vector<std::string> words = options.before;
  words.emplace_back(POINTSMAN_BINARY);
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid == 0) {
    for (const auto& [name, value] : options.environment) ::setenv(name.c_str(), value.c_str(), 1);
    const int target = options.standard_output.empty() ? out_ends[1] : ::open(options.standard_output.c_str(), O_WRONLY);
    if (target < 0 || ::dup2(target, 1) < 0 || ::dup2(err_ends[1], 2) < 0 || ::chdir(options.folder.c_str()) != 0) ::_exit(126);
    ::execvp(pointers[0], pointers.data());
    ::_exit(127);
  }
  ::close(out_ends[1]);
  ::close(err_ends[1]);
  if (pid < 0) return ran;
  if (options.meanwhile) options.meanwhile(pid);
  std::array<std::pair<UniqueFd*, std::string*>, 2> streams = {{{&out, &ran.out}, {&err, &ran.err}}};
  while (out || err) {
    pollfd waits[2] = {{out.get(), POLLIN, 0}, {err.get(), POLLIN, 0}};
    if (::poll(waits, 2, -1) < 0) continue;
    for (size_t i = 0; i < 2; ++i) {
      if (waits[i].revents == 0) continue;
      char buffer[4096];
      const ssize_t n = ::read(streams[i].first->get(), buffer, sizeof buffer);
      if (n > 0) streams[i].second->append(buffer, static_cast<size_t>(n));
      if (n == 0) streams[i].first->reset();
    }
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  if (WIFEXITED(status)) ran.exit_code = WEXITSTATUS(status);
  return ran;
}

// A folder of the test's own, gone at its end.
class TempFolder : public TemporaryFolder {
 public:
  TempFolder() : TemporaryFolder(*TemporaryFolder::make("cli")) {}
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(path())) names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }
};

}  // namespace pointsman

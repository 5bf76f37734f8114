// Command: a program of the user's, from its fork to the moment that it was waited for.
// Errors: start: kNotFound, kPermissionDenied (it cannot be run), kIo.
#pragma once

#include <sys/types.h>

#include <csignal>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace pointsman {

class Command {
 public:
  enum class Output {
    kKept,      // where ours goes
    kToErrors,  // to standard error: ours is for a program
    kNowhere,   // /dev/null
  };
  static Result<Command> start(const std::vector<std::string>& words, Output output);
  [[nodiscard]] pid_t pid() const { return pid_; }
  // True when it has ended; waits for that at most so long.
  bool wait(int milliseconds);
  // As a shell tells it; -1 while it runs.
  [[nodiscard]] int exit_code() const;
  // Ends it, unless it has ended, and waits for that.
  void stop();

 private:
  pid_t pid_ = -1;
  int status_ = 0;
  bool done_ = false;
  UniqueFd ended_;
};

}  // namespace pointsman

// Child: one process of ours that cannot outlive us, with exactly the descriptors it was given.
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace pointsman {

struct ChildOptions {
  std::vector<std::string> arguments;      // [0] is looked up in PATH
  std::vector<std::pair<int, int>> files;  // descriptor here -> descriptor there; 1 and 2 else go to /dev/null, as 0 always does
  int cpu = -1;                            // >= 0: it may run on this CPU only
  bool batch = false;                      // SCHED_BATCH
};

struct ChildExit {
  int status = 0;  // as of waitpid
  double cpu_seconds = 0;
};

// Owns: the process; destroying the object kills it. It leads its own process group, so that a terminal's Ctrl-C reaches us first,
// and the kernel kills it when the thread that started it ends.
class Child {
 public:
  // Errors: kNotFound (no such program), kPermissionDenied, kIo.
  static Result<Child> start(const ChildOptions& options);
  Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, -1)), handle_(std::move(other.handle_)) {}
  Child& operator=(Child&&) = delete;
  ~Child();

  // kBusy when it still runs at `deadline_ns` (CLOCK_MONOTONIC).
  Result<ChildExit> wait(int64_t deadline_ns);
  // Kills its whole process group and waits.
  Result<ChildExit> kill();
  // CPU time that it has used so far.
  [[nodiscard]] double cpu_seconds() const;
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  Child(pid_t pid, UniqueFd handle) : pid_(pid), handle_(std::move(handle)) {}
  pid_t pid_ = -1;
  UniqueFd handle_;
};

}  // namespace pointsman

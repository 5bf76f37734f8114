// Supervised: one program that does something to the whole machine, such as a scheduler: in a process group and a control group of its own, so
// that nothing of it stays behind; its output is kept. Says when it has ended, never believes its exit status.
// Owns: the processes. Destroying it kills them all; the kernel kills the first when the thread that started it ends.
// Threads: one, and a thread of its own that empties the pipe: a scheduler that waits for a full pipe would not schedule.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace pointsman {

class Supervised {
 public:
  struct Options {
    std::vector<std::string> command;  // [0] is a path
    std::string cgroup;                // a folder to make below a cgroup2 mount; empty, or one that cannot be made: its process group has to do
    size_t output_bytes = 16384;       // the last so many of what it writes are kept
  };
  // Errors: kNotFound (no such program), kPermissionDenied, kIo.
  static Result<std::unique_ptr<Supervised>> start(Options options);
  ~Supervised();
  Supervised(const Supervised&) = delete;
  Supervised& operator=(const Supervised&) = delete;

  // The first process. Once it has ended, what it left behind is killed.
  [[nodiscard]] bool running();
  // To its whole process group. Nothing happens when it has ended.
  void signal(int number);
  // SIGKILL to everything in its control group and process group; returns when the first process is gone.
  void kill();
  // How it ended: "exited with 1", "ended by signal 9"; "runs" while it does.
  [[nodiscard]] std::string fate() const;
  // It ended by a fault of its own (SIGSEGV, SIGABRT, ...). The kernel says so, not the program.
  [[nodiscard]] bool crashed() const;
  [[nodiscard]] std::string output() const;
  // The last line of it that says something.
  [[nodiscard]] std::string last_words() const;
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] bool has_cgroup() const { return has_cgroup_; }

 private:
  class Sink;
  explicit Supervised(Options options);
  void reap();
  Options options_;
  std::unique_ptr<Sink> sink_;
  pid_t pid_ = -1;
  bool running_ = false;
  int status_ = 0;
  bool has_cgroup_ = false;
};

}  // namespace pointsman

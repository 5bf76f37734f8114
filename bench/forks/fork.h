// A child by fork(): a copy of the page tables.
#pragma once

#include "bench/forks/task.h"

namespace pointsman::bench {

inline void by_fork(Task& task) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    work(task);
    ::_exit(0);
  }
  ::waitpid(pid, nullptr, 0);
}

}  // namespace pointsman::bench

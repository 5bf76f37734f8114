// Pipe: both ends of one, closed on exec; and how a child that could not become a program tells its parent why.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

namespace pointsman {

struct Pipe {
  UniqueFd in{}, out{};  // read from `in` what was written to `out`
  static Result<Pipe> open();
};

// In a child, between fork and exec: writes errno to FD and ends. System calls only.
[[noreturn]] void tell_start_failure(int fd);
// In its parent, whose own copy of the writing end is closed: waits until the child has become a program (0) or has told why not (its errno).
int told_start_failure(int fd);

}  // namespace pointsman

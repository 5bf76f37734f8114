#include "base/pipe.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace pointsman {

Result<Pipe> Pipe::open() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno("pipe");
  return Pipe{.in = UniqueFd(ends[0]), .out = UniqueFd(ends[1])};
}

void tell_start_failure(int fd) {
  const int error = errno;
  [[maybe_unused]] const ssize_t n = ::write(fd, &error, sizeof error);
  ::_exit(127);
}

int told_start_failure(int fd) {
  int error = 0;
  ssize_t n = 0;
  do {
    n = ::read(fd, &error, sizeof error);
  } while (n < 0 && errno == EINTR);
  return n == sizeof error ? error : 0;
}

}  // namespace pointsman

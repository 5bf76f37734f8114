#include "cli/command.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/pipe.h"

namespace pointsman {

Result<Command> Command::start(const std::vector<std::string>& words, Output output) {
  auto failure = Pipe::open();
  if (!failure) return fail(failure.error());
  std::vector<char*> argv;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  Command out;
  out.pid_ = ::fork();
  if (out.pid_ < 0) return fail_errno("fork");
  if (out.pid_ == 0) {
    // Ours may be blocked (interrupt.h); a program of the user's begins with none.
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    if (output == Output::kToErrors) ::dup2(STDERR_FILENO, STDOUT_FILENO);
    if (output == Output::kNowhere) {
      if (const int null = ::open("/dev/null", O_WRONLY | O_CLOEXEC); null >= 0) ::dup2(null, STDOUT_FILENO);
    }
    ::execvp(argv[0], argv.data());
    tell_start_failure(failure->out.get());
  }
  failure->out.reset();
  if (const int why = told_start_failure(failure->in.get()); why != 0) {
    ::waitpid(out.pid_, nullptr, 0);
    return fail(why == ENOENT ? ErrorCode::kNotFound : ErrorCode::kPermissionDenied, "cannot run {}: {}", words.front(), std::strerror(why));
  }
  out.ended_.reset(static_cast<int>(::syscall(SYS_pidfd_open, out.pid_, 0)));
  return out;
}

bool Command::wait(int milliseconds) {
  if (done_) return true;
  pollfd one{.fd = ended_.get(), .events = POLLIN, .revents = 0};
  if (ended_) ::poll(&one, 1, milliseconds);
  done_ = ::waitpid(pid_, &status_, WNOHANG) == pid_;
  return done_;
}

int Command::exit_code() const { return !done_ ? -1 : WIFSIGNALED(status_) ? 128 + WTERMSIG(status_) : WEXITSTATUS(status_); }

void Command::stop() {
  if (done_) return;
  ::kill(pid_, SIGTERM);
  if (wait(2000)) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, &status_, 0);
  done_ = true;
}

}  // namespace pointsman

#include "http/exec_program.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "base/pipe.h"
#include "base/temporary_folder.h"

namespace pointsman {

namespace {

constexpr int kCancelPollMs = 50;
constexpr int kGuard = 10;    // the first process's end of the pipe that tells whether we live
constexpr int kFailure = 11;  // where an errno goes when the program cannot be started

struct Prepared {
  std::vector<char*> arguments{}, environment{};
  const char* folder = nullptr;
};

// The namespace's first process: adopts what loses its parent, and ends with the program. System calls only: other threads of ours may have held any lock.
[[noreturn]] void be_first(const Prepared& prepared) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  // Our parent's word that it is there, and a look whether it still is: it may have died before the line above.
  char word = 0;
  pollfd gone{kGuard, 0, 0};
  if (::read(kGuard, &word, 1) != 1 || (::poll(&gone, 1, 0) > 0 && (gone.revents & POLLHUP) != 0)) ::_exit(127);
  ::setpgid(0, 0);
  for (const int signal_number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGCHLD}) ::signal(signal_number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  // Not the C library's fork, which takes the allocator's locks.
  const auto program = static_cast<pid_t>(::syscall(SYS_fork));
  if (program < 0) tell_start_failure(kFailure);
  if (program == 0) {
    ::setsid();
    if (::chdir(prepared.folder) != 0) tell_start_failure(kFailure);
    ::execve(prepared.arguments[0], prepared.arguments.data(), prepared.environment.data());
    tell_start_failure(kFailure);
  }
  ::close(kFailure);
  int status = 0;
  for (;;) {
    const pid_t ended = ::waitpid(-1, &status, 0);
    if (ended == program) ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    if (ended < 0 && errno != EINTR) ::_exit(127);
  }
}

struct Capture {
  UniqueFd in;
  std::string* kept;
  uint64_t* bytes;
  void drain(size_t most) {
    std::array<char, 16384> buffer;
    const ssize_t n = ::read(in.get(), buffer.data(), buffer.size());
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (n <= 0) return in.reset();
    *bytes += static_cast<uint64_t>(n);
    kept->append(buffer.data(), std::min(static_cast<size_t>(n), most - std::min(most, kept->size())));
  }
};

}  // namespace

Result<ProgramEnd> run_program(const ProgramOptions& options) {
  auto folder = TemporaryFolder::make("program");  // that the program starts in
  if (!folder) return fail(folder.error());
  std::array<Pipe, 4> pipes;  // out, err, guard, failure
  for (Pipe& pipe : pipes) {
    auto made = Pipe::open();
    if (!made) return fail(made.error());
    pipe = std::move(*made);
  }
  auto& [out, err, guard, failure] = pipes;
  Prepared prepared;
  for (const std::string& word : options.words) prepared.arguments.push_back(const_cast<char*>(word.c_str()));
  prepared.arguments.push_back(nullptr);
  std::string path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", home = "HOME=" + folder->path(), language = "LANG=C.UTF-8";
  prepared.environment = {path.data(), home.data(), language.data(), nullptr};
  prepared.folder = folder->path().c_str();

  clone_args arguments{};
  int handle_fd = -1;
  arguments.flags = CLONE_NEWPID | CLONE_PIDFD;
  arguments.pidfd = reinterpret_cast<uint64_t>(&handle_fd);
  arguments.exit_signal = SIGCHLD;
  const int64_t start_ns = SystemClock().now_ns();
  const long pid = ::syscall(SYS_clone3, &arguments, sizeof arguments);
  if (pid < 0) return fail_errno("a PID namespace for the program");
  if (pid == 0) {
    const int null = ::open("/dev/null", O_RDONLY);
    // Nothing is below 3 but what is put there, and what is put at kGuard and kFailure comes from far above them.
    const int g = ::fcntl(guard.in.get(), F_DUPFD, 64), f = ::fcntl(failure.out.get(), F_DUPFD, 64);
    if (null < 0 || g < 0 || f < 0 || ::dup2(null, 0) < 0 || ::dup2(out.out.get(), 1) < 0 || ::dup2(err.out.get(), 2) < 0) ::_exit(127);
    if (::dup3(g, kGuard, O_CLOEXEC) < 0 || ::dup3(f, kFailure, O_CLOEXEC) < 0) ::_exit(127);
    ::syscall(SYS_close_range, 3u, static_cast<unsigned>(kGuard - 1), 0);
    ::syscall(SYS_close_range, static_cast<unsigned>(kFailure + 1), ~0u, 0);
    be_first(prepared);
  }
  const UniqueFd handle(handle_fd);
  out.out.reset();
  err.out.reset();
  guard.in.reset();
  failure.out.reset();
  const bool told = ::write(guard.out.get(), "g", 1) == 1;

  ProgramEnd end;
  std::array<Capture, 2> captures = {{{std::move(out.in), &end.out, &end.out_bytes}, {std::move(err.in), &end.err, &end.err_bytes}}};
  for (const Capture& capture : captures) ::fcntl(capture.in.get(), F_SETFL, O_NONBLOCK);
  const auto drain = [&] {
    for (Capture& capture : captures)
      if (capture.in) capture.drain(options.output_bytes);
  };
  bool limit_struck = false, cancelled = false;
  for (bool running = told; running;) {
    std::array<pollfd, 3> waits = {{{handle.get(), POLLIN, 0}, {captures[0].in.get(), POLLIN, 0}, {captures[1].in.get(), POLLIN, 0}}};
    const int64_t left_ns = start_ns + options.limit_ns - SystemClock().now_ns();
    limit_struck = left_ns <= 0;
    cancelled = options.cancel != nullptr && options.cancel->load();
    if (limit_struck || cancelled) break;
    const int64_t wait_ms = std::min<int64_t>(left_ns / kMillisecond + 1, options.cancel != nullptr ? kCancelPollMs : 1'000'000);
    if (::poll(waits.data(), waits.size(), static_cast<int>(wait_ms)) < 0 && errno != EINTR) break;
    drain();
    running = (waits[0].revents & POLLIN) == 0;
  }
  end.wall_ns = SystemClock().now_ns() - start_ns;
  // The end of the namespace's first process is the end of all in it, and waitid returns when they are gone.
  // Whatever ended the loop; to one that has ended the signal is nothing.
  ::syscall(SYS_pidfd_send_signal, handle.get(), SIGKILL, nullptr, 0);
  siginfo_t info{};
  while (::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(handle.get()), &info, WEXITED) < 0 && errno == EINTR) {
  }
  for (uint64_t before = ~uint64_t{0}; before != end.out_bytes + end.err_bytes;) {
    before = end.out_bytes + end.err_bytes;
    drain();
  }
  if (cancelled) return fail(ErrorCode::kInterrupted, "cancelled");
  if (limit_struck) return fail(ErrorCode::kBusy, "{} did not end within {} s", options.words[0], static_cast<double>(options.limit_ns) / 1e9);
  if (const int error = told_start_failure(failure.in.get()); error != 0) {
    errno = error;
    return fail_errno("cannot run " + options.words[0]);
  }
  if (info.si_code != CLD_EXITED) return fail(ErrorCode::kIo, "{}: its namespace was ended from outside", options.words[0]);
  end.exit_code = info.si_status;
  return end;
}

}  // namespace pointsman

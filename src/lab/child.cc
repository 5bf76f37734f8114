#include "lab/child.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/clock.h"
#include "base/pipe.h"

namespace pointsman {

namespace {

// Runs between fork and exec: system calls only, since other threads may have held any lock.
[[noreturn]] void become(const ChildOptions& options, const std::vector<char*>& arguments, std::vector<int>& sources, pid_t parent, int failure_fd) {
  const auto give_up = [&] { tell_start_failure(failure_fd); };
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);  // the parent died before the line above
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  // First out of the way of all targets, then each to its place; so must be the pipe that tells of a failure.
  failure_fd = ::fcntl(failure_fd, F_DUPFD_CLOEXEC, 64);
  if (failure_fd < 0) ::_exit(127);
  for (size_t i = 0; i < sources.size(); ++i) {
    sources[i] = ::fcntl(options.files[i].first, F_DUPFD_CLOEXEC, 64);
    if (sources[i] < 0) give_up();
  }
  // What others left open without close-on-exec stays out; dup2 below takes the mark off what was asked for.
  if (::syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC) != 0) give_up();
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) give_up();
  for (int fd = 0; fd < 3; ++fd) {
    if (::dup2(null, fd) < 0) give_up();
  }
  for (size_t i = 0; i < sources.size(); ++i) {
    if (::dup2(sources[i], options.files[i].second) < 0) give_up();
  }
  if (options.cpu >= 0) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(options.cpu, &set);
    if (::sched_setaffinity(0, sizeof set, &set) != 0) give_up();
  }
  if (options.batch) {
    const sched_param param{};
    if (::sched_setscheduler(0, SCHED_BATCH, &param) != 0) give_up();
  }
  ::execvp(arguments[0], arguments.data());
  tell_start_failure(failure_fd);
}

Result<ChildExit> reap(pid_t pid) {
  ChildExit exit;
  rusage usage{};
  while (::wait4(pid, &exit.status, 0, &usage) < 0) {
    if (errno != EINTR) return fail_errno("wait for a child process");
  }
  const auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6; };
  exit.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  return exit;
}

}  // namespace

Result<Child> Child::start(const ChildOptions& options) {
  std::vector<char*> arguments;
  for (const std::string& argument : options.arguments) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  std::vector<int> sources(options.files.size(), -1);
  auto failure = Pipe::open();
  if (!failure) return fail(failure.error());
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return fail_errno("fork");
  if (pid == 0) become(options, arguments, sources, parent, failure->out.get());
  failure->out.reset();
  UniqueFd handle(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!handle) {
    auto failed = fail_errno("pidfd_open");
    ::kill(pid, SIGKILL);
    static_cast<void>(reap(pid));
    return failed;
  }
  Child child(pid, std::move(handle));
  if (const int error = told_start_failure(failure->in.get()); error != 0) {
    errno = error;
    return fail_errno("start " + options.arguments[0]);
  }
  return child;
}

Child::~Child() {
  if (pid_ > 0) static_cast<void>(kill());
}

Result<ChildExit> Child::wait(int64_t deadline_ns) {
  for (;;) {
    const int64_t left_ns = std::max<int64_t>(deadline_ns - SystemClock().now_ns(), 0);
    pollfd ended{handle_.get(), POLLIN, 0};
    const int ready = ::poll(&ended, 1, static_cast<int>(std::min<int64_t>((left_ns + kMillisecond - 1) / kMillisecond, 1'000'000)));
    if (ready < 0 && errno != EINTR) return fail_errno("poll a child process");
    if (ready > 0) return reap(std::exchange(pid_, -1));
    if (left_ns == 0) return fail(ErrorCode::kBusy, "process {} still runs", pid_);
  }
}

double Child::cpu_seconds() const {
  clockid_t clock{};
  timespec used{};
  if (::clock_getcpuclockid(pid_, &clock) != 0 || ::clock_gettime(clock, &used) != 0) return 0;
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9;
}

Result<ChildExit> Child::kill() {
  const pid_t pid = std::exchange(pid_, -1);
  ::kill(-pid, SIGKILL);
  ::kill(pid, SIGKILL);  // in case it had not yet become the leader of its group
  return reap(pid);
}

}  // namespace pointsman

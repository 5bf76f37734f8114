#include "sched/supervised.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <mutex>
#include <thread>

#include "base/clock.h"
#include "base/file.h"
#include "base/pipe.h"

namespace pointsman {
namespace {

constexpr int64_t kCgroupPatience = 200 * kMillisecond;  // until a control group whose processes were killed is empty

// Runs between fork and exec: system calls only, since other threads may have held any lock.
[[noreturn]] void become(char* const* arguments, int output_fd, int cgroup_fd, pid_t parent, int failure_fd) {
  const auto give_up = [&] { tell_start_failure(failure_fd); };
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);  // the parent died before the line above
  // A shell's "&" leaves SIGINT ignored, and that would be inherited: the polite way to stop it would do nothing.
  for (int number = 1; number < NSIG; number++) ::signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (cgroup_fd >= 0 && ::write(cgroup_fd, "0", 1) != 1) give_up();
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0 || ::dup2(null, 0) < 0 || ::dup2(output_fd, 1) < 0 || ::dup2(output_fd, 2) < 0) give_up();
  if (::syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC) != 0) give_up();
  ::execv(arguments[0], arguments);
  tell_start_failure(failure_fd);
}

}  // namespace

// Empties the pipe and keeps its end.
class Supervised::Sink {
 public:
  static Result<std::unique_ptr<Sink>> open(size_t most) {
    auto pipe = Pipe::open();
    if (!pipe) return fail(pipe.error());
    auto sink = std::unique_ptr<Sink>(new Sink(most));
    sink->pipe_ = std::move(*pipe);
    sink->stop_.reset(::eventfd(0, EFD_CLOEXEC));
    if (!sink->stop_) return fail_errno("eventfd");
    return sink;
  }
  // Once the child has its end of the pipe.
  void begin() {
    pipe_.out.reset();
    thread_ = std::thread([this] { drain(); });
  }
  ~Sink() { end(); }
  // What is in the pipe is read to its end, unless someone still holds the other side.
  void end() {
    if (!thread_.joinable()) return;
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t n = ::write(stop_.get(), &one, sizeof one);
    thread_.join();
  }
  [[nodiscard]] int child_fd() const { return pipe_.out.get(); }
  std::string kept() {
    const std::lock_guard lock(mutex_);
    return kept_;
  }

 private:
  explicit Sink(size_t most) : most_(most) {}
  void drain() {
    char buffer[4096];
    for (bool stopping = false;;) {
      pollfd waits[2] = {{pipe_.in.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}};
      const int ready = ::poll(waits, stopping ? 1 : 2, stopping ? 0 : -1);
      if (ready < 0 && errno == EINTR) continue;
      if (ready <= 0) return;
      if (waits[1].revents != 0) stopping = true;
      if (waits[0].revents == 0) {
        if (stopping) return;
        continue;
      }
      const ssize_t n = ::read(pipe_.in.get(), buffer, sizeof buffer);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return;
      const std::lock_guard lock(mutex_);
      kept_.append(buffer, static_cast<size_t>(n));
      if (kept_.size() > most_) kept_.erase(0, kept_.size() - most_);
    }
  }
  size_t most_;
  Pipe pipe_;
  UniqueFd stop_;
  std::mutex mutex_;
  std::string kept_;
  std::thread thread_;
};

Supervised::Supervised(Options options) : options_(std::move(options)) {}

Result<std::unique_ptr<Supervised>> Supervised::start(Options options) {
  std::unique_ptr<Supervised> made(new Supervised(std::move(options)));
  const Options& o = made->options_;
  auto sink = Sink::open(o.output_bytes);
  if (!sink) return fail(sink.error());
  made->sink_ = std::move(*sink);
  UniqueFd cgroup;
  if (!o.cgroup.empty()) {
    if (::mkdir(o.cgroup.c_str(), 0755) == 0 || errno == EEXIST) cgroup.reset(::open((o.cgroup + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
    made->has_cgroup_ = static_cast<bool>(cgroup);
  }
  std::vector<char*> arguments;
  for (const std::string& word : o.command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  auto failure = Pipe::open();
  if (!failure) return fail(failure.error());
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return fail_errno("fork");
  if (pid == 0) become(arguments.data(), made->sink_->child_fd(), cgroup.get(), parent, failure->out.get());
  made->pid_ = pid;
  made->running_ = true;
  failure->out.reset();
  if (const int error = told_start_failure(failure->in.get()); error != 0) {
    errno = error;
    return fail_errno("start " + o.command[0]);
  }
  made->sink_->begin();
  return made;
}

Supervised::~Supervised() {
  kill();
  if (!has_cgroup_) return;
  SystemClock clock;
  for (const int64_t deadline = clock.now_ns() + kCgroupPatience; ::rmdir(options_.cgroup.c_str()) != 0 && errno == EBUSY && clock.now_ns() < deadline;)
    clock.sleep_until_ns(clock.now_ns() + kMillisecond);
}

// Whatever it left behind goes with it, while its number still stands for its process group: once reaped, both may be somebody else's.
void Supervised::reap() {
  if (has_cgroup_) static_cast<void>(poke_file(options_.cgroup + "/cgroup.kill", "1"));
  ::kill(-pid_, SIGKILL);
  while (::waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {
  }
  running_ = false;
  sink_->end();
}

bool Supervised::running() {
  if (!running_) return false;
  siginfo_t info{};
  if (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid_) reap();
  return running_;
}

void Supervised::signal(int number) {
  if (running()) ::kill(-pid_, number);
}

void Supervised::kill() {
  if (running_) reap();
}

std::string Supervised::fate() const {
  if (running_) return "runs";
  if (WIFSIGNALED(status_)) return fmt::format("ended by signal {}", WTERMSIG(status_));
  return fmt::format("exited with {}", WEXITSTATUS(status_));
}

bool Supervised::crashed() const {
  if (running_ || !WIFSIGNALED(status_)) return false;
  constexpr std::array kFaults = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS};
  return std::find(kFaults.begin(), kFaults.end(), WTERMSIG(status_)) != kFaults.end();
}

std::string Supervised::output() const { return sink_->kept(); }

std::string Supervised::last_words() const {
  std::string text = sink_->kept();
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ' || text.back() == '\r')) text.pop_back();
  const size_t line = text.rfind('\n');
  return line == std::string::npos ? text : text.substr(line + 1);
}

}  // namespace pointsman

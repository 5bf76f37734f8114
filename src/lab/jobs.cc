// Jobs that need nothing beyond the lab itself.
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/file.h"
#include "base/pipe.h"
#include "base/rng.h"
#include "base/unique_fd.h"
#include "lab/devices.h"
#include "lab/guest.h"
#include "lab/selftest.h"

namespace pointsman {

namespace {

using nlohmann::json;

void burn_iterations(int64_t thousands) {
  for (int64_t k = 0; k < thousands; ++k) {
    for (int i = 0; i < 1000; ++i) asm volatile("" ::: "memory");
    __builtin_ia32_pause();
  }
}

// Writes memory, lets the kernel take it away to swap, and wants it back.
Result<uint64_t> churn_swap(size_t bytes, uint64_t seed) {
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return fail_errno("mmap");
  auto* words = static_cast<uint64_t*>(memory);
  Rng rng(seed, "swap");
  for (size_t page = 0; page < bytes / 4096; ++page) words[page * 512] = rng.next();
  if (::madvise(memory, bytes, MADV_PAGEOUT) != 0) return fail_errno("MADV_PAGEOUT");
  uint64_t sum = 0;
  for (size_t page = 0; page < bytes / 4096; ++page) {
    sum += words[page * 512];
    if (page % 64 == 0) __builtin_ia32_pause();
  }
  ::munmap(memory, bytes);
  return sum;
}

// Direct writes and reads of random blocks of the scratch disk.
Result<Unit> churn_disk(int operations, uint64_t seed) {
  UniqueFd fd(::open(kScratchDevice, O_RDWR | O_DIRECT | O_CLOEXEC));
  if (!fd) return fail_errno(kScratchDevice);
  alignas(4096) static thread_local char block[4096];
  Rng rng(seed, "disk");
  for (int i = 0; i < operations; ++i) {
    const auto at = static_cast<off_t>(rng.below(4096) * 4096);
    std::memset(block, static_cast<int>(i & 0xff), sizeof block);
    const ssize_t n = i % 2 == 0 ? ::pwrite(fd.get(), block, sizeof block, at) : ::pread(fd.get(), block, sizeof block, at);
    if (n != static_cast<ssize_t>(sizeof block)) return fail_errno("scratch disk");
  }
  return Unit{};
}

// The value of NAME in /proc/vmstat.
int64_t vmstat(const std::string& name) {
  auto text = read_file("/proc/vmstat");
  const size_t at = text ? text->find(name + " ") : std::string::npos;
  return at == std::string::npos ? -1 : std::strtoll(text->c_str() + at + name.size() + 1, nullptr, 10);
}

Result<Unit> burn(const json& request, FrameWriter& out) {
  const int threads = request.value("threads", 8), steps = request.value("steps", 20);
  const uint64_t seed = request.value("seed", uint64_t{1});
  SystemClock clock;
  const int64_t start_ns = clock.now_ns();
  const int64_t swapped_before = vmstat("pswpout");
  struct Step {
    int64_t done_ns;
    int cpu;
  };
  std::vector<std::vector<Step>> moments(static_cast<size_t>(threads));
  std::vector<Result<Unit>> ends(static_cast<size_t>(threads), Unit{});
  std::vector<std::thread> workers;
  for (size_t t = 0; t < moments.size(); ++t) {
    workers.emplace_back([&, t] {
      Rng rng(seed, "burn", t);
      for (int step = 0; step < steps; ++step) {
        burn_iterations(rng.between(200, 2000));
        if (t % 4 == 1) clock.sleep_until_ns(clock.now_ns() + rng.between(100'000, 5'000'000));
        if (t % 4 == 2) {
          if (auto done = churn_swap(static_cast<size_t>(rng.between(64, 256)) * 4096, rng.next()); !done) ends[t] = fail(done.error());
        }
        if (t % 4 == 3) {
          if (auto done = churn_disk(8, rng.next()); !done) ends[t] = fail(done.error());
        }
        moments[t].push_back({clock.now_ns() - start_ns, ::sched_getcpu()});
      }
    });
  }
  for (auto& worker : workers) worker.join();
  for (const auto& end : ends) {
    if (!end) return end;
  }
  json steps_json = json::array();
  for (const auto& thread : moments) {
    json row = json::array();
    for (const Step& step : thread) row.push_back({step.done_ns, step.cpu});
    steps_json.push_back(std::move(row));
  }
  if (auto sent = out.send_json("steps", steps_json); !sent) return sent;
  auto interrupts = read_file("/proc/interrupts");
  auto disks = read_file("/proc/diskstats");
  if (!interrupts || !disks) return fail(ErrorCode::kIo, "cannot read /proc/interrupts or /proc/diskstats");
  if (auto sent = out.send("interrupts", *interrupts); !sent) return sent;
  if (auto sent = out.send("disks", *disks); !sent) return sent;
  return out.send_json("burn", {{"makespan_ns", clock.now_ns() - start_ns}, {"pages_swapped_out", vmstat("pswpout") - swapped_before}});
}

// What a program wrote, up to a bound; the rest is counted and dropped, so that the program never waits for us.
struct Capture {
  UniqueFd in;
  std::string kept;
  uint64_t bytes = 0;
  void drain(size_t most) {
    std::array<char, 16384> buffer;
    const ssize_t n = ::read(in.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) return;
    if (n <= 0) {
      in.reset();
      return;
    }
    bytes += static_cast<uint64_t>(n);
    kept.append(buffer.data(), std::min(static_cast<size_t>(n), most - std::min(most, kept.size())));
  }
};

Result<Unit> make_folders(const std::string& path) {
  for (size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) ::mkdir(path.substr(0, slash).c_str(), 0755);
  if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) return fail_errno("mkdir " + path);
  return Unit{};
}

struct Ended {
  int status = 0;
  rusage usage{};
  int64_t wall_ns = 0;
};

Result<Ended> run_program(const std::string& command, const std::string& directory, size_t most, std::array<Capture, 2>& captures) {
  std::array<UniqueFd, 2> ends;  // that the program writes to
  for (size_t i = 0; i < 2; ++i) {
    auto pipe = Pipe::open();
    if (!pipe) return fail(pipe.error());
    captures[i].in = std::move(pipe->in);
    ends[i] = std::move(pipe->out);
  }
  SystemClock clock;
  Ended ended;
  const int64_t start_ns = clock.now_ns();
  const pid_t pid = ::fork();
  if (pid < 0) return fail_errno("fork");
  if (pid == 0) {
    const int null = ::open("/dev/null", O_RDONLY);
    ::dup2(null, 0);
    ::dup2(ends[0].get(), 1);
    ::dup2(ends[1].get(), 2);
    ::setsid();
    if (::chdir(directory.c_str()) != 0) ::_exit(126);
    ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    ::_exit(127);
  }
  for (UniqueFd& end : ends) end.reset();
  // A grandchild may hold a pipe open after the program itself has ended: the program's end is what counts.
  UniqueFd handle(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!handle) return fail_errno("pidfd_open");
  for (bool running = true; running;) {
    pollfd waits[3] = {{handle.get(), POLLIN, 0}, {captures[0].in.get(), POLLIN, 0}, {captures[1].in.get(), POLLIN, 0}};
    if (::poll(waits, 3, -1) < 0 && errno != EINTR) return fail_errno("poll");
    for (size_t i = 0; i < 2; ++i) {
      if (captures[i].in && waits[i + 1].revents != 0) captures[i].drain(most);
    }
    if (waits[0].revents != 0) {
      ended.wall_ns = clock.now_ns() - start_ns;
      if (::wait4(pid, &ended.status, 0, &ended.usage) < 0) return fail_errno("wait4");
      running = false;
    }
  }
  for (Capture& capture : captures) {
    while (capture.in) {
      pollfd wait{capture.in.get(), POLLIN, 0};
      if (::poll(&wait, 1, 0) <= 0) break;
      capture.drain(most);
    }
  }
  return ended;
}

int64_t ns_of(const timeval& t) { return t.tv_sec * kSecond + t.tv_usec * kMicrosecond; }

}  // namespace

GuestJob nothing_job() {
  return [](const json&, FrameWriter&) -> Result<Unit> { return Unit{}; };
}

GuestJob burn_job() { return burn; }

GuestJob exec_job(ExecHooks hooks) {
  return [hooks = std::move(hooks)](const json& request, FrameWriter& out) -> Result<Unit> {
    const std::string command = request.value("command", "");
    const std::string directory = request.value("directory", "/");
    const size_t most = request.value("output_bytes", size_t{65536});
    if (command.empty()) return fail(ErrorCode::kInvalidArgument, "exec: no command");
    if (auto made = make_folders(directory); !made) return made;
    if (hooks.before) {
      if (auto done = hooks.before(request, out); !done) return done;
    }
    std::unique_ptr<PingPongBeside> beside;
    if (request.value("beside", false)) {
      auto started = PingPongBeside::start();
      if (!started) return fail(started.error());
      beside = std::move(*started);
    }
    std::array<Capture, 2> captures;
    auto ended = run_program(command, directory, most, captures);
    Result<PingPongResult> trips{PingPongResult{}};
    if (beside) trips = beside->stop();
    if (hooks.after) {
      if (auto done = hooks.after(request, out); !done) return done;
    }
    if (!ended) return fail(ended.error().at("exec"));
    if (!trips) return fail(trips.error().at("self-test beside the program"));
    const rusage& u = ended->usage;
    const json summary{{"exit_code", WIFEXITED(ended->status) ? WEXITSTATUS(ended->status) : -1},
                       {"signal", WIFSIGNALED(ended->status) ? WTERMSIG(ended->status) : 0},
                       {"wall_ns", ended->wall_ns},
                       {"user_ns", ns_of(u.ru_utime)},
                       {"system_ns", ns_of(u.ru_stime)},
                       {"largest_kb", u.ru_maxrss},
                       {"minor_faults", u.ru_minflt},
                       {"major_faults", u.ru_majflt},
                       {"voluntary_switches", u.ru_nvcsw},
                       {"involuntary_switches", u.ru_nivcsw},
                       {"stdout_bytes", captures[0].bytes},
                       {"stderr_bytes", captures[1].bytes}};
    if (auto sent = out.send_json("exec", summary); !sent) return sent;
    if (auto sent = out.send("stdout", captures[0].kept); !sent) return sent;
    if (auto sent = out.send("stderr", captures[1].kept); !sent) return sent;
    return beside ? out.send_json("beside", trips->json()) : Result<Unit>(Unit{});
  };
}

}  // namespace pointsman

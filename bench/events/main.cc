// What does each tracer cost an event? A byte goes to and fro between two processes on one CPU: two switches and two wake-ups a round. Nothing, empty programs, the probe, the
// groups, `perf sched record` and runqlat take turns; the least of each is compared, for what others do on the machine only adds. Asked for: the probe within 160 ns an event,
// a tenth of perf's cost a switch, half of runqlat's; the empty programs say how much of that is there to be had.
#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <csignal>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "bpf/object.h"
#include "metrics/groups.h"
#include "metrics/probe.h"

extern "C" const unsigned char empty_bpf_start[], empty_bpf_end[];

namespace {

using namespace pointsman;
constexpr int kRounds = 8'000;

// ns a round.
double ping_pong() {
  int there[2], back[2];
  if (::pipe(there) != 0 || ::pipe(back) != 0) std::abort();
  const pid_t child = ::fork();
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(0, &one);
  if (child == 0) {
    ::sched_setaffinity(0, sizeof(one), &one);
    ::close(there[1]);
    char byte = 0;
    while (::read(there[0], &byte, 1) == 1 && ::write(back[1], &byte, 1) == 1) {
    }
    ::_exit(0);
  }
  cpu_set_t before;
  ::sched_getaffinity(0, sizeof(before), &before);
  ::sched_setaffinity(0, sizeof(one), &one);
  char byte = 0;
  const auto turn = [&] {
    if (::write(there[1], &byte, 1) != 1 || ::read(back[0], &byte, 1) != 1) std::abort();
  };
  for (int i = 0; i < 1000; ++i) turn();
  const SystemClock clock;
  // The least of many short spans: a neighbour's time slice falls into some, not all of them.
  double least = 1e18;
  for (int span = 0; span < 40; ++span) {
    const int64_t begin = clock.now_ns();
    for (int i = 0; i < kRounds / 40; ++i) turn();
    least = std::min(least, static_cast<double>(clock.now_ns() - begin) / (kRounds / 40));
  }
  for (const int fd : {there[1], there[0], back[0], back[1]}) ::close(fd);
  ::waitpid(child, nullptr, 0);
  ::sched_setaffinity(0, sizeof(before), &before);
  return least;
}

// Beside programs that do nothing: no tracer on these tracepoints can cost less.
std::optional<double> beside_empty_programs() {
  auto object = BpfObject::open("empty", {empty_bpf_start, empty_bpf_end});
  if (!object || !object->load()) return std::nullopt;
  auto switches = object->attach("on_switch"), wakeups = object->attach("on_wakeup");
  if (!switches || !wakeups) return std::nullopt;
  return ping_pong();
}

// A program that runs until SIGINT, given time to attach.
std::optional<double> beside(const std::vector<std::string>& words) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    const int null = ::open("/dev/null", O_RDWR);
    for (int fd = 0; fd < 3; ++fd) ::dup2(null, fd);
    std::vector<char*> argv;
    for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    ::execvp(argv[0], argv.data());
    ::_exit(127);
  }
  ::usleep(1'500'000);
  const bool alive = ::waitpid(pid, nullptr, WNOHANG) == 0;
  std::optional<double> ns;
  if (alive) {
    ns = ping_pong();
    ::kill(pid, SIGINT);
    ::waitpid(pid, nullptr, 0);
  }
  return ns;
}

}  // namespace

int main() {
  const std::string recording = "/tmp/pointsman-bench-" + std::to_string(::getpid()) + ".data";
  std::map<std::string, double> least;
  const auto keep = [&](const std::string& who, std::optional<double> ns) {
    if (!ns) return;
    const auto [at, fresh] = least.emplace(who, *ns);
    if (!fresh) at->second = std::min(at->second, *ns);
  };
  for (int round = 0; round < 4; ++round) {
    keep("nothing", ping_pong());
    keep("empty programs", beside_empty_programs());
    for (const bool states : {false, true}) {
      auto probe = Probe::open({.states = states});
      if (!probe) {
        std::fprintf(stderr, "%s\n", probe.error().message.c_str());
        return 77;
      }
      keep(states ? "probe with states" : "probe", ping_pong());
    }
    if (auto groups = Groups::open(GroupBy::kCommand)) keep("groups by command", ping_pong());
    keep("perf sched record", beside({"perf", "sched", "record", "-o", recording}));
    ::unlink(recording.c_str());
    for (const char* name : {"runqlat", "/usr/sbin/runqlat", "runqlat-bpfcc"}) {
      if (least.contains("runqlat") && round == 0) break;
      auto ns = beside({name, "1000"});
      if (!ns) continue;
      keep("runqlat", ns);
      break;
    }
    keep("nothing", ping_pong());
  }
  const double base = least["nothing"], probe = least["probe"] - base;
  std::printf("%-20s %10s %12s %12s %14s\n", "tracer", "ns a round", "ns more", "ns an event", "times the probe");
  for (const auto& [who, ns] : least) std::printf("%-20s %10.0f %12.0f %12.0f %14.2f\n", who.c_str(), ns, ns - base, (ns - base) / 4, (ns - base) / probe);
  std::printf("asked for: probe at most 160 ns an event; perf at least 10 times, runqlat at least 2 times the probe\n");
  for (const char* who : {"perf sched record", "runqlat"}) {
    if (!least.contains(who)) std::printf("%s: not installed, or it cannot run here\n", who);
  }
  return 0;
}

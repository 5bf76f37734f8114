#include "lab/disturbance.h"

#include <linux/futex.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <climits>
#include <memory>
#include <utility>

#include "base/clock.h"
#include "base/file.h"
#include "learn/controllers.h"
#include "sched/kernel_host.h"
#include "sched/priority.h"

namespace pointsman {

namespace {

using Kind = Disturbance::Kind;

constexpr std::array<std::pair<Kind, const char*>, 5> kNames = {
    {{Kind::kHogs, "hogs"}, {Kind::kNappers, "nappers"}, {Kind::kForkBomb, "fork_bomb"}, {Kind::kSysrq, "sysrq"}, {Kind::kForeign, "foreign"}}};
constexpr int kMostProcesses = 2000;
constexpr int kForksOfOne = 4;  // then a process of the fork bomb ends, which makes room for new ones: young tasks all the time
constexpr const char* kGroups = "/sys/fs/cgroup";

const char* name_of(Kind kind) {
  for (const auto& [known, name] : kNames)
    if (known == kind) return name;
  return "?";
}

bool is_crowd(Kind kind) { return kind == Kind::kHogs || kind == Kind::kNappers || kind == Kind::kForkBomb; }

std::string group_of(size_t index) { return fmt::format("{}/disturbance{}", kGroups, index); }

// NOPs, which cost the emulator next to nothing, and now and then PAUSE, where the emulated CPUs take turns.
void burn_until(int64_t cpu_ns) {
  timespec used{};
  do {
    for (int block = 0; block < 4; ++block) {
      for (int i = 0; i < 10; ++i) asm volatile(".rept 640\n\tnop\n\t.endr");
      __builtin_ia32_pause();
    }
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  } while (used.tv_sec * kSecond + used.tv_nsec < cpu_ns);
}

int64_t cpu_ns() {
  timespec used{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return used.tv_sec * kSecond + used.tv_nsec;
}

[[noreturn]] void be_hog() {
  for (;;) burn_until(cpu_ns() + kSecond);
}

[[noreturn]] void be_napper() {
  SystemClock clock;
  for (;;) {
    burn_until(cpu_ns() + kMillisecond);
    clock.sleep_until_ns(clock.now_ns() + 2 * kMillisecond);
  }
}

[[noreturn]] void be_fork_bomb(std::atomic<uint64_t>& forks) {
  // The first one never ends, so that the bomb never dies out.
  bool first = true;
  for (int made = 0; first || made < kForksOfOne; ++made) {
    if (first) made = 0;
    burn_until(cpu_ns() + kMillisecond / 4);
    const pid_t child = ::fork();
    if (child < 0) continue;  // there are as many as there may be
    forks.fetch_add(1, std::memory_order_relaxed);
    if (child > 0) continue;
    first = false;
    made = -1;
  }
  ::_exit(0);
}

}  // namespace

struct Disturbers::Shared {
  std::atomic<uint32_t> go;     // a futex: the supervisors wait for it
  std::atomic<uint32_t> ready;  // how many of them do; a futex too
  int64_t start_ns;
  struct Record {
    std::atomic<int64_t> began_ns, ended_ns;
    std::atomic<uint64_t> forks;
    std::atomic<bool> held;
    char said[256];
    void say(const std::string& text) {
      const size_t n = text.copy(said, sizeof said - 1);
      said[n] = '\0';
    }
  } records[];
};

namespace {

void wait_on(std::atomic<uint32_t>& word, uint32_t seen) {
  while (word.load() == seen) ::syscall(SYS_futex, &word, FUTEX_WAIT, seen, nullptr, nullptr, 0);
}

void wake_all(std::atomic<uint32_t>& word) { ::syscall(SYS_futex, &word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0); }

template <typename Record>
Result<Unit> hold_crowd(const Disturbance& what, const std::string& group, Clock& clock, int64_t start_ns, Record& record) {
  // Born inside the group, which bounds how many they become and ends all of them at once; the supervisor itself leaves it again.
  if (auto in = poke_file(group + "/cgroup.procs", "0"); !in) return in;
  for (int i = 0; i < (what.kind == Kind::kForkBomb ? 1 : what.count); ++i) {
    const pid_t child = ::fork();
    if (child < 0) return fail_errno("fork");
    if (child > 0) continue;
    if (what.kind == Kind::kHogs) be_hog();
    if (what.kind == Kind::kNappers) be_napper();
    be_fork_bomb(record.forks);
  }
  if (auto out = poke_file(std::string(kGroups) + "/cgroup.procs", "0"); !out) return out;
  clock.sleep_until_ns(start_ns + what.until_ns);
  return poke_file(group + "/cgroup.kill", "1");
}

template <typename Record>
Result<Unit> hold_scheduler(const Disturbance& what, KernelHost& host, Clock& clock, int64_t start_ns, Record& record) {
  if (auto attached = host.attach(PM_RR); !attached) return fail(attached.error());
  clock.sleep_until_ns(start_ns + what.until_ns);
  auto state = host.read_state();
  if (!state) return fail(state.error());
  record.held = state->ours;
  if (!state->ours) return fail(ErrorCode::kIo, "it was displaced: the kernel says '{}', {}", state->ops, name_of(state->phase));
  auto detached = host.detach();
  return detached ? Result<Unit>(Unit{}) : fail(detached.error());
}

// A process of the highest rank: it acts at its moment whatever the scheduler under test does.
template <typename Shared>
[[noreturn]] void supervise(const Disturbance& what, size_t index, Shared& shared) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  // Above all not the agent's link: while a copy of it is open, its detach does nothing.
  ::close_range(3, ~0u, 0);
  // Whatever the crowd leaves behind comes to this process, and is gone at once.
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  ::signal(SIGCHLD, SIG_IGN);
  auto& record = shared.records[index];
  SystemClock clock;
  std::unique_ptr<KernelHost> host;
  const auto act = [&]() -> Result<Unit> {
    if (auto outranked = outrank_ordinary_tasks(); !outranked) return outranked;
    if (what.kind == Kind::kForeign) {
      auto opened = KernelHost::open({}, clock);
      if (!opened) return fail(opened.error());
      host = std::move(*opened);
    }
    shared.ready.fetch_add(1);
    wake_all(shared.ready);
    wait_on(shared.go, 0);
    clock.sleep_until_ns(shared.start_ns + what.from_ns);
    record.began_ns = clock.now_ns();
    if (what.kind == Kind::kSysrq) return poke_file("/proc/sysrq-trigger", "S");
    if (what.kind == Kind::kForeign) return hold_scheduler(what, *host, clock, shared.start_ns, record);
    return hold_crowd(what, group_of(index), clock, shared.start_ns, record);
  };
  auto done = act();
  if (!done) record.say(done.error().message);
  if (record.began_ns == 0) {  // it never got ready: nobody shall wait for it
    shared.ready.fetch_add(1);
    wake_all(shared.ready);
  }
  record.ended_ns = clock.now_ns();
  host.reset();
  ::_exit(done ? 0 : 1);
}

Result<Unit> make_group(const std::string& group, int most) {
  static_cast<void>(poke_file(std::string(kGroups) + "/cgroup.subtree_control", "+pids"));  // said below when it does not work
  if (::mkdir(group.c_str(), 0755) != 0 && errno != EEXIST) return fail_errno("mkdir " + group);
  return poke_file(group + "/pids.max", std::to_string(most));
}

}  // namespace

Result<Disturbance> parse_disturbance(std::string_view text) {
  const auto wrong = [&](const std::string& why) {
    return fail(ErrorCode::kInvalidArgument, "disturbance '{}': {}; written as hogs@1s-3s:32, nappers@1s-3s:32, fork_bomb@1s-3s:200, sysrq@2s or foreign@1s-3s", text, why);
  };
  const size_t at = text.find('@');
  if (at == std::string_view::npos) return wrong("it has no @ and moment");
  Disturbance out;
  const std::string_view name = text.substr(0, at);
  const auto kind = std::find_if(kNames.begin(), kNames.end(), [&](const auto& known) { return known.second == name; });
  if (kind == kNames.end()) return wrong(fmt::format("there is no kind '{}'", name));
  out.kind = kind->first;
  std::string_view times = text.substr(at + 1);
  out.count = out.kind == Kind::kForkBomb ? 200 : is_crowd(out.kind) ? 32 : 1;
  if (const size_t colon = times.find(':'); colon != std::string_view::npos) {
    const std::string_view count = times.substr(colon + 1);
    const auto [end, error] = std::from_chars(count.data(), count.data() + count.size(), out.count);
    if (!is_crowd(out.kind)) return wrong("it has no count");
    if (error != std::errc{} || end != count.data() + count.size() || out.count < 1 || out.count > kMostProcesses)
      return wrong(fmt::format("the count is '{}', allowed are 1 to {}", count, kMostProcesses));
    times = times.substr(0, colon);
  }
  const size_t dash = times.find('-');
  auto from = parse_duration(times.substr(0, dash));
  if (!from) return wrong(from.error().message);
  out.from_ns = out.until_ns = *from;
  if (out.kind == Kind::kSysrq) return dash == std::string_view::npos ? Result<Disturbance>(out) : wrong("it happens once");
  if (dash == std::string_view::npos) return wrong("it has no end");
  auto until = parse_duration(times.substr(dash + 1));
  if (!until) return wrong(until.error().message);
  if (*until <= *from) return wrong("it ends before it begins");
  out.until_ns = *until;
  return out;
}

std::string spell(const Disturbance& what) {
  std::string out = fmt::format("{}@{}us", name_of(what.kind), what.from_ns / kMicrosecond);
  if (what.kind != Kind::kSysrq) out += fmt::format("-{}us", what.until_ns / kMicrosecond);
  return is_crowd(what.kind) ? out + fmt::format(":{}", what.count) : out;
}

Result<Disturbers> Disturbers::gather(std::span<const Disturbance> what) {
  const size_t size = sizeof(Shared) + what.size() * sizeof(Shared::Record);
  void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return fail_errno("memory for the disturbances");
  Disturbers out;
  out.what_.assign(what.begin(), what.end());
  out.shared_ = static_cast<Shared*>(memory);
  for (size_t i = 0; i < what.size(); ++i) {
    if (is_crowd(what[i].kind)) {
      if (auto made = make_group(group_of(i), what[i].count + 1); !made) return fail(made.error());
    }
    const pid_t pid = ::fork();
    if (pid < 0) return fail_errno("fork");
    if (pid == 0) supervise(what[i], i, *out.shared_);
    out.supervisors_.push_back(pid);
  }
  for (uint32_t ready = 0; (ready = out.shared_->ready.load()) < what.size();) wait_on(out.shared_->ready, ready);
  for (size_t i = 0; i < what.size(); ++i) {
    if (out.shared_->records[i].ended_ns != 0) return fail(ErrorCode::kIo, "{}: {}", spell(what[i]), out.shared_->records[i].said);
  }
  return out;
}

Disturbers::Disturbers(Disturbers&& other) noexcept
    : what_(std::move(other.what_)), supervisors_(std::move(other.supervisors_)), shared_(std::exchange(other.shared_, nullptr)), start_ns_(other.start_ns_) {}

Disturbers::~Disturbers() {
  if (shared_ == nullptr) return;
  end_all();
  ::munmap(shared_, sizeof(Shared) + what_.size() * sizeof(Shared::Record));
}

void Disturbers::start(int64_t start_ns) {
  start_ns_ = shared_->start_ns = start_ns;
  shared_->go = 1;
  wake_all(shared_->go);
}

void Disturbers::end_all() {
  // First the supervisors, which would go on making children.
  for (const pid_t pid : supervisors_) ::kill(pid, SIGKILL);
  for (const pid_t pid : supervisors_) ::waitpid(pid, nullptr, 0);
  for (size_t i = 0; i < supervisors_.size(); ++i) {
    if (is_crowd(what_[i].kind)) static_cast<void>(poke_file(group_of(i) + "/cgroup.kill", "1"));
  }
  supervisors_.clear();
}

nlohmann::json Disturbers::finish() {
  end_all();
  nlohmann::json out = nlohmann::json::array();
  for (size_t i = 0; i < what_.size(); ++i) {
    const Shared::Record& record = shared_->records[i];
    const auto moment = [&](int64_t ns) { return ns == 0 ? int64_t{-1} : ns - start_ns_; };
    out.push_back({{"what", spell(what_[i])}, {"began_ns", moment(record.began_ns)}, {"ended_ns", moment(record.ended_ns)}, {"forks", record.forks.load()},
                   {"held", record.held.load()}, {"said", std::string(record.said)}});
  }
  return out;
}

}  // namespace pointsman

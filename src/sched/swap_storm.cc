#include "sched/swap_storm.h"

#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <climits>
#include <vector>

#include "base/file.h"
#include "base/rng.h"

namespace pointsman {
namespace {

struct Record {
  std::atomic<int64_t> done_at_ns;
  std::atomic<int64_t> cpu_ns;
  std::atomic<uint32_t> outside_mask;  // times that it found itself on a CPU that is not in its mask
};

struct Shared {
  std::atomic<uint32_t> go;
  Record records[];
};

struct Job {
  int64_t work_ns;
  int64_t burst_ns;  // then a nap; 0: no nap
  int64_t nap_ns;
  int nice;
  uint64_t cpus;  // 0: all
};

// 1,000 iterations, then PAUSE: where the emulator lets the other CPUs run.
void burn(int chunks) {
  for (int chunk = 0; chunk < chunks; chunk++) {
    for (int i = 0; i < 1000; i++) asm volatile("" ::: "memory");
    __builtin_ia32_pause();
  }
}

int64_t cpu_time_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return now.tv_sec * kSecond + now.tv_nsec;
}

std::vector<Job> make_crowd(const CrowdOptions& options, int cpus) {
  // The shares of the prototype's crowd: a napper does a third of a hog's work, an io job half.
  const double units = options.hogs + options.nappers / 3.0 + options.io / 2.0;
  const auto unit_ns = static_cast<int64_t>(units > 0 ? static_cast<double>(options.work_ns) / units : 0);
  std::vector<Job> jobs;
  for (int i = 0; i < options.hogs; i++) jobs.push_back({unit_ns, 0, 0, 0, 0});
  for (int i = 0; i < options.nappers; i++) jobs.push_back({unit_ns / 3, 2 * kMillisecond, 10 * kMillisecond, 0, 0});
  for (int i = 0; i < options.io; i++) jobs.push_back({unit_ns / 2, 6 * kMillisecond, 1 * kMillisecond, i % 3 * 5, 0});
  if (!options.varied) return jobs;
  for (size_t i = 0; i < jobs.size(); i++) {
    jobs[i].nice = static_cast<int>(i * 7 % 40) - 20;
    // Never the last CPU alone: when it goes, the kernel would have to break the mask.
    const int safe = std::max(cpus - 1, 1);
    const uint64_t one = 1ull << (i / 3 % safe);
    if (i % 3 == 1) jobs[i].cpus = one;
    if (i % 3 == 2) jobs[i].cpus = one | 1ull << (cpus - 1);
  }
  return jobs;
}

[[noreturn]] void work(const Job& job, Shared& shared, Record& record) {
  // Not a descriptor of the parent's may stay open here, above all not the link: while one is open a detach does nothing.
  ::close_range(3, ~0u, 0);
  ::setpriority(PRIO_PROCESS, 0, job.nice);
  if (job.cpus != 0) {
    cpu_set_t set;
    CPU_ZERO(&set);
    for (int cpu = 0; cpu < 64; cpu++) {
      if (job.cpus >> cpu & 1) CPU_SET(cpu, &set);
    }
    ::sched_setaffinity(0, sizeof(set), &set);
  }
  while (shared.go.load() == 0) ::syscall(SYS_futex, &shared.go, FUTEX_WAIT, 0, nullptr, nullptr, 0);
  SystemClock clock;
  const int64_t end_ns = cpu_time_ns() + job.work_ns;
  int64_t burst_end_ns = cpu_time_ns() + job.burst_ns;
  for (int64_t now_ns = cpu_time_ns(); now_ns < end_ns; now_ns = cpu_time_ns()) {
    if (job.burst_ns > 0 && now_ns >= burst_end_ns) {
      clock.sleep_until_ns(clock.now_ns() + job.nap_ns);
      burst_end_ns = cpu_time_ns() + job.burst_ns;
    }
    burn(10);
    const int cpu = ::sched_getcpu();
    if (job.cpus != 0 && cpu >= 0 && (job.cpus >> cpu & 1) == 0) record.outside_mask++;
  }
  record.cpu_ns = cpu_time_ns();
  record.done_at_ns = clock.now_ns();
  ::_exit(0);
}

nlohmann::json summary(std::vector<int64_t> values, double unit) {
  std::erase_if(values, [](int64_t value) { return value < 0; });
  nlohmann::json out{{"n", values.size()}};
  if (values.empty()) return out;
  std::sort(values.begin(), values.end());
  double sum = 0;
  for (const int64_t value : values) sum += static_cast<double>(value);
  const auto at = [&](double q) {
    return static_cast<double>(values[std::min(values.size() - 1, static_cast<size_t>(q * static_cast<double>(values.size())))]) / unit;
  };
  out["mean"] = sum / static_cast<double>(values.size()) / unit;
  out["p50"] = at(0.5);
  out["p99"] = at(0.99);
  out["max"] = at(1);
  return out;
}

const char* name_of(StormOptions::Swap swap) {
  switch (swap) {
    case StormOptions::Swap::kNone:
      return "none";
    case StormOptions::Swap::kFlip:
      return "flip";
    case StormOptions::Swap::kStore:
      return "store";
    case StormOptions::Swap::kCross:
      return "cross";
  }
  return "?";
}

// Everything of one storm that is counted while it lasts.
struct Tally {
  int swaps = 0;
  std::vector<int64_t> call, first, all, wait, attach, detach, bypass, moved, kernel_work;
  std::string trouble;  // the first call that failed
  void take(const SwapTimes& times) {
    first.push_back(times.first_dispatch_ns);
    all.push_back(times.all_cpus_ns);
    wait.push_back(times.longest_wait_ns);
  }
  void note(const Error& error) {
    if (trouble.empty()) trouble = error.message;
  }
};

class Crowd {
 public:
  static Result<Crowd> gather(const std::vector<Job>& jobs) {
    const size_t size = sizeof(Shared) + jobs.size() * sizeof(Record);
    void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return fail_errno("memory for the crowd");
    Crowd crowd(static_cast<Shared*>(memory), size, static_cast<int>(jobs.size()));
    for (const Job& job : jobs) {
      const pid_t pid = ::fork();
      if (pid < 0) return fail_errno("fork");
      if (pid == 0) work(job, *crowd.shared_, crowd.shared_->records[crowd.pids_.size()]);
      crowd.pids_.push_back(pid);
    }
    return crowd;
  }
  Crowd(Crowd&& other) noexcept
      : shared_(std::exchange(other.shared_, nullptr)), size_(other.size_), jobs_(other.jobs_), pids_(std::move(other.pids_)) {}
  Crowd& operator=(Crowd&&) = delete;
  ~Crowd() {
    if (shared_ == nullptr) return;
    for (const pid_t pid : pids_) ::kill(pid, SIGKILL);
    for (const pid_t pid : pids_) ::waitpid(pid, nullptr, 0);
    ::munmap(shared_, size_);
  }
  void start() {
    shared_->go = 1;
    ::syscall(SYS_futex, &shared_->go, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
  }
  [[nodiscard]] int done() const {
    return static_cast<int>(
        std::count_if(shared_->records, shared_->records + jobs_, [](const Record& record) { return record.done_at_ns != 0; }));
  }
  void report(nlohmann::json& out, int64_t began_ns) const {
    int64_t last = 0;
    int64_t cpu = 0;
    uint64_t outside = 0;
    for (int i = 0; i < jobs_; i++) {
      last = std::max(last, shared_->records[i].done_at_ns.load());
      cpu += shared_->records[i].cpu_ns;
      outside += shared_->records[i].outside_mask;
    }
    out["jobs"] = jobs_;
    out["done"] = done();
    out["outside_mask"] = outside;
    out["work_cpu_s"] = static_cast<double>(cpu) / 1e9;
    out["makespan_s"] = last == 0 ? 0.0 : static_cast<double>(last - began_ns) / 1e9;
  }

 private:
  Crowd(Shared* shared, size_t size, int jobs) : shared_(shared), size_(size), jobs_(jobs) {}
  Shared* shared_;
  size_t size_;
  int jobs_;
  std::vector<pid_t> pids_;
};

// For how long the kernel ran everything by its plain emergency queue since our attachment, summed over its changes of class; -1 when it
// does not say.
int64_t bypass_ns() {
  const auto events = read_file("/sys/kernel/sched_ext/root/events");
  constexpr std::string_view kName = "SCX_EV_BYPASS_DURATION ";
  if (!events) return -1;
  const size_t at = events->find(kName);
  return at == std::string::npos ? -1 : std::strtoll(events->c_str() + at + kName.size(), nullptr, 10);
}

void swap_once(KernelHost& host, const StormOptions& options, Rng& rng, Tally& tally) {
  const auto other_policy = [&] {
    const int now = static_cast<int>(host.shared().active);
    return static_cast<int>((now + 1 + rng.below(PM_POLICIES - 1)) % PM_POLICIES);
  };
  if (options.swap == StormOptions::Swap::kFlip) {
    if (tally.swaps > 0) tally.take(host.last_times());
    auto times = host.flip(other_policy());
    if (!times) return tally.note(times.error());
    tally.call.push_back(times->call_ns);
    tally.moved.push_back(times->moved);
  } else if (options.swap == StormOptions::Swap::kStore) {
    for (int i = 0; i < 3; i++) {
      // A moment between the stores, so that tasks come into the middle queue too.
      host.shared().active = static_cast<uint64_t>(other_policy());
      burn(20);
    }
  } else if (options.swap == StormOptions::Swap::kCross) {
    if (tally.swaps > 0) tally.take(host.last_times());
    const bool away = host.link_fd() >= 0;
    auto times = away ? host.detach() : host.attach(options.first_policy);
    if (!times) return tally.note(times.error());
    (away ? tally.detach : tally.attach).push_back(away ? times->detach_ns : times->attach_ns);
    if (!away) tally.bypass.push_back(bypass_ns());
    tally.call.push_back(times->call_ns);
  }
  tally.swaps++;
}

// A grace period and a worker on every CPU, both of which hang on kernel threads.
void exercise_kernel(Clock& clock, Tally& tally) {
  const int64_t began = clock.now_ns();
  ::syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
  static_cast<void>(poke_file("/proc/sys/vm/drop_caches", "1"));
  tally.kernel_work.push_back(clock.now_ns() - began);
}

}  // namespace

Result<StormOptions> storm_options_from(const nlohmann::json& request) {
  StormOptions options;
  std::optional<Error> wrong;
  const auto integer = [&](const char* key, int64_t low, int64_t high, auto&& take) {
    const auto found = request.find(key);
    if (found == request.end()) return;
    if (!found->is_number_integer() || found->get<int64_t>() < low || found->get<int64_t>() > high) {
      if (!wrong)
        wrong = Error{ErrorCode::kInvalidArgument, fmt::format("storm: {} is {}, allowed are {} to {}", key, found->dump(), low, high)};
      return;
    }
    take(found->get<int64_t>());
  };
  const auto flag = [&](const char* key, bool& where) {
    const auto found = request.find(key);
    if (found == request.end()) return;
    if (found->is_boolean())
      where = found->get<bool>();
    else if (!wrong)
      wrong = Error{ErrorCode::kInvalidArgument, fmt::format("storm: {} is {}, allowed are true and false", key, found->dump())};
  };
  const auto count = [](int& where) { return [&where](int64_t value) { where = static_cast<int>(value); }; };
  integer("hogs", 0, 10'000, count(options.crowd.hogs));
  integer("nappers", 0, 10'000, count(options.crowd.nappers));
  integer("io", 0, 10'000, count(options.crowd.io));
  integer("work_ms", 0, 3'600'000, [&](int64_t value) { options.crowd.work_ns = value * kMillisecond; });
  integer("seed", 0, INT64_MAX, [&](int64_t value) { options.crowd.seed = static_cast<uint64_t>(value); });
  flag("varied", options.crowd.varied);
  integer("policy", 0, PM_POLICIES - 1, count(options.first_policy));
  integer("period_us", 100, 60'000'000, [&](int64_t value) { options.period_ns = value * kMicrosecond; });
  integer("most_swaps", 0, 1 << 30, count(options.most_swaps));
  flag("hotplug", options.hotplug);
  flag("kernel_work", options.kernel_work);
  integer("limit_s", 1, 3600, [&](int64_t value) { options.limit_ns = value * kSecond; });
  if (const auto swap = request.find("swap"); swap != request.end()) {
    using Swap = StormOptions::Swap;
    bool known = false;
    for (const Swap candidate : {Swap::kNone, Swap::kFlip, Swap::kStore, Swap::kCross}) {
      if (*swap != name_of(candidate)) continue;
      options.swap = candidate;
      known = true;
    }
    if (!known && !wrong)
      wrong = Error{ErrorCode::kInvalidArgument, fmt::format("storm: swap is {}, allowed are none, flip, store, cross", swap->dump())};
  }
  if (wrong) return fail(*wrong);
  return options;
}

Result<nlohmann::json> swap_storm(KernelHost& host, Clock& clock, const StormOptions& options) {
  if (auto outranks = outrank_ordinary_tasks(); !outranks) return fail(outranks.error());
  const int cpus = static_cast<int>(::sysconf(_SC_NPROCESSORS_CONF));
  auto crowd = Crowd::gather(make_crowd(options.crowd, cpus));
  if (!crowd) return fail(crowd.error());
  auto attached = host.attach(options.first_policy);
  if (!attached) return fail(attached.error());
  auto& shared = host.shared();
  const uint64_t moved_before = shared.moved;
  const uint64_t rescues_before = shared.rescues;
  const uint64_t aged_before = shared.aged;
  Rng rng(options.crowd.seed, "swap-storm");
  Tally tally;
  const std::string last_cpu = fmt::format("/sys/devices/system/cpu/cpu{}/online", cpus - 1);
  int cpus_cycled = 0;
  bool last_cpu_online = true;

  const int64_t began = clock.now_ns();
  crowd->start();
  const int64_t limit = began + options.limit_ns;
  int64_t next_swap = options.swap == StormOptions::Swap::kNone ? INT64_MAX : began + options.period_ns;
  int64_t next_round = began + 20 * kMillisecond;
  int64_t next_cycle = options.hotplug ? began + 200 * kMillisecond : INT64_MAX;
  const int jobs = options.crowd.hogs + options.crowd.nappers + options.crowd.io;
  // Without a crowd there is nothing to wait for but the swaps themselves.
  while ((jobs > 0 ? crowd->done() < jobs : tally.swaps < options.most_swaps) && clock.now_ns() < limit && tally.trouble.empty()) {
    clock.sleep_until_ns(std::min({next_swap, next_round, next_cycle}));
    const int64_t now = clock.now_ns();
    if (now >= next_swap) {
      swap_once(host, options, rng, tally);
      // A late swap does not make the next ones come faster.
      next_swap += options.period_ns;
      if (next_swap <= clock.now_ns()) next_swap = clock.now_ns() + options.period_ns;
      if (tally.swaps >= options.most_swaps) next_swap = INT64_MAX;
      if (options.swap == StormOptions::Swap::kStore && clock.now_ns() > began + kSecond) next_swap = INT64_MAX;
    }
    if (now >= next_cycle) {
      if (auto poked = poke_file(last_cpu, last_cpu_online ? "0" : "1"); !poked) tally.note(poked.error());
      last_cpu_online = !last_cpu_online;
      if (last_cpu_online) cpus_cycled++;
      next_cycle = cpus_cycled == 5 ? INT64_MAX : clock.now_ns() + 200 * kMillisecond;
    }
    if (now >= next_round) {
      if (options.kernel_work) exercise_kernel(clock, tally);
      next_round = clock.now_ns() + 20 * kMillisecond;
    }
    if (host.ejection()) tally.note({ErrorCode::kIo, "thrown out"});
  }
  if (!last_cpu_online) static_cast<void>(poke_file(last_cpu, "1"));
  if (tally.swaps > 0) tally.take(host.last_times());

  nlohmann::json out{
      {"swap", name_of(options.swap)}, {"period_us", options.period_ns / kMicrosecond}, {"swaps", tally.swaps}, {"cpus", cpus}};
  if (!tally.trouble.empty()) out["trouble"] = tally.trouble;
  if (auto ejection = host.ejection()) {
    out["ejection"] = {{"kind", ejection->kind}, {"reason", ejection->reason}, {"message", ejection->message}};
  }
  if (options.swap == StormOptions::Swap::kCross && host.link_fd() < 0) {
    if (auto again = host.attach(options.first_policy); !again) out["trouble"] = again.error().message;
  }
  crowd->report(out, began);
  if (auto state = host.read_state()) {
    out["state"] = name_of(state->phase);
    out["ops"] = state->ops;
    out["ours"] = state->ours;
  }
  out["call_us"] = summary(tally.call, 1e3);
  out["first_dispatch_us"] = summary(tally.first, 1e3);
  out["all_cpus_us"] = summary(tally.all, 1e3);
  out["longest_wait_ms"] = summary(tally.wait, 1e6);
  out["moved_each"] = summary(tally.moved, 1);
  out["moved"] = shared.moved - moved_before;
  out["rescues"] = shared.rescues - rescues_before;
  out["aged"] = shared.aged - aged_before;
  if (options.swap == StormOptions::Swap::kCross) {
    out["detach_ms"] = summary(tally.detach, 1e6);
    out["attach_ms"] = summary(tally.attach, 1e6);
    out["bypass_ms"] = summary(tally.bypass, 1e6);
  }
  for (const std::string& program : host.object().programs()) {
    if (auto count = host.object().verified_instructions(program)) out["verified_instructions"][program] = *count;
  }
  if (options.kernel_work) out["kernel_work_ms"] = summary(tally.kernel_work, 1e6);
  if (options.hotplug) out["cpus_cycled"] = cpus_cycled;
  static_cast<void>(host.detach());
  return out;
}

}  // namespace pointsman

#include "metrics/probe.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/clock.h"

extern "C" const unsigned char probe_bpf_start[], probe_bpf_end[];

namespace pointsman {
namespace {

// The order matters: with the switches seen first, no task is taken for runnable whose going to sleep is then missed.
constexpr const char* kAttached[] = {"on_switch", "on_wakeup", "on_fork"};
constexpr const char* kPrograms[] = {"on_switch", "on_wakeup", "on_fork", "seed", "oldest_wait"};

using Words = std::array<uint64_t, sizeof(pm_probe) / sizeof(uint64_t)>;
static_assert(sizeof(Words) == sizeof(pm_probe));

size_t mapped_size(size_t possible) {
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  return (possible * sizeof(pm_cpu) + page - 1) / page * page;
}

// The kernel writes an element within a microsecond, but a virtual CPU may be taken away in the middle: be patient, not endless.
constexpr int kAttempts = 100'000;

bool copy_undisturbed(const pm_cpu& from, pm_cpu& to) {
  const auto* completed = const_cast<const volatile pm_u64*>(&from.completed);
  const auto* started = const_cast<const volatile pm_u64*>(&from.started);
  for (int i = 0; i < kAttempts; ++i) {
    const pm_u64 before = *completed;
    std::atomic_thread_fence(std::memory_order_acquire);
    std::memcpy(static_cast<void*>(&to), &from, sizeof(pm_cpu));
    std::atomic_thread_fence(std::memory_order_acquire);
    if (*started == before) return true;
    __builtin_ia32_pause();
  }
  return false;
}

}  // namespace

Result<Probe> Probe::open(const ProbeOptions& options) {
  auto object = BpfObject::open("probe", {probe_bpf_start, probe_bpf_end});
  if (!object) return fail(object.error());
  const int possible = libbpf_num_possible_cpus();
  if (possible <= 0) return fail(ErrorCode::kIo, "counting this machine's CPUs: {}", std::strerror(-possible));
  if (auto done = object->resize_map("cpus", static_cast<uint32_t>(possible)); !done) return fail(done.error());
  if (options.states) {
    if (auto done = object->set_rodata("count_states", true); !done) return fail(done.error());
  } else if (auto done = object->leave_out("seed_states"); !done) {
    return fail(done.error());
  }
  if (auto done = object->load(); !done) {
    const Error& error = done.error();
    if (error.code != ErrorCode::kPermissionDenied) return fail(error);
    return fail(error.code, "{}; the probe needs root, or CAP_BPF and CAP_PERFMON", error.message);
  }
  auto map = object->map_fd("cpus");
  if (!map) return fail(map.error());

  Probe probe(std::move(*object));
  probe.possible_ = static_cast<size_t>(possible);
  void* memory = ::mmap(nullptr, mapped_size(probe.possible_), PROT_READ, MAP_SHARED, *map, 0);
  if (memory == MAP_FAILED) return fail_errno("mapping the probe's sums");
  probe.cpus_ = static_cast<const pm_cpu*>(memory);
  for (const char* name : kAttached) {
    auto link = probe.object_.attach(name);
    if (!link) return fail(link.error());
    probe.links_.push_back(std::move(*link));
  }
  if (auto seeded = probe.seed(); !seeded) return fail(seeded.error());
  if (options.states) {
    if (auto seeded = probe.seed_states(); !seeded) return fail(seeded.error());
  }
  if (auto reading = probe.read(); !reading) return fail(reading.error());
  return probe;
}

Probe::Probe(Probe&& other) noexcept
    : object_(std::move(other.object_)),
      links_(std::move(other.links_)),
      cpus_(std::exchange(other.cpus_, nullptr)),
      possible_(other.possible_),
      online_(other.online_),
      states_(other.states_),
      before_(other.before_) {}

Probe& Probe::operator=(Probe&& other) noexcept {
  std::swap(object_, other.object_);
  std::swap(links_, other.links_);
  std::swap(cpus_, other.cpus_);
  std::swap(possible_, other.possible_);
  std::swap(online_, other.online_);
  std::swap(states_, other.states_);
  std::swap(before_, other.before_);
  return *this;
}

Probe::~Probe() {
  links_.clear();
  if (cpus_ != nullptr) ::munmap(const_cast<pm_cpu*>(cpus_), mapped_size(possible_));
}

Result<Unit> Probe::seed() {
  auto program = object_.program_fd("seed");
  if (!program) return fail(program.error());
  online_ = 0;
  for (uint32_t cpu = 0; cpu < possible_; ++cpu) {
    bpf_test_run_opts options{};
    options.sz = sizeof(options);
    options.flags = BPF_F_TEST_RUN_ON_CPU;
    options.cpu = cpu;
    const int r = bpf_prog_test_run_opts(*program, &options);
    if (r == 0) {
      ++online_;
    } else if (r != -ENXIO) {  // ENXIO: that CPU is off line
      return fail(ErrorCode::kUnsupported, "starting the probe on CPU {}: {}", cpu, std::strerror(-r));
    }
  }
  return Unit{};
}

Result<Unit> Probe::seed_states() {
  auto program = object_.program_fd("seed_states");
  if (!program) return fail(program.error());
  auto ran = object_.run(*program, std::as_writable_bytes(std::span(&before_, 1)));
  if (!ran) return fail(ran.error());
  states_ = true;
  return Unit{};
}

Result<ProbeReading> Probe::read() const {
  Words total{};
  ProbeReading out;
  // Stints under way are accrued up to one moment, taken first: what a CPU does after it may be in its copy, a few microseconds at most.
  out.moment_ns = SystemClock().now_ns();
  pm_cpu copy;
  for (size_t cpu = 0; cpu < possible_; ++cpu) {
    if (!copy_undisturbed(cpus_[cpu], copy)) return fail(ErrorCode::kBusy, "the probe's sums of CPU {} do not hold still", cpu);
    pm_accrue(&copy.sums, &copy.running, static_cast<pm_u64>(out.moment_ns));
    const auto words = std::bit_cast<Words>(copy.sums);
    for (size_t i = 0; i < words.size(); ++i) total[i] += words[i];
  }
  out.sums = std::bit_cast<pm_probe>(total);
  const auto add = [&](pm_s64& level, pm_u64& moment_ns, pm_s64 before) {
    level += before;
    moment_ns += static_cast<pm_u64>(before) * before_.moment_ns;
  };
  add(out.sums.alive, out.sums.alive_moment_ns, before_.alive);
  add(out.sums.uninterruptible, out.sums.uninterruptible_moment_ns, before_.uninterruptible);
  add(out.sums.io_blocked, out.sums.io_blocked_moment_ns, before_.io_blocked);
  return out;
}

Result<pm_oldest> Probe::oldest_wait() const {
  auto program = object_.program_fd("oldest_wait");
  if (!program) return fail(program.error());
  pm_oldest oldest{};
  auto ran = object_.run(*program, std::as_writable_bytes(std::span(&oldest, 1)));
  if (!ran) return fail(ran.error());
  return oldest;
}

Result<std::vector<ProbeProgram>> Probe::programs() const {
  std::vector<ProbeProgram> out;
  for (const char* name : kPrograms) {
    auto fd = object_.program_fd(name);
    if (!fd) return fail(fd.error());
    bpf_prog_info info{};
    uint32_t size = sizeof(info);
    if (const int r = bpf_prog_get_info_by_fd(*fd, &info, &size); r != 0) return fail(ErrorCode::kIo, "BPF program {}: {}", name, std::strerror(-r));
    out.push_back({.name = name,
                   .runs = info.run_cnt,
                   .run_ns = info.run_time_ns,
                   .missed = info.recursion_misses,
                   .verified_instructions = info.verified_insns,
                   .bytes = info.jited_prog_len});
  }
  return out;
}

}  // namespace pointsman

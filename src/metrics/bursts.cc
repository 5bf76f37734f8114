#include "metrics/bursts.h"

#include <bpf/libbpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/clock.h"

extern "C" const unsigned char bursts_bpf_start[], bursts_bpf_end[];

namespace pointsman {
namespace {

// Ends before beginnings: an interrupt that is never left would hide all wakers, a burst whose end was missed would last for ever.
constexpr const char* kAttached[] = {"on_irq_end", "on_softirq_end", "on_timer_end", "on_irq",    "on_softirq",
                                     "on_timer",   "on_switch",      "on_waking",    "on_wakeup", "on_fork"};
constexpr int kAttempts = 8;

size_t whole_pages(size_t bytes) {
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  return (bytes + page - 1) / page * page;
}

const size_t kUnfinishedSize = whole_pages(sizeof(pm_unfinished));

uint64_t load(const pm_u64& from) {
  const uint64_t value = *const_cast<const volatile pm_u64*>(&from);
  std::atomic_thread_fence(std::memory_order_acquire);
  return value;
}

// What one ring holds that is younger than `after_ns`. False when more was overwritten meanwhile than was left to copy.
bool copy_ring(const pm_burst_ring& ring, int64_t after_ns, BurstRecording& out) {
  const uint64_t end = load(ring.written);
  const uint64_t begin = end > PM_BURST_SLOTS ? end - PM_BURST_SLOTS : 0;
  std::vector<pm_burst> copied;
  for (uint64_t i = end; i > begin; --i) {
    copied.push_back(ring.slots[(i - 1) % PM_BURST_SLOTS]);
    if (static_cast<int64_t>(copied.back().end_ns) <= after_ns) break;
  }
  std::atomic_thread_fence(std::memory_order_acquire);
  const uint64_t now = load(ring.written);
  // Slot now % PM_BURST_SLOTS may be half written.
  const uint64_t sound_from = now + 1 > PM_BURST_SLOTS ? now + 1 - PM_BURST_SLOTS : 0;
  const uint64_t first_copied = end - copied.size();
  if (sound_from >= end && end > 0) return false;
  if (sound_from > first_copied) copied.resize(copied.size() - static_cast<size_t>(sound_from - first_copied));
  const bool reaches_back = copied.empty() ? end == 0 : static_cast<int64_t>(copied.back().end_ns) <= after_ns || sound_from == 0;
  if (!reaches_back)
    out.complete_from_ns = std::max(out.complete_from_ns, copied.empty() ? out.moment_ns : static_cast<int64_t>(copied.back().end_ns));
  for (const pm_burst& b : copied)
    if (static_cast<int64_t>(b.end_ns) > after_ns) out.bursts.push_back(b);
  return true;
}

}  // namespace

Result<BurstRecorder> BurstRecorder::open() {
  auto object = BpfObject::open("bursts", {bursts_bpf_start, bursts_bpf_end});
  if (!object) return fail(object.error());
  const int possible = libbpf_num_possible_cpus();
  if (possible <= 0) return fail(ErrorCode::kIo, "counting this machine's CPUs: {}", std::strerror(-possible));
  if (auto done = object->resize_map("rings", static_cast<uint32_t>(possible)); !done) return fail(done.error());
  if (auto done = object->load(); !done) {
    const Error& error = done.error();
    if (error.code != ErrorCode::kPermissionDenied) return fail(error);
    return fail(error.code, "{}; the recorder needs root, or CAP_BPF and CAP_PERFMON", error.message);
  }
  BurstRecorder recorder(std::move(*object));
  recorder.possible_ = static_cast<size_t>(possible);
  return recorder;
}

Result<Unit> BurstRecorder::map_rings() {
  const auto map = [&](const char* name, size_t bytes) -> Result<const void*> {
    auto fd = object_.map_fd(name);
    if (!fd) return fail(fd.error());
    void* memory = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, *fd, 0);
    if (memory == MAP_FAILED) return fail_errno(std::string("mapping the recorder's ") + name);
    return memory;
  };
  if (rings_ == nullptr) {
    auto rings = map("rings", rings_size());
    if (!rings) return fail(rings.error());
    rings_ = static_cast<const pm_burst_ring*>(*rings);
  }
  if (since_.data() == nullptr) {
    auto since = object_.map_section(".data.since");
    if (!since) return fail(since.error());
    since_ = std::move(*since);
  }
  if (unfinished_ == nullptr) {
    auto unfinished = map("unfinished", kUnfinishedSize);
    if (!unfinished) return fail(unfinished.error());
    unfinished_ = static_cast<const pm_unfinished*>(*unfinished);
  }
  return Unit{};
}

void BurstRecorder::set_since(int64_t since_ns) {
  recording_since_ns_ = since_ns;
  *static_cast<volatile pm_u64*>(since_.data()) = static_cast<pm_u64>(since_ns);
}

void BurstRecorder::sleep() {
  if (!links_.empty()) set_since(0);
}

// Mapped no sooner: a map's pages count as ours from then on, also where nobody wants the bursts.
Result<Unit> BurstRecorder::start() {
  if (recording_since_ns_ != 0) return Unit{};
  if (!links_.empty()) {
    set_since(SystemClock().now_ns());
    return Unit{};
  }
  if (auto mapped = map_rings(); !mapped) return mapped;
  for (const char* name : kAttached) {
    auto link = object_.attach(name);
    if (!link) {
      links_.clear();
      return fail(link.error());
    }
    links_.push_back(std::move(*link));
  }
  set_since(SystemClock().now_ns());
  return Unit{};
}

size_t BurstRecorder::rings_size() const { return whole_pages(possible_ * sizeof(pm_burst_ring)); }

BurstRecorder::BurstRecorder(BurstRecorder&& other) noexcept
    : object_(std::move(other.object_)),
      links_(std::move(other.links_)),
      rings_(std::exchange(other.rings_, nullptr)),
      unfinished_(std::exchange(other.unfinished_, nullptr)),
      since_(std::move(other.since_)),
      recording_since_ns_(std::exchange(other.recording_since_ns_, 0)),
      possible_(other.possible_) {}

BurstRecorder& BurstRecorder::operator=(BurstRecorder&& other) noexcept {
  std::swap(object_, other.object_);
  std::swap(links_, other.links_);
  std::swap(rings_, other.rings_);
  std::swap(unfinished_, other.unfinished_);
  std::swap(since_, other.since_);
  std::swap(recording_since_ns_, other.recording_since_ns_);
  std::swap(possible_, other.possible_);
  return *this;
}

BurstRecorder::~BurstRecorder() {
  links_.clear();
  if (rings_ != nullptr) ::munmap(const_cast<pm_burst_ring*>(rings_), rings_size());
  if (unfinished_ != nullptr) ::munmap(const_cast<pm_unfinished*>(unfinished_), kUnfinishedSize);
}

Result<BurstRecording> BurstRecorder::read(int64_t span_ns) const {
  if (recording_since_ns_ == 0) return fail(ErrorCode::kUnsupported, "no bursts are recorded before the recorder is started, nor while it sleeps");
  auto program = object_.program_fd("collect");
  if (!program) return fail(program.error());
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    BurstRecording out;
    out.moment_ns = SystemClock().now_ns();
    out.complete_from_ns = std::max(out.moment_ns - span_ns, recording_since_ns_);
    // First what is under way: a burst that ends in between is then in a ring as well, and the ring's word counts.
    auto collected = object_.run(*program, {});
    if (!collected) return fail(collected.error());
    if (*collected != 0) return fail(ErrorCode::kIo, "collecting the bursts under way: {}", *collected);
    bool sound = true;
    for (size_t cpu = 0; cpu < possible_ && sound; ++cpu) {
      sound = copy_ring(rings_[cpu], std::max(out.moment_ns - span_ns, recording_since_ns_), out);
      out.lost += load(rings_[cpu].lost);
    }
    if (!sound) continue;
    out.dropped = unfinished_->dropped;
    const auto ended = [&](const pm_burst& u) {
      return std::any_of(out.bursts.begin(), out.bursts.end(),
                         [&](const pm_burst& b) { return b.task == u.task && b.wake_ns == u.wake_ns; });
    };
    std::vector<pm_burst> under_way;
    for (uint64_t i = 0; i < std::min<uint64_t>(unfinished_->count, PM_UNFINISHED_SLOTS); ++i)
      if (!ended(unfinished_->slots[i])) under_way.push_back(unfinished_->slots[i]);
    out.bursts.insert(out.bursts.end(), under_way.begin(), under_way.end());
    return out;
  }
  return fail(ErrorCode::kBusy, "bursts are recorded faster than they can be read");
}

}  // namespace pointsman

#include "metrics/tracer.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/clock.h"

extern "C" const unsigned char trace_bpf_start[], trace_bpf_end[];

namespace pointsman {
namespace {

constexpr const char* kAttached[] = {"trace_switch", "trace_wakeup", "trace_new", "trace_exit", "trace_exec", "trace_fork"};
constexpr long kCgroup2Magic = 0x63677270;

Result<uint64_t> cgroup_id(const std::string& folder) {
  struct statfs kind {};
  struct stat status {};
  if (::stat(folder.c_str(), &status) != 0 || ::statfs(folder.c_str(), &kind) != 0) return fail_errno("cgroup " + folder);
  if (kind.f_type != kCgroup2Magic || !S_ISDIR(status.st_mode)) return fail(ErrorCode::kInvalidArgument, "{} is no folder of cgroup v2", folder);
  return status.st_ino;
}

TracedProcess traced(const pm_process_key& key, const pm_process& sums) {
  return {.pid = static_cast<pid_t>(key.tgid), .sums = sums, .command = std::string(sums.comm, ::strnlen(sums.comm, sizeof(sums.comm)))};
}

}  // namespace

void Tracer::FreeRing::operator()(ring_buffer* ring) const { ring_buffer__free(ring); }

Tracer::Tracer(BpfObject object) : object_(std::move(object)) {}
Tracer::Tracer(Tracer&&) noexcept = default;
Tracer& Tracer::operator=(Tracer&&) noexcept = default;
Tracer::~Tracer() = default;

Result<Tracer> Tracer::open(const TracerOptions& options) {
  using Scope = TracerOptions::Scope;
  uint64_t group = 0;
  if (options.scope == Scope::kTree && ::kill(options.root, 0) != 0 && errno == ESRCH) return fail(ErrorCode::kNotFound, "there is no process {}", options.root);
  if (options.scope == Scope::kCgroup) {
    auto id = cgroup_id(options.cgroup);
    if (!id) return fail(id.error());
    group = *id;
  }
  auto object = BpfObject::open("trace", {trace_bpf_start, trace_bpf_end});
  if (!object) return fail(object.error());
  const uint32_t scope = options.scope == Scope::kTree ? PM_TREE : options.scope == Scope::kCgroup ? PM_CGROUP : PM_ALL;
  const auto set = [&](const char* name, const auto& value) { return object->set_rodata(name, value); };
  if (auto done = set("scope", scope); !done) return fail(done.error());
  if (auto done = set("root_tgid", static_cast<uint32_t>(options.root)); !done) return fail(done.error());
  if (auto done = set("cgroup_id", group); !done) return fail(done.error());
  if (auto done = set("events", options.events); !done) return fail(done.error());
  if (auto done = set("reader_tgid", static_cast<uint32_t>(::getpid())); !done) return fail(done.error());
  if (options.events) {
    if (auto done = object->resize_map("ring", options.ring_bytes); !done) return fail(done.error());
  }
  if (auto done = object->load(); !done) {
    const Error& error = done.error();
    if (error.code != ErrorCode::kPermissionDenied) return fail(error);
    return fail(error.code, "{}; a trace needs root, or CAP_BPF and CAP_PERFMON", error.message);
  }

  Tracer tracer(std::move(*object));
  auto losses = tracer.object_.map_section(".data.losses");
  if (!losses) return fail(losses.error());
  tracer.losses_ = std::move(*losses);
  auto processes = tracer.object_.map_fd("processes");
  if (!processes) return fail(processes.error());
  tracer.processes_ = *processes;
  if (options.events) {
    auto ring = tracer.object_.map_fd("ring");
    if (!ring) return fail(ring.error());
    tracer.on_event_ = std::make_unique<std::function<void(const pm_event&)>>();
    tracer.ring_.reset(ring_buffer__new(*ring, on_sample, tracer.on_event_.get(), nullptr));
    if (!tracer.ring_) return fail_errno("mapping the trace's ring");
  }
  for (const char* name : kAttached) {
    auto link = tracer.object_.attach(name);
    if (!link) return fail(link.error());
    tracer.links_.push_back(std::move(*link));
  }
  if (options.events) {
    auto link = tracer.object_.attach("trace_waking");
    if (!link) return fail(link.error());
    tracer.links_.push_back(std::move(*link));
  }
  auto seed = tracer.object_.program_fd("seed_trace");
  if (!seed) return fail(seed.error());
  pm_trace_seed found{};
  if (auto ran = tracer.object_.run(*seed, std::as_writable_bytes(std::span(&found, 1))); !ran) return fail(ran.error());
  return tracer;
}

Result<Unit> Tracer::drain(std::vector<TracedProcess>& out, const DrainOptions& options) {
  constexpr auto kSettled = static_cast<uint64_t>(100 * kMillisecond);
  const auto now = static_cast<uint64_t>(SystemClock().now_ns());
  std::vector<pm_process_key> ended;
  pm_process_key key{}, next{};
  const pm_process_key* at = nullptr;
  while (bpf_map_get_next_key(processes_, at, &next) == 0) {
    key = next;
    at = &key;
    pm_process sums{};
    if (bpf_map_lookup_elem(processes_, &key, &sums) != 0) continue;
    if (sums.completion_ns == 0 || (!options.all && sums.completion_ns + kSettled > now)) continue;
    out.push_back(traced(key, sums));
    ended.push_back(key);
  }
  for (const pm_process_key& one : ended) {
    if (const int r = bpf_map_delete_elem(processes_, &one); r != 0 && r != -ENOENT) return fail(ErrorCode::kIo, "taking a process out of the trace: {}", std::strerror(-r));
  }
  return Unit{};
}

Result<std::vector<TracedProcess>> Tracer::alive() const {
  std::vector<TracedProcess> out;
  pm_process_key key{}, next{};
  const pm_process_key* at = nullptr;
  while (bpf_map_get_next_key(processes_, at, &next) == 0) {
    key = next;
    at = &key;
    pm_process sums{};
    if (bpf_map_lookup_elem(processes_, &key, &sums) == 0 && sums.completion_ns == 0) out.push_back(traced(key, sums));
  }
  return out;
}

int Tracer::on_sample(void* self, void* data, size_t size) {
  if (size < sizeof(pm_event)) return 0;
  (*static_cast<std::function<void(const pm_event&)>*>(self))(*static_cast<const pm_event*>(data));
  return 0;
}

Result<Unit> Tracer::read_events(const std::function<void(const pm_event&)>& on_event) {
  if (!ring_) return fail(ErrorCode::kInvalidArgument, "this trace was opened without events");
  *on_event_ = on_event;
  const int r = ring_buffer__consume(ring_.get());
  if (r < 0) return fail(ErrorCode::kIo, "reading the trace's ring: {}", std::strerror(-r));
  return Unit{};
}

pm_trace_losses Tracer::losses() const {
  const auto* shared = static_cast<const volatile pm_trace_losses*>(losses_.data());
  return {.processes = shared->processes, .events = shared->events};
}

}  // namespace pointsman

// Tracer: the trace's BPF programs (bpf/trace), loaded and attached: per process its arrival, first run, completion and CPU time, and single events on request.
// Threads: one. Owns: the programs; destroying it detaches them.
// Errors: open: kPermissionDenied (needs root, or CAP_BPF and CAP_PERFMON), kUnsupported, kNotFound (no such process or cgroup), kIo.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "bpf/object.h"
#include "bpf/trace/trace.intf.h"

struct ring_buffer;

namespace pointsman {

struct TracerOptions {
  enum class Scope {
    kSystem,  // every process but the tracer
    kTree,    // `root` and those that descend from it
    kCgroup,  // those in `cgroup` and below
  };
  Scope scope = Scope::kSystem;
  pid_t root = 0;
  std::string cgroup = "";             // a folder of cgroup v2
  bool events = false;                 // single switches and wake-ups too
  uint32_t ring_bytes = 32u << 20;     // room for events that have not been read yet; a power of two
};

struct TracedProcess {
  pid_t pid = 0;
  pm_process sums{};
  std::string command;
};

class Tracer {
 public:
  static Result<Tracer> open(const TracerOptions& options);
  Tracer(Tracer&&) noexcept;
  Tracer& operator=(Tracer&&) noexcept;
  ~Tracer();

  // Moves the processes that have completed out of the kernel's map, which holds 131 072; call it a few times a second. `all`: also those of the last 100 ms, of
  // which a thread may still be on its way out.
  struct DrainOptions {
    bool all = false;
  };
  Result<Unit> drain(std::vector<TracedProcess>& out, const DrainOptions& options);
  Result<std::vector<TracedProcess>> alive() const;
  // Hands over what the ring holds now, each CPU's events in order, CPUs interleaved nearly so.
  Result<Unit> read_events(const std::function<void(const pm_event&)>& on_event);
  [[nodiscard]] pm_trace_losses losses() const;
  [[nodiscard]] const BpfObject& object() const { return object_; }

 private:
  struct FreeRing {
    void operator()(ring_buffer* ring) const;
  };
  explicit Tracer(BpfObject object);
  static int on_sample(void* self, void* data, size_t size);

  BpfObject object_;
  MappedSection losses_;
  std::vector<BpfLink> links_;
  std::unique_ptr<ring_buffer, FreeRing> ring_;
  std::unique_ptr<std::function<void(const pm_event&)>> on_event_;  // its address is the ring's
  int processes_ = -1;
};

}  // namespace pointsman

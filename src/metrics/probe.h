// Probe: the accounting BPF programs (bpf/probe), loaded and attached, and their sums as one reading.
// Threads: one reader at a time. Owns: the programs; destroying it detaches them. A child made by fork alone shares the attachment until it ends.
// Errors: open: kPermissionDenied (needs root, or CAP_BPF and CAP_PERFMON), kUnsupported (no BTF, or the verifier refuses), kIo. read: kBusy (see there).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "bpf/object.h"
#include "bpf/probe/probe.intf.h"

namespace pointsman {

struct ProbeReading {
  int64_t moment_ns = 0;  // CLOCK_MONOTONIC; every sum of time, also of what is still running, is up to here. A sum of time may fall by
                          // some ns between readings: the kernel reads a faster, coarser-steered clock.
  pm_probe sums{};        // over all CPUs
};

// What the programs themselves cost. Times and runs are 0 unless kernel.bpf_stats_enabled is set.
struct ProbeProgram {
  std::string name;
  uint64_t runs = 0, run_ns = 0;
  uint64_t missed = 0;                 // not run, because the same program was running on that CPU
  uint32_t verified_instructions = 0;  // that the verifier walked through
  uint32_t bytes = 0;                  // of machine code
};

struct ProbeOptions {
  bool states = false;  // keep the levels of threads alive, uninterruptible and blocked by I/O too; costs some ns a switch
};

class Probe {
 public:
  static Result<Probe> open(const ProbeOptions& options = {});
  Probe(Probe&& other) noexcept;
  Probe& operator=(Probe&& other) noexcept;
  ~Probe();

  // No system call but the clock's. kBusy when a CPU's sums could not be copied undisturbed in thousands of attempts.
  Result<ProbeReading> read() const;
  // The oldest wait for a CPU that is under way, by a walk over all threads: about 0.1 us each.
  Result<pm_oldest> oldest_wait() const;
  [[nodiscard]] bool has_states() const { return states_; }
  [[nodiscard]] int cpus() const { return online_; }  // on line when it was opened
  Result<std::vector<ProbeProgram>> programs() const;
  [[nodiscard]] const BpfObject& object() const { return object_; }

 private:
  explicit Probe(BpfObject object) : object_(std::move(object)) {}
  Result<Unit> seed();
  Result<Unit> seed_states();

  BpfObject object_;
  std::vector<BpfLink> links_;
  const pm_cpu* cpus_ = nullptr;
  size_t possible_ = 0;
  int online_ = 1;
  bool states_ = false;
  pm_states before_{};  // what was there when the programs were attached
};

}  // namespace pointsman

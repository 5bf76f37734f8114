// GuestSnapshot: a guest that has booted and settled, saved in memory; each run is a fork of it, copy on write.
// Forks of one snapshot agree to the bit; two snapshots agree when their identities do.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/result.h"
#include "lab/image.h"
#include "lab/machine.h"
#include "lab/snapshot_cache.h"

namespace pointsman {

struct BootOptions {
  nlohmann::json boot = nlohmann::json::object();  // what the guest's hooks read before the snapshot; at most kBootBytes
  double host_seconds = 600;                       // give up then; 8 s of CPU time are enough, but others may want the CPUs too
  std::string cache_folder{};                      // where guests are kept from one command to the next (default_cache_folder()); empty: nowhere
};

// Owns: the saved memory (a memory file, as large as what the guest has touched). Threads: run() may be called from several at once.
class GuestSnapshot {
 public:
  // Boots, waits for the gate and saves, or takes such a save from the cache; and tries one empty fork.
  // Errors: kBusy (too little free memory, or the guest was not ready in time), those of Machine::start, and the guest's own.
  static Result<GuestSnapshot> take(const MachineOptions& options, const Image& image, const BootOptions& boot);

  // One fork: gives it REQUEST (at most kRequestBytes as JSON; "kind" names the job) and BLOB, and waits for its end.
  // Errors: kInvalidArgument (too large), those of Machine::finish.
  Result<RunResult> run(const nlohmann::json& request, std::string_view blob, const RunLimits& limits) const;

  // Over kernel, image, QEMU, command line, registers, memory and the first time stamp of a fork. Results of different identities are never compared.
  [[nodiscard]] const std::string& identity() const { return identity_; }
  [[nodiscard]] const std::string& qemu_version() const { return guest_.qemu_version; }
  [[nodiscard]] const nlohmann::json& hello() const { return hello_; }  // what the guest said of itself: kernel, self-test, time stamp
  [[nodiscard]] double boot_seconds() const { return guest_.boot_seconds; }  // host time from QEMU's start to the gate, when it was booted
  [[nodiscard]] double save_seconds() const { return guest_.save_seconds; }
  [[nodiscard]] double ready_seconds() const { return ready_seconds_; }       // host time that take() needed, from wherever it came
  [[nodiscard]] bool from_cache() const { return from_cache_; }
  [[nodiscard]] size_t memory_bytes() const { return guest_.memory_bytes; }  // that the save occupies

 private:
  GuestSnapshot() = default;
  Result<Unit> try_out(const Image& image);
  MachineOptions options_;
  UniqueFd image_;
  SavedGuest guest_;
  std::string boot_, identity_;
  nlohmann::json hello_;
  double ready_seconds_ = 0;
  bool from_cache_ = false;
};

// The same job in a guest booted for it alone: boots are compared with boots, never with forks.
Result<RunResult> run_from_boot(const MachineOptions& options, const Image& image, const BootOptions& boot, const nlohmann::json& request,
                                std::string_view blob, const RunLimits& limits);

// Bytes that can be had before the machine or this control group runs out of memory.
Result<uint64_t> available_memory();

}  // namespace pointsman

// Machine: one QEMU that is exact (unless it is networked): virtual time counts instructions, nothing reads the host's clock, the same input gives the same bits.
// The recipe and the reasons are in docs/lab.md. Everything it reads and writes are anonymous memory files: nothing is left behind, however it ends.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "lab/child.h"
#include "lab/frame.h"
#include "lab/qmp.h"

namespace pointsman {

// A Linux image and its modules.
struct Kernel {
  std::string image;      // bzImage
  std::string release;    // as uname -r will say; read from the image itself
  std::string modules;    // folder with the *.ko that guest_modules() names
  std::string config;     // file with its configuration; empty: none was found
  std::string hash;       // over the image's bytes
  // PATH: the image, or a folder with `vmlinuz`, `modules/` and perhaps `config`. Beside an image `vmlinuz-X` a `config-X` is looked for. Errors: kNotFound, kInvalidArgument (not an x86 Linux image).
  static Result<Kernel> open(const std::string& path);
};

// A machine with a network and the host's clock in place of exactness: a server runs in it, for clients of this host.
struct Networked {
  uint16_t port = 0;        // of 127.0.0.1, which leads to kGuestPort in the guest
  bool kvm = false;         // else emulated, each virtual CPU in a thread of its own
};
inline constexpr const char* kGuestAddress = "10.0.2.15";  // what QEMU's user-mode network gives a guest
inline constexpr uint16_t kGuestPort = 8765;

struct MachineOptions {
  Kernel kernel;
  int cpus = 4;          // 1..8
  int memory_mb = 1024;  // 256..16384
  uint64_t seed = 1;     // of the guest's hardware random numbers
  std::string qemu = "qemu-system-x86_64";
  std::optional<Networked> networked{};
  int cancel_fd = -1;    // once it is readable, the machine is ended and whoever waits for it gets kInterrupted; not owned
};
// Errors: kInvalidArgument with the allowed range.
Result<Unit> check(const MachineOptions& options);

// What a guest reads through fw_cfg. The sizes never vary: a snapshot remembers them.
inline constexpr size_t kBootBytes = 4096;       // read before the snapshot
inline constexpr size_t kRequestBytes = 32768;   // read after it: the job
inline constexpr size_t kBlobBytes = 131072;     // read when a job asks for it
inline constexpr const char* kBootItem = "opt/org.pointsman/boot";
inline constexpr const char* kRequestItem = "opt/org.pointsman/request";
inline constexpr const char* kBlobItem = "opt/org.pointsman/blob";

// An anonymous file in memory.
Result<UniqueFd> memory_file(const char* name, std::string_view content, size_t size);
std::string content_of(int fd);

struct MachineInput {
  int image_fd = -1;         // the initramfs
  int ram_fd = -1;           // the guest's memory, a file of memory_mb
  bool ram_is_shared = true; // false: copy on write, the file stays as it is
  bool incoming = false;     // paused, waits for a state
  bool batch = false;        // SCHED_BATCH, which makes a save reproducible; else the main loop comes before the virtual CPUs
  std::string_view boot, request, blob;
};

struct RunLimits {
  int64_t virtual_ns = 600'000'000'000;  // the guest ends itself then
  double host_seconds = 600;             // the machine is killed then
};

struct RunResult {
  std::vector<Frame> frames;
  nlohmann::json end;          // the guest's closing words
  std::string results_hash;    // over all frames
  double host_seconds = 0;
  double cpu_seconds = 0;      // of this QEMU, its start included
  double restore_seconds = 0;  // the part of it before the guest went on; 0 for boots
  double virtual_seconds = 0;  // from the job's request to its end
  std::string console_tail, qemu_version;
  // The payload of the first frame of this type as JSON; kNotFound, kCorrupt.
  [[nodiscard]] Result<nlohmann::json> json(std::string_view type) const;
};

// The arguments, with IMAGE in place of the kernel's path: equal for equal machines wherever the files lie.
std::string describe(const MachineOptions& options);

// Threads: one, and the one that started it must outlive it.
class Machine {
 public:
  // Errors: kNotFound (no QEMU), kIo with QEMU's own words.
  static Result<Machine> start(const MachineOptions& options, const MachineInput& input, int64_t deadline_ns);

  Qmp& qmp() { return qmp_; }
  [[nodiscard]] double cpu_seconds() const { return child_.cpu_seconds(); }
  // Waits until the guest has powered off and gives what it sent.
  // Errors: kBusy (did not finish in time), kIo (panicked, QEMU died), kCorrupt (results damaged); the guest's own error if it sent one. With the console's last lines.
  Result<RunResult> finish(int64_t deadline_ns);
  // Waits for the pause that the guest asks for at its gate; its error if it ends instead.
  Result<Unit> wait_gate(int64_t deadline_ns);
  // Ends QEMU without ceremony when all that was wanted of it has been had.
  Result<ChildExit> quit();
  // WHY with the last lines of the console and QEMU's complaints.
  [[nodiscard]] Error explain(const Error& why) const;

 private:
  Machine(Child child, Qmp qmp, UniqueFd console, UniqueFd results, UniqueFd complaints, int64_t started_ns)
      : child_(std::move(child)),
        qmp_(std::move(qmp)),
        console_(std::move(console)),
        results_(std::move(results)),
        complaints_(std::move(complaints)),
        started_ns_(started_ns) {}
  Result<Unit> wait_power_off(int64_t deadline_ns);
  Child child_;
  Qmp qmp_;
  UniqueFd console_, results_, complaints_;
  int64_t started_ns_;
};

}  // namespace pointsman

// SchedulerHost: the port through which schedulers are swapped. The kernel host does it for real; the fake (fake_host.h) has the kernel's
// rules. Nothing here believes a return code: callers read the state back (swapper.h does).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"

namespace pointsman {

// As read from /sys/kernel/sched_ext (state, root/ops, enable_seq) and from our own object's memory.
struct KernelState {
  enum class Phase { kDisabled, kEnabling, kEnabled, kDisabling };
  Phase phase = Phase::kDisabled;
  std::string ops;           // name of the attached scheduler; empty while disabled
  uint64_t enable_seq = 0;   // counts attachments since boot; moves without us when others attach
  int policy = -1;           // the portfolio's active policy, or an external arm's number (Arm::policy); -1 unless ours is attached
  bool ours = false;         // the attached scheduler is the one that this host attached
  uint64_t hotplug_seq = 0;  // counts CPUs that came or went since boot
};
const char* name_of(KernelState::Phase phase);

// Durations in ns; -1 where it does not apply or was not seen within the bound.
struct SwapTimes {
  int64_t call_ns = -1;    // the whole call, as the caller waited
  int64_t attach_ns = -1;  // warm swaps; cold ones: from the program's start until the kernel had it enabled
  int64_t detach_ns = -1;  // cold ones: from the first signal until the kernel had let go of it
  int64_t first_dispatch_ns = -1;  // hot swaps: until some CPU took its first task by the new policy
  int64_t all_cpus_ns = -1;        // until every CPU had
  int64_t longest_wait_ns = -1;    // the longest any runnable task waited across the swap
  int moved = 0;                   // tasks moved from the old queue to the new one
};

// Why the kernel threw a scheduler out; its own words.
struct Ejection {
  int kind = 0;  // enum scx_exit_kind: 67 SysRq, 1024.. error, 1026 stall
  uint64_t exit_code = 0;
  std::string reason;
  std::string message;
  int attachment = 0;  // which of the host's attachments it ended, from 1: tells one ejection from the next
  int policy = -1;     // an external arm's number; -1: it was the portfolio
  // SysRq-S, or somebody else's detach: wanted, not a failure.
  [[nodiscard]] bool by_person() const { return kind == 67 || kind == 64; }
  [[nodiscard]] bool by_error() const { return kind >= 1024; }
};

class SchedulerHost {
 public:
  virtual ~SchedulerHost() = default;
  virtual Result<KernelState> read_state() = 0;
  // Why attach(policy) could only fail, found out without touching anything; empty: it may succeed.
  virtual std::string obstacle(int /*policy*/) { return ""; }
  // From eevdf to the portfolio with `policy` active, or to an external arm. Errors: kBusy (any scheduler is attached), kUnsupported, kIo.
  virtual Result<SwapTimes> attach(int policy) = 0;
  // From ours to eevdf. Errors: kNotFound (ours is not attached).
  virtual Result<SwapTimes> detach() = 0;
  // Between two policies while ours is attached. Errors: kNotFound, kInvalidArgument (no such policy).
  virtual Result<SwapTimes> flip(int policy) = 0;
  // The times that were still open when flip() returned: first_dispatch_ns, all_cpus_ns, longest_wait_ns.
  virtual SwapTimes last_times() = 0;
  // Set once ours was thrown out since the last attach.
  virtual std::optional<Ejection> ejection() = 0;
};

}  // namespace pointsman

// Swapper: the one way to change the arm. It asks the host, then believes only what it reads back: state, root/ops, enable_seq, active
// policy. Never touches a scheduler that is not ours; stays on eevdf after a person's SysRq-S until released; keeps away from the portfolio,
// or from an external arm, for a while after the kernel threw it out for an error. Between two schedulers the way leads through eevdf: what
// fails on the second half of it leaves eevdf. Threads: one.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/clock.h"
#include "sched/arm.h"
#include "sched/host.h"

namespace pointsman {

struct Outcome {
  enum class Verdict {
    kConfirmed,  // the kernel runs `to`
    kRefused,    // it does not, nobody was thrown out; `why` says who refused
    kEjected,    // it did or was about to, and the kernel threw it out; `ejection` says why
  };
  Verdict verdict = Verdict::kRefused;
  std::string why;  // one line; empty when confirmed
  std::optional<Ejection> ejection;
  std::optional<ArmId> from;  // nullopt: not an arm (a foreign scheduler), or unreadable
  ArmId to = kEevdf;
  KernelState after;
  bool read_back = false;  // `after` was read after the swap; false: the kernel's files could not be read and `after` is the last that was
  SwapTimes times;
};
const char* name_of(Outcome::Verdict verdict);

// What happened since check() was last called, seen by it or by swap().
struct Notice {
  std::optional<Ejection> ejection;  // ours was thrown out
  bool vetoed = false;               // by a person: nothing but eevdf until release()
  std::string foreign;               // a scheduler that is not ours appeared: its name
  bool foreign_gone = false;
  bool hotplug = false;     // CPUs came or went
  bool unreadable = false;  // at the last look
  [[nodiscard]] bool empty() const { return !ejection && !vetoed && foreign.empty() && !foreign_gone && !hotplug && !unreadable; }
};

class Swapper {
 public:
  struct Options {
    int64_t quarantine_ns = 60 * kSecond;  // for the whole portfolio, or one external arm, after the kernel threw it out for an error
    int64_t restart_ns = 10 * kSecond;     // for one external arm whose program could not be brought to attach: what ends at once would end at once again
    int64_t settle_ns = 2 * kSecond;       // how long the kernel's files may lag behind an attachment
    int64_t poll_ns = 500 * kMicrosecond;
  };
  // Looks at the kernel at once; what is attached then stays. (Two constructors: a nested class's defaults are no default argument inside
  // its own class.)
  Swapper(SchedulerHost& host, Clock& clock, Options options);
  Swapper(SchedulerHost& host, Clock& clock);

  Outcome swap(ArmId to);
  // Cheap enough for every tick: a few small files.
  Notice check();

  // As last read. nullopt: a foreign scheduler is attached, or nothing could be read.
  [[nodiscard]] std::optional<ArmId> current() const { return current_; }
  [[nodiscard]] const KernelState& kernel() const { return kernel_; }
  // Why swap(to) would be refused now, before it touches anything; empty: it would not.
  [[nodiscard]] std::string objection(ArmId to) const;
  [[nodiscard]] bool vetoed() const { return vetoed_; }
  // How the person said it.
  [[nodiscard]] const std::string& veto() const { return veto_; }
  void release() { vetoed_ = false; }
  // The end of the portfolio's quarantine; in the past when there is none.
  [[nodiscard]] int64_t quarantined_until_ns() const { return quarantined_until_ns_; }

 private:
  void read();
  void note_foreign();
  void look();
  Result<SwapTimes> carry_out(ArmId from, ArmId to);
  SchedulerHost& host_;
  Clock& clock_;
  Options options_;
  KernelState kernel_;
  std::optional<ArmId> current_;
  Notice pending_;
  bool readable_ = false;
  bool vetoed_ = false;
  std::string veto_;
  int last_ejection_ = 0;
  int64_t quarantined_until_ns_ = 0;
  std::map<int, int64_t> external_until_ns_;  // quarantines of external arms, by policy
  std::string foreign_;
};

}  // namespace pointsman

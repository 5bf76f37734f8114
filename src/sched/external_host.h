// ExternalHost: the arms of another host, and external ones beside them (external_arm.h). A cold one is a program that we start and stop; a
// warm one is a BPF object, loaded beforehand. Whether either runs is what the kernel's files say: enabled, its name, a new enable_seq; a
// program's exit status is never asked. Whatever fails, nothing of it is left attached.
// Owns: the program, the objects. Threads: one, which must outlive it (supervised.h).
// attach() of a cold arm waits until the kernel has it, up to its start limit; detach() until the kernel is rid of it, at most three stop limits.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "bpf/object.h"
#include "sched/external_arm.h"
#include "sched/host.h"
#include "sched/kernel_log.h"
#include "sched/supervised.h"

namespace pointsman {

class ExternalHost : public SchedulerHost {
 public:
  struct Options {
    std::string sysfs = "/sys";
    std::string cgroups = "/sys/fs/cgroup";
    std::string kernel_log = "/dev/kmsg";
    std::vector<std::string> folders{};  // where programs and objects are looked for, before PATH
    int64_t poll_ns = 2 * kMillisecond;  // while a program starts or stops
    // A scheduler that ended because CPUs came or went attaches itself again; it has this long.
    int64_t restart_limit_ns = 5 * kSecond;
  };
  ExternalHost(SchedulerHost& inner, Clock& clock, Options options);
  ~ExternalHost() override;

  // Loads a warm arm now, so that its first swap does not. Errors: kNotFound (no such file), those of BpfObject.
  Result<Unit> preload(const ExternalArm& arm);

  Result<KernelState> read_state() override;
  std::string obstacle(int policy) override;
  Result<SwapTimes> attach(int policy) override;
  Result<SwapTimes> detach() override;
  Result<SwapTimes> flip(int policy) override;
  SwapTimes last_times() override { return last_was_external_ ? times_ : inner_.last_times(); }
  std::optional<Ejection> ejection() override { return last_was_external_ ? ejection_ : inner_.ejection(); }

  // What the program of the attached arm, or of the last one, has written.
  [[nodiscard]] std::string output() const { return program_ ? program_->output() : last_output_; }

 private:
  struct Loaded {
    std::unique_ptr<std::string> bytes;  // the object points into them
    BpfObject object;
    std::string map;
  };
  [[nodiscard]] bool shows_ours(const KernelState& state) const;
  void look(const KernelState& state);
  Result<Unit> start(const ExternalArm& arm);
  Result<Unit> attach_object(const ExternalArm& arm);
  Result<Unit> stop_program();
  void let_go();
  Ejection explain();

  SchedulerHost& inner_;
  Clock& clock_;
  Options options_;
  KernelLog log_;
  std::map<std::string, Loaded> loaded_;
  const ExternalArm* arm_ = nullptr;  // attached, or on its way there
  int policy_ = -1;
  std::unique_ptr<Supervised> program_;
  BpfLink link_;
  bool confirmed_ = false;  // the kernel has said so since attach()
  uint64_t seq_before_ = 0;
  int64_t gone_since_ns_ = 0;  // for restarts
  bool last_was_external_ = false;
  int attachments_ = 0;
  std::optional<Ejection> ejection_;
  SwapTimes times_;
  std::string last_output_;
};

}  // namespace pointsman

// HostRig: experiments on this machine: the arm is attached and read back, the workload runs, metrics and processes are watched, eevdf is put back.
// Degrades: without sched_ext only eevdf can be had, without BPF there is no table of processes; info() says so.
// Threads: one, which becomes real-time. Owns: the probe, the tracer, the loaded portfolio.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "http/rig.h"
#include "metrics/probe.h"
#include "metrics/sampler.h"
#include "metrics/tracer.h"
#include "sched/host.h"
#include "sched/swapper.h"
#include "store/ledger.h"
#include "workload/runner.h"

namespace pointsman {

class HostRig : public Rig {
 public:
  struct Options {
    bool guest = false;  // this machine is the lab's networked guest, and says so
    std::string procfs = "/proc", sysfs = "/sys";
    std::string scratch_device{};  // for workloads that read and write a disk; its content is lost
    std::string ledger{};          // where runs are kept; empty: nowhere
    std::vector<std::string> scheduler_folders{};  // where external arms' programs and objects are looked for, before PATH
    int64_t limit_ns = 120 * kSecond;  // past the last arrival; then the repeat has failed
    size_t process_rows = 10'000;      // in the results of all repeats of an experiment together
    size_t windows = 2'000;            // the same
  };
  // Borrows the catalogue. Errors: kPermissionDenied (it needs root), those of the ledger.
  static Result<std::unique_ptr<Rig>> open(Options options, const Catalogue& catalogue);

  [[nodiscard]] const RigInfo& info() const override { return info_; }
  Result<RepeatResult> run(const RepeatRequest& request, const std::atomic<bool>& cancel) override;

 private:
  HostRig(Options options, const Catalogue& catalogue) : options_(std::move(options)), catalogue_(catalogue) {}
  Result<Unit> prepare();

  Options options_;
  const Catalogue& catalogue_;
  SystemClock clock_;
  RigInfo info_;
  std::string binary_;
  BurnRate burn_rate_;
  std::unique_ptr<SchedulerHost> portfolio_, host_;  // the portfolio, and with external arms beside it
  std::unique_ptr<Swapper> swapper_;
  std::unique_ptr<Probe> probe_;
  std::unique_ptr<Tracer> tracer_;
  std::unique_ptr<Sampler> sampler_;
  std::unique_ptr<Ledger> ledger_;
};

}  // namespace pointsman

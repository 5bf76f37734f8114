// KernelHost: the portfolio in the running kernel. Loaded once when the host opens; a warm swap only attaches and detaches what is already
// verified. Owns: the loaded object and the link. A process that ends, however it ends, closes the link, and the kernel goes back to eevdf.
// Threads: one. It must have called outrank_ordinary_tasks() (priority.h) before the first flip.
// Children: descriptors are close-on-exec. A child that does not exec must close them (close_range(3, ~0U, 0)): while it holds the link, a
// detach does nothing. Errors: kUnsupported (no sched_ext, or the kernel refuses the object: its words), kPermissionDenied.
#pragma once

#include <memory>
#include <span>

#include "base/clock.h"
#include "bpf/object.h"
#include "bpf/portfolio/portfolio.intf.h"
#include "sched/host.h"
#include "sched/priority.h"

namespace pointsman {

inline constexpr const char* kPortfolioOps = "pointsman";  // its name in root/ops

class KernelHost : public SchedulerHost {
 public:
  struct Options {
    std::string sysfs = "/sys";
    std::string procfs = "/proc";
    std::span<const unsigned char> object;  // empty: the embedded portfolio
    bool haste = true;                      // raise what a warm swap hangs on while it lasts (priority.h)
    std::string haste_record = kHasteRecord;
  };
  static Result<std::unique_ptr<KernelHost>> open(Options options, Clock& clock);
  ~KernelHost() override;

  Result<KernelState> read_state() override;
  Result<SwapTimes> attach(int policy) override;
  Result<SwapTimes> detach() override;
  Result<SwapTimes> flip(int policy) override;
  SwapTimes last_times() override;
  std::optional<Ejection> ejection() override;

  // The memory shared with the portfolio.
  [[nodiscard]] volatile pm_state& shared() { return *static_cast<volatile pm_state*>(state_.data()); }
  [[nodiscard]] int link_fd() const { return link_.fd(); }
  [[nodiscard]] const BpfObject& object() const { return object_; }

 private:
  KernelHost(Options options, Clock& clock, BpfObject object, MappedSection state, MappedSection watch)
      : options_(std::move(options)),
        clock_(clock),
        object_(std::move(object)),
        state_(std::move(state)),
        watch_(std::move(watch)),
        haste_(options_.procfs, options_.sysfs, options_.haste ? options_.haste_record : "") {}
  [[nodiscard]] bool attached() { return link_ && shared().exit.kind == 0; }
  [[nodiscard]] volatile pm_watch& watched() { return *static_cast<volatile pm_watch*>(watch_.data()); }
  void watch_warm_swap(bool begin);
  void let_go_of_watch();

  Options options_;
  Clock& clock_;
  BpfObject object_;
  MappedSection state_;
  MappedSection watch_;
  Haste haste_;
  BpfLink link_;
  BpfLink watch_link_;
  int flip_fd_ = -1;
  int watch_fd_ = -1;
  uint64_t seq_before_attach_ = 0;
  int attachments_ = 0;
  bool last_was_hot_ = false;
  int64_t watch_began_ns_ = 0;
  SwapTimes times_;
};

}  // namespace pointsman

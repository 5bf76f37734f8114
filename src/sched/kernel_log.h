// KernelLog: what the kernel's log says of why a sched_ext scheduler ended: the one place that tells it of schedulers whose memory we do not share.
// Errors: none; where the log cannot be read (no right to it) it says nothing.
// Source: scx_root_disable() in kernel/sched/ext.c
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/unique_fd.h"
#include "sched/external_arm.h"
#include "sched/host.h"

namespace pointsman {

class KernelLog {
 public:
  // PATH is /dev/kmsg, or a file of such records.
  explicit KernelLog(const std::string& path);
  // What was said before is no longer of interest.
  void skip();
  // The last end of this arm since then.
  std::optional<Ejection> end_of(const ExternalArm& arm);

 private:
  UniqueFd log_;
  std::string unread_;
};

// enum scx_exit_kind by the kernel's words; 0 for words that this does not know.
int exit_kind_of(std::string_view reason);

// The last end of this arm in TEXT, lines of a kernel log, or nullopt.
std::optional<Ejection> end_in_log(std::string_view text, const ExternalArm& arm);

}  // namespace pointsman

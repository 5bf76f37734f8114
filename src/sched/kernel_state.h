// What the kernel says of sched_ext, from its files alone: state, root/ops, enable_seq, hotplug_seq.
#pragma once

#include <string>

#include "base/result.h"
#include "sched/host.h"

namespace pointsman {

// The files are read one after another while others may attach and detach: a reading counts only when nothing moved meanwhile.
// `ours` and `policy` stay unset: the files do not know them. Errors: kNotFound (no sched_ext), kUnsupported (an unknown state), kCorrupt.
Result<KernelState> read_kernel_state(const std::string& sysfs);

}  // namespace pointsman

// A child by clone(CLONE_VM | CLONE_VFORK): our memory, and we stand still until it ends. The least that a process can cost.
#pragma once

#include "bench/forks/task.h"

namespace pointsman::bench {

inline void by_vfork(Task& task) { wait_for(start_in_our_memory(task, CLONE_VFORK)); }

}  // namespace pointsman::bench

// A child by clone(CLONE_VM): a process of its own in our memory, on a stack that we give it.
#pragma once

#include "bench/forks/task.h"

namespace pointsman::bench {

inline void by_clone_vm(Task& task) { wait_for(start_in_our_memory(task, 0)); }

}  // namespace pointsman::bench

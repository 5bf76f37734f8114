// A thread: no process at all. What the kernel counts and schedules is the same; what people mean by a job is not.
#pragma once

#include <thread>

#include "bench/forks/task.h"

namespace pointsman::bench {

inline void by_thread(Task& task) {
  std::thread([&] { work(task); }).join();
}

}  // namespace pointsman::bench

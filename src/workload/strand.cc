#include "workload/strand.h"

#include <sched.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

namespace pointsman {

namespace {

constexpr size_t kStackBytes = 32 * 1024;  // of address space; a strand touches one or two pages of it
constexpr int kShared = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_CHILD_CLEARTID;

}  // namespace

Result<Strands> Strands::open(uint32_t most, size_t room_bytes) {
  constexpr size_t kPage = 4096;
  const auto pages = [](size_t bytes) { return (bytes + kPage - 1) / kPage * kPage; };
  Strands strands;
  strands.most_ = std::max(1u, most);
  strands.slot_bytes_ = pages(room_bytes) + kStackBytes;
  const size_t flags = pages(strands.most_ * sizeof(std::atomic<int32_t>));
  void* memory = mmap(nullptr, flags + strands.most_ * strands.slot_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return fail_errno("memory for the plan's tasks");
  strands.busy_ = new (memory) std::atomic<int32_t>[strands.most_]{};
  strands.slots_ = static_cast<std::byte*>(memory) + flags;
  return strands;
}

// The lowest free one, whose pages have most likely been touched before.
std::optional<uint32_t> Strands::take() const {
  for (uint32_t slot = 0; slot < most_; ++slot) {
    int32_t free = 0;
    if (busy_[slot].load(std::memory_order_relaxed) == 0 && busy_[slot].compare_exchange_strong(free, -1)) return slot;
  }
  return std::nullopt;
}

long Strands::launch(Kind kind, uint32_t slot, std::byte* top, int (*body)(void*)) const {
  const int flags = kShared | (kind == Kind::kThread ? CLONE_THREAD | CLONE_SYSVSEM : SIGCHLD);
  // libc's clone, since it alone can switch stacks between the two returns of the call.
  const int pid = clone(body, top, flags, top, nullptr, nullptr, &busy_[slot]);
  if (pid > 0) return pid;
  const int error = errno;
  busy_[slot].store(0);
  return -error;
}

void end_process(int code) {
  for (;;) raw_syscall(SYS_exit_group, code);
}

void end_thread() {
  for (;;) raw_syscall(SYS_exit, 0);
}

}  // namespace pointsman

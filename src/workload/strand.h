// Strand: a process or a thread that shares the memory of the one that starts it, so that starting and ending one copies no page tables.
// Private to this module. To the scheduler it is a process like any other: its own pid, start time, priority and affinity.
// What runs on a strand has no libc state of its own: it must not allocate, use errno, or call what may be cancelled; raw_syscall() is how it reaches the kernel.
#pragma once

#include <sys/syscall.h>

#include <atomic>
#include <cerrno>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <new>
#include <optional>
#include <type_traits>

#include "base/result.h"

namespace pointsman {

inline long register_word(std::nullptr_t) { return 0; }
inline long register_word(const void* address) { return reinterpret_cast<long>(address); }
inline long register_word(std::integral auto value) { return static_cast<long>(value); }

// A system call past libc: the result, or -errno.
template <typename... Arguments>
  requires(sizeof...(Arguments) <= 6)
long raw_syscall(long number, Arguments... arguments) {
  const long value[6] = {register_word(arguments)...};
  register long r10 asm("r10") = value[3];
  register long r8 asm("r8") = value[4];
  register long r9 asm("r9") = value[5];
  long result = number;
  asm volatile("syscall" : "+a"(result) : "D"(value[0]), "S"(value[1]), "d"(value[2]), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
  return result;
}

// A stack and a room for each strand that is alive; the kernel itself marks them free when the strand has gone.
// All is mapped at the start and nothing ever unmapped: whoever changes the mappings of shared memory holds a lock that every page fault needs, and is no
// less preempted for it. A strand gives back what it used of its room by MADV_DONTNEED.
// Threads: start() may be called by several strands at once. Owns: the memory, for as long as the process lives: strands may still be on it.
class Strands {
 public:
  enum class Kind { kProcess, kThread };
  // For `most` at a time, each with a room of so many bytes (rounded up to pages). Errors: kIo (no memory).
  static Result<Strands> open(uint32_t most, size_t room_bytes = 0);

  // Runs body(start, room) on a strand; `start` is copied to its stack. The body ends by end_process() or end_thread(). The new pid, or -errno: EAGAIN
  // when `most` are alive.
  template <typename Start>
    requires std::is_trivially_copyable_v<Start>
  long start(Kind kind, void (*body)(const Start&, std::byte* room), const Start& start) const {
    struct Frame {
      void (*body)(const Start&, std::byte*);
      Start start;
      std::byte* room;
    };
    const auto slot = take();
    if (!slot) return -EAGAIN;
    std::byte* top = top_of(*slot) - (sizeof(Frame) + 63) / 64 * 64;
    new (top) Frame{body, start, room_of(*slot)};
    return launch(kind, *slot, top, [](void* frame) -> int {
      const auto* f = static_cast<const Frame*>(frame);
      f->body(f->start, f->room);
      return 0;
    });
  }

 private:
  Strands() = default;
  [[nodiscard]] std::optional<uint32_t> take() const;
  [[nodiscard]] std::byte* room_of(uint32_t slot) const { return slots_ + slot * slot_bytes_; }
  [[nodiscard]] std::byte* top_of(uint32_t slot) const { return room_of(slot) + slot_bytes_; }
  long launch(Kind kind, uint32_t slot, std::byte* top, int (*body)(void*)) const;

  std::atomic<int32_t>* busy_ = nullptr;  // by slot; set to 0 by the kernel
  std::byte* slots_ = nullptr;  // of each: room, then stack
  size_t slot_bytes_ = 0;
  uint32_t most_ = 0;
};

[[noreturn]] void end_process(int code);
[[noreturn]] void end_thread();

}  // namespace pointsman

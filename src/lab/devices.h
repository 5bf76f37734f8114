// The guest's devices of memory: swap on zram and a scratch disk on null_blk. They give the kernel's swap and block layers real work without anything of the host's.
#pragma once

#include <string>

#include "base/result.h"

namespace pointsman {

inline constexpr const char* kScratchDevice = "/dev/nullb0";

Result<Unit> load_module(const std::string& path);
// /dev/zram0 as swap of this size.
Result<Unit> start_zram_swap(uint64_t bytes);
struct ScratchDiskOptions {
  int megabytes = 64;
  int completion_ns = 100'000;  // by a timer of the guest's clock: a disk with a constant latency
};
// Makes kScratchDevice. Needs configfs at /sys/kernel/config.
Result<Unit> start_scratch_disk(const ScratchDiskOptions& options);

}  // namespace pointsman

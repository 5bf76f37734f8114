// Whole files in and out. Writing is atomic: a reader sees the old file or the new one, never half of one, also when the disk is full.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pointsman {

// Works on /proc and /sys too, whose sizes read as 0. Errors: kNotFound, kPermissionDenied, kIo.
Result<std::string> read_file(const std::string& path);
// Writes PATH.tmp.PID, syncs, renames; a device or a pipe is written to as it is. Errors: kNotFound (no such folder), kPermissionDenied, kIo (disk full).
Result<Unit> write_file(const std::string& path, std::string_view content);
// One write(2) into an existing file such as a sysfs attribute.
Result<Unit> poke_file(const std::string& path, std::string_view content);

}  // namespace pointsman

#include "lab/devices.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/file.h"
#include "base/unique_fd.h"

namespace pointsman {

namespace {

// A swap area's first page. Source: include/linux/swap.h, union swap_header.
Result<Unit> write_swap_header(const std::string& device, uint64_t bytes) {
  constexpr size_t kPage = 4096;
  std::string page(kPage, '\0');
  const auto put = [&](size_t at, uint32_t value) { std::memcpy(page.data() + at, &value, sizeof value); };
  put(1024, 1);                                             // version
  put(1028, static_cast<uint32_t>(bytes / kPage - 1));      // last page
  page.replace(kPage - 10, 10, "SWAPSPACE2");
  UniqueFd fd(::open(device.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd) return fail_errno("open " + device);
  if (::write(fd.get(), page.data(), page.size()) != static_cast<ssize_t>(page.size()) || ::fsync(fd.get()) != 0) return fail_errno("write " + device);
  return Unit{};
}

}  // namespace

Result<Unit> load_module(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail_errno("open " + path);
  // zram makes its one device by itself; null_blk would make one of 250 GB
  const char* parameters = path.ends_with("/null_blk.ko") ? "nr_devices=0" : "";
  if (::syscall(SYS_finit_module, fd.get(), parameters, 0) != 0 && errno != EEXIST) return fail_errno("load module " + path);
  return Unit{};
}

Result<Unit> start_zram_swap(uint64_t bytes) {
  if (auto done = poke_file("/sys/block/zram0/disksize", std::to_string(bytes)); !done) return done;
  if (auto done = write_swap_header("/dev/zram0", bytes); !done) return done;
  if (::swapon("/dev/zram0", 0) != 0) return fail_errno("swapon /dev/zram0");
  return Unit{};
}

Result<Unit> start_scratch_disk(const ScratchDiskOptions& options) {
  const std::string folder = "/sys/kernel/config/nullb/nullb0";
  if (::mkdir(folder.c_str(), 0755) != 0 && errno != EEXIST) return fail_errno("mkdir " + folder);
  const std::pair<const char*, int> settings[] = {
      {"size", options.megabytes}, {"completion_nsec", options.completion_ns}, {"irqmode", 2}, {"queue_mode", 2}, {"memory_backed", 1}, {"blocksize", 4096}, {"power", 1}};
  for (const auto& [name, value] : settings) {
    if (auto done = poke_file(folder + "/" + name, std::to_string(value)); !done) return done;
  }
  if (::access(kScratchDevice, F_OK) != 0) return fail_errno(kScratchDevice);
  return Unit{};
}

}  // namespace pointsman

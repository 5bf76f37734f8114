// /proc/diskstats, summed over the devices where data ends. Source: Documentation/admin-guide/iostats.rst; a sector is always 512 bytes.
//
// What counts: whole devices (they have a folder in /sys/block; partitions have none) that are stacked on no other (no entry in slaves/, as dm and md
// have: their I/O is counted below them), are not hidden (a path of a multipath device), and hold their data themselves: not loop (a file elsewhere), zram
// (memory; swapping shows in the paging topic) or ram.
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "base/file.h"
#include "metrics/collector.h"
#include "metrics/kept_file.h"
#include "metrics/scan.h"

namespace pointsman {
namespace {

constexpr uint64_t kSectorBytes = 512;

struct Device {
  std::string name;
  bool counts = false;
  uint64_t reads = 0, read_sectors = 0, writes = 0, written_sectors = 0;  // as last seen
};

class DisksCollector : public Collector {
 public:
  explicit DisksCollector(const Roots& roots) : file_(roots.procfs + "/diskstats"), block_(roots.sysfs + "/block") {}
  Topic topic() const override { return Topic::kDisks; }

  Result<Unit> collect(Snapshot& snapshot) override {
    auto text = file_.read();
    if (!text) return fail(text.error());
    Lines lines(*text);
    std::string_view line;
    size_t at = 0;
    while (lines.next(line)) {
      Words words(line);
      const auto major = words.number(), minor = words.number();
      const std::string_view name = words.next();
      const auto reads = words.number();
      words.next();  // merged
      const auto read_sectors = words.number();
      words.next();  // time
      const auto writes = words.number();
      words.next();
      const auto written_sectors = words.number();
      if (!major || !minor || name.empty() || !reads || !read_sectors || !writes || !written_sectors) {
        return malformed(file_.path(), lines, line, "a device and its counts");
      }
      auto device = find(name, at);
      if (!device) return fail(device.error());
      if (!(*device)->counts) continue;
      Device& d = **device;
      // The same name with smaller counts is another device: it began at zero.
      const auto grown = [](uint64_t& before, uint64_t now) { return now - std::exchange(before, now); };
      if (*reads < d.reads || *writes < d.writes || *read_sectors < d.read_sectors || *written_sectors < d.written_sectors) {
        d.reads = d.writes = d.read_sectors = d.written_sectors = 0;
      }
      sums_.reads += grown(d.reads, *reads);
      sums_.writes += grown(d.writes, *writes);
      sums_.read_bytes += grown(d.read_sectors, *read_sectors) * kSectorBytes;
      sums_.written_bytes += grown(d.written_sectors, *written_sectors) * kSectorBytes;
    }
    snapshot.disks = sums_;
    return Unit{};
  }

 private:
  // Files list devices in the same order at every tick, so the search begins where the last one ended.
  Result<Device*> find(std::string_view name, size_t& at) {
    for (size_t i = 0; i < devices_.size(); ++i) {
      const size_t k = (at + i) % devices_.size();
      if (devices_[k].name != name) continue;
      at = k + 1;
      return &devices_[k];
    }
    auto counts = holds_data_itself(name);
    if (!counts) return fail(counts.error());
    devices_.push_back({.name = std::string(name), .counts = *counts});
    sums_.devices += *counts ? 1 : 0;
    at = devices_.size();
    return &devices_.back();
  }

  Result<bool> holds_data_itself(std::string_view name) const {
    namespace fs = std::filesystem;
    for (const std::string_view memory : {"loop", "zram", "ram"}) {
      if (name.starts_with(memory) && Words::number_of(name.substr(memory.size()))) return false;
    }
    std::error_code error;
    if (!fs::is_directory(block_, error)) {
      return fail(ErrorCode::kNotFound, "{} cannot be read, so which devices are stacked on others is not known; mount sysfs there or say --sysfs", block_);
    }
    std::string folder(name);
    std::replace(folder.begin(), folder.end(), '/', '!');  // cciss/c0d0
    const fs::path path = fs::path(block_) / folder;
    if (!fs::is_directory(path, error)) return false;  // a partition
    fs::directory_iterator slaves(path / "slaves", error);
    if (!error && slaves != fs::directory_iterator()) return false;
    const auto hidden = read_file((path / "hidden").string());
    return !(hidden && hidden->starts_with('1'));
  }

  KeptFile file_;
  std::string block_;
  std::vector<Device> devices_;
  DisksTopic sums_;
};

}  // namespace

std::unique_ptr<Collector> make_disks_collector(const Roots& roots) { return std::make_unique<DisksCollector>(roots); }

}  // namespace pointsman

// Collector: reads one topic of the kernel's files into a Snapshot. Adding one: a file with its make_ function, a line in collectors().
#pragma once

#include <memory>
#include <span>
#include <string>

#include "base/result.h"
#include "metrics/snapshot.h"

namespace pointsman {

class Probe;

struct Roots {
  std::string procfs = "/proc", sysfs = "/sys";
};

class Collector {
 public:
  virtual ~Collector() = default;
  [[nodiscard]] virtual Topic topic() const = 0;
  [[nodiscard]] std::string_view name() const { return name_of(topic()); }
  // Fills its topic. No allocation once it has succeeded on a machine that does not change. The error says what would help.
  virtual Result<Unit> collect(Snapshot& snapshot) = 0;
};

std::unique_ptr<Collector> make_cpu_collector(const Roots& roots);
std::unique_ptr<Collector> make_load_collector(const Roots& roots);
std::unique_ptr<Collector> make_memory_collector(const Roots& roots);
std::unique_ptr<Collector> make_paging_collector(const Roots& roots);
std::unique_ptr<Collector> make_disks_collector(const Roots& roots);
std::unique_ptr<Collector> make_pressure_collector(const Roots& roots);
std::unique_ptr<Collector> make_schedstat_collector(const Roots& roots);
// Opens every thread's status: about 10 us each. Not among collectors(): only who asks for it pays.
std::unique_ptr<Collector> make_walk_collector(const Roots& roots);
// Without a probe (nullptr) it fails with `absent`.
std::unique_ptr<Collector> make_probe_collector(const Probe* probe, std::string absent);

using MakeCollector = std::unique_ptr<Collector> (*)(const Roots&);
std::span<const MakeCollector> collectors();  // of files; the probe's is apart

}  // namespace pointsman

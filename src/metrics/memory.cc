// /proc/meminfo. Source: fs/proc/meminfo.c; "kB" there means 1024 bytes.
#include <array>
#include <limits>

#include "metrics/collector.h"
#include "metrics/kept_file.h"
#include "metrics/scan.h"

namespace pointsman {
namespace {

class MemoryCollector : public Collector {
 public:
  explicit MemoryCollector(const Roots& roots) : file_(roots.procfs + "/meminfo") {}
  Topic topic() const override { return Topic::kMemory; }

  Result<Unit> collect(Snapshot& snapshot) override {
    auto text = file_.read();
    if (!text) return fail(text.error());
    MemoryTopic& m = snapshot.memory;
    std::array<Wanted, 8> wanted{{{"MemTotal:", &m.total_bytes},
                                  {"MemFree:", &m.free_bytes},
                                  {"MemAvailable:", &m.available_bytes},
                                  {"Buffers:", &m.buffers_bytes},
                                  {"Cached:", &m.cached_bytes},
                                  {"SReclaimable:", &m.reclaimable_slab_bytes},
                                  {"SwapTotal:", &m.swap_total_bytes},
                                  {"SwapFree:", &m.swap_free_bytes}}};
    size_t missing = wanted.size();
    Lines lines(*text);
    std::string_view line;
    while (missing > 0 && lines.next(line)) {
      Words words(line);
      const std::string_view key = words.next();
      for (Wanted& w : wanted) {
        if (key != w.name || w.found) continue;
        const auto kib = words.number();
        if (!kib || *kib > std::numeric_limits<uint64_t>::max() / 1024 || words.next() != "kB") {
          return malformed(file_.path(), lines, line, "a name and a number of kB");
        }
        *w.value = *kib * 1024;
        w.found = true;
        --missing;
      }
    }
    for (const Wanted& w : wanted) {
      if (!w.found) return fail(ErrorCode::kUnsupported, "{} has no line '{}' (Linux 3.14 and later have it)", file_.path(), w.name);
    }
    return Unit{};
  }

 private:
  KeptFile file_;
};

}  // namespace

std::unique_ptr<Collector> make_memory_collector(const Roots& roots) { return std::make_unique<MemoryCollector>(roots); }

}  // namespace pointsman

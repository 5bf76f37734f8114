// /proc/pressure/{cpu,memory,io}. Source: kernel/sched/psi.c, Documentation/accounting/psi.rst; totals in microseconds since boot.
#include "metrics/collector.h"
#include "metrics/kept_file.h"
#include "metrics/scan.h"

namespace pointsman {
namespace {

class PressureCollector : public Collector {
 public:
  explicit PressureCollector(const Roots& roots)
      : cpu_(roots.procfs + "/pressure/cpu"), memory_(roots.procfs + "/pressure/memory"), io_(roots.procfs + "/pressure/io") {}
  Topic topic() const override { return Topic::kPressure; }

  Result<Unit> collect(Snapshot& snapshot) override {
    if (auto done = read(cpu_, snapshot.pressure.cpu); !done) return done;
    if (auto done = read(memory_, snapshot.pressure.memory); !done) return done;
    return read(io_, snapshot.pressure.io);
  }

 private:
  static Result<Unit> read(KeptFile& file, Stall& out) {
    auto text = file.read();
    if (!text) {
      return fail(text.error().code, "{}; pressure needs a kernel with CONFIG_PSI, and psi=1 on its command line where that is not the default",
                  text.error().message);
    }
    bool some = false;
    Lines lines(*text);
    std::string_view line;
    while (lines.next(line)) {
      Words words(line);
      const std::string_view key = words.next();
      std::string_view word;
      std::optional<uint64_t> total;
      while (!(word = words.next()).empty()) {
        if (word.starts_with("total=")) total = Words::number_of(word.substr(6));
      }
      if (!total) return malformed(file.path(), lines, line, "'some' or 'full' and 'total=' with a number");
      if (key == "some") {
        out.some_us = *total;
        some = true;
      } else if (key == "full") {  // of the CPU since Linux 5.13
        out.full_us = *total;
      }
    }
    if (!some) return fail(ErrorCode::kCorrupt, "{} has no line 'some'", file.path());
    return Unit{};
  }

  KeptFile cpu_, memory_, io_;
};

}  // namespace

std::unique_ptr<Collector> make_pressure_collector(const Roots& roots) { return std::make_unique<PressureCollector>(roots); }

}  // namespace pointsman

// /proc/stat. Source: fs/proc/stat.c, Documentation/filesystems/proc.rst 1.7.
#include <array>

#include "metrics/collector.h"
#include "metrics/kept_file.h"
#include "metrics/scan.h"

namespace pointsman {
namespace {

// Kernels before 2.6.33 have fewer columns; the first four have always been there.
bool parse_ticks(Words& words, CpuTicks& out) {
  CpuTicks ticks;
  uint64_t* const columns[] = {&ticks.user, &ticks.nice,    &ticks.system, &ticks.idle,  &ticks.iowait,
                               &ticks.irq,  &ticks.softirq, &ticks.steal,  &ticks.guest, &ticks.guest_nice};
  int n = 0;
  for (uint64_t* column : columns) {
    const std::string_view word = words.next();
    if (word.empty()) break;
    const auto value = Words::number_of(word);
    if (!value) return false;
    *column = *value;
    ++n;
  }
  out = ticks;
  return n >= 4;
}

class CpuCollector : public Collector {
 public:
  explicit CpuCollector(const Roots& roots) : file_(roots.procfs + "/stat") {}
  Topic topic() const override { return Topic::kCpu; }

  Result<Unit> collect(Snapshot& snapshot) override {
    auto text = file_.read();
    if (!text) return fail(text.error());
    CpuTopic& cpu = snapshot.cpu;
    cpu.each.clear();
    bool totals = false;
    std::array<Wanted, 6> wanted{{{"intr", &cpu.interrupts, false},
                                  {"ctxt", &cpu.switches},
                                  {"processes", &cpu.forks},
                                  {"procs_running", &cpu.running},
                                  {"procs_blocked", &cpu.io_blocked},
                                  {"softirq", &cpu.softirqs, false}}};
    Lines lines(*text);
    std::string_view line;
    while (lines.next(line)) {
      Words words(line);
      const std::string_view key = words.next();
      if (key == "cpu") {
        if (!parse_ticks(words, cpu.all)) return malformed(file_.path(), lines, line, "'cpu' and at least four counts of ticks");
        totals = true;
      } else if (key.starts_with("cpu")) {
        OneCpu one;
        const auto id = Words::number_of(key.substr(3));
        if (!id || *id > 1'000'000 || !parse_ticks(words, one.ticks)) {
          return malformed(file_.path(), lines, line, "'cpuN' and at least four counts of ticks");
        }
        one.id = static_cast<int>(*id);
        cpu.each.push_back(one);
      } else {
        for (Wanted& w : wanted) {
          if (key != w.name) continue;
          const auto value = words.number();
          if (!value) return malformed(file_.path(), lines, line, "a name and a number");
          *w.value = *value;
          w.found = true;
        }
      }
    }
    if (!totals) return fail(ErrorCode::kCorrupt, "{} has no line 'cpu'", file_.path());
    for (const Wanted& w : wanted) {
      if (w.required && !w.found) return fail(ErrorCode::kCorrupt, "{} has no line '{}'", file_.path(), w.name);
    }
    return Unit{};
  }

 private:
  KeptFile file_;
};

}  // namespace

std::unique_ptr<Collector> make_cpu_collector(const Roots& roots) { return std::make_unique<CpuCollector>(roots); }

}  // namespace pointsman

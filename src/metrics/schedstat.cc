// /proc/schedstat. Source: kernel/sched/stats.c; Documentation/scheduler/sched-stats.rst: of each cpuN line the last three numbers are time running and time
// waiting (ns), and timeslices. Present with CONFIG_SCHEDSTATS; these three count whatever kernel.sched_schedstats says, and under sched_ext too.
#include "metrics/collector.h"
#include "metrics/kept_file.h"
#include "metrics/scan.h"

namespace pointsman {
namespace {

class SchedstatCollector : public Collector {
 public:
  explicit SchedstatCollector(const Roots& roots) : file_(roots.procfs + "/schedstat") {}
  Topic topic() const override { return Topic::kSchedstat; }

  Result<Unit> collect(Snapshot& snapshot) override {
    auto text = file_.read();
    if (!text) return fail(text.error().code, "{}; a kernel with CONFIG_SCHEDSTATS has it", text.error().message);
    SchedstatTopic sums;
    Lines lines(*text);
    std::string_view line;
    bool any = false;
    while (lines.next(line)) {
      if (!line.starts_with("cpu")) continue;
      Words words(line);
      words.next();
      uint64_t last[3] = {};
      int n = 0;
      for (std::string_view word = words.next(); !word.empty(); word = words.next(), ++n) {
        const auto value = Words::number_of(word);
        if (!value) return malformed(file_.path(), lines, line, "'cpuN' and numbers");
        last[0] = last[1];
        last[1] = last[2];
        last[2] = *value;
      }
      if (n < 9) return malformed(file_.path(), lines, line, "'cpuN' and nine numbers");
      sums.running_ns += last[0];
      sums.waiting_ns += last[1];
      sums.timeslices += last[2];
      any = true;
    }
    if (!any) return fail(ErrorCode::kCorrupt, "{} has no line 'cpuN'", file_.path());
    snapshot.schedstat = sums;
    return Unit{};
  }

 private:
  KeptFile file_;
};

}  // namespace

std::unique_ptr<Collector> make_schedstat_collector(const Roots& roots) { return std::make_unique<SchedstatCollector>(roots); }

}  // namespace pointsman

// /proc/loadavg. Source: fs/proc/loadavg.c: three averages, runnable/all threads, the last PID.
#include "metrics/collector.h"
#include "metrics/kept_file.h"
#include "metrics/scan.h"

namespace pointsman {
namespace {

class LoadCollector : public Collector {
 public:
  explicit LoadCollector(const Roots& roots) : file_(roots.procfs + "/loadavg") {}
  Topic topic() const override { return Topic::kLoad; }

  Result<Unit> collect(Snapshot& snapshot) override {
    auto text = file_.read();
    if (!text) return fail(text.error());
    Lines lines(*text);
    std::string_view line;
    lines.next(line);
    Words words(line);
    const auto one = words.decimal(), five = words.decimal(), fifteen = words.decimal();
    const std::string_view pair = words.next();
    const size_t slash = pair.find('/');
    if (!one || !five || !fifteen || slash == std::string_view::npos) {
      return malformed(file_.path(), lines, line, "three averages and 'runnable/threads'");
    }
    const auto runnable = Words::number_of(pair.substr(0, slash)), threads = Words::number_of(pair.substr(slash + 1));
    if (!runnable || !threads) return malformed(file_.path(), lines, line, "three averages and 'runnable/threads'");
    snapshot.load = {.one_minute = *one, .five_minutes = *five, .fifteen_minutes = *fifteen, .runnable = *runnable, .threads = *threads};
    return Unit{};
  }

 private:
  KeptFile file_;
};

}  // namespace

std::unique_ptr<Collector> make_load_collector(const Roots& roots) { return std::make_unique<LoadCollector>(roots); }

}  // namespace pointsman

// /proc/vmstat. Source: mm/vmstat.c; pswpin and pswpout count pages, pgpgin and pgpgout KiB.
#include <array>

#include "metrics/collector.h"
#include "metrics/kept_file.h"
#include "metrics/scan.h"

namespace pointsman {
namespace {

class PagingCollector : public Collector {
 public:
  explicit PagingCollector(const Roots& roots) : file_(roots.procfs + "/vmstat") {}
  Topic topic() const override { return Topic::kPaging; }

  Result<Unit> collect(Snapshot& snapshot) override {
    auto text = file_.read();
    if (!text) return fail(text.error());
    PagingTopic& p = snapshot.paging;
    // A kernel without swap support has no pswp lines, and nothing is swapped: zero is the truth then.
    p.swapped_in_pages = p.swapped_out_pages = 0;
    std::array<Wanted, 5> wanted{{{"pgpgin", &p.paged_in_kib},
                                  {"pgpgout", &p.paged_out_kib},
                                  {"pswpin", &p.swapped_in_pages, false},
                                  {"pswpout", &p.swapped_out_pages, false},
                                  {"pgmajfault", &p.major_faults}}};
    size_t missing = wanted.size();
    Lines lines(*text);
    std::string_view line;
    while (missing > 0 && lines.next(line)) {
      if (!line.starts_with('p')) continue;
      Words words(line);
      const std::string_view key = words.next();
      for (Wanted& w : wanted) {
        if (key != w.name || w.found) continue;
        const auto value = words.number();
        if (!value) return malformed(file_.path(), lines, line, "a name and a number");
        *w.value = *value;
        w.found = true;
        --missing;
      }
    }
    for (const Wanted& w : wanted) {
      if (w.required && !w.found) return fail(ErrorCode::kCorrupt, "{} has no line '{}'", file_.path(), w.name);
    }
    return Unit{};
  }

 private:
  KeptFile file_;
};

}  // namespace

std::unique_ptr<Collector> make_paging_collector(const Roots& roots) { return std::make_unique<PagingCollector>(roots); }

}  // namespace pointsman

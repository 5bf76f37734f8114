// perf's text, cut in two at any place: the parts must give what the whole gives. And the conditions on its rows.
#include "report/perf_text.h"
#include "report/process_table.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, size_t size) {
  using namespace pointsman::report;
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const size_t cut = data[0] % (text.size() + 1);
  PerfText whole, parts;
  whole.feed(text);
  whole.finish();
  parts.feed(text.substr(0, cut));
  parts.feed(text.substr(cut));
  parts.finish();
  const PerfTextCounts &a = whole.counts(), &b = parts.counts();
  if (a.lines != b.lines || a.events != b.events || a.malformed != b.malformed || a.events + a.other + a.malformed != a.lines) __builtin_trap();
  auto rows = whole.take();
  if (rows.size() != parts.take().size()) __builtin_trap();
  for (const ProcessRow& row : rows) {
    if (row.threads == 0) __builtin_trap();
  }
  if (auto order = ProcessOrder::parse(std::string(text.substr(0, 40)))) sort_processes(rows, *order);
  if (auto filter = ProcessFilter::parse(std::string(text.substr(0, 60)))) {
    for (const ProcessRow& row : rows) filter->passes(row);
  }
  if (process_csv(rows).empty()) __builtin_trap();
  return 0;
}

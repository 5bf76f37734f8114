// CSV tables of four kinds, up to the report made of them.
#include "report/frame.h"
#include "report/variability_page.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, size_t size) {
  using namespace pointsman::report;
  // Two files where there is a form feed: summaries that belong together are looked at together.
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t cut = text.find('\f');
  std::vector<Frame> frames;
  for (const std::string_view part : {text.substr(0, cut), cut == std::string_view::npos ? std::string_view() : text.substr(cut + 1)}) {
    auto frame = Frame::parse(frames.empty() ? "vm_a.csv" : "vm_b.csv", part);
    if (!frame) continue;
    // Bootstraps of wide tables are slow, and none of this.
    if (frame->columns().size() * frame->rows() > 400) continue;
    frames.push_back(std::move(*frame));
  }
  if (frames.empty()) return 0;
  VariabilityReport report{.found = examine(frames), .settling = {}, .about = {}, .frames = frames};
  if (variability_page(report).empty() || variability_markdown(report).empty() || report.found.flaw_text(80).empty()) __builtin_trap();
  return 0;
}

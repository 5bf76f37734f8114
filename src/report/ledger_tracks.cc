#include "report/ledger_tracks.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

namespace pointsman::report {

void add_run(PerfettoFile& file, const LedgerRun& run, std::span<const std::string_view> features) {
  int64_t begin_ns = 0;
  for (const LedgerWindow& window : run.windows) {
    file.set_slice("arm", begin_ns, window.arm);
    if (window.idle) file.add_instant("idle windows", begin_ns, "idle");
    for (size_t i = 0; i < std::min(features.size(), window.features.size()); ++i) {
      if (std::isfinite(window.features[i])) file.add_counter(features[i], window.end_ns, window.features[i]);
    }
    begin_ns = window.end_ns;
  }
  if (!run.windows.empty()) file.set_slice("arm", begin_ns, "");
  for (const LedgerDecision& d : run.decisions) {
    std::string text = d.arm;
    if (d.taken != d.arm) text += fmt::format(", taken {}", d.taken);
    if (!d.why.empty()) text += ": " + d.why;
    if (!d.held_back.empty()) text += " | " + d.held_back;
    file.add_instant("decisions", d.at_ns, text);
    file.add_counter("propensity", d.at_ns, d.propensity);
  }
  for (const LedgerSwap& s : run.swaps) file.add_instant("swaps", s.at_ns, fmt::format("{} -> {}: {}{}", s.from, s.to, s.outcome, s.detail.empty() ? "" : ", " + s.detail));
}

}  // namespace pointsman::report

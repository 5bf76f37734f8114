#include "agent/guard.h"

#include <fmt/core.h>

#include <algorithm>

#include "bpf/probe/hist.h"

namespace pointsman {

namespace {
constexpr int64_t kLongestQuarantineNs = 600 * kSecond, kRelapseNs = 60 * kSecond;
}

int64_t Guard::limit_ns(int64_t now_ns) const {
  const double reference = eevdf_known(now_ns) ? std::max<double>(eevdf_p99_ns_, static_cast<double>(options_.least_reference_ns)) : static_cast<double>(options_.reference_ns);
  return static_cast<int64_t>(options_.multiple * reference);
}

bool Guard::quarantined(ArmId arm, int64_t now_ns) const { return now_ns < sentences_[static_cast<size_t>(arm)].until_ns; }

std::optional<std::string> Guard::judge(ArmId active, int64_t since_ns, const Reading& before, const Reading& after) {
  uint64_t waits[PM_HIST_BUCKETS];
  for (int i = 0; i < PM_HIST_BUCKETS; ++i) waits[i] = after.probe.short_wait_hist[i] - before.probe.short_wait_hist[i];
  // A task that still waits has no entry in the histogram yet: starvation shows in its age.
  last_p99_ns_ = std::max(hist_quantile_ns(waits, 0.99), static_cast<double>(after.oldest_short_wait_ns));
  const int64_t now_ns = after.moment_ns;
  if (active == kEevdf) {
    struck_ = 0;
    if (since_ns > before.moment_ns) return std::nullopt;  // some of these waits are another arm's
    // A slow average: the reference follows the machine, not one burst.
    eevdf_p99_ns_ = eevdf_known(now_ns) ? 0.8 * eevdf_p99_ns_ + 0.2 * last_p99_ns_ : last_p99_ns_;
    eevdf_seen_ns_ = now_ns;
    return std::nullopt;
  }
  if (!options_.enabled) return std::nullopt;
  const auto limit = static_cast<double>(limit_ns(now_ns));
  struck_ = last_p99_ns_ > limit ? struck_ + 1 : 0;
  if (struck_ < options_.strikes) return std::nullopt;
  struck_ = 0;
  Sentence& sentence = sentences_[static_cast<size_t>(active)];
  const bool relapse = sentence.length_ns > 0 && now_ns - sentence.until_ns < kRelapseNs;
  sentence.length_ns = relapse ? std::min(2 * sentence.length_ns, kLongestQuarantineNs) : options_.quarantine_ns;
  sentence.until_ns = now_ns + sentence.length_ns;
  return fmt::format("short jobs waited {:.0f} ms (p99) under {}, the limit is {:.0f} ms", last_p99_ns_ / 1e6, arm_name(active), limit / 1e6);
}

}  // namespace pointsman

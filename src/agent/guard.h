// Guard: leaves an arm that makes short jobs wait. Any global arm can collapse (a fork bomb, nappers or hogs starve the rest under one policy or another),
// so the p99 of the waits of short jobs is held against a multiple of what eevdf gives, whatever the controller believes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/sensor.h"
#include "base/clock.h"
#include "sched/arm.h"

namespace pointsman {

struct GuardOptions {
  bool enabled = true;
  double multiple = 10;  // of eevdf's p99
  // eevdf's p99 wait of short jobs: taken from whole windows under eevdf when there was one lately, else this. 25 ms is the upper end of what eevdf shows in the lab's
  // families.
  int64_t reference_ns = 25 * kMillisecond;
  int64_t reference_life_ns = 10 * kSecond;  // what was measured before that says little of what runs now
  int64_t least_reference_ns = 5 * kMillisecond;  // an idle eevdf gives microseconds; nobody notices less than this
  int strikes = 2;                                // cost windows in a row
  // For an arm that was left: as long as a backlog takes to drain, not as long as a workload lasts. Doubles each time it must be left again within a minute of its
  // release, up to ten minutes.
  int64_t quarantine_ns = 2 * kSecond;
};

class Guard {
 public:
  explicit Guard(const GuardOptions& options) : options_(options) {}

  // Called at the end of each cost window; `since_ns` is when `active` took over. Returns a sentence when it must be left now.
  std::optional<std::string> judge(ArmId active, int64_t since_ns, const Reading& before, const Reading& after);
  [[nodiscard]] bool quarantined(ArmId arm, int64_t now_ns) const;
  [[nodiscard]] double last_p99_ms() const { return last_p99_ns_ / 1e6; }
  [[nodiscard]] int64_t limit_ns(int64_t now_ns) const;
  void forget_strikes() { struck_ = 0; }

 private:
  [[nodiscard]] bool eevdf_known(int64_t now_ns) const { return eevdf_seen_ns_ && now_ns - *eevdf_seen_ns_ < options_.reference_life_ns; }
  struct Sentence {
    int64_t until_ns = 0, length_ns = 0;
  };
  GuardOptions options_;
  double last_p99_ns_ = 0;
  double eevdf_p99_ns_ = 0;
  std::optional<int64_t> eevdf_seen_ns_;
  int struck_ = 0;
  std::vector<Sentence> sentences_ = std::vector<Sentence>(arms().size());
};

}  // namespace pointsman

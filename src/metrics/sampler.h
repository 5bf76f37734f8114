// Sampler: runs every collector once a tick and hands out the Snapshot. A collector that fails is marked in the snapshot and tried again at the next tick,
// one whose source this machine does not have after ten seconds: spelling its error anew would be the tick's only allocation.
// Threads: one. Owns the kept-open files.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "metrics/collector.h"

namespace pointsman {

struct SamplerOptions {
  Roots roots;
  bool walk = false;  // over all threads, for what only the probe knows better
  const Probe* probe = nullptr;                      // borrowed; nullptr: none
  std::string probe_absent = "no probe was asked for";  // the reason to tell then
  const Clock* clock = nullptr;                      // borrowed; nullptr: the system's
};

class Sampler {
 public:
  // Errors: kNotFound when the procfs root holds not even `stat`: that is no /proc.
  static Result<Sampler> open(const SamplerOptions& options);

  static constexpr int64_t kAbsentNs = 10'000'000'000;

  struct TickOptions {
    bool walk = true;  // false: leave the walk out of this tick
  };
  // Valid, and unchanged, until the next tick; copy what must last longer.
  const Snapshot& tick(const TickOptions& options);
  const Snapshot& tick() { return tick(TickOptions{}); }

 private:
  explicit Sampler(const Clock* clock) : clock_(clock) {}
  std::unique_ptr<Clock> own_clock_;
  const Clock* clock_;
  std::vector<std::unique_ptr<Collector>> collectors_;
  Snapshot snapshot_;
  std::array<int64_t, kTopics> absent_until_ns_{};
};

}  // namespace pointsman

// ReplayWorker: replays recordings beside the agent's loop, on a thread of ordinary class. The loop is of real-time class: what it computes, nobody else's task on
// that CPU runs meanwhile, and a replay is the one thing it does that may take longer than a wake-up should wait.
// Threads: submit, take and cpu_ns from one thread; the work is done on the worker's own (or in submit, without `background`). Owns: that thread, begun with the first
// recording and joined at the end.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/result.h"
#include "learn/replay.h"

namespace pointsman {

class ReplayWorker {
 public:
  struct Options {
    bool background = true;
    size_t most_bursts = 1000;  // of a recording: the last ones
  };
  struct Answer {
    int64_t recorded_to_ns = 0;  // as submitted
    Result<Comparison> comparison;
  };
  explicit ReplayWorker(const Options& options);
  ~ReplayWorker();
  ReplayWorker(const ReplayWorker&) = delete;
  ReplayWorker& operator=(const ReplayWorker&) = delete;

  // False, and nothing is done, while it is still busy with the one before.
  bool submit(std::vector<RecordedBurst> bursts, int cpus, int64_t recorded_to_ns);
  // The answer to the last recording, once.
  std::optional<Answer> take();
  [[nodiscard]] int64_t cpu_ns() const;  // used so far by the worker's own thread

 private:
  struct Shared;
  Options options_;
  std::unique_ptr<Shared> shared_;
};

}  // namespace pointsman

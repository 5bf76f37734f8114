// Observation: what is watched while an experiment runs: all metrics at intervals, the decision windows as an agent would see them, every process of the
// experiment, and its single events on request. Bounded, however long it takes.
// Threads: one.
#pragma once

#include <sys/types.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "http/result_windows.h"
#include "metrics/probe.h"
#include "metrics/sampler.h"
#include "metrics/tracer.h"
#include "report/perfetto.h"
#include "report/process_table.h"

namespace pointsman {

class Observation {
 public:
  struct Options {
    int64_t tick_ns = 50 * kMillisecond;
    int64_t window_ns = 250 * kMillisecond;
    size_t windows = 2'000;     // those that come later are counted
    size_t snapshots = 256;     // when there are more, every other one is dropped and the interval doubles
    size_t processes = 20'000;  // rows that are kept; the others are counted
    uint64_t events = 4'000'000;  // of a trace
  };
  // Borrows all; without a tracer there are no processes, without a probe no windows.
  struct Eyes {
    Sampler& sampler;
    Tracer* tracer = nullptr;
    const Probe* probe = nullptr;
  };
  Observation(const Eyes& eyes, Clock& clock, Options options);

  // Single events go there from now on, by a tracer of its own. Errors: those of Tracer and of files.
  Result<Unit> trace_to(const std::string& file, pid_t root);
  // Forgets what the tracer had, and takes the first snapshot.
  Result<Unit> begin();
  [[nodiscard]] int64_t next_tick_ns() const { return std::min(next_ns_, next_window_ns_); }
  Result<Unit> tick();
  Result<Unit> end();

  [[nodiscard]] const std::vector<Snapshot>& snapshots() const { return snapshots_; }
  [[nodiscard]] const std::vector<ResultWindow>& windows() const { return windows_; }
  [[nodiscard]] const std::vector<TracedProcess>& processes() const { return processes_; }
  [[nodiscard]] uint64_t dropped_processes() const { return dropped_; }
  [[nodiscard]] std::vector<std::string> notes() const { return notes_; }

 private:
  Result<Unit> take_snapshot();
  Result<Unit> close_window();
  struct DrainOptions {
    bool all = false;
  };
  Result<Unit> drain(const DrainOptions& options);

  Sampler& sampler_;
  Tracer* tracer_;
  const Probe* probe_;
  Clock& clock_;
  Options options_;
  int64_t interval_ns_, next_ns_ = 0, next_window_ns_ = std::numeric_limits<int64_t>::max(), begun_ns_ = 0;
  ProbeReading window_start_{};
  std::vector<ResultWindow> windows_;
  uint64_t dropped_windows_ = 0;
  std::vector<Snapshot> snapshots_;
  std::vector<TracedProcess> processes_, fresh_;
  uint64_t dropped_ = 0;
  std::optional<Tracer> event_tracer_;
  std::optional<report::PerfettoFile> file_;
  uint64_t events_ = 0, events_dropped_ = 0;
  std::vector<std::string> notes_;
};

}  // namespace pointsman

// Observation: what is watched while an experiment runs: all metrics at intervals, every process of the experiment, and its single events on request. Bounded,
// however long it takes.
// Threads: one.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "metrics/sampler.h"
#include "metrics/tracer.h"
#include "report/perfetto.h"
#include "report/process_table.h"

namespace pointsman {

class Observation {
 public:
  struct Options {
    int64_t tick_ns = 50 * kMillisecond;
    size_t snapshots = 256;     // when there are more, every other one is dropped and the interval doubles
    size_t processes = 20'000;  // rows that are kept; the others are counted
    uint64_t events = 4'000'000;  // of a trace
  };
  // Borrows the sampler, and the tracer, which may be nullptr.
  Observation(Sampler& sampler, Tracer* tracer, Clock& clock, Options options);

  // Single events go there from now on, by a tracer of its own. Errors: those of Tracer and of files.
  Result<Unit> trace_to(const std::string& file, pid_t root);
  // Forgets what the tracer had, and takes the first snapshot.
  Result<Unit> begin();
  [[nodiscard]] int64_t next_tick_ns() const { return next_ns_; }
  Result<Unit> tick();
  Result<Unit> end();

  [[nodiscard]] const std::vector<Snapshot>& snapshots() const { return snapshots_; }
  [[nodiscard]] const std::vector<TracedProcess>& processes() const { return processes_; }
  [[nodiscard]] uint64_t dropped_processes() const { return dropped_; }
  [[nodiscard]] std::vector<std::string> notes() const { return notes_; }

 private:
  Result<Unit> take_snapshot();
  struct DrainOptions {
    bool all = false;
  };
  Result<Unit> drain(const DrainOptions& options);

  Sampler& sampler_;
  Tracer* tracer_;
  Clock& clock_;
  Options options_;
  int64_t interval_ns_, next_ns_ = 0;
  std::vector<Snapshot> snapshots_;
  std::vector<TracedProcess> processes_, fresh_;
  uint64_t dropped_ = 0;
  std::optional<Tracer> event_tracer_;
  std::optional<report::PerfettoFile> file_;
  uint64_t events_ = 0, events_dropped_ = 0;
  std::vector<std::string> notes_;
};

}  // namespace pointsman

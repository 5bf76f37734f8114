// Desk: the queue. It takes experiments in, runs one at a time on the worker, repeat by repeat, and keeps what becomes of them.
// Threads: the loop's. Borrows all but the options.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "base/result.h"
#include "http/events.h"
#include "http/worker.h"
#include "store/experiments.h"

namespace pointsman {

struct DeskOptions {
  int queue = 16;             // experiments that wait, the running one not among them
  int64_t most = 100'000;     // experiments that are kept
  std::string trace_folder{};  // empty: no traces
  std::function<int64_t()> now_ms{};  // since 1970
};

// What happened since the server started.
struct DeskCounts {
  std::map<std::string, int64_t> ended{};  // by state
  int64_t submitted = 0, replayed = 0, refused = 0, repeats = 0;
};

class Desk {
 public:
  Desk(ExperimentStore& store, Worker& worker, Events& events, DeskOptions options);

  // Marks what the last server left running as aborted, and goes on with its queue.
  Result<Unit> recover();

  struct Submitted {
    StoredExperiment experiment{};
    bool replayed = false;  // by its idempotency key
  };
  // Errors: kBusy (queue full), kUnsupported (this rig lacks the arm: why), kNotFound (no such arm), kInvalidArgument (the key came with another experiment
  // before), kIo (as many as are kept; disk full), kPermissionDenied (the rig is not ready: why).
  Result<Submitted> submit(const ExperimentSpec& spec, const std::string& idempotency_key);
  // What waits ends at once; what runs ends soon. Errors: kNotFound, kInvalidArgument (it has ended).
  Result<StoredExperiment> cancel(int64_t id);
  // The running one is aborted: the server is about to end.
  void close();

  [[nodiscard]] std::optional<int64_t> running() const { return running_ ? std::optional(running_->experiment.id) : std::nullopt; }
  [[nodiscard]] bool cancelling(int64_t id) const { return running_ && running_->experiment.id == id && running_->cancelled; }
  [[nodiscard]] int waiting();
  [[nodiscard]] const DeskCounts& counts() const { return counts_; }
  [[nodiscard]] std::string trace_file(int64_t id) const;  // empty: no traces here
  // As clients see it.
  [[nodiscard]] std::string describe(const StoredExperiment& experiment);

 private:
  struct Running {
    StoredExperiment experiment{};
    ExperimentSpec spec{};
    bool cancelled = false;
  };
  void go_on();
  void begin(StoredExperiment experiment);
  void run_repeat();
  void take(Result<RepeatResult> result);
  void end(const ExperimentStore::End& how);
  void ended(const ExperimentStore::End& how);
  void tell(const StoredExperiment& experiment);

  ExperimentStore& store_;
  Worker& worker_;
  Events& events_;
  DeskOptions options_;
  DeskCounts counts_;
  std::optional<Running> running_;
  bool closed_ = false;
};

}  // namespace pointsman

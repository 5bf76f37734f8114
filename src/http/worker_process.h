// WorkerProcess: a rig in a child process, spoken to over a socket: frames of a kind, a length and bytes. It is started again, later and later, when it dies.
// Nothing that it had started outlives it: the kernel ends its children and closes its scheduler's link.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "http/loop.h"
#include "http/worker.h"

namespace pointsman {

class WorkerProcess : public Worker {
 public:
  struct Options {
    std::vector<std::string> command{};       // its program and arguments; it finds its socket as descriptor kWorkerSocket
    int64_t grace_ns = 5 * kSecond;           // between the polite end of a repeat and the other one
    int64_t restart_ns = 500 * kMillisecond;  // before the first new start; doubles up to 32 times
  };
  WorkerProcess(Loop& loop, Options options);
  ~WorkerProcess() override;

  void start();
  [[nodiscard]] const RigInfo* info() const override;
  [[nodiscard]] std::string trouble() const override;
  [[nodiscard]] bool idle() const override;
  void run(const RepeatRequest& request, Done done) override;
  void cancel() override;
  [[nodiscard]] int starts() const;
  [[nodiscard]] int pid() const;  // -1: none

 private:
  struct State;
  std::shared_ptr<State> state_;
};

inline constexpr int kWorkerSocket = 3;

// The other side: opens the rig, then serves the socket until it is closed. SIGTERM cancels the repeat that is running. Returns what kept it from starting.
Result<Unit> serve_worker(int socket, const std::function<Result<std::unique_ptr<Rig>>()>& open, std::atomic<bool>& cancel);

}  // namespace pointsman

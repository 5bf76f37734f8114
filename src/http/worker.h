// Worker: the server's handle on the process in which experiments run. The real one is worker_process.h; tests script theirs.
// Threads: the loop's.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "http/rig.h"

namespace pointsman {

class Worker {
 public:
  using Done = std::function<void(Result<RepeatResult>)>;
  virtual ~Worker() = default;
  // nullptr until its rig is open.
  [[nodiscard]] virtual const RigInfo* info() const = 0;
  // Why there is no rig; empty: there is one, or it is still being opened.
  [[nodiscard]] virtual std::string trouble() const = 0;
  // Ready and not busy.
  [[nodiscard]] virtual bool idle() const = 0;
  // One at a time, when idle. `done` is called once, later, whatever happens: kIo when the process died under it, kInterrupted after cancel().
  virtual void run(const RepeatRequest& request, Done done) = 0;
  // Politely, then with force; the arm is let go of either way.
  virtual void cancel() = 0;
  // Called whenever it has become idle.
  std::function<void()> on_idle{};
};

}  // namespace pointsman

// The ping-pong self-test: the round trip of a wake-up between two pinned threads while every CPU is busy. In the exact lab a busy loop that never
// PAUSEs holds its CPU's turn, a wake-up across CPUs then takes 27 ms instead of 0.06, and every comparison of schedulers is an artefact. This sees it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/result.h"

namespace pointsman {

struct PingPongResult {
  int trips = 0;
  double mean_us = 0, longest_us = 0;
  [[nodiscard]] bool good() const { return trips > 0 && mean_us < 200; }
  [[nodiscard]] nlohmann::json json() const;
};

// Two SCHED_FIFO threads, so that the answer does not hang on the scheduler under test; on the first and the last CPU.
// Errors: kPermissionDenied (no right to SCHED_FIFO), kIo.
Result<PingPongResult> ping_pong(int trips, int64_t pause_ns);

// ping_pong with one busy thread, which PAUSEs, on every CPU.
Result<PingPongResult> self_test(int cpus);

// A ping-pong that goes on beside a program, a trip every 20 ms, until it is asked for its result.
class PingPongBeside {
 public:
  static Result<std::unique_ptr<PingPongBeside>> start();
  ~PingPongBeside();
  Result<PingPongResult> stop();

 private:
  PingPongBeside() = default;
  std::atomic<bool> stopping_{false};
  Result<PingPongResult> result_{PingPongResult{}};
  std::thread thread_;
};

}  // namespace pointsman

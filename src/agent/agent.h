// Agent: the loop that runs in the guest and on a host alike: tick -> window -> features -> controller -> guard -> swap -> read back -> record.
// Threads: one thread calls run(); stop() may be called from any thread or signal handler.
// A person outranks it (pin.h, SysRq-S), a foreign scheduler is never displaced, and whatever fails leaves the machine on eevdf.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/guard.h"
#include "agent/pin.h"
#include "agent/replay_worker.h"
#include "agent/sensor.h"
#include "base/clock.h"
#include "base/result.h"
#include "learn/controller.h"
#include "sched/swapper.h"

namespace pointsman {

struct AgentOptions {
  int64_t tick_ns = 50 * kMillisecond;      // sampling
  int64_t window_ns = 250 * kMillisecond;   // features and decision
  int64_t cost_window_ns = 1 * kSecond;     // the guard's quantiles
  // A swap is made only when the predicted gain over the rest of the dwell outweighs its measured cost: gain * expected_dwell > swap time.
  int64_t expected_dwell_ns = 2 * kSecond;
  int64_t least_dwell_ns = 250 * kMillisecond;  // never two swaps within this time
  // A rival must be predicted better by this much (ln). Chosen on lives of phases of validation's blocks: .02 makes a fifth more swaps for the same cost, .1 is too much.
  double hysteresis = 0.05;
  bool shadow = false;                          // decide and record, never swap
  int64_t replay_ns = 2 * kSecond;              // how much of the past is replayed at most, for a controller that wants it
  ReplayWorker::Options replay{};
  // What the controller may have; a person's pin and the guard's way to eevdf are not bound by it.
  std::array<bool, kChoosable> choosable = {true, true, true, true, true, true};
  GuardOptions guard;
};

// One decision window, as it is recorded.
struct WindowRecord {
  int64_t end_ns = 0;  // Clock
  ArmId active = kEevdf;
  bool idle = false;
  FeatureVector features{};
  double p99_short_wait_ms = 0;  // of the guard's window
  std::optional<double> live_cost{};                         // what the controller was told, where it was told anything
  std::optional<std::array<double, kChoosable>> replayed{};
  Decision decision;
  ArmId taken = kEevdf;   // after dwell, guard, pin: what the machine was asked for
  std::string held_back;  // why `taken` is not decision.arm; empty when it is
  std::optional<Outcome> outcome;  // set when a swap was tried
  Notice notice;                   // what happened behind the agent's back since the last window
};

// What the agent itself cost.
struct AgentCost {
  int64_t cpu_ns = 0, elapsed_ns = 0;
  int64_t tick_p50_ns = 0, tick_p99_ns = 0, tick_max_ns = 0;
  int64_t ticks = 0, late_ticks = 0;
  int64_t rss_bytes = 0;
};

class Recorder {
 public:
  virtual ~Recorder() = default;
  virtual void on_window(const WindowRecord& window) = 0;
};

class Agent {
 public:
  // Borrows all but the options; they must outlive it.
  Agent(Clock& clock, Sensor& sensor, Swapper& swapper, Controller& controller, PinSource& pin, Recorder& recorder, const AgentOptions& options);

  // Takes the controller's first arm, then ticks until stop(). Errors: only what keeps the loop from starting; later failures are recorded and end on eevdf.
  Result<Unit> run();
  void stop() { stopping_.store(true); }
  // One tick, due at `moment_ns`; run() calls it. Apart so that tests drive it with a FakeClock.
  void tick(int64_t moment_ns);
  [[nodiscard]] AgentCost cost() const;
  [[nodiscard]] int swaps() const { return swaps_; }

 private:
  void close_window(int64_t moment_ns, const Reading& now, const std::optional<std::string>& sentence);
  void look_back(const Reading& now, Context& context);
  void hear_replay(Context& context);
  void record_if_wanted(const Context& context);
  ArmId choose(WindowRecord& window, const std::optional<std::string>& sentence, int64_t moment_ns);
  void go_blind(int64_t moment_ns, const Error& why);
  int64_t& measured_swap_ns(ArmId from, ArmId to);

  Clock& clock_;
  Sensor& sensor_;
  Swapper& swapper_;
  Controller& controller_;
  PinSource& pin_;
  Recorder& recorder_;
  AgentOptions options_;
  Guard guard_;
  std::atomic<bool> stopping_{false};
  std::optional<Reading> window_start_, cost_start_;
  double busiest_cpu_ratio_ = 0;  // the largest of the window's ticks
  int64_t started_ns_ = 0, asked_ns_ = 0, swapped_ns_ = 0, next_window_ns_ = 0, next_cost_window_ns_ = 0;
  int64_t blind_since_ns_ = 0;
  std::optional<int64_t> look_back_from_;  // the beginning of the cost window whose end the controller is to be told of
  bool cannot_record_ = false;                 // tried, and told once
  std::optional<int64_t> recording_since_ns_;  // bursts are recorded, since the start
  ReplayWorker replays_;
  int64_t cpu_at_start_ns_ = 0, cpu_used_ns_ = 0;
  int swaps_ = 0;
  std::optional<uint64_t> releases_seen_;
  std::array<int64_t, 2> measured_swap_ns_{300 * kMicrosecond, 100 * kMillisecond};  // hot, warm: first guesses, replaced by what is measured
  std::map<ArmId, int64_t> external_swap_ns_;                                        // to and from each external arm: a slow mean of what was measured
  std::vector<uint32_t> tick_ns_;                                                    // a ring of the last 4096
  int64_t ticks_ = 0, late_ticks_ = 0;
};

}  // namespace pointsman

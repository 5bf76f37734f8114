// Controller: whatever picks arms. Deterministic by its seed; says the probability with which it took what it took.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "learn/features.h"
#include "sched/arm.h"

namespace pointsman {

struct Context {
  int64_t since_start_ns = 0;  // of the window's end
  int64_t since_swap_ns = 0;   // how long the active arm has been active
  ArmId active = kDefaultArm;
  bool idle = false;  // nothing to decide in this window
  bool cost_window_ended = false;  // since the last busy window
  std::optional<int64_t> recording_since_ns{};  // bursts are recorded since that moment, since the start; nullopt: they are not
  FeatureVector features{};
  double busiest_cpu_ratio = 0;  // 0..1, for the scx_loader rule
  // The live cost (mean ln turnaround of episodes) of the cost window that has just ended, when `active` was active in all of it. Its level
  // belongs to the workload: only differences between arms mean anything.
  std::optional<double> live_cost{};
  // What the bursts of the last second or two would have cost under each choosable arm, ln ratio to the default arm (replay.h), when a
  // replay has just been finished.
  std::optional<std::array<double, kChoosable>> replayed{};
  // One deviation of each of these, from how much the replayed jobs disagree.
  std::optional<std::array<double, kChoosable>> replayed_deviation{};
  int64_t replayed_to_ns = 0;  // when their recording ended, since the start: replays take their time
};

// What one expert of several said: its share of the mixture, and the cost that it expects of each arm, ln ratio to the default arm.
struct Vote {
  std::string_view expert{};
  double weight = 0;
  std::array<double, kChoosable> gain{}, deviation{};
};

struct Decision {
  ArmId arm = kDefaultArm;
  double propensity = 1;  // probability of `arm` under this controller in this context
  std::string why{};      // one clause, for people
  // The probability of every choosable arm, where it drew; the rest are certain of `arm`.
  std::optional<std::array<double, kChoosable>> distribution{};
  // Predicted cost of each choosable arm as ln ratio to the default arm, with its uncertainty (one deviation), where the controller
  // predicts.
  std::optional<std::array<double, kChoosable>> predicted{}, deviation{};
  std::vector<Vote> votes{};  // of those who were awake, where it asks several
};

class Controller {
 public:
  virtual ~Controller() = default;
  [[nodiscard]] virtual std::string name() const = 0;
  virtual Decision decide(const Context& context) = 0;
  [[nodiscard]] virtual ArmId first_arm() const { return kDefaultArm; }  // before the first window
  // Static arms, schedules, oracles and the baselines are obeyed to the letter: no dwell, no hysteresis, no guard.
  [[nodiscard]] virtual bool literal() const { return false; }
  // Whether it ever looks at the live cost or at replays: only then is the recorder of bursts made ready.
  [[nodiscard]] virtual bool wants_bursts() const { return false; }
  // Whether bursts are to be recorded from now on, which costs a little at every switch. Asked after each decision.
  [[nodiscard]] virtual bool wants_recording(const Context& /*context*/) const { return wants_bursts(); }
  [[nodiscard]] virtual bool wants_live_cost() const { return wants_bursts(); }
  // Of bursts before this moment (since the start) it wants no replay; nullopt: none at all in this context. Asked before each decision of a busy window.
  [[nodiscard]] virtual std::optional<int64_t> replays_from_ns(const Context& context) const { return context.cost_window_ended ? std::optional<int64_t>(0) : std::nullopt; }
  // The next moment (since the start) at which it wants to be asked although no window ends then; nullopt: windows will do. A schedule's
  // changes lie off their grid.
  [[nodiscard]] virtual std::optional<int64_t> next_moment_ns(int64_t /*since_start_ns*/) const { return std::nullopt; }
};

}  // namespace pointsman

// Controller: whatever picks arms. Deterministic by its seed; says the probability with which it took what it took.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>

#include "learn/features.h"
#include "sched/arm.h"

namespace pointsman {

struct Context {
  int64_t since_start_ns = 0;  // of the window's end
  int64_t since_swap_ns = 0;   // how long the active arm has been active
  ArmId active = kDefaultArm;
  bool idle = false;           // nothing to decide in this window
  FeatureVector features{};
  double busiest_cpu_ratio = 0;  // 0..1, for the scx_loader rule
};

struct Decision {
  ArmId arm = kDefaultArm;
  double propensity = 1;  // probability of `arm` under this controller in this context
  std::string why;        // one clause, for people
  // Predicted cost of each choosable arm as ln ratio to the default arm, with its uncertainty (one deviation), where the controller predicts.
  std::optional<std::array<double, kChoosable>> predicted, deviation;
};

class Controller {
 public:
  virtual ~Controller() = default;
  [[nodiscard]] virtual std::string name() const = 0;
  virtual Decision decide(const Context& context) = 0;
  [[nodiscard]] virtual ArmId first_arm() const { return kDefaultArm; }  // before the first window
  // A moment (since start) at which decide() wants to be asked besides the windows' ends: schedules and oracles act off the grid. Past ones are ignored.
  [[nodiscard]] virtual std::optional<int64_t> next_moment_ns() const { return std::nullopt; }
  // Static arms, schedules and oracles are obeyed to the letter: no dwell, no hysteresis, no guard.
  [[nodiscard]] virtual bool literal() const { return false; }
};

}  // namespace pointsman

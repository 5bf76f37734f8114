// Overruled: a controller that is left alone up to a moment and overruled from there on, to see what another choice would have led to.
// Up to that moment it is asked the same and answers the same, so that a replay has the same past.
#pragma once

#include <memory>
#include <string>

#include "learn/controller.h"

namespace pointsman {

struct Overruling {
  int64_t from_ns = 0, until_ns = 0;  // since the start; decisions in [from, until)
  ArmId arm = kDefaultArm;
};

class Overruled : public Controller {
 public:
  Overruled(std::unique_ptr<Controller> inner, const Overruling& overruling) : inner_(std::move(inner)), overruling_(overruling) {}

  [[nodiscard]] std::string name() const override { return inner_->name(); }
  Decision decide(const Context& context) override;
  [[nodiscard]] ArmId first_arm() const override { return inner_->first_arm(); }
  [[nodiscard]] bool literal() const override { return inner_->literal(); }
  [[nodiscard]] bool wants_bursts() const override { return inner_->wants_bursts(); }
  [[nodiscard]] bool wants_recording(const Context& context) const override { return inner_->wants_recording(context); }
  [[nodiscard]] bool wants_live_cost() const override { return inner_->wants_live_cost(); }
  [[nodiscard]] std::optional<int64_t> replays_from_ns(const Context& context) const override { return inner_->replays_from_ns(context); }
  [[nodiscard]] std::optional<int64_t> next_moment_ns(int64_t since_start_ns) const override { return inner_->next_moment_ns(since_start_ns); }

 private:
  std::unique_ptr<Controller> inner_;
  Overruling overruling_;
};

}  // namespace pointsman

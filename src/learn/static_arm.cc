// One arm throughout; with bursts=yes its live costs and replays are recorded all the same, to be held against the truth. To see what recording costs:
// bursts=recorded records what nobody reads, bursts=asleep records nothing, but is ready to.
#include "learn/controllers.h"

namespace pointsman {

namespace {

class StaticArm : public Controller {
 public:
  enum class Bursts : uint8_t { kNo, kAsleep, kRecorded, kYes };
  StaticArm(ArmId arm, Bursts bursts) : arm_(arm), bursts_(bursts) {}
  [[nodiscard]] std::string name() const override { return std::string(arm_name(arm_)); }
  Decision decide(const Context&) override { return {.arm = arm_, .propensity = 1, .why = "static"}; }
  [[nodiscard]] ArmId first_arm() const override { return arm_; }
  [[nodiscard]] bool literal() const override { return true; }
  [[nodiscard]] bool wants_bursts() const override { return bursts_ != Bursts::kNo; }
  // Awake at the start: that is what makes the recorder ready.
  [[nodiscard]] bool wants_recording(const Context& context) const override { return bursts_ != Bursts::kAsleep || context.since_start_ns == 0; }
  [[nodiscard]] bool wants_live_cost() const override { return bursts_ == Bursts::kYes; }
  [[nodiscard]] std::optional<int64_t> replays_from_ns(const Context& context) const override {
    return bursts_ == Bursts::kYes ? Controller::replays_from_ns(context) : std::nullopt;
  }

 private:
  ArmId arm_;
  Bursts bursts_;
};

}  // namespace

Result<std::unique_ptr<Controller>> make_static_arm(const ControllerSpec& spec) {
  if (auto allowed = spec.allow({"arm", "bursts"}); !allowed) return fail(allowed.error());
  const auto arm = spec.arm("arm", -1);
  if (!arm) return fail(arm.error());
  if (*arm < 0) return fail(ErrorCode::kInvalidArgument, "controller 'static' needs arm=NAME");
  const std::string bursts = spec.text("bursts", "no");
  constexpr std::pair<std::string_view, StaticArm::Bursts> kModes[] = {
      {"no", StaticArm::Bursts::kNo}, {"asleep", StaticArm::Bursts::kAsleep}, {"recorded", StaticArm::Bursts::kRecorded}, {"yes", StaticArm::Bursts::kYes}};
  for (const auto& [word, mode] : kModes)
    if (bursts == word) return std::unique_ptr<Controller>(std::make_unique<StaticArm>(*arm, mode));
  return fail(ErrorCode::kInvalidArgument, "controller 'static': bursts={} is none of no, asleep, recorded, yes", bursts);
}

}  // namespace pointsman

// One arm throughout; with bursts=yes its live costs and replays are recorded all the same, to be held against the truth.
#include "learn/controllers.h"

namespace pointsman {

namespace {

class StaticArm : public Controller {
 public:
  StaticArm(ArmId arm, bool bursts) : arm_(arm), bursts_(bursts) {}
  [[nodiscard]] std::string name() const override { return std::string(arms()[static_cast<size_t>(arm_)].name); }
  Decision decide(const Context&) override { return {.arm = arm_, .propensity = 1, .why = "static"}; }
  [[nodiscard]] ArmId first_arm() const override { return arm_; }
  [[nodiscard]] bool literal() const override { return true; }
  [[nodiscard]] bool wants_bursts() const override { return bursts_; }

 private:
  ArmId arm_;
  bool bursts_;
};

}  // namespace

Result<std::unique_ptr<Controller>> make_static_arm(const ControllerSpec& spec) {
  if (auto allowed = spec.allow({"arm", "bursts"}); !allowed) return fail(allowed.error());
  const auto arm = spec.arm("arm", -1);
  if (!arm) return fail(arm.error());
  if (*arm < 0) return fail(ErrorCode::kInvalidArgument, "controller 'static' needs arm=NAME");
  const std::string bursts = spec.text("bursts", "no");
  if (bursts != "yes" && bursts != "no") return fail(ErrorCode::kInvalidArgument, "controller 'static': bursts={} is neither yes nor no", bursts);
  return std::unique_ptr<Controller>(std::make_unique<StaticArm>(*arm, bursts == "yes"));
}

}  // namespace pointsman

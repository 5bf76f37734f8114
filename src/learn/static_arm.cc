// One arm throughout.
#include "learn/controllers.h"

namespace pointsman {

namespace {

class StaticArm : public Controller {
 public:
  explicit StaticArm(ArmId arm) : arm_(arm) {}
  [[nodiscard]] std::string name() const override { return std::string(arms()[static_cast<size_t>(arm_)].name); }
  Decision decide(const Context&) override { return {.arm = arm_, .propensity = 1, .why = "static"}; }
  [[nodiscard]] ArmId first_arm() const override { return arm_; }
  [[nodiscard]] bool literal() const override { return true; }

 private:
  ArmId arm_;
};

}  // namespace

Result<std::unique_ptr<Controller>> make_static_arm(const ControllerSpec& spec) {
  if (auto allowed = spec.allow({"arm"}); !allowed) return fail(allowed.error());
  const auto arm = spec.arm("arm", -1);
  if (!arm) return fail(arm.error());
  if (*arm < 0) return fail(ErrorCode::kInvalidArgument, "controller 'static' needs arm=NAME");
  return std::unique_ptr<Controller>(std::make_unique<StaticArm>(*arm));
}

}  // namespace pointsman

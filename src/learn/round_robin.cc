// The choosable arms in turn, N busy windows each: what swapping alone costs and brings.
#include "learn/controllers.h"

namespace pointsman {

namespace {

class RoundRobin : public Controller {
 public:
  explicit RoundRobin(int64_t every) : every_(every) {}
  [[nodiscard]] std::string name() const override { return "round_robin"; }
  [[nodiscard]] bool literal() const override { return true; }
  [[nodiscard]] ArmId first_arm() const override { return 0; }

  Decision decide(const Context& context) override {
    if (!context.idle) ++windows_;
    const auto turn = static_cast<ArmId>(windows_ / every_ % kChoosable);
    return {.arm = turn,
            .propensity = 1,
            .why = fmt::format("turn of {}, window {} of {}", arm_name(turn), windows_ % every_ + 1, every_)};
  }

 private:
  int64_t every_;
  int64_t windows_ = 0;
};

}  // namespace

Result<std::unique_ptr<Controller>> make_round_robin(const ControllerSpec& spec) {
  if (auto allowed = spec.allow({"every"}); !allowed) return fail(allowed.error());
  const auto every = spec.whole("every", 4, 1, 1'000'000);
  if (!every) return fail(every.error());
  return std::unique_ptr<Controller>(std::make_unique<RoundRobin>(*every));
}

}  // namespace pointsman

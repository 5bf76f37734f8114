// The rule of scx_loader's automatic mode, the incumbent: any CPU over 90 % for 5 s -> a latency scheduler; all below for 30 s -> the
// kernel's own. It begins on the kernel's own. The original looks once a second; here each decision window is one look. Scenarios are
// shorter than its constants, hence the time scale.
// Source: sched-ext/scx-loader, the loop behind --auto.
#include <cmath>

#include "base/clock.h"
#include "learn/controllers.h"

namespace pointsman {

namespace {

constexpr double kBusyRatio = .9;

double seconds(int64_t ns) { return static_cast<double>(ns) / 1e9; }

class ScxLoaderRule : public Controller {
 public:
  ScxLoaderRule(ArmId latency, double scale)
      : latency_(latency), busy_for_ns_(std::llround(5.0 * kSecond * scale)), calm_for_ns_(std::llround(30.0 * kSecond * scale)) {}
  [[nodiscard]] std::string name() const override { return "scx_loader"; }
  [[nodiscard]] bool literal() const override { return true; }
  [[nodiscard]] ArmId first_arm() const override { return kEevdf; }

  Decision decide(const Context& context) override {
    const int64_t span_ns = context.since_start_ns - seen_ns_;
    seen_ns_ = context.since_start_ns;
    if (context.busiest_cpu_ratio > kBusyRatio) {
      busy_ns_ += span_ns;
      calm_ns_ = 0;
    } else {
      calm_ns_ += span_ns;
      busy_ns_ = 0;
    }
    if (busy_ns_ >= busy_for_ns_) arm_ = latency_;
    if (calm_ns_ >= calm_for_ns_) arm_ = kEevdf;
    return {.arm = arm_,
            .propensity = 1,
            .why = busy_ns_ > 0 ? fmt::format("a CPU over 90 % for {:.2f} of {:.2f} s", seconds(busy_ns_), seconds(busy_for_ns_))
                                : fmt::format("all CPUs below 90 % for {:.2f} of {:.2f} s", seconds(calm_ns_), seconds(calm_for_ns_))};
  }

 private:
  ArmId latency_;
  int64_t busy_for_ns_, calm_for_ns_;
  ArmId arm_ = kEevdf;
  int64_t seen_ns_ = 0, busy_ns_ = 0, calm_ns_ = 0;
};

}  // namespace

Result<std::unique_ptr<Controller>> make_scx_loader_rule(const ControllerSpec& spec) {
  if (auto allowed = spec.allow({"arm", "scale"}); !allowed) return fail(allowed.error());
  const auto dl = find_arm("dl");
  if (!dl) return fail(dl.error());
  const auto arm = spec.arm("arm", *dl);
  if (!arm) return fail(arm.error());
  const auto scale = spec.number("scale", 1, .001, 1000);
  if (!scale) return fail(scale.error());
  return std::unique_ptr<Controller>(std::make_unique<ScxLoaderRule>(*arm, *scale));
}

}  // namespace pointsman

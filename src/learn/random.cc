// A uniform draw among the choosable arms, anew every N busy windows: the baseline that any learner must beat, and clean data for
// off-policy estimates.
#include "base/rng.h"
#include "learn/controllers.h"

namespace pointsman {

namespace {

class Random : public Controller {
 public:
  Random(uint64_t seed, int64_t every) : seed_(seed), every_(every) {}
  [[nodiscard]] std::string name() const override { return "random"; }
  [[nodiscard]] bool literal() const override { return true; }

  Decision decide(const Context& context) override {
    if (context.idle) return keep(context, "idle: keeps the arm");
    if (windows_++ % every_ != 0) return keep(context, "between draws");
    Rng rng(seed_, "random controller", draws_++);
    std::array<double, kChoosable> uniform{};
    uniform.fill(1.0 / kChoosable);
    return {.arm = static_cast<ArmId>(rng.below(kChoosable)),
            .propensity = 1.0 / kChoosable,
            .why = fmt::format("draw {}", draws_),
            .distribution = uniform};
  }

 private:
  static Decision keep(const Context& context, const char* why) { return {.arm = context.active, .propensity = 1, .why = why}; }
  uint64_t seed_;
  int64_t every_;
  int64_t windows_ = 0;
  uint64_t draws_ = 0;
};

}  // namespace

Result<std::unique_ptr<Controller>> make_random(const ControllerSpec& spec) {
  if (auto allowed = spec.allow({"every", "seed"}); !allowed) return fail(allowed.error());
  const auto every = spec.whole("every", 4, 1, 1'000'000);
  if (!every) return fail(every.error());
  const auto seed = spec.whole("seed", static_cast<int64_t>(spec.seed()), 0, INT64_MAX);
  if (!seed) return fail(seed.error());
  return std::unique_ptr<Controller>(std::make_unique<Random>(static_cast<uint64_t>(*seed), *every));
}

}  // namespace pointsman

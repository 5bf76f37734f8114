#include "learn/controllers.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "base/clock.h"

namespace pointsman {

using Maker = Result<std::unique_ptr<Controller>>(const ControllerSpec&);
Maker make_static_arm, make_schedule, make_random, make_round_robin, make_scx_loader_rule, make_agent, make_classifier, make_policy, make_what_if,
    make_experts, make_thompson, make_lin_thompson, make_lin_ucb, make_square_cb, make_exp3s, make_d_ucb, make_ucb1, make_epsilon_greedy;

namespace {

constexpr std::array kControllers{
    ControllerKind{"static", "arm=NAME,bursts=no|asleep|recorded|yes", "one arm throughout", make_static_arm},
    ControllerKind{"schedule", "TIME=ARM,...", "arms at given moments, as an oracle has them (0=hyb,4.998s=age)", make_schedule},
    ControllerKind{"random", "every=WINDOWS,seed=N", "a fresh draw among the choosable arms every 4 windows", make_random},
    ControllerKind{"round_robin", "every=WINDOWS", "the choosable arms in turn, 4 windows each", make_round_robin},
    ControllerKind{"scx_loader", "arm=NAME,scale=X",
                   "the rule that ships today: any CPU over 90 % for 5 s -> dl, all below for 30 s -> eevdf", make_scx_loader_rule},
    ControllerKind{"agent", "model=FILE,arms=A+B and what classifier has", "what ships: the classifier by the rule of its model",
                   make_agent},
    ControllerKind{"classifier", "model=FILE,deviations=X,margin=X,ewma=X,change=X,replay=X,arms=A+B",
                   "the learned model: least predicted cost, hyb unless it is sure", make_classifier},
    ControllerKind{"policy", "model=FILE,explore=none|sqrt|RATE|ucb1,temperature=X,every=WINDOWS,seed=N",
                   "draws from a learned distribution over arms", make_policy},
    ControllerKind{"what_if", "margin=X,deviations=X,ewma=X,arms=A+B", "least cost in a replay of the last bursts under every arm, hyb unless it is clear",
                   make_what_if},
    ControllerKind{"experts",
                   "model=FILE,deviations=X,margin=X,tau=X,noise=X,eta=X,share=X,explore=X,arms=A+B,without=EXPERT+EXPERT,change=NAME,...",
                   "Hedge over the model, the replay and the live cost; hyb unless their mixture is sure", make_experts},
    ControllerKind{"thompson", "model=FILE,tau=X,noise=X,forget=X,change=none|cusum|glr,seed=N",
                   "Thompson sampling on the live cost, around the model's prediction", make_thompson},
    ControllerKind{"lin_thompson", "model=FILE,tau=X,slope=X,noise=X,forget=X,change=NAME,seed=N",
                   "the same with effects that depend on features, and forgetting", make_lin_thompson},
    ControllerKind{"lin_ucb", "model=FILE,width=X,tau=X,slope=X,noise=X,forget=X,change=NAME",
                   "the arm whose cost may be least by a linear confidence bound", make_lin_ucb},
    ControllerKind{"square_cb", "model=FILE,gamma=X,tau=X,noise=X,forget=X,change=NAME,seed=N",
                   "inverse-gap weighting around the model corrected by the live cost", make_square_cb},
    ControllerKind{"exp3s", "gamma=X,share=X,range=X,change=NAME,seed=N", "exponential weights that track changes", make_exp3s},
    ControllerKind{"d_ucb", "discount=X,width=X,change=NAME", "confidence bounds on discounted live costs", make_d_ucb},
    ControllerKind{"ucb1", "width=X,change=NAME", "confidence bounds on live costs", make_ucb1},
    ControllerKind{"epsilon_greedy", "model=FILE,explore=sqrt|RATE,rate=X,change=NAME,seed=N",
                   "the least live cost, and a uniform draw now and then", make_epsilon_greedy},
};

template <typename T>
bool read_number(std::string_view text, T& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size();
}

}  // namespace

Result<ControllerSpec> ControllerSpec::parse(std::string_view text, uint64_t seed) {
  ControllerSpec out;
  out.seed_ = seed;
  const size_t colon = text.find(':');
  out.name_ = std::string(text.substr(0, colon));
  if (colon == std::string_view::npos) return out;
  std::string_view rest = text.substr(colon + 1);
  for (;;) {
    const size_t comma = rest.find(',');
    const std::string_view option = rest.substr(0, comma);
    const size_t equals = option.find('=');
    if (equals == std::string_view::npos || equals == 0 || equals + 1 == option.size())
      return fail(ErrorCode::kInvalidArgument, "controller '{}': '{}' is not KEY=VALUE", text, option);
    out.options_.emplace_back(option.substr(0, equals), option.substr(equals + 1));
    if (comma == std::string_view::npos) return out;
    rest.remove_prefix(comma + 1);
  }
}

Result<Unit> ControllerSpec::allow(std::span<const std::string_view> keys) const {
  for (size_t i = 0; i < options_.size(); ++i) {
    const std::string& key = options_[i].first;
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) {
      std::string allowed;
      for (const std::string_view k : keys) allowed.append(" ").append(k);
      return fail(ErrorCode::kInvalidArgument, "controller '{}' has no option '{}' (it has:{})", name_, key,
                  allowed.empty() ? " none" : allowed);
    }
    for (size_t j = 0; j < i; ++j)
      if (options_[j].first == key) return fail(ErrorCode::kInvalidArgument, "controller '{}': '{}' is given twice", name_, key);
  }
  return Unit{};
}

std::string ControllerSpec::text(std::string_view key, std::string_view otherwise) const {
  for (const auto& [name, value] : options_)
    if (name == key) return value;
  return std::string(otherwise);
}

Result<double> ControllerSpec::number(std::string_view key, double otherwise, double low, double high) const {
  const std::string given = text(key, "");
  if (given.empty()) return otherwise;
  double value = 0;
  if (!read_number(given, value) || !(value >= low && value <= high))
    return fail(ErrorCode::kInvalidArgument, "controller '{}': {}={} is not a number in {} .. {}", name_, key, given, low, high);
  return value;
}

Result<int64_t> ControllerSpec::whole(std::string_view key, int64_t otherwise, int64_t low, int64_t high) const {
  const std::string given = text(key, "");
  if (given.empty()) return otherwise;
  int64_t value = 0;
  if (!read_number(given, value) || value < low || value > high)
    return fail(ErrorCode::kInvalidArgument, "controller '{}': {}={} is not a whole number in {} .. {}", name_, key, given, low, high);
  return value;
}

Result<ArmId> ControllerSpec::arm(std::string_view key, ArmId otherwise) const {
  const std::string given = text(key, "");
  if (given.empty()) return otherwise;
  auto found = find_arm(given);
  if (!found) return fail(found.error().at("controller '" + name_ + "'"));
  return found;
}

Result<std::array<bool, kChoosable>> ControllerSpec::choosable(std::string_view key) const {
  std::array<bool, kChoosable> out{};
  const std::string given = text(key, "");
  out.fill(given.empty());
  for (std::string_view rest = given; !rest.empty();) {
    const size_t plus = rest.find('+');
    const std::string_view name = rest.substr(0, plus);
    auto arm = find_arm(name);
    if (!arm) return fail(ErrorCode::kInvalidArgument, "controller '{}': {}={}: {}", name_, key, given, arm.error().message);
    if (*arm >= kChoosable) return fail(ErrorCode::kInvalidArgument, "controller '{}': {}={}: {} cannot be chosen", name_, key, given, name);
    out[static_cast<size_t>(*arm)] = true;
    rest = plus == std::string_view::npos ? std::string_view() : rest.substr(plus + 1);
  }
  if (!out[kDefaultArm])
    return fail(ErrorCode::kInvalidArgument, "controller '{}': {}={}: {} must be among them, it is what is left only for a better one", name_, key, given,
                arms()[kDefaultArm].name);
  return out;
}

std::span<const ControllerKind> controller_kinds() { return kControllers; }

Result<std::unique_ptr<Controller>> make_controller(std::string_view text, uint64_t seed) {
  auto spec = ControllerSpec::parse(text, seed);
  if (!spec) return fail(spec.error());
  for (const ControllerKind& kind : kControllers)
    if (kind.name == spec->name()) return kind.make(*spec);
  if (spec->options().empty() && find_arm(text)) return make_controller("static:arm=" + std::string(text), seed);
  std::string names;
  for (const ControllerKind& kind : kControllers) names.append(" ").append(kind.name);
  for (const Arm& arm : arms()) names.append(" ").append(arm.name);
  return fail(ErrorCode::kNotFound, "there is no controller '{}' (there are:{})", spec->name(), names);
}

Result<int64_t> parse_duration(std::string_view text) {
  if (text == "0") return int64_t{0};
  struct Scale {
    std::string_view suffix;
    int64_t ns;
  };
  // "ms" and "us" before "s", which they end in.
  for (const Scale& scale : {Scale{"ms", kMillisecond}, Scale{"us", kMicrosecond}, Scale{"ns", 1}, Scale{"s", kSecond}}) {
    if (!text.ends_with(scale.suffix)) continue;
    double value = 0;
    if (!read_number(text.substr(0, text.size() - scale.suffix.size()), value)) break;
    const double ns = value * static_cast<double>(scale.ns);
    if (!(ns >= 0 && ns <= 1e18)) break;
    return static_cast<int64_t>(std::llround(ns));
  }
  return fail(ErrorCode::kInvalidArgument, "'{}' is not a duration (for example 2.5s, 250ms, 10us, 0)", text);
}

}  // namespace pointsman

#include "learn/online_policy.h"

#include <algorithm>

#include "base/exact_math.h"
#include "base/rng.h"
#include "learn/softmax.h"

namespace pointsman {

namespace {

constexpr double kNeverLogit = -60;  // of an arm that cannot be had: its probability is nothing, and still a number

std::vector<int> sizes_of(const OnlinePolicyOptions& options) {
  std::vector<int> sizes{kModelInputs};
  sizes.insert(sizes.end(), options.hidden.begin(), options.hidden.end());
  sizes.push_back(kChoosable);
  return sizes;
}

}  // namespace

OnlinePolicy::OnlinePolicy(const OnlinePolicyOptions& options, Mlp<float> net) : options_(options), net_(std::move(net)), adam_(net_.parameters().size()) {
  frame_.kind = ModelKind::kPolicy;
}

Result<OnlinePolicy> OnlinePolicy::make(const OnlinePolicyOptions& options) {
  const auto offered = std::count(options.offered.begin(), options.offered.end(), true);
  if (offered < 2) return fail(ErrorCode::kInvalidArgument, "a policy chooses among at least two arms, not {}", offered);
  if (options.explore.kind == Exploration::Kind::kUcb1) return fail(ErrorCode::kInvalidArgument, "exploration ucb1 draws nothing: an outcome has no probability to learn from");
  if (options.steps < 1 || options.batch < 1 || !(options.most_weight >= 1) || !(options.clip > 0) || !(options.entropy >= 0) || !(options.rate > 0) || options.hidden.size() > 6)
    return fail(ErrorCode::kInvalidArgument, "an option of the policy is out of range");
  for (const int width : options.hidden)
    if (width < 1 || width > kWidestLayer) return fail(ErrorCode::kInvalidArgument, "hidden width {} is not from 1 to {}", width, kWidestLayer);
  Rng rng(options.seed, "online policy net");
  return OnlinePolicy(options, Mlp<float>::random(sizes_of(options), rng));
}

std::array<double, kChoosable> OnlinePolicy::logits_of(std::span<const float> outputs) const {
  std::array<double, kChoosable> out{};
  for (size_t a = 0; a < kChoosable; ++a) out[a] = options_.offered[a] ? static_cast<double>(outputs[a]) : kNeverLogit;
  return out;
}

ArmCosts OnlinePolicy::distribution(std::span<const FeatureVector> windows, ArmId active) const {
  ArmCosts sum{};
  std::array<float, kModelInputs> input{};
  std::array<float, kChoosable> output{};
  for (const FeatureVector& window : windows) {
    model_input(frame_, window, active, input);
    net_.apply(input, output);
    const ArmCosts one = softmax(logits_of(output));
    for (size_t a = 0; a < kChoosable; ++a) sum[a] += one[a] / static_cast<double>(windows.size());
  }
  return sum;
}

OnlinePolicy::Drawn OnlinePolicy::draw(std::span<const FeatureVector> windows, ArmId active) {
  Drawn out;
  const double n = static_cast<double>(draws_ + 1);
  switch (options_.explore.kind) {
    case Exploration::Kind::kSqrt: out.exploring = 1 / exact_sqrt(n); break;
    case Exploration::Kind::kConstant: out.exploring = options_.explore.rate; break;
    default: break;
  }
  if (windows.empty()) out.exploring = 1;
  out.policy = windows.empty() ? ArmCosts{} : distribution(windows, active);
  const auto offered = static_cast<double>(std::count(options_.offered.begin(), options_.offered.end(), true));
  ArmCosts mixed{};
  for (size_t a = 0; a < kChoosable; ++a)
    if (options_.offered[a]) mixed[a] = (1 - out.exploring) * out.policy[a] + out.exploring / offered;
  Rng rng(options_.seed, "online policy draw", draws_++);
  out.arm = draw_arm(mixed, rng.uniform());
  out.propensity = mixed[static_cast<size_t>(out.arm)];
  return out;
}

ArmId OnlinePolicy::best(std::span<const FeatureVector> windows, ArmId active) const {
  if (windows.empty()) return active;
  const ArmCosts policy = distribution(windows, active);
  return static_cast<ArmId>(std::max_element(policy.begin(), policy.end()) - policy.begin());
}

// From all windows so far; a feature that never moved says nothing.
void OnlinePolicy::standardise() {
  for (size_t f = 0; f < kFeatures; ++f) {
    double sum = 0, squares = 0;
    for (const Outcome& o : outcomes_)
      for (const FeatureVector& w : o.windows) sum += w[f];
    const double mean = sum / static_cast<double>(rows_);
    for (const Outcome& o : outcomes_)
      for (const FeatureVector& w : o.windows) squares += (w[f] - mean) * (w[f] - mean);
    const double deviation = exact_sqrt(squares / static_cast<double>(rows_));
    frame_.mean[f] = mean;
    frame_.scale[f] = deviation > 1e-6 ? 1 / deviation : 0;
  }
}

void OnlinePolicy::learn(Outcome outcome) {
  if (outcome.windows.empty()) return;
  outcome.cost = std::clamp(outcome.cost, -options_.clip, options_.clip);
  rows_ += outcome.windows.size();
  outcomes_.push_back(std::move(outcome));
  standardise();

  Rng rng(options_.seed, "online policy order", updates_++);
  const auto n = static_cast<size_t>(options_.batch);
  std::vector<const Outcome*> drawn(n);
  std::vector<float> inputs(n * kModelInputs), slopes(n * kChoosable), gradient(net_.parameters().size());
  Mlp<float>::Workspace work;
  for (int step = 0; step < options_.steps; ++step) {
    for (size_t s = 0; s < n; ++s) {
      // Outcomes count equally, however many windows they have.
      drawn[s] = &outcomes_[rng.below(outcomes_.size())];
      model_input(frame_, drawn[s]->windows[rng.below(drawn[s]->windows.size())], drawn[s]->active, std::span(inputs).subspan(s * kModelInputs, kModelInputs));
    }
    const auto outputs = net_.forward(inputs, options_.batch, work);
    for (size_t s = 0; s < n; ++s) {
      const Outcome& o = *drawn[s];
      const auto logits = logits_of(outputs.subspan(s * kChoosable, kChoosable));
      const double weight = std::min(softmax(logits)[static_cast<size_t>(o.taken)] / o.propensity, options_.most_weight);
      ArmCosts slope{};
      reinforce_loss(logits, {.arm = o.taken, .advantage = weight * o.cost}, slope);
      entropy_bonus(logits, options_.entropy, slope);
      for (size_t a = 0; a < kChoosable; ++a) slopes[s * kChoosable + a] = options_.offered[a] ? static_cast<float>(slope[a] / static_cast<double>(n)) : 0.f;
    }
    net_.backward(inputs, options_.batch, slopes, gradient, work);
    adam_.step(net_.parameters(), gradient, {.rate = static_cast<float>(options_.rate), .decay = static_cast<float>(options_.decay)});
  }
}

Model OnlinePolicy::model() const {
  Model out = frame_;
  // The arms that it was never offered: no weights, and a bias that says never.
  std::vector<float> packed = net_.packed();
  const auto inputs = static_cast<size_t>(net_.sizes()[net_.sizes().size() - 2]);
  const size_t first = packed.size() - (inputs + 1) * kChoosable;
  for (size_t a = 0; a < kChoosable; ++a) {
    if (options_.offered[a]) continue;
    for (size_t i = 0; i < inputs; ++i) packed[first + i * kChoosable + a] = 0;
    packed[first + inputs * kChoosable + a] = static_cast<float>(kNeverLogit);
  }
  Mlp<float> net(net_.sizes());
  net.unpack(packed);
  out.nets.push_back(std::move(net));
  return out;
}

}  // namespace pointsman

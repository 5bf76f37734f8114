// Policies: networks with a softmax over the arms, trained by a loss of softmax.h; without hidden layers a linear softmax.
// With full information the loss is averaged over windows. `reinforce` instead plays: it lives through a block by look-up in the data (the
// next window is seen under the arm that it drew), knows the cost of that arm alone, and learns at the end of several lives of the block.
// Its baseline is input-driven: the mean over the other lives of the same block at the same moment, which saw the same arrivals.
// Source: Williams 1992; Mao, Venkatakrishnan, Schwarzkopf, Alizadeh, "Variance reduction for reinforcement learning in input-driven
// environments", ICLR 2019; Kool, van Hoof, Welling 2019 for the mean that leaves one out.
#include <algorithm>
#include <mutex>
#include <optional>

#include "base/exact_math.h"
#include "learn/learners.h"
#include "learn/mlp.h"

namespace pointsman {

namespace {

using EpochReport = std::function<void(int epoch, double loss)>;

struct Trainee {
  Mlp<float> net;
  Adam<float> adam;
  Mlp<float>::Workspace work{};
  std::vector<float> gradient{};

  explicit Trainee(Mlp<float> start) : net(std::move(start)), adam(net.parameters().size()), gradient(net.parameters().size()) {}
};

std::array<double, kChoosable> logits_of(std::span<const float> outputs, size_t row) {
  std::array<double, kChoosable> out{};
  for (size_t a = 0; a < kChoosable; ++a) out[a] = static_cast<double>(outputs[row * kChoosable + a]);
  return out;
}

Adam<float>::Step step_at(const TrainOptions& options, double passed) {
  return {.rate = static_cast<float>(options.rate + (options.last_rate - options.rate) * passed),
          .decay = static_cast<float>(options.decay)};
}

void train_informed(Trainee& t, const Examples& examples, const std::vector<int>& count, const TrainOptions& options, Rng& rng,
                    const EpochReport& report) {
  std::vector<uint32_t> order;
  for (uint32_t i = 0; i < examples.size(); ++i)
    if (count[examples.block[i]] > 0) order.push_back(i);
  const auto batch = static_cast<size_t>(options.batch);
  std::vector<float> inputs(batch * kModelInputs), slopes(batch * kChoosable);
  const size_t steps = (order.size() + batch - 1) / batch * static_cast<size_t>(options.epochs);
  size_t step = 0;
  for (int epoch = 0; epoch < options.epochs; ++epoch) {
    for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[rng.below(i)]);
    double loss = 0;
    for (size_t at = 0; at < order.size(); at += batch, ++step) {
      const size_t n = std::min(batch, order.size() - at);
      const double passed = static_cast<double>(step) / static_cast<double>(steps);
      for (size_t s = 0; s < n; ++s) std::copy_n(examples.input(order[at + s]), kModelInputs, inputs.data() + s * kModelInputs);
      const auto outputs = t.net.forward(std::span(inputs).first(n * kModelInputs), static_cast<int>(n), t.work);
      for (size_t s = 0; s < n; ++s) {
        const uint32_t row = order[at + s];
        ArmCosts costs{}, slope{};
        for (size_t a = 0; a < kChoosable; ++a) {
          const auto regret = static_cast<double>(examples.regret_of(row)[a]);
          costs[a] = options.policy.loss == PolicyLoss::kSeed ? exact_exp(regret) : regret;  // the seed's L is a cost, which is never 0
        }
        const double weight = examples.weight[row] * count[examples.block[row]];
        loss += weight * policy_loss(options.policy.loss, logits_of(outputs, s), costs, slope);
        if (options.policy.loss == PolicyLoss::kExpectedCost)
          entropy_bonus(logits_of(outputs, s), options.policy.entropy * (1 - passed), slope);
        for (size_t a = 0; a < kChoosable; ++a) slopes[s * kChoosable + a] = static_cast<float>(weight * slope[a] / static_cast<double>(n));
      }
      t.net.backward(std::span(inputs).first(n * kModelInputs), static_cast<int>(n), std::span(slopes).first(n * kChoosable), t.gradient,
                     t.work);
      t.adam.step(t.net.parameters(), t.gradient, step_at(options, passed));
    }
    report(epoch, loss / static_cast<double>(std::max<size_t>(order.size(), 1)));
  }
}

struct Moment {
  uint32_t row = 0;
  Taken taken{};
  double cost = 0, weight = 1;
};

// One life of a block under the present policy: what it saw, took and paid at every window.
std::vector<Moment> live(const Trainee& t, const Examples& examples, size_t block, Explorer& explorer, double most_weight, Rng& rng) {
  const auto& begins = examples.begins[block];
  const auto windows_of = [&](ArmId arm) { return begins[static_cast<size_t>(arm) + 1] - begins[static_cast<size_t>(arm)]; };
  std::vector<Moment> out;
  ArmId active = kDefaultArm;
  for (uint32_t w = 0; w < windows_of(kDefaultArm); ++w) {
    if (windows_of(active) == 0) active = kDefaultArm;
    Moment m;
    m.row = begins[static_cast<size_t>(active)] + std::min(w, windows_of(active) - 1);
    std::array<float, kChoosable> outputs{};
    t.net.apply(std::span(examples.input(m.row), kModelInputs), outputs);
    const ArmCosts policy = softmax(logits_of(outputs, 0)), behaviour = explorer.mix(policy);
    m.taken.arm = active = draw_arm(behaviour, rng.uniform());
    explorer.took(active);
    m.cost = static_cast<double>(examples.regret_of(m.row)[static_cast<size_t>(active)]);
    m.weight = std::min(policy[static_cast<size_t>(active)] / behaviour[static_cast<size_t>(active)], most_weight);
    out.push_back(m);
  }
  return out;
}

void train_by_playing(Trainee& t, const Dataset& dataset, const Examples& examples, const std::vector<int>& count,
                      const TrainOptions& options, Rng& rng, const EpochReport& report) {
  // Families count equally: a family is drawn, then one of its blocks in the sample.
  std::vector<std::vector<uint32_t>> families;
  for (const auto& [name, members] : blocks_by_family(dataset)) {
    std::vector<uint32_t> drawn;
    for (const uint32_t b : members)
      if (dataset.blocks[b].windows[kDefaultArm].size() > 0) drawn.insert(drawn.end(), static_cast<size_t>(count[b]), b);
    if (!drawn.empty()) families.push_back(std::move(drawn));
  }
  const int lives = options.policy.rollouts;
  const int64_t wanted = options.policy.episodes > 0 ? options.policy.episodes
                                                     : int64_t{options.epochs} * static_cast<int64_t>(dataset.blocks.size()) * kChoosable;
  const int64_t rounds = std::max<int64_t>((wanted + lives - 1) / lives, options.epochs);
  Explorer explorer(options.policy.explore);
  std::vector<float> inputs, slopes;
  double paid = 0, decisions = 0;
  int epoch = 0;
  for (int64_t round = 0; round < rounds; ++round) {
    const double passed = static_cast<double>(round) / static_cast<double>(rounds);
    const auto& family = families[rng.below(families.size())];
    const uint32_t block = family[rng.below(family.size())];
    std::vector<std::vector<Moment>> played;
    for (int life = 0; life < lives; ++life) played.push_back(live(t, examples, block, explorer, options.policy.most_weight, rng));
    const size_t length = played.front().size();
    const auto n = static_cast<size_t>(lives) * length;
    inputs.resize(n * kModelInputs);
    slopes.resize(n * kChoosable);
    size_t at = 0;
    for (size_t w = 0; w < length; ++w) {
      double sum = 0;
      for (const auto& life : played) sum += life[w].cost;
      paid += sum;
      for (auto& life : played) {
        Moment& m = life[w];
        const double baseline = (sum - m.cost) / (lives - 1);
        m.taken.advantage = m.weight * (m.cost - baseline);
        std::copy_n(examples.input(m.row), kModelInputs, inputs.data() + at++ * kModelInputs);
      }
    }
    decisions += static_cast<double>(n);
    const auto outputs = t.net.forward(inputs, static_cast<int>(n), t.work);
    at = 0;
    for (size_t w = 0; w < length; ++w)
      for (const auto& life : played) {
        ArmCosts slope{};
        reinforce_loss(logits_of(outputs, at), life[w].taken, slope);
        entropy_bonus(logits_of(outputs, at), options.policy.entropy * (1 - passed), slope);
        for (size_t a = 0; a < kChoosable; ++a) slopes[at * kChoosable + a] = static_cast<float>(slope[a] / static_cast<double>(n));
        ++at;
      }
    t.net.backward(inputs, static_cast<int>(n), slopes, t.gradient, t.work);
    t.adam.step(t.net.parameters(), t.gradient, step_at(options, passed));
    if ((round + 1) * options.epochs / rounds > epoch) {
      report(epoch++, paid / std::max(decisions, 1.0));
      paid = decisions = 0;
    }
  }
}

Result<Model> train_with(const Dataset& dataset, const TrainOptions& options, ModelKind kind) {
  Model model;
  model.kind = kind;
  const Examples examples = make_examples(dataset, options.clip, model);
  if (options.policy.loss == PolicyLoss::kReinforce &&
      std::all_of(dataset.blocks.begin(), dataset.blocks.end(), [](const Block& b) { return b.windows[kDefaultArm].empty(); }))
    return fail(ErrorCode::kInvalidArgument, "reinforce begins every life under {}, and no block has windows under it",
                arms()[kDefaultArm].name);
  std::vector<int> sizes{kModelInputs};
  if (kind == ModelKind::kPolicy) sizes.insert(sizes.end(), options.hidden.begin(), options.hidden.end());
  sizes.push_back(kChoosable);
  const auto nets = static_cast<size_t>(options.nets);
  std::vector<std::optional<Mlp<float>>> trained(nets);
  std::mutex reporting;
  in_parallel(nets, options.threads, [&](size_t k) {
    Rng rng(options.seed, "train policy", k);
    std::vector<int> count = draw_blocks(dataset, options.resample, rng);
    // A sample in which nothing can be played is no sample.
    const auto playable = [&] {
      for (size_t b = 0; b < count.size(); ++b)
        if (count[b] > 0 && !dataset.blocks[b].windows[kDefaultArm].empty()) return true;
      return false;
    };
    while (options.policy.loss == PolicyLoss::kReinforce && !playable()) count = draw_blocks(dataset, options.resample, rng);
    Trainee trainee(Mlp<float>::random(sizes, rng));
    const auto report = [&](int epoch, double loss) {
      if (!options.on_epoch) return;
      const std::scoped_lock lock(reporting);
      options.on_epoch(static_cast<int>(k), epoch, loss);
    };
    if (options.policy.loss == PolicyLoss::kReinforce)
      train_by_playing(trainee, dataset, examples, count, options, rng, report);
    else
      train_informed(trainee, examples, count, options, rng, report);
    trained[k] = std::move(trainee.net);
  });
  for (auto& net : trained) model.nets.push_back(std::move(*net));
  return model;
}

}  // namespace

Result<Model> train_softmax(const Dataset& dataset, const TrainOptions& options) {
  return train_with(dataset, options, ModelKind::kSoftmax);
}
Result<Model> train_policy(const Dataset& dataset, const TrainOptions& options) { return train_with(dataset, options, ModelKind::kPolicy); }

}  // namespace pointsman

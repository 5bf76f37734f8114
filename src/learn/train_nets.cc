// Networks that regress the regret of every arm. Costs, not argmin labels: a label throws away how much a choice matters. The loss is
// regret_loss of softmax.h.
#include <algorithm>
#include <mutex>
#include <optional>

#include "learn/learners.h"
#include "learn/mlp.h"

namespace pointsman {

namespace {

using EpochReport = std::function<void(int epoch, double loss)>;

Mlp<float> train_net(const Examples& examples, const std::vector<int>& count, const TrainOptions& options, Rng& rng,
                     const EpochReport& report) {
  std::vector<int> sizes{kModelInputs};
  sizes.insert(sizes.end(), options.hidden.begin(), options.hidden.end());
  sizes.push_back(kChoosable);
  auto net = Mlp<float>::random(std::move(sizes), rng);
  Adam<float> adam(net.parameters().size());
  Mlp<float>::Workspace work;
  std::vector<float> gradient(net.parameters().size());

  std::vector<uint32_t> order;
  for (uint32_t i = 0; i < examples.block.size(); ++i)
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
      for (size_t s = 0; s < n; ++s) std::copy_n(examples.input(order[at + s]), kModelInputs, inputs.data() + s * kModelInputs);
      const auto outputs = net.forward(std::span(inputs).first(n * kModelInputs), static_cast<int>(n), work);
      for (size_t s = 0; s < n; ++s) {
        const uint32_t example = order[at + s];
        ArmCosts predicted{}, regret{}, slope{};
        std::copy_n(outputs.begin() + static_cast<ptrdiff_t>(s * kChoosable), kChoosable, predicted.begin());
        std::copy_n(examples.regret_of(example), kChoosable, regret.begin());
        const double weight = examples.weight[example] * count[examples.block[example]];
        loss += weight * regret_loss(predicted, regret, options.decision, slope);
        for (size_t a = 0; a < kChoosable; ++a) slopes[s * kChoosable + a] = static_cast<float>(weight * slope[a] / static_cast<double>(n));
      }
      net.backward(std::span(inputs).first(n * kModelInputs), static_cast<int>(n), std::span(slopes).first(n * kChoosable), gradient, work);
      const double passed = static_cast<double>(step) / static_cast<double>(steps);
      adam.step(net.parameters(), gradient,
                {.rate = static_cast<float>(options.rate + (options.last_rate - options.rate) * passed),
                 .decay = static_cast<float>(options.decay)});
    }
    report(epoch, loss / static_cast<double>(std::max<size_t>(order.size(), 1)));
  }
  return net;
}

// Of all that a net says about arms, told apart by blocks that were not in its sample: the factor by which it comes nearest to their regrets. The weight of the decision
// drives predictions apart beyond what there is to gain; what is said to people, and held against the cost of a swap, must be in ln cost.
double calibration(const Mlp<float>& net, const Examples& examples, const std::vector<int>& count) {
  double products = 0, squares = 0;
  for (size_t row = 0; row < examples.size(); ++row) {
    if (count[examples.block[row]] > 0) continue;
    std::array<float, kChoosable> predicted{};
    net.apply(std::span(examples.input(row), kModelInputs), predicted);
    const float* regret = examples.regret_of(row);
    double mean_predicted = 0, mean_regret = 0;
    for (size_t a = 0; a < kChoosable; ++a) {
      mean_predicted += static_cast<double>(predicted[a]) / kChoosable;
      mean_regret += static_cast<double>(regret[a]) / kChoosable;
    }
    for (size_t a = 0; a < kChoosable; ++a) {
      const double p = static_cast<double>(predicted[a]) - mean_predicted;
      products += examples.weight[row] * p * (static_cast<double>(regret[a]) - mean_regret);
      squares += examples.weight[row] * p * p;
    }
  }
  return products > 0 && squares > 0 ? products / squares : 1;
}

void scale_outputs(Mlp<float>& net, double factor) {
  std::vector<float> packed = net.packed();
  const auto last = static_cast<size_t>((net.sizes()[net.sizes().size() - 2] + 1) * net.outputs());
  for (size_t i = packed.size() - last; i < packed.size(); ++i) packed[i] *= static_cast<float>(factor);
  net.unpack(packed);
}

}  // namespace

Result<Model> train_nets(const Dataset& dataset, const TrainOptions& options) {
  Model model;
  const Examples examples = make_examples(dataset, options.clip, model);
  const auto nets = static_cast<size_t>(options.nets);
  std::vector<std::optional<Mlp<float>>> trained(nets);
  std::mutex reporting;
  in_parallel(nets, options.threads, [&](size_t k) {
    Rng rng(options.seed, "train net", k);
    const std::vector<int> count = draw_blocks(dataset, options.resample, rng);
    Mlp<float> net = train_net(examples, count, options, rng, [&](int epoch, double loss) {
      if (!options.on_epoch) return;
      const std::scoped_lock lock(reporting);
      options.on_epoch(static_cast<int>(k), epoch, loss);
    });
    if (options.decision.weight > 0) scale_outputs(net, calibration(net, examples, count));
    trained[k] = std::move(net);
  });
  for (auto& net : trained) model.nets.push_back(std::move(*net));
  return model;
}

}  // namespace pointsman

// Extremely randomised trees that regress the regret of every arm: at each node every input proposes one threshold, drawn between its
// extremes there, and the best proposal is taken. Grown best first, so that a limit on leaves spends them where they tell most.
// Source: Geurts, Ernst, Wehenkel, Machine Learning 63 (2006).
#include <algorithm>
#include <array>
#include <mutex>
#include <numeric>
#include <vector>

#include "learn/learners.h"

namespace pointsman {

namespace {

using Sums = std::array<double, kChoosable>;

struct Split {
  double gain = 0;  // 0: none
  size_t feature = 0;
  float threshold = 0;
};

// A node while the tree grows; its rows are rows[first .. last).
struct Growing {
  size_t first = 0, last = 0;
  int left = -1, right = -1;  // -1: a leaf
  Split split{};
};

class Grower {
 public:
  Grower(const Examples& examples, const std::vector<int>& count, const TrainOptions::Trees& options, Rng& rng)
      : examples_(examples), options_(options), rng_(rng), weight_(examples.size()) {
    for (uint32_t row = 0; row < examples.size(); ++row) {
      weight_[row] = examples.weight[row] * count[examples.block[row]];
      if (weight_[row] > 0) rows_.push_back(row);
    }
  }

  Tree grow() {
    nodes_.push_back({.first = 0, .last = rows_.size()});
    nodes_[0].split = propose(0, rows_.size());
    for (int leaves = 1; leaves < options_.leaves; ++leaves) {
      size_t best = 0;
      double gain = 0;
      for (size_t i = 0; i < nodes_.size(); ++i)
        if (nodes_[i].left < 0 && nodes_[i].split.gain > gain) {
          gain = nodes_[i].split.gain;
          best = i;
        }
      if (!(gain > 0)) break;
      split(best);
    }
    Tree tree;
    emit(0, tree);
    return tree;
  }

 private:
  void add(Sums& sums, double& total, uint32_t row) const {
    const float* y = examples_.regret_of(row);
    total += weight_[row];
    for (size_t o = 0; o < kChoosable; ++o) sums[o] += weight_[row] * static_cast<double>(y[o]);
  }
  static double explained(const Sums& sums, double total) {
    double out = 0;
    for (const double s : sums) out += s * s;
    return total > 0 ? out / total : 0;
  }

  Split propose(size_t first, size_t last) {
    Split best;
    Sums all{};
    double total = 0;
    for (size_t i = first; i < last; ++i) add(all, total, rows_[i]);
    for (size_t f = 0; f < kModelInputs; ++f) {
      float low = examples_.input(rows_[first])[f], high = low;
      for (size_t i = first; i < last; ++i) {
        const float v = examples_.input(rows_[i])[f];
        low = std::min(low, v);
        high = std::max(high, v);
      }
      const double place = rng_.uniform();
      if (!(low < high)) continue;
      float threshold = static_cast<float>(static_cast<double>(low) + place * (static_cast<double>(high) - static_cast<double>(low)));
      if (!(threshold < high)) threshold = low;
      Sums left{};
      double left_total = 0;
      for (size_t i = first; i < last; ++i)
        if (examples_.input(rows_[i])[f] <= threshold) add(left, left_total, rows_[i]);
      if (left_total < options_.least || total - left_total < options_.least) continue;
      Sums right = all;
      for (size_t o = 0; o < kChoosable; ++o) right[o] -= left[o];
      const double gain = explained(left, left_total) + explained(right, total - left_total) - explained(all, total);
      if (gain > best.gain + 1e-12) best = {.gain = gain, .feature = f, .threshold = threshold};
    }
    return best;
  }

  void split(size_t index) {
    const Growing node = nodes_[index];
    const auto middle =
        std::stable_partition(rows_.begin() + static_cast<ptrdiff_t>(node.first), rows_.begin() + static_cast<ptrdiff_t>(node.last),
                              [&](uint32_t row) { return examples_.input(row)[node.split.feature] <= node.split.threshold; });
    const auto at = static_cast<size_t>(middle - rows_.begin());
    nodes_[index].left = static_cast<int>(nodes_.size());
    nodes_[index].right = nodes_[index].left + 1;
    nodes_.push_back({.first = node.first, .last = at, .split = propose(node.first, at)});
    nodes_.push_back({.first = at, .last = node.last, .split = propose(at, node.last)});
  }

  void emit(size_t index, Tree& tree) const {
    const Growing& node = nodes_[index];
    const size_t place = tree.nodes.size();
    tree.nodes.emplace_back();
    if (node.left < 0) {
      Sums sums{};
      double total = 0;
      for (size_t i = node.first; i < node.last; ++i) add(sums, total, rows_[i]);
      tree.nodes[place].other = static_cast<uint16_t>(tree.values.size());
      auto& value = tree.values.emplace_back();
      for (size_t o = 0; o < kChoosable; ++o) value[o] = static_cast<float>(sums[o] / total);
      return;
    }
    emit(static_cast<size_t>(node.left), tree);
    tree.nodes[place] = {.feature = static_cast<uint8_t>(node.split.feature),
                         .other = static_cast<uint16_t>(tree.nodes.size()),
                         .threshold = node.split.threshold};
    emit(static_cast<size_t>(node.right), tree);
  }

  const Examples& examples_;
  const TrainOptions::Trees& options_;
  Rng& rng_;
  std::vector<double> weight_;
  std::vector<uint32_t> rows_;
  std::vector<Growing> nodes_;
};

}  // namespace

Result<Model> train_trees(const Dataset& dataset, const TrainOptions& options) {
  Model model;
  model.kind = ModelKind::kTrees;
  const Examples examples = make_examples(dataset, options.clip, model);
  model.forest.members = options.nets;
  const auto members = static_cast<size_t>(options.nets);
  model.forest.trees.resize(members * static_cast<size_t>(options.trees.per_member));
  std::vector<std::vector<int>> counts;
  for (size_t k = 0; k < members; ++k) {
    Rng rng(options.seed, "train trees sample", k);
    counts.push_back(draw_blocks(dataset, options.resample, rng));
  }
  std::mutex reporting;
  in_parallel(model.forest.trees.size(), options.threads, [&](size_t t) {
    Rng rng(options.seed, "train tree", t);
    const std::vector<int>& count = counts[t % members];
    model.forest.trees[t] = Grower(examples, count, options.trees, rng).grow();
    if (!options.on_epoch) return;
    double loss = 0;
    for (size_t row = 0; row < examples.size(); ++row) {
      const auto& y = model.forest.trees[t].at(std::span(examples.input(row), kModelInputs));
      for (size_t o = 0; o < kChoosable; ++o) {
        const double error = static_cast<double>(y[o] - examples.regret_of(row)[o]);
        loss += examples.weight[row] * count[examples.block[row]] * error * error / 2;
      }
    }
    const std::scoped_lock lock(reporting);
    options.on_epoch(static_cast<int>(t % members), static_cast<int>(t / members), loss / static_cast<double>(examples.size()));
  });
  return model;
}

}  // namespace pointsman

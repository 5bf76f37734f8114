#include "learn/importance.h"

#include <algorithm>
#include <array>

#include "base/rng.h"

namespace pointsman {

namespace {

double share_of(const Model& model, const Dataset& dataset) {
  return score(dataset, predict_all(model, dataset, kDefaultArm), model.rule, {.resamples = 0}).vs_default.value;
}

Dataset only(Dataset dataset, const std::array<bool, kFeatures>& kept) {
  for (Block& block : dataset.blocks)
    for (auto& windows : block.windows)
      for (FeatureVector& window : windows)
        for (size_t f = 0; f < kFeatures; ++f)
          if (!kept[f]) window[f] = 0;
  return dataset;
}

}  // namespace

std::vector<Permuted> permutation_importance(const Model& model, const Dataset& dataset, const PermutationOptions& options) {
  const double whole = share_of(model, dataset);
  std::vector<Permuted> out;
  for (size_t f = 0; f < kFeatures; ++f) {
    double sum = 0;
    for (int shuffle = 0; shuffle < options.shuffles; ++shuffle) {
      Dataset shuffled = dataset;
      Rng rng(options.seed, "permutation", f * 1000 + static_cast<uint64_t>(shuffle));
      for (size_t a = 0; a < kChoosable; ++a) {
        std::vector<double*> values;
        for (Block& block : shuffled.blocks)
          for (FeatureVector& window : block.windows[a]) values.push_back(&window[f]);
        for (size_t i = values.size(); i > 1; --i) std::swap(*values[i - 1], *values[rng.below(i)]);
      }
      sum += whole - share_of(model, shuffled);
    }
    out.push_back({f, sum / std::max(options.shuffles, 1)});
  }
  std::stable_sort(out.begin(), out.end(), [](const Permuted& a, const Permuted& b) { return a.loss > b.loss; });
  return out;
}

Result<std::vector<Selected>> forward_selection(const Dataset& train_set, const Dataset& outer, const TrainOptions& train_options, const SelectionOptions& options) {
  Dataset first, second;
  for (const Block& block : train_set.blocks) (block.seed % 2 == 0 ? first : second).blocks.push_back(block);
  std::array<bool, kFeatures> kept{};
  std::vector<Selected> out;
  for (int step = 0; step < std::min(options.steps, int{kFeatures}); ++step) {
    std::optional<Selected> best;
    for (size_t f = 0; f < kFeatures; ++f) {
      if (kept[f]) continue;
      auto with = kept;
      with[f] = true;
      auto model = train(only(first, with), train_options);
      if (!model) return fail(model.error());
      const double share = share_of(*model, only(second, with));
      if (!best || share > best->inner) best = Selected{f, share, 0};
    }
    kept[best->feature] = true;
    auto model = train(only(train_set, kept), train_options);
    if (!model) return fail(model.error());
    best->outer = share_of(*model, only(outer, kept));
    out.push_back(*best);
    if (options.on_step) options.on_step();
  }
  return out;
}

}  // namespace pointsman

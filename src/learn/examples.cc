#include "learn/examples.h"

#include <algorithm>
#include <atomic>
#include <thread>

#include "base/exact_math.h"

namespace pointsman {

namespace {

constexpr double kMostWeight = 10;  // of one window, in means: a block of two windows must not shake the gradient

}  // namespace

std::map<std::string_view, std::vector<uint32_t>> blocks_by_family(const Dataset& dataset) {
  std::map<std::string_view, std::vector<uint32_t>> out;
  for (uint32_t b = 0; b < dataset.blocks.size(); ++b) out[dataset.blocks[b].family].push_back(b);
  return out;
}

Examples make_examples(const Dataset& dataset, double clip, Model& model) {
  Examples out;
  const auto families = blocks_by_family(dataset);
  double family_weights = 0;
  for (const auto& [family, members] : families) family_weights += dataset.blocks[members.front()].weight;
  std::vector<const FeatureVector*> rows;
  std::vector<ArmId> active;
  for (uint32_t b = 0; b < dataset.blocks.size(); ++b) {
    const Block& block = dataset.blocks[b];
    const double best = *std::min_element(block.log_cost.begin(), block.log_cost.end());
    for (const double cost : block.log_cost) out.regret.push_back(static_cast<float>(std::min(cost - best, clip)));
    size_t windows = 0;
    for (const auto& of_arm : block.windows) windows += of_arm.size();
    const double share = block.weight / (family_weights * static_cast<double>(families.at(block.family).size()) * static_cast<double>(windows));
    auto& begins = out.begins.emplace_back();
    for (ArmId arm = 0; arm < kChoosable; ++arm) {
      begins[static_cast<size_t>(arm)] = static_cast<uint32_t>(rows.size());
      for (const FeatureVector& window : block.windows[static_cast<size_t>(arm)]) {
        rows.push_back(&window);
        active.push_back(arm);
        out.block.push_back(b);
        out.weight.push_back(share);
      }
    }
    begins[kChoosable] = static_cast<uint32_t>(rows.size());
  }
  for (double& w : out.weight) w *= static_cast<double>(rows.size());
  for (size_t f = 0; f < kFeatures; ++f) {
    double sum = 0, total = 0;
    for (size_t i = 0; i < rows.size(); ++i) {
      sum += out.weight[i] * (*rows[i])[f];
      total += out.weight[i];
    }
    const double mean = sum / total;
    double squares = 0;
    for (size_t i = 0; i < rows.size(); ++i) squares += out.weight[i] * ((*rows[i])[f] - mean) * ((*rows[i])[f] - mean);
    const double deviation = exact_sqrt(squares / total);
    model.mean[f] = mean;
    model.scale[f] = deviation > 1e-6 ? 1 / deviation : 0;  // a feature that never moved says nothing; one that moves later must not shout
  }
  out.inputs.resize(rows.size() * kModelInputs);
  for (size_t i = 0; i < rows.size(); ++i) {
    model_input(model, *rows[i], active[i], std::span(out.inputs).subspan(i * kModelInputs, kModelInputs));
    out.weight[i] = std::min(out.weight[i], kMostWeight);
  }
  return out;
}

std::vector<int> draw_blocks(const Dataset& dataset, Resample resample, Rng& rng) {
  std::vector<int> count(dataset.blocks.size());
  const auto families = blocks_by_family(dataset);
  if (resample == Resample::kBlock) {
    for (const auto& [family, members] : families)
      for (size_t i = 0; i < members.size(); ++i) ++count[members[rng.below(members.size())]];
    return count;
  }
  std::vector<const std::vector<uint32_t>*> groups;
  for (const auto& [family, members] : families) groups.push_back(&members);
  for (size_t i = 0; i < groups.size(); ++i)
    for (const uint32_t b : *groups[rng.below(groups.size())]) ++count[b];
  return count;
}

void in_parallel(size_t count, int threads, const std::function<void(size_t)>& work) {
  std::atomic<size_t> next = 0;
  const auto take = [&] {
    for (size_t k = next++; k < count; k = next++) work(k);
  };
  std::vector<std::thread> helpers;
  for (int t = 1; t < threads && static_cast<size_t>(t) < count; ++t) helpers.emplace_back(take);
  take();
  for (std::thread& helper : helpers) helper.join();
}

}  // namespace pointsman

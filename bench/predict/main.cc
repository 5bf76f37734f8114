// What does a prediction of all arms' regret cost? It is made at every decision, in a thread that outranks everybody.
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "bench/predict/naive.h"
#include "bench/predict/onnxruntime.h"
#include "bench/predict/xgboost.h"
#include "base/rng.h"
#include "bench/ratios.h"
#include "learn/model.h"

namespace {

using namespace pointsman;
using namespace pointsman::bench;

const Model& shipped() {
  static const Model model = [] {
    auto loaded = load_model(POINTSMAN_SOURCE_DIR "/models/default.pmm");
    if (!loaded) {
      std::fprintf(stderr, "%s\n", loaded.error().message.c_str());
      std::exit(1);
    }
    return *loaded;
  }();
  return model;
}

std::vector<NaiveNet> naive_nets() {
  std::vector<NaiveNet> nets;
  for (const Mlp<float>& net : shipped().nets) nets.emplace_back(net.sizes(), net.packed());
  return nets;
}

FeatureVector some_features() {
  FeatureVector features{};
  for (size_t i = 0; i < features.size(); ++i) features[i] = static_cast<float>(std::sin(static_cast<double>(i) + 1));
  return features;
}

void naive(benchmark::State& state) {
  const auto nets = naive_nets();
  std::vector<float> input(kModelInputs);
  for (auto unused : state) {
    model_input(shipped(), some_features(), kDefaultArm, input);
    for (const NaiveNet& net : nets) benchmark::DoNotOptimize(net.apply(input));
  }
}

void ours(benchmark::State& state) {
  for (auto unused : state) benchmark::DoNotOptimize(shipped().predict(some_features(), kDefaultArm));
}

// A branch of random splits with `leaves` leaves, behind what the tree has.
void grow(Tree& tree, size_t leaves, Rng& rng) {
  const size_t at = tree.nodes.size();
  tree.nodes.emplace_back();
  if (leaves == 1) {
    tree.nodes[at].other = static_cast<uint16_t>(tree.values.size());
    auto& value = tree.values.emplace_back();
    for (float& v : value) v = static_cast<float>(rng.uniform());
    return;
  }
  tree.nodes[at].feature = static_cast<uint8_t>(rng.below(kFeatures));
  tree.nodes[at].threshold = static_cast<float>(2 * rng.uniform() - 1);
  const size_t left = 1 + rng.below(leaves - 1);
  grow(tree, left, rng);
  tree.nodes[at].other = static_cast<uint16_t>(tree.nodes.size());
  grow(tree, leaves - left, rng);
}

// Of the size that `pointsman train --algo trees` makes by default. Where splits lie does not matter to what a walk costs.
const Model& trees() {
  static const Model model = [] {
    Model out = shipped();
    out.kind = ModelKind::kTrees;
    out.nets.clear();
    out.forest.members = 5;
    Rng rng(1, "trees of the bench");
    for (int t = 0; t < 50; ++t) grow(out.forest.trees.emplace_back(), 32, rng);
    return out;
  }();
  return model;
}

void our_trees(benchmark::State& state) {
  for (auto unused : state) benchmark::DoNotOptimize(trees().predict(some_features(), kDefaultArm));
}

bool same_answers(const char* name, const Result<PeerAnswer>& theirs, const Prediction& mine) {
  if (!theirs) return true;  // said at the end
  const auto count = static_cast<size_t>(mine.nets) * kChoosable;
  for (size_t i = 0; i < count; ++i)
    if (theirs->values.size() != count || !(std::abs(theirs->values[i] - static_cast<double>(mine.regret[i / kChoosable][i % kChoosable])) < 1e-4)) {
      std::fprintf(stderr, "%s answers something else: %zu values, value %zu is %g, not %g\n", name, theirs->values.size(), i, i < theirs->values.size() ? theirs->values[i] : NAN,
                   static_cast<double>(mine.regret[i / kChoosable][i % kChoosable]));
      return false;
    }
  return true;
}

void tell(const char* name, const Result<PeerAnswer>& theirs) {
  if (theirs)
    std::printf("%s, the same answers: %.1f us when asked for one window, %.2f us a window when asked for a thousand at once (medians)\n", name, theirs->one_us, theirs->of_thousand_us);
  else
    std::printf("%s %s\n", name, theirs.error().message.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  const auto nets = naive_nets();
  std::vector<float> input(kModelInputs);
  model_input(shipped(), some_features(), kDefaultArm, input);
  const Prediction mine = shipped().predict(some_features(), kDefaultArm);
  for (size_t k = 0; k < nets.size(); ++k) {
    const std::vector<float> theirs = nets[k].apply(input);
    for (size_t arm = 0; arm < kChoosable; ++arm)
      if (!(std::abs(theirs[arm] - mine.regret[k][arm]) < 1e-4f)) {
        std::fprintf(stderr, "net %zu, arm %zu: %g and %g\n", k, arm, static_cast<double>(theirs[arm]), static_cast<double>(mine.regret[k][arm]));
        return 1;
      }
  }
  const auto onnxruntime = ask_onnxruntime(shipped(), some_features(), kDefaultArm);
  model_input(trees(), some_features(), kDefaultArm, input);
  const auto xgboost = ask_xgboost(trees().forest, input);
  if (!same_answers("onnxruntime", onnxruntime, mine) || !same_answers("XGBoost", xgboost, trees().predict(some_features(), kDefaultArm))) return 1;
  contender("naive", naive);
  contender("ours", ours);
  contender("our trees", our_trees);
  const int status = run(argc, argv, "naive");
  std::printf("\n");
  tell("onnxruntime (beside ours)", onnxruntime);
  tell("XGBoost (beside our trees)", xgboost);
  return status;
}

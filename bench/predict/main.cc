// What does a prediction of all arms' regret cost? It is made at every decision, in a thread that outranks everybody.
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "bench/predict/naive.h"
#include "bench/predict/onnxruntime.h"
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
  const auto theirs = ask_onnxruntime(shipped(), some_features(), kDefaultArm);
  if (theirs) {
    for (size_t i = 0; i < nets.size() * kChoosable; ++i)
      if (theirs->regrets.size() != nets.size() * kChoosable || !(std::abs(theirs->regrets[i] - static_cast<double>(mine.regret[i / kChoosable][i % kChoosable])) < 1e-4)) {
        std::fprintf(stderr, "onnxruntime answers something else\n");
        return 1;
      }
  }
  contender("naive", naive);
  contender("ours", ours);
  const int status = run(argc, argv, "naive");
  if (theirs)
    std::printf("\nonnxruntime, the same answers: %.1f us when asked for one window, %.2f us a window when asked for a thousand at once (medians)\n", theirs->one_us, theirs->of_thousand_us);
  else
    std::printf("\n%s\n", theirs.error().message.c_str());
  return status;
}

// Model: an ensemble (networks, linear forms or trees) that says, from one window, what it thinks of every choosable arm; the rule by which
// it leaves the default arm; and its file, binary, versioned and checksummed, with a JSON card beside it that says what it came from and
// how good it is. Errors of reading: kInvalidArgument (not a model), kCorrupt (truncated, changed, numbers that are none or overflow),
// kUnsupported (another version, other features or arms).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "learn/dataset.h"
#include "learn/forest.h"
#include "learn/mlp.h"
#include "learn/stats.h"

namespace pointsman {

inline constexpr int kModelInputs = kFeatures + kChoosable;  // standardised features, then the active arm one-hot
inline constexpr int kMostNets = 8;
inline constexpr double kFeatureClamp = 4;  // deviations

enum class ModelKind : uint8_t {
  kNets,     // networks that predict the regret of every arm
  kRidge,    // linear forms that do
  kTrees,    // trees that do
  kSoftmax,  // a linear form with a softmax over the arms: the probability that each is the best
  kPolicy,   // a network with a softmax over the arms: the probability with which each is to be taken
};
std::string_view name_of(ModelKind kind);
// A distribution over arms rather than costs.
constexpr bool is_policy(ModelKind kind) { return kind == ModelKind::kSoftmax || kind == ModelKind::kPolicy; }

// Every member's opinion of every arm, the less the better: its regret (ln cost above the best arm's, as trained clipped at 1), or, of a
// policy, -ln of its probability.
struct Prediction {
  int nets = 0;
  std::array<std::array<float, kChoosable>, kMostNets> regret{};
};

// Leave the default arm only for a gain outside the ensemble's own disagreement. A plain argmin has catastrophes on workloads that it was
// not trained on.
struct Rule {
  double deviations = .5;  // gain > this many deviations (over the nets) of the gain
  double margin = .02;     // and > this, in ln cost
  double ewma = 0;         // weight of the past predictions, 0 .. 1
};

struct Choice {
  ArmId arm = kDefaultArm;
  ArmId best_rival = kDefaultArm;     // of least predicted cost, whether taken or not; the default arm when none is predicted better
  ArmCosts predicted{}, deviation{};  // ln ratio to the default arm, and its deviation over the nets
};
Choice choose(const Prediction& prediction, const Rule& rule);
// The same from `active` on: while that still looks better than the default arm, it is left only for what is surely better than it.
Choice choose_from(ArmId active, const Prediction& prediction, const Rule& rule);
// running = ewma * running + (1 - ewma) * fresh; the first is taken as it is.
void smooth(Prediction& running, const Prediction& fresh, double ewma);

struct Model {
  std::array<double, kFeatures> mean{}, scale{};  // standardised = (x - mean) * scale, clamped to +-4; scale 0: not used
  ModelKind kind = ModelKind::kNets;
  std::vector<Mlp<float>> nets{};  // 1 .. kMostNets, kModelInputs -> kChoosable; none in a kTrees
  Forest forest{};                 // of a kTrees, 1 .. kMostNets members
  Rule rule{};

  [[nodiscard]] int members() const { return kind == ModelKind::kTrees ? forest.members : static_cast<int>(nets.size()); }

  // An active arm that is not choosable is taken for the default arm.
  [[nodiscard]] Prediction predict(const FeatureVector& features, ArmId active) const;
};
// Standardised and clamped features, then the arm.
void model_input(const Model& model, const FeatureVector& features, ArmId active, std::span<float> out);

// In the oldest version that can hold it: networks as version 1, all else as version 2.
std::string encode_model(const Model& model);
Result<Model> decode_model(std::string_view bytes);

// What people should know of a model. Scores by name, with intervals.
struct ModelCard {
  std::string data{};  // which matrix, with its hash
  std::string commit{}, command{};
  std::string objective = "log_slowdown";  // that it was trained for
  std::vector<std::string> families{};
  std::vector<uint64_t> seeds{};  // of the workloads
  uint64_t training_seed = 0;
  int windows = 0, blocks = 0;
  std::vector<std::pair<std::string, Interval>> scores{};
  std::vector<double> losses{};       // mean over the members after each epoch
  std::vector<std::string> limits{};  // sentences
};
// What the card beside a model says that it was trained for; a card without a word of it, or none, is of the default objective. Errors:
// kCorrupt.
Result<std::string> trained_objective(const std::string& model_path);
std::string card_json(const Model& model, const ModelCard& card);

// Writes PATH and PATH.json.
Result<Unit> save_model(const std::string& path, const Model& model, const ModelCard& card);
Result<Model> load_model(const std::string& path);

}  // namespace pointsman

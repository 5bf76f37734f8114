#include "learn/model.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/exact_math.h"
#include "base/file.h"
#include "base/hash.h"

namespace pointsman {

namespace {

constexpr std::string_view kMagic = "PMMODEL\n";
constexpr uint32_t kOldestVersion = 1, kVersion = 2;
constexpr size_t kHeader = 8 + 4 + 4;
constexpr size_t kMostLayers = 8;
constexpr double kLargestOutput = 1e6;  // ln costs: what lies beyond is damage, not knowledge

void put(std::string& out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
}
void put(std::string& out, double value) { put(out, std::bit_cast<uint64_t>(value), 8); }
void put(std::string& out, std::string_view text) {
  put(out, text.size(), 1);
  out.append(text);
}

// Past the end everything is 0 and ok() is false.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] size_t left() const { return rest_.size(); }
  std::string_view take(size_t bytes) {
    if (bytes > rest_.size()) {
      ok_ = false;
      return {};
    }
    const std::string_view out = rest_.substr(0, bytes);
    rest_.remove_prefix(bytes);
    return out;
  }
  uint64_t whole(int bytes) {
    const std::string_view b = take(static_cast<size_t>(bytes));
    uint64_t v = 0;
    for (size_t i = 0; i < b.size(); ++i) v |= uint64_t{static_cast<unsigned char>(b[i])} << (8 * i);
    return v;
  }
  double real() { return std::bit_cast<double>(whole(8)); }
  std::string_view text() { return take(whole(1)); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

std::string choosable_names() {
  std::string out;
  for (size_t arm = 0; arm < kChoosable; ++arm) out.append(arm == 0 ? "" : " ").append(arms()[arm].name);
  return out;
}

// Text out of a file that may be damaged: one line, whatever is in it.
std::string printable(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c < ' ' || c > '~') c = '?';
  return out;
}

uint32_t version_of(const Model& model) { return model.kind == ModelKind::kNets ? kOldestVersion : kVersion; }

void put_nets(std::string& out, const std::vector<Mlp<float>>& nets) {
  put(out, nets.size(), 1);
  for (const Mlp<float>& net : nets) {
    put(out, net.sizes().size(), 1);
    for (const int size : net.sizes()) put(out, static_cast<uint64_t>(size), 2);
    for (const float v : net.packed()) put(out, uint64_t{std::bit_cast<uint32_t>(v)}, 4);
  }
}

void put_forest(std::string& out, const Forest& forest) {
  put(out, static_cast<uint64_t>(forest.members), 1);
  put(out, forest.trees.size(), 2);
  for (const Tree& tree : forest.trees) {
    put(out, tree.values.size(), 2);
    for (const Tree::Node& node : tree.nodes) {
      put(out, uint64_t{node.feature}, 1);
      put(out, uint64_t{node.other}, 2);
      if (node.feature != Tree::kLeaf) put(out, uint64_t{std::bit_cast<uint32_t>(node.threshold)}, 4);
    }
    for (const auto& value : tree.values)
      for (const float v : value) put(out, uint64_t{std::bit_cast<uint32_t>(v)}, 4);
  }
}

Unexpected contradiction() { return fail(ErrorCode::kCorrupt, "damaged: the content contradicts itself"); }

Result<Unit> read_nets(Reader& in, Model& model) {
  const uint64_t nets = in.whole(1);
  if (nets < 1 || nets > kMostNets) return fail(ErrorCode::kCorrupt, "damaged: {} nets (1 .. {} are possible)", nets, kMostNets);
  const bool linear = model.kind == ModelKind::kRidge || model.kind == ModelKind::kSoftmax;
  for (uint64_t k = 0; k < nets; ++k) {
    std::vector<int> sizes(std::min<size_t>(in.whole(1), kMostLayers + 1));
    for (int& size : sizes) size = static_cast<int>(in.whole(2));
    if (sizes.size() < 2 || sizes.size() > kMostLayers || sizes.front() != kModelInputs || sizes.back() != kChoosable ||
        (linear && sizes.size() != 2) || std::any_of(sizes.begin(), sizes.end(), [](int size) { return size < 1 || size > kWidestLayer; }))
      return contradiction();
    const size_t count = Mlp<float>::packed_size(sizes);
    if (!in.ok() || count * 4 > in.left()) return contradiction();
    std::vector<float> weights(count);
    for (float& v : weights) v = std::bit_cast<float>(static_cast<uint32_t>(in.whole(4)));
    Mlp<float> net(std::move(sizes));
    net.unpack(weights);
    // Inputs are clamped, so this bounds every output there can be; NaN counts as unbounded.
    if (!(net.output_bound(kFeatureClamp) <= kLargestOutput))
      return fail(ErrorCode::kCorrupt, "damaged: weights of net {} are no numbers or can overflow", k + 1);
    model.nets.push_back(std::move(net));
  }
  return Unit{};
}

Result<Unit> read_forest(Reader& in, Forest& forest) {
  forest.members = static_cast<int>(in.whole(1));
  const uint64_t trees = in.whole(2);
  if (forest.members < 1 || forest.members > kMostNets || trees < static_cast<uint64_t>(forest.members) || trees > kMostTrees)
    return fail(ErrorCode::kCorrupt, "damaged: {} trees for {} members", trees, forest.members);
  for (uint64_t t = 0; t < trees; ++t) {
    Tree tree;
    const uint64_t leaves = in.whole(2);
    if (leaves < 1 || leaves > kMostLeaves || leaves * 4 * kChoosable > in.left()) return contradiction();
    tree.nodes.resize(2 * leaves - 1);
    tree.values.resize(leaves);
    for (Tree::Node& node : tree.nodes) {
      node.feature = static_cast<uint8_t>(in.whole(1));
      node.other = static_cast<uint16_t>(in.whole(2));
      if (node.feature != Tree::kLeaf) node.threshold = std::bit_cast<float>(static_cast<uint32_t>(in.whole(4)));
    }
    for (auto& value : tree.values)
      for (float& v : value) v = std::bit_cast<float>(static_cast<uint32_t>(in.whole(4)));
    if (!in.ok()) return contradiction();
    if (auto sound = tree.check(kModelInputs); !sound) return sound;
    forest.trees.push_back(std::move(tree));
  }
  return Unit{};
}

// -ln of the softmax: finite for any finite logits.
void to_preferences(std::array<float, kChoosable>& logits) {
  const double largest = static_cast<double>(*std::max_element(logits.begin(), logits.end()));
  double sum = 0;
  for (const float v : logits) sum += exact_exp(std::max(static_cast<double>(v) - largest, -600.0));
  const double log_sum = largest + exact_log(sum);
  for (float& v : logits) v = static_cast<float>(log_sum - static_cast<double>(v));
}

nlohmann::json number(double value) { return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json(nullptr); }

}  // namespace

std::string_view name_of(ModelKind kind) {
  switch (kind) {
    case ModelKind::kNets:
      return "ensemble of networks, regret of every arm";
    case ModelKind::kRidge:
      return "ensemble of linear forms, regret of every arm";
    case ModelKind::kTrees:
      return "extra trees, regret of every arm";
    case ModelKind::kSoftmax:
      return "linear softmax over the arms";
    case ModelKind::kPolicy:
      return "network with a softmax over the arms";
  }
  return "";
}

namespace {
struct Difference {
  double mean = 0, deviation = 0;  // ln cost of `arm` above that of `rival`, over the members
};
Difference difference(const Prediction& prediction, ArmId arm, ArmId rival) {
  const auto a = static_cast<size_t>(arm), r = static_cast<size_t>(rival);
  const double n = std::max(prediction.nets, 1);
  double sum = 0, squares = 0;
  for (size_t k = 0; k < static_cast<size_t>(prediction.nets); ++k) sum += static_cast<double>(prediction.regret[k][a]) - static_cast<double>(prediction.regret[k][r]);
  const double mean = sum / n;
  for (size_t k = 0; k < static_cast<size_t>(prediction.nets); ++k) {
    const double d = static_cast<double>(prediction.regret[k][a]) - static_cast<double>(prediction.regret[k][r]) - mean;
    squares += d * d;
  }
  return {mean, prediction.nets > 1 ? exact_sqrt(squares / (n - 1)) : 0};
}
bool sure(const Difference& d, const Rule& rule) { return -d.mean > rule.margin && -d.mean > rule.deviations * d.deviation; }
}  // namespace

Choice choose(const Prediction& prediction, const Rule& rule) {
  Choice out;
  double best_gain = 0;
  double best_allowed = 0;
  for (ArmId arm = 0; arm < kChoosable; ++arm) {
    const auto a = static_cast<size_t>(arm);
    if (arm == kDefaultArm) continue;
    const Difference d = difference(prediction, arm, kDefaultArm);
    out.predicted[a] = d.mean;
    out.deviation[a] = d.deviation;
    const double gain = -d.mean;
    if (gain > best_gain) {
      best_gain = gain;
      out.best_rival = arm;
    }
    if (sure(d, rule) && gain > best_allowed) {
      best_allowed = gain;
      out.arm = arm;
    }
  }
  return out;
}

Choice choose_from(ArmId active, const Prediction& prediction, const Rule& rule) {
  Choice out = choose(prediction, rule);
  const bool looks_good = active < kChoosable && out.predicted[static_cast<size_t>(active)] < 0;
  if (looks_good && out.arm != active && !sure(difference(prediction, out.arm, active), rule)) out.arm = active;
  return out;
}

void smooth(Prediction& running, const Prediction& fresh, double ewma) {
  if (running.nets != fresh.nets) {
    running = fresh;
    return;
  }
  const auto past = static_cast<float>(ewma), present = static_cast<float>(1 - ewma);
  for (size_t k = 0; k < static_cast<size_t>(fresh.nets); ++k)
    for (size_t a = 0; a < kChoosable; ++a) running.regret[k][a] = past * running.regret[k][a] + present * fresh.regret[k][a];
}

void model_input(const Model& model, const FeatureVector& features, ArmId active, std::span<float> out) {
  for (size_t f = 0; f < kFeatures; ++f)
    out[f] = static_cast<float>(std::clamp((features[f] - model.mean[f]) * model.scale[f], -kFeatureClamp, kFeatureClamp));
  std::fill(out.begin() + kFeatures, out.end(), 0.f);
  out[static_cast<size_t>(kFeatures + (active >= 0 && active < kChoosable ? active : kDefaultArm))] = 1;
}

Prediction Model::predict(const FeatureVector& features, ArmId active) const {
  std::array<float, kModelInputs> input{};
  model_input(*this, features, active, input);
  Prediction out;
  out.nets = members();
  for (size_t k = 0; k < static_cast<size_t>(out.nets); ++k) {
    if (kind == ModelKind::kTrees)
      out.regret[k] = forest.predict(static_cast<int>(k), input);
    else
      nets[k].apply(input, out.regret[k]);
    if (is_policy(kind)) to_preferences(out.regret[k]);
  }
  return out;
}

std::string encode_model(const Model& model) {
  std::string body;
  put(body, feature_catalogue_hash());
  put(body, uint64_t{kFeatures}, 2);
  put(body, uint64_t{kChoosable}, 1);
  for (size_t arm = 0; arm < kChoosable; ++arm) put(body, arms()[arm].name);
  put(body, arms()[kDefaultArm].name);
  for (const double v : model.mean) put(body, v);
  for (const double v : model.scale) put(body, v);
  put(body, model.rule.deviations);
  put(body, model.rule.margin);
  put(body, model.rule.ewma);
  if (version_of(model) > kOldestVersion) put(body, static_cast<uint64_t>(model.kind), 1);
  if (model.kind == ModelKind::kTrees)
    put_forest(body, model.forest);
  else
    put_nets(body, model.nets);
  std::string out(kMagic);
  put(out, uint64_t{version_of(model)}, 4);
  put(out, uint64_t{crc32c(body)}, 4);
  return out + body;
}

Result<Model> decode_model(std::string_view bytes) {
  if (bytes.substr(0, kMagic.size()) != kMagic) return fail(ErrorCode::kInvalidArgument, "not a model file");
  if (bytes.size() < kHeader) return fail(ErrorCode::kCorrupt, "truncated in the header");
  Reader header(bytes.substr(kMagic.size()));
  const uint64_t version = header.whole(4), checksum = header.whole(4);
  if (version < kOldestVersion || version > kVersion)
    return fail(ErrorCode::kUnsupported, "model version {}, this build reads versions {} to {}", version, kOldestVersion, kVersion);
  if (crc32c(bytes.substr(kHeader)) != checksum)
    return fail(ErrorCode::kCorrupt, "truncated or damaged: the content does not match its checksum");

  // The checksum tells accidents; what follows also holds against files that were made wrong.
  const Unexpected contradicts = contradiction();
  Reader in(bytes.substr(kHeader));
  const std::string_view schema = in.text();
  if (schema != feature_catalogue_hash())
    return fail(ErrorCode::kUnsupported, "the model was trained on other features ({}) than this build computes ({}): train it anew",
                printable(schema), feature_catalogue_hash());
  if (in.whole(2) != kFeatures) return contradicts;
  std::string names;
  const uint64_t arm_count = in.whole(1);
  for (uint64_t arm = 0; arm < arm_count; ++arm) names.append(arm == 0 ? "" : " ").append(in.text());
  const std::string_view base = in.text();
  if (!in.ok()) return contradicts;
  if (names != choosable_names() || base != arms()[kDefaultArm].name)
    return fail(ErrorCode::kUnsupported, "the model chooses among ({}; default {}), this build among ({}; default {}): train it anew",
                printable(names), printable(base), choosable_names(), arms()[kDefaultArm].name);
  Model model;
  for (double& v : model.mean) v = in.real();
  for (double& v : model.scale) v = in.real();
  model.rule.deviations = in.real();
  model.rule.margin = in.real();
  model.rule.ewma = in.real();
  for (size_t f = 0; f < kFeatures; ++f)
    if (!std::isfinite(model.mean[f]) || !std::isfinite(model.scale[f]) || model.scale[f] < 0)
      return fail(ErrorCode::kCorrupt, "damaged: the normalisation of feature '{}' is not a number", feature_catalogue()[f].name);
  if (!(model.rule.deviations >= 0 && model.rule.deviations <= 1e3) || !(model.rule.margin >= 0 && model.rule.margin <= 1e3) ||
      !(model.rule.ewma >= 0 && model.rule.ewma < 1))
    return fail(ErrorCode::kCorrupt, "damaged: the rule's parameters are out of range");
  if (version > kOldestVersion) {
    const uint64_t kind = in.whole(1);
    if (kind < 1 || kind > static_cast<uint64_t>(ModelKind::kPolicy)) return contradicts;
    model.kind = static_cast<ModelKind>(kind);
  }
  auto read = model.kind == ModelKind::kTrees ? read_forest(in, model.forest) : read_nets(in, model);
  if (!read) return fail(read.error());
  if (!in.ok() || in.left() != 0) return contradicts;
  return model;
}

std::string card_json(const Model& model, const ModelCard& card) {
  const std::string bytes = encode_model(model);
  nlohmann::json out;
  out["model"] = {{"version", version_of(model)},
                  {"bytes", bytes.size()},
                  {"hash", Hash64{}.add(bytes).hex()},
                  {"kind", name_of(model.kind)},
                  {"default_arm", arms()[kDefaultArm].name},
                  {"rule", {{"deviations", model.rule.deviations}, {"margin", model.rule.margin}, {"ewma", model.rule.ewma}}}};
  if (model.kind == ModelKind::kTrees) {
    out["model"]["trees"] = model.forest.trees.size();
    out["model"]["members"] = model.forest.members;
  } else {
    out["model"]["nets"] = model.nets.size();
    out["model"]["layers"] = model.nets.empty() ? std::vector<int>{} : model.nets.front().sizes();
  }
  for (size_t arm = 0; arm < kChoosable; ++arm) out["model"]["arms"].push_back(arms()[arm].name);
  for (const FeatureSpec& feature : feature_catalogue()) out["model"]["features"].push_back(feature.name);
  out["model"]["features_schema"] = feature_catalogue_hash();
  out["trained_on"] = {{"data", card.data},     {"families", card.families}, {"seeds", card.seeds},
                       {"blocks", card.blocks}, {"windows", card.windows},   {"training_seed", card.training_seed}};
  out["objective"] = card.objective;
  out["commit"] = card.commit;
  out["command"] = card.command;
  out["scores"] = nlohmann::json::object();
  for (const auto& [name, score] : card.scores)
    out["scores"][name] = {{"mean", number(score.value)}, {"low", number(score.low)}, {"high", number(score.high)}};
  if (!card.losses.empty()) out["losses"] = card.losses;
  out["limits"] = card.limits;
  return out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

Result<std::string> trained_objective(const std::string& model_path) {
  const ModelCard usual;
  auto text = read_file(model_path + ".json");
  if (!text && text.error().code == ErrorCode::kNotFound) return usual.objective;
  if (!text) return fail(text.error());
  const auto card = nlohmann::json::parse(*text, nullptr, false);
  if (!card.is_object()) return fail(ErrorCode::kCorrupt, "{}.json: damaged", model_path);
  const auto found = card.find("objective");
  if (found == card.end()) return usual.objective;
  if (!found->is_string()) return fail(ErrorCode::kCorrupt, "{}.json: the objective is no name", model_path);
  return found->get<std::string>();
}

Result<Unit> save_model(const std::string& path, const Model& model, const ModelCard& card) {
  const std::string bytes = encode_model(model);
  // What a reader would refuse is not written.
  if (auto readable = decode_model(bytes); !readable) return fail(readable.error().at("save " + path));
  if (auto written = write_file(path, bytes); !written) return written;
  return write_file(path + ".json", card_json(model, card));
}

Result<Model> load_model(const std::string& path) {
  auto bytes = read_file(path);
  if (!bytes) return fail(bytes.error());
  auto model = decode_model(*bytes);
  if (!model) return fail(model.error().at(path));
  return model;
}

}  // namespace pointsman

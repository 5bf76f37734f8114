#include "learn/onnx.h"

#include <bit>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <vector>

namespace pointsman {

namespace {

// --- protocol buffers, the little of it that is needed

class Message {
 public:
  Message& varint(int field, uint64_t value) {
    key(field, 0);
    raw_varint(value);
    return *this;
  }
  Message& text(int field, std::string_view value) {
    key(field, 2);
    raw_varint(value.size());
    out_.append(value);
    return *this;
  }
  Message& message(int field, const Message& m) { return text(field, m.out_); }
  Message& real(int field, float value) {
    key(field, 5);
    fixed32(value);
    return *this;
  }
  Message& reals(int field, std::span<const float> values) {
    key(field, 2);
    raw_varint(values.size() * 4);
    for (const float v : values) fixed32(v);
    return *this;
  }
  Message& varints(int field, std::span<const int64_t> values) {
    Message packed;
    for (const int64_t v : values) packed.raw_varint(static_cast<uint64_t>(v));
    return text(field, packed.out_);
  }
  [[nodiscard]] const std::string& bytes() const { return out_; }

 private:
  void key(int field, int wire) { raw_varint(static_cast<uint64_t>(field) << 3 | static_cast<uint64_t>(wire)); }
  void raw_varint(uint64_t v) {
    for (; v >= 0x80; v >>= 7) out_.push_back(static_cast<char>(v | 0x80));
    out_.push_back(static_cast<char>(v));
  }
  void fixed32(float value) {
    const auto v = std::bit_cast<uint32_t>(value);
    for (int i = 0; i < 4; ++i) out_.push_back(static_cast<char>(v >> (8 * i)));
  }
  std::string out_;
};

// One field of a message that is read.
struct Field {
  int number = 0;
  uint64_t value = 0;        // varint, fixed
  std::string_view bytes{};  // length-delimited
  bool delimited = false;
};

uint64_t read_varint(std::string_view& in, bool& ok) {
  uint64_t v = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    if (in.empty()) break;
    const auto byte = static_cast<unsigned char>(in.front());
    in.remove_prefix(1);
    v |= uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) return v;
  }
  ok = false;
  return 0;
}

// All fields, in order; nullopt when it is no message.
std::optional<std::vector<Field>> fields_of(std::string_view in) {
  std::vector<Field> out;
  bool ok = true;
  while (!in.empty()) {
    const uint64_t key = read_varint(in, ok);
    Field f{.number = static_cast<int>(key >> 3 & 0xffffff)};
    switch (key & 7) {
      case 0:
        f.value = read_varint(in, ok);
        break;
      case 1:
      case 5: {
        const size_t bytes = (key & 7) == 1 ? 8 : 4;
        if (in.size() < bytes) return std::nullopt;
        for (size_t i = 0; i < bytes; ++i) f.value |= uint64_t{static_cast<unsigned char>(in[i])} << (8 * i);
        in.remove_prefix(bytes);
        break;
      }
      case 2: {
        const uint64_t size = read_varint(in, ok);
        if (!ok || size > in.size()) return std::nullopt;
        f.bytes = in.substr(0, size);
        f.delimited = true;
        in.remove_prefix(size);
        break;
      }
      default:
        return std::nullopt;
    }
    if (!ok) return std::nullopt;
    out.push_back(f);
  }
  return out;
}

float float_at(std::string_view bytes, size_t at) {
  uint32_t v = 0;
  for (size_t i = 0; i < 4; ++i) v |= uint32_t{static_cast<unsigned char>(bytes[4 * at + i])} << (8 * i);
  return std::bit_cast<float>(v);
}

// --- onnx.proto's numbers

enum ModelField { kIrVersion = 1, kProducer = 2, kProducerVersion = 3, kGraph = 7, kOpset = 8, kMetadata = 14 };
enum GraphField { kNode = 1, kGraphName = 2, kInitializer = 5, kInput = 11, kOutput = 12 };
enum NodeField { kNodeInput = 1, kNodeOutput = 2, kNodeName = 3, kOpType = 4, kAttribute = 5, kDomain = 7 };
enum AttributeField { kAttrName = 1, kAttrF = 2, kAttrI = 3, kAttrS = 4, kAttrFloats = 7, kAttrInts = 8, kAttrStrings = 9, kAttrType = 20 };
enum AttributeType { kFloat = 1, kInt = 2, kString = 3, kFloats = 6, kInts = 7, kStrings = 8 };
enum TensorField { kDims = 1, kDataType = 2, kFloatData = 4, kInt64Data = 7, kTensorName = 8, kRawData = 9 };
constexpr uint64_t kTensorFloat = 1, kTensorInt64 = 7;

Message float_tensor(const std::string& name, std::span<const int64_t> dims, std::span<const float> values) {
  Message m;
  for (const int64_t d : dims) m.varint(kDims, static_cast<uint64_t>(d));
  m.varint(kDataType, kTensorFloat).reals(kFloatData, values).text(kTensorName, name);
  return m;
}
Message int_tensor(const std::string& name, std::span<const int64_t> values) {
  Message m;
  m.varint(kDims, values.size()).varint(kDataType, kTensorInt64).varints(kInt64Data, values).text(kTensorName, name);
  return m;
}
Message value_info(const std::string& name, std::span<const int64_t> dims) {
  Message shape;
  shape.message(1, Message().text(2, "n"));
  for (const int64_t d : dims) shape.message(1, Message().varint(1, static_cast<uint64_t>(d)));
  return Message().text(1, name).message(2, Message().message(1, Message().varint(1, kTensorFloat).message(2, shape)));
}
Message int_attribute(const std::string& name, int64_t value) {
  return Message().text(kAttrName, name).varint(kAttrI, static_cast<uint64_t>(value)).varint(kAttrType, kInt);
}
Message ints_attribute(const std::string& name, std::span<const int64_t> values) {
  return Message().text(kAttrName, name).varints(kAttrInts, values).varint(kAttrType, kInts);
}
Message floats_attribute(const std::string& name, std::span<const float> values) {
  return Message().text(kAttrName, name).reals(kAttrFloats, values).varint(kAttrType, kFloats);
}
Message text_attribute(const std::string& name, std::string_view value) {
  return Message().text(kAttrName, name).text(kAttrS, value).varint(kAttrType, kString);
}
Message texts_attribute(const std::string& name, std::span<const std::string> values) {
  Message m;
  m.text(kAttrName, name);
  for (const std::string& v : values) m.text(kAttrStrings, v);
  return m.varint(kAttrType, kStrings);
}

class Graph {
 public:
  Message& node(std::string_view type, std::initializer_list<std::string> inputs, const std::string& output,
                std::initializer_list<Message> attributes = {}, std::string_view domain = "") {
    Message m;
    for (const std::string& in : inputs) m.text(kNodeInput, in);
    m.text(kNodeOutput, output).text(kNodeName, output).text(kOpType, type);
    for (const Message& a : attributes) m.message(kAttribute, a);
    if (!domain.empty()) m.text(kDomain, domain);
    return graph.message(kNode, m);
  }
  void constant(const std::string& name, std::initializer_list<int64_t> dims, std::span<const float> values) {
    graph.message(kInitializer, float_tensor(name, std::span(dims.begin(), dims.size()), values));
  }
  Message graph;
};

std::string number(double v) {
  char text[32];
  const auto [end, error] = std::to_chars(text, text + sizeof text, v);
  return error == std::errc{} ? std::string(text, end) : std::string();
}

void add_tree_member(Graph& g, const Model& model, int member, const std::string& output) {
  std::vector<int64_t> tree_ids, node_ids, features, yes, no, tracks, target_trees, target_nodes, target_ids;
  std::vector<float> thresholds, weights;
  std::vector<std::string> modes;
  int64_t tree_id = 0;
  float count = 0;
  for (size_t t = static_cast<size_t>(member); t < model.forest.trees.size(); t += static_cast<size_t>(model.forest.members)) ++count;
  for (size_t t = static_cast<size_t>(member); t < model.forest.trees.size(); t += static_cast<size_t>(model.forest.members), ++tree_id) {
    const Tree& tree = model.forest.trees[t];
    for (size_t i = 0; i < tree.nodes.size(); ++i) {
      const Tree::Node& node = tree.nodes[i];
      const bool leaf = node.feature == Tree::kLeaf;
      tree_ids.push_back(tree_id);
      node_ids.push_back(static_cast<int64_t>(i));
      features.push_back(leaf ? 0 : node.feature);
      thresholds.push_back(leaf ? 0 : node.threshold);
      modes.emplace_back(leaf ? "LEAF" : "BRANCH_LEQ");
      yes.push_back(leaf ? 0 : static_cast<int64_t>(i) + 1);
      no.push_back(leaf ? 0 : node.other);
      tracks.push_back(0);
      for (int64_t arm = 0; leaf && arm < kChoosable; ++arm) {
        target_trees.push_back(tree_id);
        target_nodes.push_back(static_cast<int64_t>(i));
        target_ids.push_back(arm);
        weights.push_back(tree.values[node.other][static_cast<size_t>(arm)] / count);
      }
    }
  }
  g.node(
      "TreeEnsembleRegressor", {"input"}, output,
      {int_attribute("n_targets", kChoosable), text_attribute("aggregate_function", "SUM"), text_attribute("post_transform", "NONE"),
       ints_attribute("nodes_treeids", tree_ids), ints_attribute("nodes_nodeids", node_ids), ints_attribute("nodes_featureids", features),
       floats_attribute("nodes_values", thresholds), texts_attribute("nodes_modes", modes), ints_attribute("nodes_truenodeids", yes),
       ints_attribute("nodes_falsenodeids", no), ints_attribute("nodes_missing_value_tracks_true", tracks),
       ints_attribute("target_treeids", target_trees), ints_attribute("target_nodeids", target_nodes),
       ints_attribute("target_ids", target_ids), floats_attribute("target_weights", weights)},
      "ai.onnx.ml");
}

// --- reading

struct Tensor {
  std::vector<int64_t> dims;
  std::vector<float> values;
};
struct Node {
  std::string type;
  std::vector<std::string> inputs, outputs;
  std::map<std::string, std::vector<Field>, std::less<>> attributes;
};

Unexpected damaged(std::string_view what) { return fail(ErrorCode::kCorrupt, "damaged ONNX file: {}", what); }
Unexpected foreign(std::string_view what) { return fail(ErrorCode::kUnsupported, "not a graph that this build writes: {}", what); }

Result<Tensor> tensor_of(std::string_view bytes, std::string& name) {
  const auto fields = fields_of(bytes);
  if (!fields) return damaged("a tensor");
  Tensor out;
  for (const Field& f : *fields) {
    if (f.number == kDims && !f.delimited) out.dims.push_back(static_cast<int64_t>(f.value));
    if (f.number == kDims && f.delimited) {
      std::string_view packed = f.bytes;
      bool ok = true;
      while (!packed.empty() && ok) out.dims.push_back(static_cast<int64_t>(read_varint(packed, ok)));
      if (!ok) return damaged("a tensor's dimensions");
    }
    if (f.number == kTensorName) name = std::string(f.bytes);
    if ((f.number == kFloatData || f.number == kRawData) && f.delimited)
      for (size_t i = 0; i < f.bytes.size() / 4; ++i) out.values.push_back(float_at(f.bytes, i));
  }
  return out;
}

std::vector<int64_t> ints_of(const Node& node, std::string_view name) {
  std::vector<int64_t> out;
  const auto at = node.attributes.find(name);
  if (at == node.attributes.end()) return out;
  for (const Field& f : at->second) {
    if (f.number == kAttrInts && f.delimited) {
      std::string_view packed = f.bytes;
      bool ok = true;
      while (!packed.empty() && ok) out.push_back(static_cast<int64_t>(read_varint(packed, ok)));
    } else if (f.number == kAttrInts) {
      out.push_back(static_cast<int64_t>(f.value));
    }
  }
  return out;
}
std::vector<float> floats_of(const Node& node, std::string_view name) {
  std::vector<float> out;
  const auto at = node.attributes.find(name);
  if (at == node.attributes.end()) return out;
  for (const Field& f : at->second) {
    if (f.number == kAttrFloats && f.delimited)
      for (size_t i = 0; i < f.bytes.size() / 4; ++i) out.push_back(float_at(f.bytes, i));
    else if (f.number == kAttrFloats)
      out.push_back(std::bit_cast<float>(static_cast<uint32_t>(f.value)));
  }
  return out;
}
std::vector<std::string> texts_of(const Node& node, std::string_view name) {
  std::vector<std::string> out;
  const auto at = node.attributes.find(name);
  if (at == node.attributes.end()) return out;
  for (const Field& f : at->second)
    if (f.number == kAttrStrings) out.emplace_back(f.bytes);
  return out;
}

Result<std::vector<Tree>> trees_of(const Node& node) {
  const auto tree_ids = ints_of(node, "nodes_treeids"), node_ids = ints_of(node, "nodes_nodeids"),
             features = ints_of(node, "nodes_featureids"), no = ints_of(node, "nodes_falsenodeids"),
             target_trees = ints_of(node, "target_treeids"), target_nodes = ints_of(node, "target_nodeids"),
             target_ids = ints_of(node, "target_ids");
  const auto thresholds = floats_of(node, "nodes_values"), weights = floats_of(node, "target_weights");
  const auto modes = texts_of(node, "nodes_modes");
  const size_t n = tree_ids.size();
  if (n == 0 || node_ids.size() != n || features.size() != n || no.size() != n || thresholds.size() != n || modes.size() != n ||
      target_trees.size() != weights.size() || target_nodes.size() != weights.size() || target_ids.size() != weights.size())
    return damaged("a tree ensemble");
  std::vector<Tree> out;
  for (size_t i = 0; i < n; ++i) {
    if (tree_ids[i] < 0 || static_cast<size_t>(tree_ids[i]) > out.size() || static_cast<size_t>(tree_ids[i]) >= kMostTrees)
      return foreign("the order of its trees");
    if (static_cast<size_t>(tree_ids[i]) == out.size()) out.emplace_back();
    Tree& tree = out[static_cast<size_t>(tree_ids[i])];
    if (node_ids[i] != static_cast<int64_t>(tree.nodes.size())) return foreign("the order of a tree's nodes");
    Tree::Node& made = tree.nodes.emplace_back();
    if (modes[i] == "LEAF") {
      made.other = static_cast<uint16_t>(tree.values.size());
      tree.values.emplace_back();
    } else if (modes[i] == "BRANCH_LEQ") {
      if (features[i] < 0 || features[i] >= kModelInputs || no[i] < 0 || no[i] > 0xffff) return foreign("a tree's node");
      made = {.feature = static_cast<uint8_t>(features[i]), .other = static_cast<uint16_t>(no[i]), .threshold = thresholds[i]};
    } else {
      return foreign("a tree's comparison");
    }
  }
  const auto count = static_cast<float>(out.size());
  for (size_t i = 0; i < weights.size(); ++i) {
    if (target_trees[i] < 0 || static_cast<size_t>(target_trees[i]) >= out.size() || target_ids[i] < 0 || target_ids[i] >= kChoosable)
      return damaged("a tree's leaf");
    Tree& tree = out[static_cast<size_t>(target_trees[i])];
    if (target_nodes[i] < 0 || static_cast<size_t>(target_nodes[i]) >= tree.nodes.size() ||
        tree.nodes[static_cast<size_t>(target_nodes[i])].feature != Tree::kLeaf)
      return damaged("a tree's leaf");
    tree.values[tree.nodes[static_cast<size_t>(target_nodes[i])].other][static_cast<size_t>(target_ids[i])] = weights[i] * count;
  }
  for (const Tree& tree : out)
    if (auto sound = tree.check(kModelInputs); !sound) return fail(sound.error());
  return out;
}

}  // namespace

std::string to_onnx(const Model& model, std::string_view objective) {
  Graph g;
  std::array<float, kFeatures> mean{}, scale{};
  for (size_t f = 0; f < kFeatures; ++f) {
    mean[f] = static_cast<float>(model.mean[f]);
    scale[f] = static_cast<float>(model.scale[f]);
  }
  const auto clamp = static_cast<float>(kFeatureClamp), minus_clamp = -clamp;
  g.constant("mean", {kFeatures}, mean);
  g.constant("scale", {kFeatures}, scale);
  g.constant("low", {}, std::span(&minus_clamp, 1));
  g.constant("high", {}, std::span(&clamp, 1));
  const std::array<int64_t, 1> middle{1};
  g.graph.message(kInitializer, int_tensor("middle", middle));
  g.node("Sub", {"features", "mean"}, "centred");
  g.node("Mul", {"centred", "scale"}, "scaled");
  g.node("Clip", {"scaled", "low", "high"}, "standardised");
  g.node("Concat", {"standardised", "active"}, "input", {int_attribute("axis", 1)});
  const bool policy = is_policy(model.kind);
  std::vector<std::string> opinions;
  for (int k = 0; k < model.members(); ++k) {
    const std::string member = fmt::format("member{}", k);
    std::string at = "input";
    if (model.kind == ModelKind::kTrees) {
      at = member + "_values";
      add_tree_member(g, model, k, at);
    } else {
      const Mlp<float>& net = model.nets[static_cast<size_t>(k)];
      const std::vector<float> packed = net.packed();
      size_t from = 0;
      for (size_t l = 0; l + 1 < net.sizes().size(); ++l) {
        const auto in = static_cast<size_t>(net.sizes()[l]), out = static_cast<size_t>(net.sizes()[l + 1]);
        const std::string layer = fmt::format("{}_layer{}", member, l);
        g.constant(layer + "_weights", {net.sizes()[l], net.sizes()[l + 1]}, std::span(packed).subspan(from, in * out));
        g.constant(layer + "_biases", {net.sizes()[l + 1]}, std::span(packed).subspan(from + in * out, out));
        from += (in + 1) * out;
        g.node("Gemm", {at, layer + "_weights", layer + "_biases"}, layer);
        at = layer;
        if (l + 2 < net.sizes().size()) {
          g.node("Relu", {at}, layer + "_relu");
          at = layer + "_relu";
        }
      }
      if (policy) {
        g.node("Softmax", {at}, member + "_softmax", {int_attribute("axis", 1)});
        at = member + "_softmax";
      }
    }
    g.node("Unsqueeze", {at, "middle"}, member);
    opinions.push_back(member);
  }
  Message join;
  for (const std::string& opinion : opinions) join.text(kNodeInput, opinion);
  const std::string output = policy ? "probability" : "regret";
  join.text(kNodeOutput, output).text(kNodeName, output).text(kOpType, "Concat").message(kAttribute, int_attribute("axis", 1));
  g.graph.message(kNode, join).text(kGraphName, "pointsman");
  const std::array<int64_t, 1> features{kFeatures}, arm_dims{kChoosable};
  const std::array<int64_t, 2> outputs{model.members(), kChoosable};
  g.graph.message(kInput, value_info("features", features)).message(kInput, value_info("active", arm_dims));
  g.graph.message(kOutput, value_info(output, outputs));

  Message out;
  out.varint(kIrVersion, 7).text(kProducer, "pointsman").message(kGraph, g.graph);
  out.message(kOpset, Message().text(1, "").varint(2, 13));
  if (model.kind == ModelKind::kTrees) out.message(kOpset, Message().text(1, "ai.onnx.ml").varint(2, 1));
  std::string names;
  for (size_t arm = 0; arm < kChoosable; ++arm) names.append(arm == 0 ? "" : " ").append(arms()[arm].name);
  const auto metadata = [&](std::string_view key, std::string_view value) {
    out.message(kMetadata, Message().text(1, key).text(2, value));
  };
  metadata("arms", names);
  metadata("features_schema", feature_catalogue_hash());
  metadata("kind", number(static_cast<double>(model.kind)));
  metadata("rule", fmt::format("{} {} {}", number(model.rule.deviations), number(model.rule.margin), number(model.rule.ewma)));
  metadata("objective", objective);
  return out.bytes();
}

namespace {

struct Parts {
  std::map<std::string, std::string, std::less<>> metadata{};
  std::string_view graph{};
};
Result<Parts> parts_of(std::string_view bytes) {
  const auto top = fields_of(bytes);
  if (!top) return damaged("it is no message");
  Parts out;
  for (const Field& f : *top) {
    if (f.number == kGraph && f.delimited) out.graph = f.bytes;
    if (f.number != kMetadata || !f.delimited) continue;
    const auto entry = fields_of(f.bytes);
    if (!entry) return damaged("its metadata");
    std::string key, value;
    for (const Field& e : *entry) (e.number == 1 ? key : value) = std::string(e.bytes);
    out.metadata[key] = value;
  }
  return out;
}

}  // namespace

Result<std::string> objective_of_onnx(std::string_view bytes) {
  const auto parts = parts_of(bytes);
  if (!parts) return fail(parts.error());
  const auto said = parts->metadata.find("objective");
  return said == parts->metadata.end() ? ModelCard{}.objective : said->second;
}

Result<Model> from_onnx(std::string_view bytes) {
  auto parts = parts_of(bytes);
  if (!parts) return fail(parts.error());
  auto& [metadata, graph] = *parts;
  const auto inside = fields_of(graph);
  if (!inside || graph.empty()) return damaged("it has no graph");
  std::map<std::string, Tensor, std::less<>> tensors;
  std::vector<Node> nodes;
  for (const Field& f : *inside) {
    if (f.number == kInitializer && f.delimited) {
      std::string name;
      auto tensor = tensor_of(f.bytes, name);
      if (!tensor) return fail(tensor.error());
      tensors[name] = std::move(*tensor);
    }
    if (f.number != kNode || !f.delimited) continue;
    const auto fields = fields_of(f.bytes);
    if (!fields) return damaged("a node");
    Node& node = nodes.emplace_back();
    for (const Field& n : *fields) {
      if (n.number == kNodeInput) node.inputs.emplace_back(n.bytes);
      if (n.number == kNodeOutput) node.outputs.emplace_back(n.bytes);
      if (n.number == kOpType) node.type = std::string(n.bytes);
      if (n.number != kAttribute || !n.delimited) continue;
      auto attribute = fields_of(n.bytes);
      if (!attribute) return damaged("an attribute");
      std::string name;
      for (const Field& a : *attribute)
        if (a.number == kAttrName) name = std::string(a.bytes);
      node.attributes[name] = std::move(*attribute);
    }
  }

  if (metadata["features_schema"] != feature_catalogue_hash()) return foreign("it was trained on other features, or says none");
  std::string names;
  for (size_t arm = 0; arm < kChoosable; ++arm) names.append(arm == 0 ? "" : " ").append(arms()[arm].name);
  if (metadata["arms"] != names) return foreign("it chooses among other arms");
  Model model;
  const std::string& kind = metadata["kind"];
  if (kind.size() != 1 || kind[0] < '0' || kind[0] > '0' + static_cast<int>(ModelKind::kPolicy)) return foreign("its kind is not known");
  model.kind = static_cast<ModelKind>(kind[0] - '0');
  const std::string& rule = metadata["rule"];
  const char* at = rule.data();
  for (double* v : {&model.rule.deviations, &model.rule.margin, &model.rule.ewma}) {
    while (at < rule.data() + rule.size() && *at == ' ') ++at;
    const auto [end, error] = std::from_chars(at, rule.data() + rule.size(), *v);
    if (error != std::errc{}) return damaged("its rule");
    at = end;
  }
  for (const char* name : {"mean", "scale"}) {
    const auto found = tensors.find(name);
    if (found == tensors.end() || found->second.values.size() != kFeatures) return foreign("the standardisation");
    for (size_t f = 0; f < kFeatures; ++f) (name[0] == 'm' ? model.mean : model.scale)[f] = static_cast<double>(found->second.values[f]);
  }
  std::map<std::string, const Node*, std::less<>> made_by;
  for (const Node& node : nodes)
    for (const std::string& output : node.outputs) made_by[output] = &node;
  std::vector<std::vector<Tree>> forests;
  for (int k = 0; k < kMostNets; ++k) {
    const auto last = made_by.find(fmt::format("member{}", k));
    if (last == made_by.end()) break;
    // Backwards through Unsqueeze, Softmax, Relu and Gemm to the input.
    std::vector<const Node*> gemms;
    const Node* node = last->second;
    for (size_t steps = 0; node != nullptr && node->type != "Concat" && steps < nodes.size(); ++steps) {
      if (node->inputs.empty()) return damaged("a node without inputs");
      if (node->type == "TreeEnsembleRegressor") {
        auto trees = trees_of(*node);
        if (!trees) return fail(trees.error());
        forests.push_back(std::move(*trees));
        break;
      }
      if (node->type == "Gemm")
        gemms.insert(gemms.begin(), node);
      else if (node->type != "Unsqueeze" && node->type != "Softmax" && node->type != "Relu")
        return foreign("operator " + node->type);
      const auto before = made_by.find(node->inputs.front());
      node = before == made_by.end() ? nullptr : before->second;
    }
    if (model.kind == ModelKind::kTrees) {
      if (forests.size() != static_cast<size_t>(k) + 1) return foreign("a member without trees");
      continue;
    }
    std::vector<int> sizes;
    std::vector<float> packed;
    for (const Node* gemm : gemms) {
      if (gemm->inputs.size() != 3) return foreign("a layer without weights and biases");
      const auto weights = tensors.find(gemm->inputs[1]), biases = tensors.find(gemm->inputs[2]);
      if (weights == tensors.end() || biases == tensors.end() || weights->second.dims.size() != 2) return foreign("a layer's tensors");
      const auto &w = weights->second, &b = biases->second;
      for (const int64_t d : w.dims)
        if (d < 1 || d > kWidestLayer) return foreign("a layer's width");
      if (w.values.size() != static_cast<size_t>(w.dims[0] * w.dims[1]) || b.values.size() != static_cast<size_t>(w.dims[1]) ||
          (!sizes.empty() && sizes.back() != w.dims[0]))
        return damaged("a layer's sizes");
      if (sizes.empty()) sizes.push_back(static_cast<int>(w.dims[0]));
      sizes.push_back(static_cast<int>(w.dims[1]));
      packed.insert(packed.end(), w.values.begin(), w.values.end());
      packed.insert(packed.end(), b.values.begin(), b.values.end());
    }
    if (sizes.size() < 2 || sizes.front() != kModelInputs || sizes.back() != kChoosable) return foreign("a member's inputs or outputs");
    Mlp<float> net(std::move(sizes));
    net.unpack(packed);
    model.nets.push_back(std::move(net));
  }
  if (model.kind == ModelKind::kTrees) {
    model.forest.members = static_cast<int>(forests.size());
    // Trees are dealt to the members in turn.
    for (size_t t = 0; !forests.empty() && t < forests.front().size(); ++t)
      for (std::vector<Tree>& forest : forests) {
        if (forest.size() != forests.front().size()) return foreign("members of different sizes");
        model.forest.trees.push_back(std::move(forest[t]));
      }
  }
  // The same examination as a file of our own.
  return decode_model(encode_model(model));
}

}  // namespace pointsman

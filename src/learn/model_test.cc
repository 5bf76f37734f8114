#include "learn/model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/hash.h"

namespace pointsman {
namespace {

using testing::HasSubstr;

constexpr ArmId kHyb = kDefaultArm;
constexpr ArmId kAge = 3;

Model sample_model(int nets = 3) {
  Rng rng(1, "sample model");
  Model model;
  for (size_t f = 0; f < kFeatures; ++f) {
    model.mean[f] = rng.normal();
    model.scale[f] = rng.uniform(.1, 3);
  }
  for (int k = 0; k < nets; ++k) model.nets.push_back(Mlp<float>::random({kModelInputs, 16, 16, kChoosable}, rng));
  model.rule = {.deviations = .75, .margin = .03, .ewma = .25};
  return model;
}

FeatureVector sample_window(uint64_t seed) {
  Rng rng(seed, "window");
  FeatureVector x{};
  for (double& v : x) v = 3 * rng.normal();
  return x;
}

// Puts a new checksum on a body that was tampered with, as someone who writes such a file would.
std::string sealed(std::string bytes) {
  const uint32_t crc = crc32c(std::string_view(bytes).substr(16));
  std::memcpy(bytes.data() + 12, &crc, 4);
  return bytes;
}

std::string refusal(std::string_view bytes, ErrorCode code) {
  const auto model = decode_model(bytes);
  EXPECT_FALSE(model);
  if (model) return "";
  EXPECT_EQ(model.error().code, code) << model.error().message;
  EXPECT_EQ(model.error().message.find('\n'), std::string::npos);
  return model.error().message;
}

Prediction prediction(std::vector<std::array<float, kChoosable>> nets) {
  Prediction p;
  p.nets = static_cast<int>(nets.size());
  std::copy(nets.begin(), nets.end(), p.regret.begin());
  return p;
}

TEST(Model, TheFileKeepsEveryBit) {
  const Model model = sample_model();
  const auto back = decode_model(encode_model(model));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->mean, model.mean);
  EXPECT_EQ(back->scale, model.scale);
  EXPECT_EQ(back->rule.deviations, .75);
  EXPECT_EQ(back->rule.margin, .03);
  EXPECT_EQ(back->rule.ewma, .25);
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const Prediction a = model.predict(sample_window(seed), static_cast<ArmId>(seed % kChoosable));
    const Prediction b = back->predict(sample_window(seed), static_cast<ArmId>(seed % kChoosable));
    EXPECT_EQ(a.nets, 3);
    EXPECT_EQ(a.regret, b.regret);
  }
  EXPECT_EQ(encode_model(*back), encode_model(model));
}

Model sample_forest(int members = 2, int trees = 6) {
  Model model = sample_model(1);
  model.nets.clear();
  model.kind = ModelKind::kTrees;
  model.forest.members = members;
  Rng rng(5, "sample forest");
  for (int t = 0; t < trees; ++t) {
    // input[2] <= a ? 0 : (input[7] <= b ? 1 : 2)
    Tree tree;
    tree.nodes = {{.feature = 2, .other = 2, .threshold = static_cast<float>(rng.normal())},
                  {.other = 0},
                  {.feature = 7, .other = 4, .threshold = static_cast<float>(rng.normal())},
                  {.other = 1},
                  {.other = 2}};
    tree.values.resize(3);
    for (auto& value : tree.values)
      for (float& v : value) v = static_cast<float>(rng.uniform());
    model.forest.trees.push_back(tree);
  }
  return model;
}

TEST(Model, EveryKindKeepsEveryBit) {
  Rng rng(8, "kinds");
  for (const ModelKind kind : {ModelKind::kNets, ModelKind::kRidge, ModelKind::kTrees, ModelKind::kSoftmax, ModelKind::kPolicy}) {
    Model model = kind == ModelKind::kTrees ? sample_forest() : sample_model(2);
    model.kind = kind;
    if (kind == ModelKind::kRidge || kind == ModelKind::kSoftmax) {
      model.nets.clear();
      model.nets.push_back(Mlp<float>::random({kModelInputs, kChoosable}, rng));
    }
    const std::string bytes = encode_model(model);
    EXPECT_EQ(bytes[8], kind == ModelKind::kNets ? 1 : 2);
    const auto back = decode_model(bytes);
    ASSERT_TRUE(back) << name_of(kind) << ": " << back.error().message;
    EXPECT_EQ(back->kind, kind);
    EXPECT_EQ(encode_model(*back), bytes);
    for (uint64_t seed = 0; seed < 20; ++seed)
      EXPECT_EQ(back->predict(sample_window(seed), kAge).regret, model.predict(sample_window(seed), kAge).regret);
    EXPECT_THAT(card_json(model, {}), HasSubstr(std::string(name_of(kind))));
  }
}

// Written before there were other kinds than networks.
TEST(Model, TheOldVersionStillLoads) {
  const auto shipped = load_model(std::string(POINTSMAN_SOURCE_DIR) + "/models/default.pmm");
  ASSERT_TRUE(shipped) << shipped.error().message;
  EXPECT_EQ(encode_model(*shipped), *read_file(std::string(POINTSMAN_SOURCE_DIR) + "/models/default.pmm"));
}

TEST(Model, APolicysOpinionIsMinusLogProbability) {
  Model model = sample_model(1);
  model.kind = ModelKind::kPolicy;
  const Prediction p = model.predict(sample_window(3), kAge);
  std::array<float, kModelInputs> in{};
  model_input(model, sample_window(3), kAge, in);
  std::array<float, kChoosable> logits{};
  model.nets[0].apply(in, logits);
  double sum = 0;
  for (size_t a = 0; a < kChoosable; ++a) {
    sum += std::exp(-static_cast<double>(p.regret[0][a]));
    EXPECT_NEAR(p.regret[0][a] - p.regret[0][0], logits[0] - logits[a], 1e-5);
  }
  EXPECT_NEAR(sum, 1, 1e-6);
}

TEST(Forest, WalksToTheRightLeafAndAverages) {
  Tree tree;
  tree.nodes = {
      {.feature = 2, .other = 2, .threshold = .5f}, {.other = 0}, {.feature = 7, .other = 4, .threshold = -1}, {.other = 1}, {.other = 2}};
  tree.values = {{{1, 0, 0, 0, 0, 0}}, {{2, 0, 0, 0, 0, 0}}, {{3, 0, 0, 0, 0, 0}}};
  std::array<float, kModelInputs> x{};
  x[2] = .5f;
  EXPECT_EQ(tree.at(x)[0], 1);
  x[2] = .6f;
  EXPECT_EQ(tree.at(x)[0], 3);
  x[7] = -1;
  EXPECT_EQ(tree.at(x)[0], 2);
  Forest forest{.members = 2, .trees = {tree, tree, tree}};
  for (auto& value : forest.trees[2].values) value[0] += 1;
  EXPECT_EQ(forest.predict(0, x)[0], 2.5f);
  EXPECT_EQ(forest.predict(1, x)[0], 2);
}

TEST(Forest, RefusesTreesThatContradictThemselves) {
  const auto refused = [](auto change) {
    Model model = sample_forest();
    change(model.forest.trees[3]);
    return refusal(encode_model(model), ErrorCode::kCorrupt);
  };
  const std::string text = "damaged: a tree contradicts itself";
  EXPECT_EQ(refused([](Tree& t) { t.nodes[0].other = 0; }), text);  // in a circle
  EXPECT_EQ(refused([](Tree& t) { t.nodes[0].other = 1; }), text);  // both children the same
  EXPECT_EQ(refused([](Tree& t) { t.nodes[0].other = 5; }), text);
  EXPECT_EQ(refused([](Tree& t) { t.nodes[0].feature = kModelInputs; }), text);
  EXPECT_EQ(refused([](Tree& t) { t.nodes[0].threshold = std::nanf(""); }), text);
  EXPECT_EQ(refused([](Tree& t) { t.nodes[4].other = 3; }), text);
  EXPECT_THAT(refused([](Tree& t) { t.values[1][2] = INFINITY; }), HasSubstr("not a number"));
  Model model = sample_forest();
  model.forest.members = 0;
  EXPECT_EQ(refusal(encode_model(model), ErrorCode::kCorrupt), "damaged: 6 trees for 0 members");
}

TEST(Model, InputsAreStandardisedClampedAndOneHot) {
  Model model = sample_model();
  model.mean.fill(2);
  model.scale.fill(.5);
  model.scale[1] = 0;
  FeatureVector x{};
  x.fill(2);
  x[0] = 5;
  x[1] = 1e300;
  x[2] = 1e300;
  x[3] = -1e300;
  std::array<float, kModelInputs> in{};
  model_input(model, x, kAge, in);
  EXPECT_EQ(in[0], 1.5f);
  EXPECT_EQ(in[1], 0.f);
  EXPECT_EQ(in[2], 4.f);
  EXPECT_EQ(in[3], -4.f);
  EXPECT_EQ(in[4], 0.f);
  for (int arm = 0; arm < kChoosable; ++arm) EXPECT_EQ(in[static_cast<size_t>(kFeatures + arm)], arm == kAge ? 1.f : 0.f);
  // An arm that a person pinned and no model knows stands in for the default arm.
  EXPECT_EQ(model.predict(x, *find_arm("dl")).regret, model.predict(x, kHyb).regret);
  EXPECT_NE(model.predict(x, kAge).regret, model.predict(x, kHyb).regret);
}

TEST(Model, RefusesInOneClearLine) {
  const std::string good = encode_model(sample_model());
  EXPECT_EQ(refusal("", ErrorCode::kInvalidArgument), "not a model file");
  EXPECT_EQ(refusal("{\"model\": 1}", ErrorCode::kInvalidArgument), "not a model file");
  EXPECT_EQ(refusal(good.substr(0, 10), ErrorCode::kCorrupt), "truncated in the header");
  EXPECT_EQ(refusal(good.substr(0, good.size() - 1), ErrorCode::kCorrupt), "truncated or damaged: the content does not match its checksum");
  EXPECT_EQ(refusal(good + '\0', ErrorCode::kCorrupt), "truncated or damaged: the content does not match its checksum");
  EXPECT_EQ(refusal(sealed(good + '\0'), ErrorCode::kCorrupt), "damaged: the content contradicts itself");
  EXPECT_EQ(refusal(sealed(good.substr(0, good.size() - 1)), ErrorCode::kCorrupt), "damaged: the content contradicts itself");
  std::string other = good;
  other[8] = 3;
  EXPECT_EQ(refusal(other, ErrorCode::kUnsupported), "model version 3, this build reads versions 1 to 2");
  other = good;
  other[17] ^= 1;  // inside the schema's name
  EXPECT_THAT(refusal(sealed(other), ErrorCode::kUnsupported), HasSubstr("the model was trained on other features ("));
  other = good;
  other.replace(other.find("\3las"), 4, "\3xyz");
  EXPECT_THAT(refusal(sealed(other), ErrorCode::kUnsupported), HasSubstr("xyz"));
  EXPECT_THAT(refusal(sealed(other), ErrorCode::kUnsupported), HasSubstr("train it anew"));
}

TEST(Model, RefusesNumbersThatAreNone) {
  for (const float poison : {std::nanf(""), INFINITY, -INFINITY, 1e30f}) {
    Model model = sample_model();
    std::vector<float> w = model.nets[1].packed();
    w[100] = poison;
    model.nets[1].unpack(w);
    EXPECT_EQ(refusal(encode_model(model), ErrorCode::kCorrupt), "damaged: weights of net 2 are no numbers or can overflow");
    EXPECT_FALSE(save_model(testing::TempDir() + "poison", model, {}));
    EXPECT_FALSE(std::filesystem::exists(testing::TempDir() + "poison"));
  }
  // Each weight is finite, together they overflow.
  Model model = sample_model();
  std::vector<float> w(model.nets[0].packed().size(), 300.f);
  model.nets[0].unpack(w);
  EXPECT_EQ(refusal(encode_model(model), ErrorCode::kCorrupt), "damaged: weights of net 1 are no numbers or can overflow");
  model = sample_model();
  model.mean[2] = std::nan("");
  EXPECT_EQ(refusal(encode_model(model), ErrorCode::kCorrupt),
            "damaged: the normalisation of feature '" + std::string(feature_catalogue()[2].name) + "' is not a number");
  model = sample_model();
  model.scale[0] = -1;
  refusal(encode_model(model), ErrorCode::kCorrupt);
  model = sample_model();
  model.rule.ewma = 1;
  EXPECT_EQ(refusal(encode_model(model), ErrorCode::kCorrupt), "damaged: the rule's parameters are out of range");
  model.rule = {.deviations = std::nan("")};
  refusal(encode_model(model), ErrorCode::kCorrupt);
  model = sample_model();
  model.nets.clear();
  refusal(encode_model(model), ErrorCode::kCorrupt);
}

TEST(Model, EveryChangedByteIsRefused) {
  const std::string good = encode_model(sample_model(1));
  Rng rng(2, "model corruption");
  for (int i = 0; i < 4000; ++i) {
    std::string bad = good;
    const uint64_t at = rng.below(bad.size());
    bad[at] = static_cast<char>(bad[at] ^ (1 << rng.below(8)));
    ASSERT_FALSE(decode_model(bad)) << "byte " << at;
  }
  for (size_t length = 0; length < good.size(); length += 11) ASSERT_FALSE(decode_model(good.substr(0, length)));
}

// With a valid checksum the content itself must hold: whatever is accepted predicts finite numbers, and nothing crashes.
TEST(Model, ForgedFilesNeverCrashAndNeverPredictNonsense) {
  const std::string nets = encode_model(sample_model(1)), forest = encode_model(sample_forest(2, 12));
  Rng rng(3, "model forgery");
  int accepted = 0, refused = 0;
  for (int i = 0; i < 12000; ++i) {
    std::string forged = i % 2 == 0 ? nets : forest;
    for (uint64_t changes = 1 + rng.below(4); changes > 0; --changes) {
      // Half of the changes in the first bytes, where counts and sizes are.
      const uint64_t at = 16 + rng.below(rng.below(2) == 0 ? 600 : forged.size() - 16);
      forged[at] = static_cast<char>(rng.next());
    }
    if (rng.below(4) == 0) forged.resize(16 + rng.below(forged.size() - 16));
    const auto model = decode_model(sealed(forged));
    if (!model) {
      ++refused;
      EXPECT_EQ(model.error().message.find('\n'), std::string::npos);
      continue;
    }
    ++accepted;
    const Prediction p = model->predict(sample_window(static_cast<uint64_t>(i)), i % kChoosable);
    for (int k = 0; k < p.nets; ++k)
      for (const float r : p.regret[static_cast<size_t>(k)]) ASSERT_TRUE(std::isfinite(r));
  }
  EXPECT_GT(accepted, 500);
  EXPECT_GT(refused, 500);
}

TEST(Model, SavedBesideItsCard) {
  const std::string path = testing::TempDir() + "pointsman_model_test.pmm";
  const Model model = sample_model();
  ModelCard card{.data = "matrix of 3 families",
                 .commit = "abc",
                 .command = "pointsman train",
                 .families = {"batch", "web"},
                 .seeds = {1, 2},
                 .training_seed = 9,
                 .windows = 100,
                 .blocks = 4,
                 .scores = {{"gap", {.5, .4, std::nan("")}}},
                 .limits = {"no caches"}};
  ASSERT_TRUE(save_model(path, model, card));
  const auto back = load_model(path);
  ASSERT_TRUE(back);
  EXPECT_EQ(encode_model(*back), encode_model(model));
  const auto json = nlohmann::json::parse(*read_file(path + ".json"));
  EXPECT_EQ(json["model"]["hash"], Hash64{}.add(*read_file(path)).hex());
  EXPECT_EQ(json["model"]["arms"].size(), size_t{kChoosable});
  EXPECT_EQ(json["trained_on"]["families"][1], "web");
  EXPECT_EQ(json["scores"]["gap"]["mean"], .5);
  EXPECT_TRUE(json["scores"]["gap"]["high"].is_null());
  EXPECT_EQ(load_model(path + ".json").error().message, path + ".json: not a model file");
  EXPECT_EQ(load_model("/no/such/model").error().code, ErrorCode::kNotFound);
  std::filesystem::remove(path);
  std::filesystem::remove(path + ".json");
}

TEST(Rule, LeavesTheDefaultArmOnlyWhenSure) {
  // eevdf hyb las age sjf ipre; gains of age over hyb: .3, .1, .2: mean .2, deviation .1.
  const Prediction p = prediction({{.9f, .4f, .5f, .1f, .6f, .7f}, {.9f, .3f, .5f, .2f, .6f, .7f}, {.9f, .3f, .5f, .1f, .6f, .7f}});
  const Choice bold = choose(p, {.deviations = 0, .margin = 0});
  EXPECT_EQ(bold.arm, kAge);
  EXPECT_NEAR(bold.predicted[kAge], -.2, 1e-6);
  EXPECT_NEAR(bold.deviation[kAge], .1, 1e-6);
  EXPECT_NEAR(bold.predicted[2], .5 - 1.0 / 3, 1e-6);
  EXPECT_EQ(bold.predicted[kHyb], 0);
  EXPECT_EQ(choose(p, {.deviations = 1.9, .margin = .02}).arm, kAge);
  EXPECT_EQ(choose(p, {.deviations = 2.1, .margin = .02}).arm, kHyb);
  EXPECT_EQ(choose(p, {.deviations = 0, .margin = .19}).arm, kAge);
  EXPECT_EQ(choose(p, {.deviations = 0, .margin = .21}).arm, kHyb);
  EXPECT_EQ(choose(p, {.deviations = 2.1, .margin = .02}).best_rival, kAge);
}

TEST(Rule, ASurerRivalMayWinWhereABetterOneIsInDoubt) {
  // las promises .3 +- .42, age .1 for sure.
  const Prediction p = prediction({{1, .5f, -.1f, .4f, 1, 1}, {1, .5f, .5f, .4f, 1, 1}});
  EXPECT_EQ(choose(p, {.deviations = 1, .margin = .02}).arm, kAge);
  EXPECT_EQ(choose(p, {.deviations = .5, .margin = .02}).arm, 2);
}

TEST(Rule, SmoothingIsAnAverageThatStartsAtTheFirst) {
  Prediction running;
  smooth(running, prediction({{1, 1, 1, 1, 1, 1}}), .75);
  EXPECT_EQ(running.regret[0][0], 1);
  smooth(running, prediction({{0, 1, 1, 1, 1, 2}}), .75);
  EXPECT_EQ(running.regret[0][0], .75f);
  EXPECT_EQ(running.regret[0][5], 1.25f);
}

TEST(Model, ItsCardSaysWhatItWasTrainedFor) {
  const std::string path = testing::TempDir() + "pointsman_card_test.pmm";
  ModelCard card;
  card.objective = "mean_tat";
  ASSERT_TRUE(save_model(path, sample_model(), card));
  EXPECT_EQ(*trained_objective(path), "mean_tat");
  ASSERT_TRUE(write_file(path + ".json", "{}"));
  EXPECT_EQ(*trained_objective(path), "log_slowdown") << "a card from before objectives were named";
  ASSERT_TRUE(write_file(path + ".json", "{\"objective\": 3}"));
  EXPECT_EQ(trained_objective(path).error().code, ErrorCode::kCorrupt);
  std::filesystem::remove(path + ".json");
  EXPECT_EQ(*trained_objective(path), "log_slowdown");
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace pointsman

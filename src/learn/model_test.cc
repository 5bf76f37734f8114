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
#include "learn/classifier.h"
#include "learn/controllers.h"

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

// A model made by hand: the first feature alone says that age is better by twice its value.
Model handmade(const Rule& rule) {
  Model model;
  model.scale.fill(1);
  for (int k = 0; k < 2; ++k) {
    Mlp<float> net({kModelInputs, kChoosable});
    std::vector<float> w(net.packed().size());
    w[kAge] = -2;  // row of the first feature
    w[static_cast<size_t>(kModelInputs * kChoosable + kAge)] = k == 0 ? .01f : -.01f;
    net.unpack(w);
    model.nets.push_back(net);
  }
  model.rule = rule;
  return model;
}

TEST(Classifier, SaysWhatItPredictsAndWhy) {
  Classifier c(handmade({.deviations = 1, .margin = .02}), {});
  EXPECT_EQ(c.name(), "classifier");
  EXPECT_FALSE(c.literal());
  EXPECT_EQ(c.first_arm(), kHyb);
  Context context;
  context.active = kHyb;
  context.features[0] = .1;
  Decision d = c.decide(context);
  EXPECT_EQ(d.arm, kAge);
  EXPECT_EQ(d.why, "age: predicted 18 % below hyb (+-1)");
  ASSERT_TRUE(d.predicted && d.deviation);
  EXPECT_NEAR((*d.predicted)[kAge], -.2, 1e-6);
  EXPECT_NEAR((*d.deviation)[kAge], std::sqrt(2e-4), 1e-6);
  context.features[0] = .008;
  d = c.decide(context);
  EXPECT_EQ(d.arm, kHyb);
  EXPECT_EQ(d.why, "hyb: age is predicted 2 % below hyb (+-1), too little to be sure");
  context.features[0] = -1;
  EXPECT_EQ(c.decide(context).why, "hyb: no other arm is predicted better");
}

// Two nets, two arms that both are surely better than hyb: the first prefers las, the second age.
TEST(Classifier, BetweenTwoArmsOnlyWhatIsSureMovesIt) {
  constexpr ArmId kLas = 2;
  Model model = handmade({.deviations = 1, .margin = .02});
  for (size_t k = 0; k < 2; ++k) {
    std::vector<float> w = model.nets[k].packed();
    w[kLas] = k == 0 ? -2.2f : -1.7f;
    model.nets[k].unpack(w);
  }
  Context context;
  context.features[0] = .2;
  const auto choice = [&](ArmId active, double age_bonus) {
    Model tilted = model;
    for (Mlp<float>& net : tilted.nets) {
      std::vector<float> w = net.packed();
      w[kAge] -= static_cast<float>(age_bonus);
      net.unpack(w);
    }
    context.active = active;
    return Classifier(tilted, {}).decide(context).arm;
  };
  EXPECT_EQ(choice(kHyb, 0), kAge) << "the better one in the mean";
  EXPECT_EQ(choice(kLas, 0), kLas) << "not surely better than the active one";
  EXPECT_EQ(choice(kLas, 1), kAge);
  context.features[0] = -.2;
  EXPECT_EQ(choice(kLas, 0), kHyb) << "the active one is no longer better than hyb";
}

TEST(Classifier, PredictsAllArmsAndChoosesAmongThoseAllowed) {
  std::array<bool, kChoosable> allowed{};
  allowed.fill(true);
  allowed[kAge] = false;
  Classifier c(handmade({.deviations = 1, .margin = .02}), {.allowed = allowed});
  Context context;
  context.active = kHyb;
  context.features[0] = .1;
  const Decision d = c.decide(context);
  EXPECT_EQ(d.arm, kHyb);
  ASSERT_TRUE(d.predicted);
  EXPECT_NEAR((*d.predicted)[kAge], -.2, 1e-6);
}

TEST(Classifier, AJumpOfForksOrWakeUpsEndsWhatWasSmoothed) {
  for (const size_t feature : {kForksFeature, kWakeupsFeature}) {
    SCOPED_TRACE(feature);
    const auto predicted_after = [&](double change, double jump) {
      Classifier c(handmade({.deviations = 1, .margin = .02, .ewma = .6}), {.change = change});
      Context context;
      context.active = kHyb;
      context.features[kForksFeature] = .1;
      c.decide(context);
      context.features[feature] += jump;
      return (*c.decide(context).predicted)[kAge];
    };
    const double at_once = -2 * (feature == kForksFeature ? .4 : .1);  // the first feature is what this model goes by
    EXPECT_NEAR(predicted_after(.2, .3), at_once, 1e-6);
    EXPECT_NEAR(predicted_after(.5, .3), .6 * -.2 + .4 * at_once, 1e-6);
    EXPECT_NEAR(predicted_after(0, .3), .6 * -.2 + .4 * at_once, 1e-6);
  }
}

// Two networks that say that age is better by .1 and by .7: by .4, with a deviation of .42. What replays say of it has one of .25.
Model unsure() {
  Model model = handmade({.deviations = .5, .margin = .02});
  for (size_t k = 0; k < 2; ++k) {
    std::vector<float> w = model.nets[k].packed();
    w[static_cast<size_t>(kModelInputs * kChoosable + kAge)] = k == 0 ? .3f : -.3f;
    model.nets[k].unpack(w);
  }
  return model;
}
struct Replaying {
  Classifier classifier{unsure(), {.change = 1, .replay = .25}};
  Context context{};
  Replaying() {
    context.active = kHyb;
    context.features[0] = .2;
    context.recording_since_ns = 0;
  }
  Decision at(int64_t ms, std::optional<std::array<double, kChoosable>> replayed = {}) {
    context.since_start_ns = context.since_swap_ns = ms * 1'000'000;
    context.replayed = replayed;
    context.replayed_to_ns = context.since_start_ns;
    return classifier.decide(context);
  }
  std::optional<int64_t> replays_from_ms() const {
    const auto from = classifier.replays_from_ns(context);
    return from ? std::optional(*from / 1'000'000) : from;
  }
};
constexpr ArmCosts kAgeIsWorse{0, 0, 0, .6, 0, 0};

TEST(Classifier, ModelAndReplayAreWeighedByTheirPrecisions) {
  Replaying r;
  EXPECT_TRUE(r.classifier.wants_bursts());
  EXPECT_FALSE(Classifier(handmade({}), {}).wants_bursts());
  EXPECT_EQ(r.at(250).arm, kAge);
  const Decision d = r.at(500, kAgeIsWorse);
  EXPECT_EQ(d.arm, kHyb);
  const double model = 1 / (.18 + .05 * .05), replay = 1 / (.25 * .25);
  EXPECT_NEAR((*d.predicted)[kAge], (model * -.4 + replay * .6) / (model + replay), 1e-6);
  EXPECT_NEAR((*d.deviation)[kAge], std::sqrt(1 / (model + replay)), 1e-6);
  EXPECT_EQ(r.at(750).arm, kHyb) << "it is remembered";
  // A model that is sure is not talked out of it.
  Replaying sure;
  sure.classifier = Classifier(handmade({.deviations = .5, .margin = .02}), {.change = 1, .replay = .25});
  EXPECT_EQ(sure.at(250, kAgeIsWorse).arm, kAge);
}

TEST(Classifier, AReplayEndsWithWhatItWasOf) {
  Replaying r;
  EXPECT_EQ(r.at(250, kAgeIsWorse).arm, kHyb);
  r.context.features[kWakeupsFeature] += 2;
  EXPECT_EQ(r.at(500, kAgeIsWorse).arm, kAge) << "a jump: that replay was of what is gone";
  EXPECT_EQ(r.at(750).arm, kAge);
  EXPECT_EQ(r.at(1000, kAgeIsWorse).arm, kHyb);
  r.context.idle = true;
  r.at(1250);
  r.context.idle = false;
  EXPECT_EQ(r.at(1500).arm, kAge);
  ArmCosts none = kAgeIsWorse;
  none[0] = std::nan("");
  EXPECT_EQ(r.at(2000, none).arm, kAge);
  r.context.since_swap_ns = 500'000'000;
  r.context.since_start_ns = 2'500'000'000;
  r.context.replayed = kAgeIsWorse;
  r.context.replayed_to_ns = 1'900'000'000;
  EXPECT_EQ(r.classifier.decide(r.context).arm, kAge) << "of what ran before the swap";
  r.context.replayed_to_ns = 2'100'000'000;
  EXPECT_EQ(r.classifier.decide(r.context).arm, kHyb);
}

TEST(Classifier, UnderAnotherArmOnlyWhatSpeaksAgainstItCounts) {
  Replaying r;
  r.context.active = kAge;
  const Decision alone = r.at(250);
  EXPECT_EQ(alone.arm, kAge);
  const Decision praised = r.at(500, ArmCosts{.5, .5, .5, -.5, .5, .5});
  EXPECT_EQ(praised.predicted, alone.predicted) << "a late server makes the arm that lets it be late look good";
  // Against hyb, to which the model compares: age costs .6 more, las .7 less than age.
  Replaying blamed;
  blamed.context.active = kAge;
  const Decision d = blamed.at(250, ArmCosts{1, 0, -.1, .6, 1, 1});
  const double model = 1 / (.18 + .05 * .05), replay = 1 / (.25 * .25), age = (model * -.4 + replay * .6) / (model + replay);
  EXPECT_NEAR((*d.predicted)[kAge], age, 1e-6);
  const double sure = 1 / (.05 * .05);  // of las the networks say alike that it is no better and no worse than hyb
  EXPECT_NEAR((*d.predicted)[2], replay * (age - .7) / (sure + replay), 1e-6);
  EXPECT_EQ((*d.predicted)[kEevdf], (*alone.predicted)[kEevdf]) << "that it is worse than age is no news";
}

TEST(Classifier, AsksForReplaysOfWhatIsSteady) {
  Replaying r;
  r.at(250);
  EXPECT_EQ(r.replays_from_ms(), std::nullopt) << "too short to say anything";
  r.at(500);
  EXPECT_EQ(r.replays_from_ms(), 0);
  r.at(3000);
  EXPECT_EQ(r.replays_from_ms(), 2000);
  r.context.since_swap_ns = 600'000'000;
  EXPECT_EQ(r.replays_from_ms(), 2400) << "not before the last swap";
  r.context.recording_since_ns = 2'500'000'000;
  EXPECT_EQ(r.replays_from_ms(), 2500) << "not before anything was recorded";
  r.context.recording_since_ns = 2'600'000'000;
  EXPECT_EQ(r.replays_from_ms(), std::nullopt);
  r.context.recording_since_ns.reset();
  EXPECT_EQ(r.replays_from_ms(), std::nullopt);
  r.context.recording_since_ns = 0;
  r.context.features[kWakeupsFeature] += 2;
  r.at(3250);
  EXPECT_EQ(r.replays_from_ms(), std::nullopt);
  r.at(3750);
  EXPECT_EQ(r.replays_from_ms(), 3250) << "not before the change";
  EXPECT_EQ(Classifier(handmade({}), {}).replays_from_ns(r.context), std::nullopt);
}

TEST(Classifier, LetsTheRecorderSleepWhereNoReplayIsDue) {
  Replaying r;
  r.at(250);
  EXPECT_TRUE(r.classifier.wants_recording(r.context));
  r.at(1000, kAgeIsWorse);
  EXPECT_TRUE(r.classifier.wants_recording(r.context));
  r.at(2000, kAgeIsWorse);
  EXPECT_FALSE(r.classifier.wants_recording(r.context)) << "two replays of what is steady will do for a while";
  r.at(4750);
  EXPECT_FALSE(r.classifier.wants_recording(r.context));
  r.at(5000);
  EXPECT_TRUE(r.classifier.wants_recording(r.context)) << "a second ahead of the next one";
  EXPECT_EQ(r.replays_from_ms(), std::nullopt);
  r.at(6000);
  EXPECT_EQ(r.replays_from_ms(), 5000);
  r.at(6000, kAgeIsWorse);
  EXPECT_FALSE(r.classifier.wants_recording(r.context));
  r.context.active = kAge;
  EXPECT_TRUE(r.classifier.wants_recording(r.context)) << "what runs under another arm is another matter";
  r.context.active = kHyb;
  r.context.features[kWakeupsFeature] += 2;
  r.at(6250);
  EXPECT_TRUE(r.classifier.wants_recording(r.context)) << "a change";
  EXPECT_FALSE(Classifier(handmade({}), {}).wants_recording(r.context));
}

TEST(Model, ItsCardSaysWhatItWasTrainedFor) {
  const std::string path = testing::TempDir() + "pointsman_card_test.pmm";
  ModelCard card;
  card.objective = "mean_tat";
  ASSERT_TRUE(save_model(path, handmade({}), card));
  EXPECT_EQ(*trained_objective(path), "mean_tat");
  ASSERT_TRUE(write_file(path + ".json", "{}"));
  EXPECT_EQ(*trained_objective(path), "log_slowdown") << "a card from before objectives were named";
  ASSERT_TRUE(write_file(path + ".json", "{\"objective\": 3}"));
  EXPECT_EQ(trained_objective(path).error().code, ErrorCode::kCorrupt);
  std::filesystem::remove(path + ".json");
  EXPECT_EQ(*trained_objective(path), "log_slowdown");
  std::filesystem::remove(path);
}

TEST(Classifier, IdleOrBlindItKeepsTheArm) {
  Classifier c(handmade({.deviations = 1, .margin = .02, .ewma = .9}), {});
  Context context;
  context.active = 4;
  context.features[0] = 1;
  context.idle = true;
  EXPECT_EQ(c.decide(context).arm, 4);
  EXPECT_EQ(c.decide(context).why, "idle: keeps the arm");
  context.idle = false;
  context.features[1] = std::nan("");
  EXPECT_EQ(c.decide(context).arm, 4);
  EXPECT_THAT(c.decide(context).why, HasSubstr("is not a number"));
  // Remembers across windows, forgets across idleness.
  context.features[1] = 0;
  EXPECT_EQ(c.decide(context).arm, kAge);
  context.features[0] = -1;
  EXPECT_EQ(c.decide(context).arm, kAge);
  context.idle = true;
  c.decide(context);
  context.idle = false;
  EXPECT_EQ(c.decide(context).arm, kHyb);
}

TEST(Classifier, IsMadeFromItsFile) {
  const std::string path = testing::TempDir() + "pointsman_classifier_test.pmm";
  ASSERT_TRUE(save_model(path, handmade({.deviations = 1, .margin = .02}), {}));
  auto c = make_controller("classifier:model=" + path);
  ASSERT_TRUE(c) << c.error().message;
  Context context;
  context.features[0] = .1;
  EXPECT_EQ((*c)->decide(context).arm, kAge);
  c = make_controller("classifier:model=" + path + ",margin=.3");
  EXPECT_EQ((*c)->decide(context).arm, kHyb);
  EXPECT_EQ(make_controller("classifier").error().message, "controller 'classifier' needs model=FILE");
  EXPECT_EQ(make_controller("classifier:model=" + path + ",ewma=1").error().message,
            "controller 'classifier': ewma=1 is not a number in 0 .. 0.999");
  c = make_controller("classifier:model=" + path + ",arms=hyb+las");
  ASSERT_TRUE(c) << c.error().message;
  EXPECT_EQ((*c)->decide(context).arm, kHyb);
  EXPECT_THAT(make_controller("classifier:model=" + path + ",arms=las").error().message, HasSubstr("hyb must be among them"));
  EXPECT_THAT(make_controller("classifier:model=" + path + ",arms=hyb+rtc").error().message, HasSubstr("rtc cannot be chosen"));
  EXPECT_THAT(make_controller("classifier:model=" + path + ",arms=hyb+leg").error().message, HasSubstr("no arm 'leg'"));
  EXPECT_TRUE((*make_controller("classifier:model=" + path + ",replay=.3"))->wants_bursts());
  EXPECT_EQ(make_controller("classifier:model=" + path + ",replay=-1").error().message, "controller 'classifier': replay=-1 is not a number in 0 .. 10");
  Model policy = handmade({});
  policy.kind = ModelKind::kPolicy;
  ASSERT_TRUE(save_model(path, policy, {}));
  EXPECT_THAT(make_controller("classifier:model=" + path + ",replay=.3").error().message, HasSubstr("predicts no costs"));
  EXPECT_THAT(make_controller("classifier:model=" + path + ".json").error().message, HasSubstr("not a model file"));
  std::filesystem::remove(path);
  std::filesystem::remove(path + ".json");
}

}  // namespace
}  // namespace pointsman

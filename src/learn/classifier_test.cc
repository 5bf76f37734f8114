#include "learn/classifier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "learn/controllers.h"

namespace pointsman {
namespace {

using testing::HasSubstr;

constexpr ArmId kHyb = kDefaultArm;
constexpr ArmId kAge = 3;

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

TEST(Agent, IsTheClassifierByTheRuleOfItsModel) {
  const std::string path = testing::TempDir() + "pointsman_agent_test.pmm";
  ASSERT_TRUE(save_model(path, unsure(), {}));
  Context context;
  context.active = kHyb;
  context.features[0] = .2;
  for (const char* options : {"", ",deviations=2", ",margin=.5"}) {
    auto agent = make_controller("agent:model=" + path + options), classifier = make_controller("classifier:model=" + path + options);
    ASSERT_TRUE(agent && classifier);
    const Decision a = (*agent)->decide(context), c = (*classifier)->decide(context);
    EXPECT_EQ(a.arm, c.arm) << options;
    EXPECT_EQ(a.predicted, c.predicted) << options;
  }
  EXPECT_EQ((*make_controller("agent:model=" + path))->decide(context).arm, kAge);
  EXPECT_FALSE((*make_controller("agent:model=" + path))->wants_bursts());
  EXPECT_EQ(make_controller("agent").error().message, "controller 'agent' needs model=FILE");
  std::filesystem::remove(path);
  std::filesystem::remove(path + ".json");
}

}  // namespace
}  // namespace pointsman

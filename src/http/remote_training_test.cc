#include "http/remote_training.h"

#include <gmock/gmock.h>

#include <cmath>

#include "base/pipe.h"
#include "base/rng.h"
#include "http/result_windows.h"
#include "http/served_for_test.h"

namespace pointsman {
namespace {

using nlohmann::json;
using testing::Each;
using testing::HasSubstr;

// A machine on which pareto wants las and batch wants eevdf, and the windows tell the two apart.
RepeatResult world(const RepeatRequest& request) {
  const ExperimentSpec& spec = request.spec;
  const bool is_pareto = spec.workload.name == "pareto";
  const double slowdown = spec.arm == (is_pareto ? "las" : "eevdf") ? 2 : 4;
  std::vector<ResultWindow> windows;
  for (int i = 0; i < 6; ++i) {
    ResultWindow w{.end_ns = (i + 1) * 250 * kMillisecond, .idle = i == 0};
    Rng rng(spec.seed, spec.workload.name, static_cast<uint64_t>(i));
    for (double& v : w.features) v = rng.normal() + (is_pareto ? 2 : -2);
    windows.push_back(w);
  }
  const json costs = {{"jobs", 10}, {"geo_slowdown", slowdown}};
  return {.costs = costs.dump(), .result = json{{"repeat", 0}, {"costs", costs}, {"features", json::object()}, {"windows", to_json(windows)}}.dump()};
}

void offer_all(Served& served) {
  served.on_loop([&] {
    for (RigArm& arm : served.worker.rig().arms) arm.unavailable.clear();
    served.worker.answers = [](const RepeatRequest& request) { return Result<RepeatResult>(world(request)); };
  });
}

RemoteTrainingOptions quick() {
  RemoteTrainingOptions options;
  options.families = {"pareto", "batch"};
  options.lives = 14;
  options.seconds = 1.5;
  options.policy.hidden = {};
  options.policy.steps = 15;
  return options;
}

TEST(RemoteTraining, LearnsFromWhatTheServerTells) {
  Served served;
  offer_all(served);
  const RemoteTrainingOptions options = quick();
  auto ground = survey(served.client(), options);
  ASSERT_TRUE(ground) << ground.error().message;
  EXPECT_EQ(ground->experiments, 14 * 4 + 2 * 2);
  EXPECT_EQ(arm_name(ground->first), "eevdf") << "hyb, with which lives begin else, is not to be had";
  int seen = 0;
  auto trained = train_remotely(served.client(), options, *ground, [&](const Trial& trial) { EXPECT_EQ(trial.number, ++seen); });
  ASSERT_TRUE(trained) << trained.error().message;
  EXPECT_EQ(seen, ground->experiments);
  EXPECT_EQ(trained->policy.outcomes(), 42u);
  EXPECT_EQ(trained->policy.windows(), 42u * 5) << "the idle ones are not learned from";
  std::vector<double> judged;
  for (const Trial& t : trained->trials) {
    if (t.kind != Trial::Kind::kJudged) continue;
    EXPECT_EQ(t.seed, 100u) << "none that it learned from";
    EXPECT_EQ(arm_name(t.arm), t.family == "pareto" ? "las" : "eevdf");
    judged.push_back(t.cost);
  }
  ASSERT_EQ(judged.size(), 2u);
  EXPECT_NEAR(judged[0] + judged[1], std::log(.5), 1e-9);
  // The first of each life is under the first arm and costs nothing by definition; the draws say with which probability they were made.
  for (const Trial& t : trained->trials) {
    if (t.kind == Trial::Kind::kFirst) {
      EXPECT_EQ(t.arm, ground->first);
      EXPECT_EQ(t.cost, 0);
    }
    if (t.kind == Trial::Kind::kDrawn) {
      EXPECT_GT(t.propensity, 0);
    }
    EXPECT_FALSE(to_json(t).contains("failure"));
  }
}

TEST(RemoteTraining, OneArmIsNothingToLearnWith) {
  Served served;
  served.on_loop([&] { served.worker.rig().arms[1].unavailable = "this kernel has no sched_ext"; });
  const auto ground = survey(served.client(), quick());
  ASSERT_FALSE(ground);
  EXPECT_EQ(ground.error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(ground.error().message, "there is nothing to learn with fewer than two arms to choose from; this server offers 1 (las: this kernel has no sched_ext)");
}

TEST(RemoteTraining, WhatTheServerLacksIsToldBeforeAnythingRuns) {
  Served served;
  RemoteTrainingOptions options = quick();
  options.arms = {"eevdf", "age"};
  EXPECT_EQ(survey(served.client(), options).error().message, "the server cannot have arm age: this kernel has no sched_ext");
  options.arms = {"eevdf", "sjf"};
  EXPECT_EQ(survey(served.client(), options).error().message, "the server has no arm sjf");
  options.arms = {};
  options.families = {"peasants"};
  EXPECT_EQ(survey(served.client(), options).error().message, "the server has no family 'peasants'");
  options.families = {"ci"};
  EXPECT_THAT(survey(served.client(), options).error().message, HasSubstr("kept for judging"));
  options.families = {};
  const auto all = survey(served.client(), options);
  ASSERT_TRUE(all);
  EXPECT_GT(all->families.size(), 10u);
  EXPECT_EQ(std::count(all->families.begin(), all->families.end(), "ci"), 0);
}

TEST(RemoteTraining, AFamilyThatCannotBeRunThereIsLeftOut) {
  Served served;
  offer_all(served);
  served.on_loop([&] {
    served.worker.answers = [](const RepeatRequest& request) -> Result<RepeatResult> {
      if (request.spec.workload.name == "batch") return fail(ErrorCode::kUnsupported, "no disk was named");
      return world(request);
    };
  });
  RemoteTrainingOptions options = quick();
  options.lives = 6;
  const auto ground = survey(served.client(), options);
  ASSERT_TRUE(ground);
  const auto trained = train_remotely(served.client(), options, *ground, {});
  ASSERT_TRUE(trained) << trained.error().message;
  ASSERT_EQ(trained->notes.size(), 1u);
  EXPECT_THAT(trained->notes[0], HasSubstr("no disk was named"));
  EXPECT_EQ(std::count_if(trained->trials.begin(), trained->trials.end(), [](const Trial& t) { return !t.failure.empty(); }), 1);
}

TEST(RemoteTraining, WhereEverythingFailsItEnds) {
  Served served;
  offer_all(served);
  served.on_loop([&] {
    served.worker.answers = [](const RepeatRequest& request) -> Result<RepeatResult> {
      if (request.spec.arm != "eevdf") return fail(ErrorCode::kIo, "las was not taken");
      return world(request);
    };
  });
  RemoteTrainingOptions options = quick();
  options.arms = {"las", "age"};
  const auto ground = survey(served.client(), options);
  ASSERT_TRUE(ground);
  EXPECT_EQ(ground->first, *find_arm("las"));
  options.families = {"pareto", "batch", "inter", "forks"};
  const auto more = survey(served.client(), options);
  const auto trained = train_remotely(served.client(), options, *more, {});
  ASSERT_FALSE(trained);
  EXPECT_THAT(trained.error().message, HasSubstr("3 experiments in a row failed"));
  EXPECT_THAT(trained.error().message, HasSubstr("las was not taken"));
}

TEST(RemoteTraining, InterruptedItKeepsWhatItLearnedAndCancelsWhatRuns) {
  Served served;
  offer_all(served);
  auto wish = Pipe::open();
  ASSERT_TRUE(wish);
  RemoteTrainingOptions options = quick();
  options.lives = 2;
  const auto ground = survey(served.client(), options);
  ASSERT_TRUE(ground);
  const Client client = served.client(ClientOptions{.cancel_fd = wish->in.get()});
  const auto trained = train_remotely(client, options, *ground, [&](const Trial& trial) {
    if (trial.number == 3) {
      served.on_loop([&] { served.worker.answers = {}; });  // the fourth is never finished by the machine
      ASSERT_EQ(::write(wish->out.get(), "x", 1), 1);
    }
  });
  ASSERT_TRUE(trained) << trained.error().message;
  EXPECT_TRUE(trained->interrupted);
  EXPECT_EQ(trained->trials.size(), 3u);
  EXPECT_EQ(trained->policy.outcomes(), 2u);
  EXPECT_EQ(served.on_loop([&] { return served.worker.cancels; }), 1);
}

TEST(RemoteTraining, AnotherVersionsFeaturesAreRefused) {
  Served served;
  offer_all(served);
  served.on_loop([&] {
    served.worker.answers = [](const RepeatRequest& request) -> Result<RepeatResult> {
      RepeatResult result = world(request);
      json changed = json::parse(result.result);
      changed["windows"]["schema"] = "0";
      result.result = changed.dump();
      return result;
    };
  });
  const auto ground = survey(served.client(), quick());
  EXPECT_THAT(train_remotely(served.client(), quick(), *ground, {}).error().message, HasSubstr("the same version is needed on both sides"));
}

}  // namespace
}  // namespace pointsman

#include "http/experiment.h"

#include <gmock/gmock.h>

namespace pointsman {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class ParseExperiment : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = Catalogue::open({});
    ASSERT_TRUE(opened) << opened.error().message;
    catalogue_ = std::move(*opened);
  }
  void refuse(std::string_view body, ErrorCode code, const std::string& message) {
    auto spec = parse_experiment(body, catalogue_, limits_);
    ASSERT_FALSE(spec) << body;
    EXPECT_EQ(spec.error().code, code) << spec.error().message;
    EXPECT_THAT(spec.error().message, StartsWith(message)) << body;
  }
  Catalogue catalogue_;
  ExperimentLimits limits_;
};

TEST_F(ParseExperiment, TakesAName) {
  auto spec = parse_experiment(R"({"workload": "pareto", "arm": "las"})", catalogue_, limits_);
  ASSERT_TRUE(spec) << spec.error().message;
  EXPECT_EQ(spec->workload.name, "pareto");
  EXPECT_EQ(spec->workload.seconds, 3);
  EXPECT_EQ(spec->arm, "las");
  EXPECT_EQ(spec->seed, 1u);
  EXPECT_EQ(spec->repeats, 1);
  EXPECT_FALSE(spec->trace);
}

TEST_F(ParseExperiment, TakesEverythingAndGivesItBack) {
  auto spec = parse_experiment(
      R"({"workload": {"name": "underload", "seconds": 1.5, "parameters": {"service_ms": 2}}, "arm": "eevdf", "seed": 9007199254740992, "repeats": 7, "trace": true})", catalogue_,
      limits_);
  ASSERT_TRUE(spec) << spec.error().message;
  EXPECT_EQ(spec->seed, 9007199254740992u);
  auto again = experiment_from_json(nlohmann::json::parse(to_json(*spec).dump()));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(to_json(*again).dump(), to_json(*spec).dump());
  EXPECT_EQ(again->workload.parameters.at("service_ms"), 2);
}

TEST_F(ParseExperiment, SaysTheSameForTheSame) {
  auto one = parse_experiment(R"({"workload": "pareto", "arm": "las"})", catalogue_, limits_);
  auto other = parse_experiment(R"({"arm": "las", "repeats": 1, "workload": {"seconds": 3.0, "name": "pareto"}, "seed": 1})", catalogue_, limits_);
  ASSERT_TRUE(one && other);
  EXPECT_EQ(to_json(*one).dump(), to_json(*other).dump()) << "an idempotency key must not care how a body was written";
}

TEST_F(ParseExperiment, RefusesWhatIsNoExperiment) {
  const auto wrong = ErrorCode::kInvalidArgument;
  refuse("", wrong, "the body is not JSON");
  refuse("{", wrong, "the body is not JSON");
  refuse("[]", wrong, "the body must be an object");
  refuse("\xff\xfe", wrong, "the body is not JSON");
  refuse(std::string(60'000, '['), wrong, "the body is not JSON");
  refuse(R"({"workload": "pareto"})", wrong, "arm is missing");
  refuse(R"({"arm": "las"})", wrong, "workload is missing");
  refuse(R"({"workload": "pareto", "arm": 3})", wrong, "arm: must be a name");
  refuse(R"({"workload": 3, "arm": "las"})", wrong, "workload: must be a name, or an object with one");
  refuse(R"({"workload": {}, "arm": "las"})", wrong, "workload: must be a name, or an object with one");
  refuse(R"({"workload": "pareto", "arm": "las", "repeat": 3})", wrong, "experiment: unknown member 'repeat' (allowed: workload, arm, seed, repeats, trace)");
  refuse(R"({"workload": {"name": "pareto", "secs": 1}, "arm": "las"})", wrong, "workload: unknown member 'secs'");
  refuse(R"({"workload": "peasants", "arm": "las"})", ErrorCode::kNotFound, "workload: there is no 'peasants'");
  refuse(R"({"workload": "../../etc/passwd", "arm": "las"})", ErrorCode::kNotFound, "workload: there is no '../../etc/passwd'");
  refuse(R"({"workload": "pareto", "arm": "las", "trace": 1})", wrong, "trace: must be true or false");
}

TEST_F(ParseExperiment, RefusesNumbersOutOfRange) {
  const auto wrong = ErrorCode::kInvalidArgument;
  for (const char* seed : {"-1", "1.5", "9007199254740993", "1e300", "18446744073709551616", "\"1\"", "null"})
    refuse(fmt::format(R"({{"workload": "pareto", "arm": "las", "seed": {}}})", seed), wrong, "seed: must be a whole number");
  refuse(R"({"workload": "pareto", "arm": "las", "seed": 1e999})", wrong, "the body is not JSON");
  for (const char* repeats : {"0", "-3", "101", "1e9", "2.5"})
    refuse(fmt::format(R"({{"workload": "pareto", "arm": "las", "repeats": {}}})", repeats), wrong, "repeats: must be a whole number from 1 to 100");
  refuse(R"({"workload": {"name": "pareto", "seconds": 121}, "arm": "las"})", wrong, "workload.seconds: 121 is not from 0.2 to 120");
  refuse(R"({"workload": {"name": "pareto", "seconds": -1}, "arm": "las"})", wrong, "workload.seconds: -1 is not from");
  refuse(R"({"workload": {"name": "pareto", "seconds": 100}, "arm": "las", "repeats": 100})", wrong, "100 repeats of 100 s are 10000 s; this server allows 3600");
  refuse(R"({"workload": {"name": "nothing", "seconds": 5}, "arm": "las"})", wrong, "workload.seconds: nothing is as long as it is");
  refuse(R"({"workload": {"name": "underload", "parameters": {"service_ms": 1e9}}, "arm": "las"})", wrong, "workload: ");
  refuse(R"({"workload": {"name": "underload", "parameters": {"colour": 1}}, "arm": "las"})", wrong, "workload: ");
  refuse(R"({"workload": {"name": "underload", "parameters": {"service_ms": "1"}}, "arm": "las"})", wrong, "workload.parameters.service_ms: must be a number");
}

TEST_F(ParseExperiment, RunsNoProgramsUnlessAllowed) {
  const char* body = R"({"workload": {"exec": ["/bin/true"]}, "arm": "eevdf"})";
  refuse(body, ErrorCode::kPermissionDenied, "workload: this server runs programs of its catalogue only");
  limits_.allow_exec = true;
  auto spec = parse_experiment(body, catalogue_, limits_);
  ASSERT_TRUE(spec) << spec.error().message;
  EXPECT_EQ(spec->workload.exec, std::vector<std::string>{"/bin/true"});
  EXPECT_EQ(spec->workload.seconds, 120);
  const auto wrong = ErrorCode::kInvalidArgument;
  refuse(R"({"workload": {"exec": []}, "arm": "eevdf"})", wrong, "workload.exec: must be a list");
  refuse(R"({"workload": {"exec": "rm -rf /"}, "arm": "eevdf"})", wrong, "workload.exec: must be a list");
  refuse(R"({"workload": {"exec": ["sh"]}, "arm": "eevdf"})", wrong, "workload.exec: the program must be an absolute path");
  refuse(R"({"workload": {"exec": ["/bin/true", 3]}, "arm": "eevdf"})", wrong, "workload.exec: every word must be a string");
  refuse("{\"workload\": {\"exec\": [\"/bin/true\\u0000x\"]}, \"arm\": \"eevdf\"}", wrong, "workload.exec: a word has a zero byte");
  refuse(fmt::format(R"({{"workload": {{"exec": ["/bin/true", "{}"]}}, "arm": "eevdf"}})", std::string(5000, 'x')), wrong, "workload.exec: 5011 bytes; allowed are 4096");
}

TEST_F(ParseExperiment, NothingIsAPlanThatCanBeRun) {
  auto plan = plan_of({.name = "nothing"}, catalogue_, 1, 4);
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_TRUE(check_plan(*plan)) << check_plan(*plan).error().message;
  EXPECT_EQ(plan->jobs.size(), 1u);
}

TEST_F(ParseExperiment, RandomFamiliesAreWorkloads) {
  auto spec = parse_experiment(R"({"workload": {"name": "random:7", "seconds": 1}, "arm": "las"})", catalogue_, limits_);
  ASSERT_TRUE(spec) << spec.error().message;
  auto plan = plan_of(spec->workload, catalogue_, 1, 4);
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_GT(plan->jobs.size(), 0u);
  refuse(R"({"workload": {"name": "random:7", "parameters": {"load_factor": 1}}, "arm": "las"})", ErrorCode::kInvalidArgument, "workload.parameters: random:7 has none");
  refuse(R"({"workload": "random:", "arm": "las"})", ErrorCode::kNotFound, "workload: there is no 'random:'");
  refuse(R"({"workload": "random:x", "arm": "las"})", ErrorCode::kNotFound, "workload: there is no 'random:x'");
}

TEST_F(ParseExperiment, ScenariosAreWorkloads) {
  auto catalogue = Catalogue::open(std::vector<std::string>{POINTSMAN_SOURCE_DIR "/scenarios/workday.toml"});
  ASSERT_TRUE(catalogue) << catalogue.error().message;
  const auto offered = catalogue->find("workday");
  ASSERT_TRUE(offered);
  EXPECT_GT(offered->seconds, 1);
  auto plan = plan_of({.name = "workday", .seconds = offered->seconds}, *catalogue, 1, 4);
  ASSERT_TRUE(plan) << plan.error().message;
  auto twice = Catalogue::open(std::vector<std::string>(2, POINTSMAN_SOURCE_DIR "/scenarios/workday.toml"));
  ASSERT_FALSE(twice);
  EXPECT_THAT(twice.error().message, HasSubstr("there is another workload 'workday'"));
}

}  // namespace
}  // namespace pointsman

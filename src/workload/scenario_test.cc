#include "workload/scenario.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "base/clock.h"

namespace pointsman {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr std::string_view kGood = R"(name = "mix"
jitter = false

[[phase]]
family = "batch"
length_s = 2.5

[[phase]]
family = "pareto"
length_s = 3
parameters = { rate_hz = 90, alpha = 1.4 }
)";

std::string parse_error(std::string_view toml) {
  auto scenario = parse_scenario(toml, "mix.toml");
  if (scenario) return "";
  EXPECT_EQ(scenario.error().code, ErrorCode::kInvalidArgument);
  return scenario.error().message;
}

TEST(Scenario, is_read_from_toml) {
  auto scenario = parse_scenario(kGood, "mix.toml");
  ASSERT_TRUE(scenario) << scenario.error().message;
  EXPECT_EQ(scenario->name, "mix");
  EXPECT_FALSE(scenario->jitter);
  ASSERT_EQ(scenario->phases.size(), 2u);
  EXPECT_EQ(scenario->phases[0].family, "batch");
  EXPECT_EQ(scenario->phases[0].length_ns, 2'500'000'000);
  EXPECT_TRUE(scenario->phases[0].parameters.empty());
  EXPECT_EQ(scenario->phases[1].length_ns, 3'000'000'000);
  EXPECT_EQ(scenario->phases[1].parameters, (Parameters{{"rate_hz", 90}, {"alpha", 1.4}}));
}

TEST(Scenario, jitter_is_on_unless_said_otherwise) {
  auto scenario = parse_scenario("[[phase]]\nfamily = \"batch\"\nlength_s = 1\n", "x.toml");
  ASSERT_TRUE(scenario);
  EXPECT_TRUE(scenario->jitter);
}

TEST(Scenario, a_bracket_without_a_name_is_a_mistake_like_any_other) {
  for (const char* text : {"[\n\n[a", "[ #", "[[\n", "a = [[\n[", "[\t\n]", "[\"\n"}) EXPECT_THAT(parse_error(text), StartsWith("mix.toml:")) << text;
}

TEST(Scenario, mistakes_are_told_with_file_line_and_what_is_allowed) {
  EXPECT_EQ(parse_error(""), "mix.toml: no phases; a scenario needs at least one [[phase]] with family and length_s");
  EXPECT_EQ(parse_error("name = \"x\"\nphase = []\n"), "mix.toml:2: phases are written as [[phase]]");
  EXPECT_EQ(parse_error("nam = 1\n"), "mix.toml:1: unknown key \"nam\" in a scenario; allowed are name, jitter, phase");
  EXPECT_EQ(parse_error("name = 1\n"), "mix.toml:1: name must be a string");
  EXPECT_EQ(parse_error("jitter = 1\n"), "mix.toml:1: jitter must be true or false");
  EXPECT_EQ(parse_error("phase = 3\n"), "mix.toml:1: phases are written as [[phase]]");
  EXPECT_THAT(parse_error("\n[[phase]]\nfamily = \"bath\"\nlength_s = 1\n"),
              StartsWith("mix.toml:3: unknown family \"bath\"; there are batch, batchio, shards, gang, "));
  EXPECT_EQ(parse_error("[[phase]]\nlength_s = 1\n"), "mix.toml:1: a phase needs family = \"NAME\"");
  EXPECT_EQ(parse_error("[[phase]]\nfamily = 7\nlength_s = 1\n"), "mix.toml:2: a phase needs family = \"NAME\"");
  EXPECT_EQ(parse_error("[[phase]]\nfamily = \"batch\"\n"), "mix.toml:1: a phase needs length_s = SECONDS");
  EXPECT_EQ(parse_error("[[phase]]\nfamily = \"batch\"\nlength_s = \"long\"\n"), "mix.toml:3: a phase needs length_s = SECONDS");
  EXPECT_EQ(parse_error("[[phase]]\nfamily = \"batch\"\nlength_s = -1\n"), "mix.toml:3: length_s = -1 is outside 0.2 .. 600");
  EXPECT_EQ(parse_error("[[phase]]\nfamily = \"batch\"\nlength_s = 1e300\n"), "mix.toml:3: length_s = 1e+06 is outside 0.2 .. 600");
  EXPECT_EQ(parse_error("[[phase]]\nfamily = \"batch\"\nlength_s = 1\nwidth = 3\n"),
            "mix.toml:4: unknown key \"width\" in [[phase]]; allowed are family, length_s, parameters");
  EXPECT_EQ(parse_error("[[phase]]\nfamily = \"pareto\"\nlength_s = 1\nparameters = 5\n"), "mix.toml:4: parameters must be a table of NAME = NUMBER");
  EXPECT_EQ(parse_error("[[phase]]\nfamily = \"pareto\"\nlength_s = 1\n[phase.parameters]\nrate = 5\n"),
            "mix.toml:5: family pareto has no parameter \"rate\"; it has rate_hz, alpha, low_ms, high_ms");
  EXPECT_EQ(parse_error("[[phase]]\nfamily = \"pareto\"\nlength_s = 1\n[phase.parameters]\nalpha = 2\nrate_hz = -5\n"),
            "mix.toml:6: rate_hz = -5 of family pareto is outside 0.1 .. 20000");
  EXPECT_EQ(parse_error("[[phase]]\nfamily = \"pareto\"\nlength_s = 1\nparameters = { rate_hz = nan }\n"),
            "mix.toml:4: rate_hz = nan of family pareto is outside 0.1 .. 20000");
  EXPECT_EQ(parse_error("[[phase]]\nfamily = \"pareto\"\nlength_s = 1\nparameters = { rate_hz = \"many\" }\n"), "mix.toml:4: rate_hz must be a number");
  EXPECT_THAT(parse_error("name = \"x\"\n\n[[phase\n"), StartsWith("mix.toml:3: "));
}

TEST(Scenario, a_file_that_is_not_there_is_an_error) {
  auto scenario = load_scenario("/nonexistent/mix.toml");
  ASSERT_FALSE(scenario);
  EXPECT_EQ(scenario.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(scenario.error().message, HasSubstr("/nonexistent/mix.toml"));
}

TEST(Scenario, survives_json_and_draws_the_same_plan) {
  auto scenario = parse_scenario(kGood, "mix.toml");
  ASSERT_TRUE(scenario);
  auto again = scenario_from_json(nlohmann::json::parse(to_json(*scenario).dump()));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->name, "mix");
  EXPECT_FALSE(again->jitter);
  EXPECT_EQ(draw_plan(*again, 9, 4)->hash(), draw_plan(*scenario, 9, 4)->hash());
}

TEST(Scenario, bad_json_is_told) {
  const auto error = [](const char* text) {
    auto scenario = scenario_from_json(nlohmann::json::parse(text));
    return scenario ? std::string() : scenario.error().message;
  };
  EXPECT_EQ(error("[]"), "scenario: an object with a list \"phases\" is needed");
  EXPECT_EQ(error(R"({"phases": []})"), "scenario without phases");
  EXPECT_EQ(error(R"({"phases": [{}]})"), "phase 1: \"family\" must be a string");
  EXPECT_EQ(error(R"({"phases": [{"family": "batch"}]})"), "phase 1: \"length_ns\" must be a whole number");
  EXPECT_EQ(error(R"({"phases": [{"family": "batch", "length_ns": 5}]})"), "phase 1: length_s = 5e-09 is outside 0.2 .. 600");
  EXPECT_EQ(error(R"({"phases": [{"family": "batch", "length_ns": 1000000000, "parameters": {"jobs": "x"}}]})"), "phase 1: jobs must be a number");
  EXPECT_EQ(error(R"({"phases": [{"family": "batch", "length_ns": 1000000000, "parameters": {"jobs": -2}}]})"),
            "phase 1: jobs = -2 of family batch is outside 1 .. 1000");
  EXPECT_EQ(error(R"({"name": 3, "phases": []})"), "scenario: \"name\" must be a string");
}

TEST(Scenario, cpus_out_of_range_are_refused) {
  auto scenario = parse_scenario(kGood, "mix.toml");
  ASSERT_TRUE(scenario);
  for (const int cpus : {0, -1, 65}) {
    auto plan = draw_plan(*scenario, 1, cpus);
    ASSERT_FALSE(plan);
    EXPECT_EQ(plan.error().message, fmt::format("{} CPUs; allowed are 1 .. 64", cpus));
  }
}

TEST(Scenario, those_that_ship_can_be_read_and_drawn) {
  int seen = 0;
  for (const auto& entry : std::filesystem::directory_iterator(POINTSMAN_SOURCE_DIR "/scenarios")) {
    if (entry.path().extension() != ".toml") continue;
    auto scenario = load_scenario(entry.path().string());
    ASSERT_TRUE(scenario) << scenario.error().message;
    EXPECT_EQ(scenario->name, entry.path().stem().string());
    auto plan = draw_plan(*scenario, 1, 4);
    ASSERT_TRUE(plan) << plan.error().message;
    EXPECT_TRUE(check_plan(*plan));
    ++seen;
  }
  EXPECT_GT(seen, 0);
}

std::string regime_of(const Phase& phase) { return std::string((*find_family(phase.family))->regime); }

TEST(DrawnScenario, mixed_takes_every_regime_in_turn) {
  std::set<std::string> orders;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    auto scenario = draw_scenario("mixed", seed, 10, 5 * kSecond);
    ASSERT_TRUE(scenario) << scenario.error().message;
    ASSERT_EQ(scenario->phases.size(), 10u);
    std::set<std::string> used;
    std::string order;
    for (size_t p = 0; p < 10; ++p) {
      const std::string regime = regime_of(scenario->phases[p]);
      EXPECT_TRUE(p == 0 || regime != regime_of(scenario->phases[p - 1])) << "seed " << seed << " phase " << p;
      EXPECT_TRUE(used.insert(scenario->phases[p].family).second) << "seed " << seed << ": " << scenario->phases[p].family << " twice";
      if (p < 4) order += regime + " ";
    }
    std::set<std::string> first_four;
    for (size_t p = 0; p < 4; ++p) first_four.insert(regime_of(scenario->phases[p]));
    EXPECT_EQ(first_four, (std::set<std::string>{"batch", "tail", "interactive", "switching"}));
    orders.insert(order);
  }
  EXPECT_GT(orders.size(), 10u);
}

TEST(DrawnScenario, alternating_comes_back_to_two_families_of_two_regimes) {
  auto scenario = draw_scenario("alternating", 3, 5, 4 * kSecond);
  ASSERT_TRUE(scenario);
  const auto& phases = scenario->phases;
  EXPECT_NE(regime_of(phases[0]), regime_of(phases[1]));
  EXPECT_EQ(phases[0].family, phases[2].family);
  EXPECT_EQ(phases[0].family, phases[4].family);
  EXPECT_EQ(phases[1].family, phases[3].family);
}

TEST(DrawnScenario, a_regime_alone_uses_all_its_families_before_one_comes_again) {
  std::set<std::string> used;
  auto scenario = draw_scenario("tail", 8, 5, 4 * kSecond);
  ASSERT_TRUE(scenario);
  for (const Phase& phase : scenario->phases) {
    EXPECT_EQ(regime_of(phase), "tail");
    used.insert(phase.family);
  }
  EXPECT_EQ(used.size(), 5u);
}

TEST(DrawnScenario, boundaries_lie_off_the_grid_of_50_ms) {
  for (const std::string_view kind : scenario_kinds()) {
    for (uint64_t seed = 1; seed <= 20; ++seed) {
      auto scenario = draw_scenario(kind, seed, 12, 5 * kSecond);
      ASSERT_TRUE(scenario);
      int64_t end = 0;
      for (const Phase& phase : scenario->phases) {
        EXPECT_GE(phase.length_ns, 5 * kSecond + 10 * kMillisecond);
        EXPECT_LE(phase.length_ns, 5 * kSecond + 40 * kMillisecond);
        end += phase.length_ns;
        const int64_t beside = end % (50 * kMillisecond);
        EXPECT_GE(beside, 7 * kMillisecond);
        EXPECT_LE(beside, 43 * kMillisecond);
      }
    }
  }
}

TEST(DrawnScenario, families_held_out_never_appear) {
  const std::vector<std::string> without = {"pareto", "bimodal", "named", "cgi"};
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    auto scenario = draw_scenario("mixed", seed, 8, 2 * kSecond, without);
    ASSERT_TRUE(scenario);
    for (const Phase& phase : scenario->phases) EXPECT_EQ(std::count(without.begin(), without.end(), phase.family), 0);
  }
  const std::vector<std::string> all_of_tail = {"pareto", "bimodal", "named", "cgi", "crawler"};
  auto none = draw_scenario("tail", 1, 2, 2 * kSecond, all_of_tail);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().message, "no families are left for a scenario of kind \"tail\"");
}

TEST(DrawnScenario, mistakes_are_told) {
  const auto error = [](std::string_view kind, int phases, int64_t length, std::vector<std::string> without = {}) {
    auto scenario = draw_scenario(kind, 1, phases, length, without);
    return scenario ? std::string() : scenario.error().message;
  };
  EXPECT_EQ(error("mixd", 6, kSecond), "unknown kind of scenario \"mixd\"; there are mixed, alternating, batch, tail, interactive, switching");
  EXPECT_EQ(error("mixed", 0, kSecond), "0 phases; allowed are 1 .. 1000");
  EXPECT_EQ(error("mixed", 6, 1000), "phases of 1e-06 s; allowed are 0.2 .. 600");
  EXPECT_THAT(error("mixed", 6, kSecond, {"bath"}), StartsWith("unknown family \"bath\"; there are "));
}

}  // namespace
}  // namespace pointsman

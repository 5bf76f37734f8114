#include "agent/config.h"

#include <gmock/gmock.h>

#include "base/file.h"

namespace pointsman {
namespace {

using testing::HasSubstr;

std::string complaint(std::string_view toml) {
  auto config = parse_config(toml, "pm.toml");
  EXPECT_FALSE(config) << toml;
  if (config) return "";
  EXPECT_EQ(config.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(config.error().message.find('\n'), std::string::npos);
  return config.error().message;
}

TEST(Config, NothingSetIsTheDefaults) {
  auto config = parse_config("", "pm.toml");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->controller, "");
  EXPECT_FALSE(config->restricts_arms);
  EXPECT_EQ(config->agent.tick_ns, AgentOptions{}.tick_ns);
  EXPECT_EQ(config->agent.guard.multiple, GuardOptions{}.multiple);
  EXPECT_EQ(spell(config->objective), "log_slowdown");
}

TEST(Config, EveryKeyReachesItsPlace) {
  auto config = parse_config(R"(
controller = "round_robin"
model = "m.pmm"
ledger = "live.db"
arms = ["hyb", "eevdf"]
[objective]
cost = "log_ratio_l"
tat_weight = 2
rt_weight = 0.5
cv_weight = 0
rt_floor_ms = 7
cv_floor = 0.2
p99_floor_ms = 3
[guard]
enabled = false
p99_multiple = 4
reference_ms = 30
least_reference_ms = 6
strikes = 3
quarantine_s = 20
[ticks]
tick_ms = 20
window_ms = 100
cost_window_ms = 500
least_dwell_ms = 1000
expected_dwell_ms = 4000
hysteresis = 0.1
)",
                             "pm.toml");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->controller, "round_robin");
  EXPECT_EQ(config->model, "m.pmm");
  EXPECT_EQ(config->ledger, "live.db");
  EXPECT_TRUE(config->restricts_arms);
  EXPECT_EQ(config->agent.choosable, (std::array<bool, kChoosable>{true, true, false, false, false, false}));
  EXPECT_EQ(spell(config->objective), "log_ratio_l tat_weight=2 rt_weight=0.5 cv_weight=0 rt_floor_ms=7 cv_floor=0.2");
  EXPECT_DOUBLE_EQ(config->objective.p99_floor_s, .003);
  const GuardOptions& guard = config->agent.guard;
  EXPECT_FALSE(guard.enabled);
  EXPECT_EQ(guard.multiple, 4);
  EXPECT_EQ(guard.reference_ns, 30 * kMillisecond);
  EXPECT_EQ(guard.least_reference_ns, 6 * kMillisecond);
  EXPECT_EQ(guard.strikes, 3);
  EXPECT_EQ(guard.quarantine_ns, 20 * kSecond);
  EXPECT_EQ(config->agent.tick_ns, 20 * kMillisecond);
  EXPECT_EQ(config->agent.window_ns, 100 * kMillisecond);
  EXPECT_EQ(config->agent.cost_window_ns, 500 * kMillisecond);
  EXPECT_EQ(config->agent.least_dwell_ns, kSecond);
  EXPECT_EQ(config->agent.expected_dwell_ns, 4 * kSecond);
  EXPECT_EQ(config->agent.hysteresis, .1);
}

TEST(Config, WhatIsWrongIsSaidWithItsLine) {
  EXPECT_THAT(complaint("arms = [\"hyb\"\n"), HasSubstr("pm.toml:"));
  EXPECT_THAT(complaint("\narm = \"las\"\n"), HasSubstr("pm.toml:2: unknown key \"arm\" in the configuration; allowed are controller, model, ledger, arms"));
  EXPECT_THAT(complaint("[ticks]\n\ntick = 5\n"), HasSubstr("pm.toml:3: unknown key \"tick\" in [ticks]; allowed are tick_ms"));
  EXPECT_THAT(complaint("arms = [\"hyb\",\n  \"leg\"]\n"), HasSubstr("pm.toml:2: no arm 'leg'"));
  EXPECT_THAT(complaint("arms = [\"hyb\", \"rtc\"]\n"), HasSubstr("rtc is a baseline"));
  EXPECT_THAT(complaint("arms = [\"las\"]\n"), HasSubstr("arms must have hyb"));
  EXPECT_THAT(complaint("arms = []\n"), HasSubstr("a list of names"));
  EXPECT_THAT(complaint("arms = 3\n"), HasSubstr("a list of names"));
  EXPECT_THAT(complaint("[objective]\ncost = \"beauty\"\n"), HasSubstr("pm.toml:2: "));
  EXPECT_THAT(complaint("[objective]\ncost = \"beauty\"\n"), HasSubstr("log_slowdown"));
  EXPECT_THAT(complaint("[objective]\ntat_weight = 0\nrt_weight = 0\ncv_weight = 0\n"), HasSubstr("pm.toml:2: the three weights are all 0"));
  EXPECT_THAT(complaint("[guard]\np99_multiple = 0.5\n"), HasSubstr("pm.toml:2: p99_multiple = 0.5 is outside 1 .. 1000"));
  EXPECT_THAT(complaint("[guard]\nenabled = 1\n"), HasSubstr("true or false"));
  EXPECT_THAT(complaint("[guard]\nstrikes = 1.5\n"), HasSubstr("a whole number from 1 to 100"));
  EXPECT_THAT(complaint("[ticks]\ntick_ms = nan\n"), HasSubstr("tick_ms = nan is outside"));
  EXPECT_THAT(complaint("[ticks]\ntick_ms = \"fast\"\n"), HasSubstr("must be a number"));
  EXPECT_THAT(complaint("[ticks]\ntick_ms = 60\n"), HasSubstr("window_ms must be a multiple of tick_ms"));
  EXPECT_THAT(complaint("ticks = 5\n"), HasSubstr("ticks must be a table"));
  EXPECT_THAT(complaint("controller = 5\n"), HasSubstr("a string in quotes"));
  auto missing = load_config("/no/such/file");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
}

// The file that the documentation shows must be one that works, with every key at its default.
TEST(Config, TheDocumentedFileHasEveryKeyAtItsDefault) {
  auto text = read_file(std::string(POINTSMAN_SOURCE_DIR) + "/docs/configuration.md");
  ASSERT_TRUE(text) << text.error().message;
  const size_t begin = text->find("```toml\n"), end = text->find("```", begin + 8);
  ASSERT_NE(begin, std::string::npos);
  ASSERT_NE(end, std::string::npos);
  const std::string example = text->substr(begin + 8, end - begin - 8);
  auto config = parse_config(example, "configuration.md");
  ASSERT_TRUE(config) << config.error().message;
  const AgentOptions usual;
  EXPECT_EQ(config->agent.choosable, usual.choosable);
  EXPECT_EQ(config->agent.tick_ns, usual.tick_ns);
  EXPECT_EQ(config->agent.window_ns, usual.window_ns);
  EXPECT_EQ(config->agent.cost_window_ns, usual.cost_window_ns);
  EXPECT_EQ(config->agent.least_dwell_ns, usual.least_dwell_ns);
  EXPECT_EQ(config->agent.expected_dwell_ns, usual.expected_dwell_ns);
  EXPECT_EQ(config->agent.hysteresis, usual.hysteresis);
  EXPECT_EQ(config->agent.guard.enabled, usual.guard.enabled);
  EXPECT_EQ(config->agent.guard.multiple, usual.guard.multiple);
  EXPECT_EQ(config->agent.guard.reference_ns, usual.guard.reference_ns);
  EXPECT_EQ(config->agent.guard.least_reference_ns, usual.guard.least_reference_ns);
  EXPECT_EQ(config->agent.guard.strikes, usual.guard.strikes);
  EXPECT_EQ(config->agent.guard.quarantine_ns, usual.guard.quarantine_ns);
  const Objective objective;
  EXPECT_EQ(config->objective.kind, objective.kind);
  EXPECT_EQ(config->objective.tat_weight, objective.tat_weight);
  EXPECT_EQ(config->objective.rt_floor_s, objective.rt_floor_s);
  EXPECT_EQ(config->objective.cv_floor, objective.cv_floor);
  EXPECT_EQ(config->objective.p99_floor_s, objective.p99_floor_s);
  for (const char* key : {"controller", "model", "ledger", "arms", "cost", "tat_weight", "rt_weight", "cv_weight", "rt_floor_ms", "cv_floor", "p99_floor_ms", "enabled", "p99_multiple", "reference_ms",
                          "least_reference_ms", "strikes", "quarantine_s", "tick_ms", "window_ms", "cost_window_ms", "least_dwell_ms", "expected_dwell_ms", "hysteresis"})
    EXPECT_NE(example.find(std::string(key) + " ="), std::string::npos) << key;
}

}  // namespace
}  // namespace pointsman

#include "report/demo_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "report/wellformed_for_test.h"

namespace pointsman::report {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Mean with an interval from the least to the greatest: simple enough to check by hand.
Interval range_of(std::span<const double> values) {
  Interval out{0, values[0], values[0]};
  for (const double v : values) {
    out.mean += v / static_cast<double>(values.size());
    out.low = std::min(out.low, v);
    out.high = std::max(out.high, v);
  }
  return out;
}

DemoRun synthetic_run(const std::string& controller, uint64_t seed, double ratio) {
  DemoRun run{.scenario = "synthetic", .seed = seed, .controller = controller};
  run.costs = {.ln_ratio = std::log(ratio),
               .log_slowdown = std::log(2 * ratio),
               .mean_tat_s = .4 * ratio,
               .mean_rt_s = .05 * ratio,
               .cv_fairness = .5,
               .seed_l = .4 * ratio + .05 * ratio + .5,
               .p99_rt_short_s = .02 * ratio};
  return run;
}

DemoReport synthetic_report() {
  DemoReport report;
  report.machine = {
      .kernel = "Linux test", .qemu = "QEMU test", .snapshot = "cafe", .guest_cpus = 4, .guest_memory_bytes = 1e9, .host_cpus = 2};
  report.scenarios = {{.name = "synthetic",
                       .split = "test-seeds",
                       .phases = {{.family = "one",
                                   .regime = "batch",
                                   .imitates = "first",
                                   .start_s = 0,
                                   .length_s = 5,
                                   .costs = {{"eevdf", {1, 1, 1}}, {"las", {.8, .7, .9}}}},
                                  {.family = "two", .regime = "tail", .start_s = 5, .length_s = 5}}}};
  report.controllers = {{"eevdf", "static", "the kernel's own"}, {"hyb", "static", ""}, {"agent", "learned", ""}, {"oracle", "oracle", ""}};
  for (const uint64_t seed : {1u, 2u}) {
    const double off = seed == 1 ? .98 : 1.02;
    report.runs.push_back(synthetic_run("eevdf", seed, 1));
    report.runs.push_back(synthetic_run("hyb", seed, .9 * off));
    report.runs.push_back(synthetic_run("agent", seed, .7 * off));
    report.runs.push_back(synthetic_run("oracle", seed, .65 * off));
    DemoRun& agent = report.runs[report.runs.size() - 2];
    agent.swaps = 1;
    agent.steps = {{.t_s = 0, .arm = "hyb"}, {.t_s = 5.5, .decided_s = 5.25, .arm = "las", .why = "gain 9 %"}};
    agent.seen = {{.phase = 1, .saw = "120 forks/s", .chose = "las", .why = "gain 9 %"}};
    report.runs.back().steps = {{.t_s = 0, .arm = "age"}, {.t_s = 5, .arm = "las"}};
  }
  report.gaps = {{.split = "test-seeds",
                  .controller = "agent",
                  .train_static = "hyb",
                  .hindsight_static = "las",
                  .blocks = 2,
                  .vs_train_static = {.72, .58, .83},
                  .vs_hindsight = {.3, -.1, .6}}};
  report.command = "pointsman demo --seeds 1,2";
  return report;
}

const SummaryRow& row_of(const DemoReport& report, const std::string& controller) {
  for (const SummaryRow& row : report.summary)
    if (row.controller == controller) return row;
  ADD_FAILURE() << "no row for " << controller;
  static const SummaryRow none;
  return none;
}

TEST(DemoReport, ratios_are_paired_with_the_baseline_block_by_block) {
  DemoReport report = synthetic_report();
  summarise(report, range_of);
  const SummaryRow& agent = row_of(report, "agent");
  EXPECT_EQ(agent.blocks, 2);
  EXPECT_NEAR(agent.cost.mean, .7 * std::sqrt(.98 * 1.02), 1e-12);
  EXPECT_NEAR(agent.cost.low, .7 * .98, 1e-12);
  EXPECT_NEAR(agent.cost.high, .7 * 1.02, 1e-12);
  EXPECT_NEAR(agent.tat.mean, agent.cost.mean, 1e-12);
  EXPECT_NEAR(agent.cv_fairness.mean, 1, 1e-12);
  EXPECT_EQ(agent.swaps.mean, 1);
  EXPECT_EQ(row_of(report, "eevdf").cost.mean, 1);
  EXPECT_NEAR(row_of(report, "eevdf").absolute.mean_tat_s, .4, 1e-12);
  // Against hyb both seeds give .7 / .9: the seeds' own spread falls out of the pairing.
  ASSERT_EQ(report.versus.size(), 3u);
  EXPECT_EQ(report.versus[1].rival, "hyb");
  EXPECT_NEAR(report.versus[1].ratio.low, .7 / .9, 1e-12);
  EXPECT_NEAR(report.versus[1].ratio.high, .7 / .9, 1e-12);
}

TEST(DemoReport, distrusted_and_unpaired_runs_are_averaged_nowhere) {
  DemoReport report = synthetic_report();
  report.runs[2].distrust = "self-test: 9 ms";
  report.runs.push_back(synthetic_run("agent", 3, 5));  // no baseline of this seed
  summarise(report, range_of);
  EXPECT_EQ(row_of(report, "agent").blocks, 1);
  EXPECT_NEAR(row_of(report, "agent").cost.mean, .7 * 1.02, 1e-12);
  EXPECT_EQ(row_of(report, "hyb").blocks, 2);
  EXPECT_THAT(to_html(report), HasSubstr("<li>synthetic, seed 1, agent: self-test: 9 ms</li>"));
}

TEST(DemoReport, missing_costs_are_dashes_not_numbers) {
  DemoReport report = synthetic_report();
  for (DemoRun& run : report.runs) run.costs.p99_rt_short_s = kMissing;
  report.runs[0].costs.mean_rt_s = 0;
  summarise(report, range_of);
  EXPECT_FALSE(row_of(report, "agent").p99_rt_short.known());
  EXPECT_NEAR(row_of(report, "agent").rt.mean, .7 * 1.02, 1e-12);  // the seed whose ratio is not defined does not count
  EXPECT_THAT(cost_table(report, "test-seeds").text(), Not(HasSubstr("nan")));
}

TEST(Headline, says_what_was_gained_and_what_may_be_chance) {
  DemoReport report = synthetic_report();
  summarise(report, range_of);
  const Headline head = headline(report);
  EXPECT_EQ(head.claim,
            "The agent cut the typical job's slowdown by 30 % against eevdf, the kernel's own scheduler, and by 22 % against hyb, the best "
            "fixed choice known beforehand.");
  EXPECT_EQ(head.detail,
            "It went 72 % (95 % interval 58 % to 83 %) of the way from hyb, the best fixed choice known beforehand, to a perfect chooser. "
            "It went 30 % (95 % interval -10 % to 60 %) of the way from las, the best fixed choice in hindsight, to a perfect chooser; the "
            "interval includes zero, so this may be "
            "chance.");
}

TEST(Headline, one_rival_is_named_once) {
  DemoReport report = synthetic_report();
  report.gaps[0].hindsight_static = report.gaps[0].train_static;
  report.gaps[0].vs_hindsight = report.gaps[0].vs_train_static;
  summarise(report, range_of);
  EXPECT_EQ(headline(report).detail,
            "It went 72 % (95 % interval 58 % to 83 %) of the way from hyb, the best fixed choice known beforehand and in hindsight too, to a perfect chooser.");
}

TEST(Headline, admits_losses_and_doubt) {
  DemoReport report = synthetic_report();
  report.versus = {{"test-seeds", "eevdf", {.97, .9, 1.05}}, {"test-seeds", "hyb", {1.08, 1.02, 1.13}}};
  report.gaps[0].vs_train_static = {-.4, -.8, -.1};
  report.gaps[0].vs_hindsight = {};
  const Headline head = headline(report);
  EXPECT_EQ(
      head.claim,
      "The agent made no clear difference to the typical job's slowdown against eevdf, the kernel's own scheduler, but raised it by 8 % "
      "against hyb, the best fixed choice known beforehand.");
  EXPECT_THAT(head.detail,
              ::testing::StartsWith("Against eevdf the slowdown was 3 % lower; the 95 % interval reaches from 10 % lower to 5 % higher. "));
  EXPECT_THAT(head.detail, HasSubstr("It fell behind hyb, the best fixed choice known beforehand: -40 % (95 % interval -80 % to -10 %) of "
                                     "the way to a perfect chooser."));
  EXPECT_THAT(head.detail, HasSubstr("Against las, the best fixed choice in hindsight, there was no gap to close"));
}

TEST(Headline, has_no_claim_without_runs) {
  EXPECT_EQ(headline(DemoReport{}).claim, "There is no trusted run of the agent to judge by.");
  DemoReport single = synthetic_report();
  single.versus = {{"test-seeds", "eevdf", {.8}}, {"test-seeds", "hyb", {.9}}};
  single.gaps[0].vs_train_static = {.5};
  EXPECT_THAT(headline(single).detail, HasSubstr("from a single block, so without an interval"));
}

TEST(Headline, speaks_of_families_never_seen_only_as_far_as_shown) {
  DemoReport report = synthetic_report();
  report.gaps.push_back({.split = "test-families", .controller = "agent", .train_static = "hyb", .vs_train_static = {.1, -.05, .2}});
  summarise(report, range_of);
  EXPECT_THAT(
      headline(report).detail,
      HasSubstr("On families of workloads never seen in training it closed 10 % [-5 %, 20 %] of the gap to hyb: no gain is shown there."));
}

TEST(DemoReport, json_gives_everything_back) {
  DemoReport report = synthetic_report();
  report.runs[0].distrust = "d";
  report.runs[0].costs.p99_rt_short_s = kMissing;
  report.overhead = {.cpu_ratio = .006, .rss_bytes = 9e6, .tick_p99_s = 2e-4};
  report.swap_times = {{.kind = "hot", .count = 3, .call_p50_s = 3e-4, .call_p99_s = 6e-4, .longest_wait_s = .003}};
  report.how = {"how"};
  report.limits = {"limit"};
  report.runs[1].seed = 18446744073709551615ull;
  summarise(report, range_of);
  const nlohmann::json json = to_json(report);
  const auto back = demo_report_from(nlohmann::json::parse(dump_json(json)));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(to_json(*back), json);
  EXPECT_EQ(to_html(*back), to_html(report));
  EXPECT_EQ(back->runs[1].seed, 18446744073709551615ull);
  EXPECT_TRUE(std::isnan(back->runs[0].costs.p99_rt_short_s));
  EXPECT_EQ(back->runs[2].steps[1].why, "gain 9 %");
}

TEST(DemoReport, json_has_what_readers_look_for) {
  DemoReport report = synthetic_report();
  summarise(report, range_of);
  const nlohmann::json json = to_json(report);
  EXPECT_EQ(json["gap_closed"].dump(),
            R"({"vs_hindsight":{"high":0.6,"low":-0.1,"mean":0.3},"vs_train_static":{"high":0.83,"low":0.58,"mean":0.72}})");
  EXPECT_EQ(json["controllers"][2]["name"], "agent");
  EXPECT_NEAR(json["controllers"][2]["ratios_to_baseline"]["cost"]["low"].get<double>(), .7 * .98, 1e-12);
  EXPECT_EQ(to_json(DemoReport{})["gap_closed"]["vs_hindsight"]["mean"], nullptr);
}

TEST(DemoReport, damaged_json_is_refused_with_the_place) {
  nlohmann::json json = to_json(synthetic_report());
  json["runs"][1]["costs"].erase("mean_tat_s");
  auto back = demo_report_from(json);
  ASSERT_FALSE(back);
  EXPECT_EQ(back.error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(back.error().message, "stored demo report: runs[1].costs.mean_tat_s: missing");

  json = to_json(synthetic_report());
  json["scenarios"][0]["phases"] = "x";
  EXPECT_EQ(demo_report_from(json).error().message, "stored demo report: scenarios[0].phases: want a list, have string");
  json = to_json(synthetic_report());
  json["runs"][0]["seed"] = -1;
  EXPECT_EQ(demo_report_from(json).error().message, "stored demo report: runs[0].seed: want a whole number in range");
  json["version"] = 2;
  EXPECT_EQ(demo_report_from(json).error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(demo_report_from(nlohmann::json::array()).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(demo_report_from({{"format", "pointsman-demo"}}).error().code, ErrorCode::kUnsupported);
}

TEST(DemoPage, is_whole_and_loads_nothing) {
  DemoReport report = synthetic_report();
  summarise(report, range_of);
  const std::string html = to_html(report);
  EXPECT_EQ(problem_in_markup(html), "");
  EXPECT_THAT(html, HasSubstr("default-src 'none'"));
  for (const char* outside : {"src=", "<link", "@import", "url(", "fetch("}) EXPECT_THAT(html, Not(HasSubstr(outside)));
  std::string rest = html;
  const std::string name_of_svg = "http://www.w3.org/2000/svg";  // the name of a standard: nothing is loaded from it
  for (size_t at = rest.find(name_of_svg); at != std::string::npos; at = rest.find(name_of_svg)) rest.erase(at, name_of_svg.size());
  EXPECT_THAT(rest, Not(HasSubstr("://")));
}

TEST(DemoPage, says_things_in_order) {
  DemoReport report = synthetic_report();
  summarise(report, range_of);
  const std::string html = to_html(report);
  size_t last = 0;
  for (const char* part : {"<h1>The agent cut", "id=\"results\"", "<table", "id=\"timelines\"", "id=\"arms\"", "id=\"decisions\"",
                           "120 forks/s", "id=\"method\"", "<h3>Limits</h3>", "no caches", "biased towards", "id=\"machine\"", "Linux test",
                           "id=\"again\"", "pointsman demo --seeds 1,2"}) {
    const size_t at = html.find(part, last);
    ASSERT_NE(at, std::string::npos) << part << " is missing or comes too early";
    last = at;
  }
  // The first seed is open, the other folded away.
  EXPECT_THAT(html, HasSubstr("<h3>synthetic, seed 1</h3>"));
  EXPECT_THAT(html, HasSubstr("<summary>synthetic, seed 2</summary>"));
}

TEST(DemoPage, hostile_names_are_shown_and_not_obeyed) {
  const std::string evil = "</style></script><script>alert(1)</script><img src=x onerror=alert(1)>\"'\xff\x1b";
  DemoReport report = synthetic_report();
  report.title = report.command = report.machine.kernel = evil;
  report.how = report.limits = {evil};
  report.scenarios[0].name = evil;
  report.scenarios[0].split = report.split = report.gaps[0].split = evil;
  report.scenarios[0].phases[1].family = report.scenarios[0].phases[1].regime = report.scenarios[0].phases[1].imitates = evil;
  report.scenarios[0].phases[0].costs[1].controller = evil;
  report.gaps[0].train_static = report.gaps[0].hindsight_static = evil;
  report.controllers[3].name = report.controllers[3].summary = report.oracle = evil;
  for (DemoRun& run : report.runs) {
    run.scenario = evil;
    if (run.controller == "oracle") run.controller = evil;
    for (DemoStep& step : run.steps) step.arm = step.why = evil;
    for (Sight& sight : run.seen) sight.saw = sight.chose = sight.why = evil;
  }
  report.runs[0].distrust = evil;
  summarise(report, range_of);
  const std::string html = to_html(report);
  EXPECT_EQ(problem_in_markup(html), "");
  EXPECT_THAT(html, Not(HasSubstr("<script>alert")));
  EXPECT_THAT(html, Not(HasSubstr("<img")));
  EXPECT_THAT(html, Not(HasSubstr("\x1b")));
  EXPECT_THAT(html, Not(HasSubstr("\xff")));
  EXPECT_TRUE(demo_report_from(nlohmann::json::parse(dump_json(to_json(report)))));
}

TEST(DemoPage, empty_and_half_empty_reports_are_whole_pages) {
  EXPECT_EQ(problem_in_markup(to_html(DemoReport{})), "");
  EXPECT_THAT(to_text(DemoReport{}), HasSubstr("no trusted run"));
  DemoReport report = synthetic_report();
  report.runs.resize(1);
  for (DemoRun& run : report.runs) run.costs = {};
  report.gaps[0].vs_train_static = {};
  report.scenarios[0].phases[0].costs[1].ratio = {};
  report.scenarios[0].phases[1].start_s = kMissing;
  summarise(report, range_of);
  const std::string html = to_html(report);
  EXPECT_EQ(problem_in_markup(html), "");
  for (const char* bad : {"nan", "inf ", "-inf"}) EXPECT_THAT(to_text(report), Not(HasSubstr(bad)));
}

TEST(DemoPage, is_deterministic) {
  DemoReport a = synthetic_report(), b = synthetic_report();
  summarise(a, range_of);
  summarise(b, range_of);
  EXPECT_EQ(to_html(a), to_html(b));
}

}  // namespace
}  // namespace pointsman::report

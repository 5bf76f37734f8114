// DemoReport: what a demo found, as plain data: the page, the terminal's tables and the JSON are made from it, and JSON gives it back.
// Whoever ran the demo fills scenarios, controllers, runs and gaps; summarise() derives the rest. NaN: not known; it is printed as a dash
// and never as a number.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/result.h"
#include "report/interval.h"
#include "report/table.h"

namespace pointsman::report {

// What the lab does not model: stands beside every result.
std::vector<std::string> lab_limits();

struct MachineCard {
  std::string kernel{}, qemu{};
  std::string binary_hash{}, snapshot{};  // results are compared only within one of each
  std::string commit{};
  int guest_cpus = 0;
  double guest_memory_bytes = kMissing;
  std::string host_cpu{};
  int host_cpus = 0;
  std::string date{};
};

struct ArmCost {
  std::string controller{};
  Interval ratio{};  // geometric-mean slowdown as a ratio to the baseline's
};

struct DemoPhase {
  std::string family{}, regime{}, imitates{};
  double start_s = 0, length_s = 0;
  std::vector<ArmCost> costs{};
};

struct DemoScenario {
  std::string name{};
  std::string split{};  // test-seeds, test-families
  std::vector<DemoPhase> phases{};
};

struct ControllerInfo {
  std::string name{};
  std::string kind{};  // static, rule, random, learned, oracle
  std::string summary{};
};

struct RunCosts {
  double ln_ratio = kMissing;      // the cost: mean over families of ln geometric-mean slowdown, minus the baseline's on the same jobs
  double log_slowdown = kMissing;  // mean over all jobs of ln slowdown
  double mean_tat_s = kMissing, mean_rt_s = kMissing, cv_fairness = kMissing;
  double seed_l = kMissing;  // mean TAT [s] + mean RT [s] + CV of fairness
  double p99_rt_short_s = kMissing;
};

struct DemoStep {
  double t_s = 0;               // active from here on, as read back from the kernel
  double decided_s = kMissing;  // when the controller asked for it
  std::string arm{};
  std::string why{};
  bool refused = false;  // asked for, but it did not come to be
};

// What a controller made of one phase, in words.
struct Sight {
  int phase = 0;
  std::string saw{}, chose{}, why{};
};

struct DemoRun {
  std::string scenario{};
  uint64_t seed = 0;
  std::string controller{};
  RunCosts costs{};
  double swaps = 0;
  double end_s = kMissing;        // when its last job ended
  std::vector<DemoStep> steps{};  // the first is the arm it started under
  std::vector<Sight> seen{};
  std::string distrust{};  // why this run is shown but averaged nowhere; empty: it is averaged
  std::string results_hash{};
};

struct GapClosed {
  std::string split{}, controller{};
  std::string train_static{}, hindsight_static{};  // the two rivals by name
  int blocks = 0;
  Interval vs_train_static{}, vs_hindsight{};  // 0: as good as the rival, 1: as good as the oracle
};

struct AgentOverhead {
  double cpu_ratio = kMissing;  // of one CPU
  double rss_bytes = kMissing;
  double tick_p99_s = kMissing;
};

struct SwapTime {
  std::string kind{};  // hot, warm
  double count = 0;
  double call_p50_s = kMissing, call_p99_s = kMissing, longest_wait_s = kMissing;
};

// Derived: one controller over all blocks (scenario x seed) of one split; ratios to the baseline on the same blocks.
struct SummaryRow {
  std::string split{}, controller{};
  int blocks = 0;
  Interval cost{}, tat{}, rt{}, cv_fairness{}, seed_l{}, p99_rt_short{};
  Interval swaps{};     // per run
  RunCosts absolute{};  // means over the blocks
};

// Derived: the agent's cost as a ratio to one other controller's, paired over blocks.
struct Versus {
  std::string split{}, rival{};
  Interval ratio{};
};

struct DemoReport {
  std::string title = "pointsman demo";
  std::string agent = "agent", baseline = "eevdf", oracle = "oracle";
  std::string split = "test-seeds";  // the one the headline speaks of
  MachineCard machine{};
  std::vector<DemoScenario> scenarios{};
  std::vector<ControllerInfo> controllers{};  // in the order of the tables
  std::vector<DemoRun> runs{};
  std::vector<GapClosed> gaps{};
  AgentOverhead overhead{};
  std::vector<SwapTime> swap_times{};
  std::vector<std::string> how{};                  // how it was measured, a paragraph each
  std::vector<std::string> limits = lab_limits();  // a sentence each
  std::string command{};                           // regenerates it
  std::vector<SummaryRow> summary{};
  std::vector<Versus> versus{};
};

// Fills `summary` and `versus` from the runs that are trusted.
void summarise(DemoReport& report, const IntervalOf& interval_of);

struct Headline {
  std::string claim{};   // one sentence: what was gained, against whom
  std::string detail{};  // how much of what could be gained, and what is not certain
};
// Needs the derived fields. Says so when the gain is negative, or when its interval includes none.
Headline headline(const DemoReport& report);

Table cost_table(const DemoReport& report, const std::string& split);
Table gap_table(const DemoReport& report);
// What the terminal shows at the end.
std::string to_text(const DemoReport& report, const TextStyle& style = {});
std::string to_html(const DemoReport& report);
std::string machine_html(const MachineCard& machine);

// Has, besides all fields, gap_closed {vs_train_static, vs_hindsight} of the headline's split and, per controller, ratios_to_baseline: for
// readers, not read back.
nlohmann::json to_json(const DemoReport& report);
// Errors: kCorrupt, with the place of what is missing or of the wrong kind; kUnsupported for another version of the format.
Result<DemoReport> demo_report_from(const nlohmann::json& json);

}  // namespace pointsman::report

// From the demo's episodes to the report: names, phases, runs, what the agent saw in words, gaps.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "lab/campaign.h"
#include "learn/evaluation.h"
#include "learn/oracle.h"
#include "report/demo_report.h"

namespace pointsman {

// What ran: a scenario, the split it belongs to, and the label of the controller (its spec may be a long schedule).
struct DemoTask {
  size_t scenario = 0;
  uint64_t seed = 0;
  std::string label;
};

// What the oracle does in a scenario, by the matrix's costs (family_costs) and what swaps cost here. Errors: those of oracle_schedule.
Result<std::vector<ScheduleEntry>> oracle_plan(const Scenario& scenario, const std::map<std::string, ArmCosts>& costs);
// The static arm that is best on the blocks of the split train.
std::string train_static_of(const Dataset& matrix);

// Mean over the phases of ln geometric-mean slowdown: families count equally, whatever their number of jobs.
double mean_phase_cost(const EpisodeResult& result);
report::DemoRun demo_run_of(const Scenario& scenario, const DemoTask& task, const EpisodeRequest& request, const EpisodeResult& result);
EvaluatedRun evaluated_run_of(const Scenario& scenario, const DemoTask& task, const EpisodeResult& result);
report::DemoScenario demo_scenario_of(const Scenario& scenario, const std::string& split);
// One phase of a run in a line: what the agent saw and did.
std::vector<report::Sight> sights_of(const Scenario& scenario, const EpisodeResult& result);

}  // namespace pointsman

// From the demo's episodes to the report: names, phases, runs, what the agent saw in words, gaps.
#pragma once

#include <string>
#include <vector>

#include "lab/campaign.h"
#include "learn/evaluation.h"
#include "report/demo_report.h"

namespace pointsman {

// What ran: a scenario, the split it belongs to, and the label of the controller (its spec may be a long schedule).
struct DemoTask {
  size_t scenario = 0;
  uint64_t seed = 0;
  std::string label;
};

// Mean over the phases of ln geometric-mean slowdown: families count equally, whatever their number of jobs.
double mean_phase_cost(const EpisodeResult& result);
report::DemoRun demo_run_of(const Scenario& scenario, const DemoTask& task, const EpisodeRequest& request, const EpisodeResult& result);
EvaluatedRun evaluated_run_of(const Scenario& scenario, const DemoTask& task, const EpisodeResult& result);
report::DemoScenario demo_scenario_of(const Scenario& scenario, const std::string& split);
// One phase of a run in a line: what the agent saw and did.
std::vector<report::Sight> sights_of(const Scenario& scenario, const EpisodeResult& result);

}  // namespace pointsman

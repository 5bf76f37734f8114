#include "lab/counterfactual.h"

#include <algorithm>
#include <cmath>

namespace pointsman {

namespace {

int64_t end_of_phase(const Scenario& scenario, int64_t at_ns) {
  int64_t end = 0;
  for (const Phase& phase : scenario.phases) {
    end += phase.length_ns;
    if (end > at_ns) break;
  }
  return std::max(end, at_ns);
}

bool same_past(const EpisodeResult& a, const EpisodeResult& b, size_t windows) {
  if (a.windows.size() < windows || b.windows.size() < windows) return false;
  for (size_t i = 0; i < windows; ++i) {
    const WindowRow &x = a.windows[i], &y = b.windows[i];
    if (x.end_ns != y.end_ns || x.active != y.active || x.taken != y.taken || x.features != y.features) return false;
  }
  return true;
}

void compare(const EpisodeResult& factual, const EpisodeResult& replay, Counterfactual& out) {
  const int64_t decided_ns = factual.windows[out.window].end_ns;
  double with_swap = 0, without = 0;
  for (size_t i = 0; i < factual.jobs.size(); ++i) {
    const JobRecord &a = factual.jobs[i], &b = replay.jobs[i];
    if (a.planned_ns >= out.until_ns || a.completed_ns <= decided_ns || a.completed_ns < 0 || b.completed_ns < 0) continue;
    const double service_ns = static_cast<double>(factual.plan.jobs[i].service_ns);
    with_swap += std::log(static_cast<double>(a.completed_ns - a.planned_ns) / service_ns);
    without += std::log(static_cast<double>(b.completed_ns - b.planned_ns) / service_ns);
    ++out.jobs;
  }
  if (out.jobs == 0) return;
  out.with_swap = with_swap / static_cast<double>(out.jobs);
  out.without = without / static_cast<double>(out.jobs);
}

}  // namespace

Result<std::vector<Counterfactual>> counterfactuals_of(const GuestSnapshot& snapshot, const EpisodeRequest& request, const EpisodeResult& factual,
                                                       const CampaignOptions& options, const std::function<void(size_t, size_t)>& on_progress) {
  std::vector<Counterfactual> out;
  std::vector<CampaignTask> tasks;
  for (size_t i = 0; i < factual.windows.size(); ++i) {
    const WindowRow& w = factual.windows[i];
    if (w.swap != "confirmed") continue;
    Counterfactual one;
    one.window = i;
    one.stayed = w.active;
    one.until_ns = std::min(end_of_phase(request.scenario, w.end_ns), w.end_ns + kCounterfactualNs);
    CampaignTask task{request, out.size()};
    // Half a window early: the moment that the controller is told is the tick's, not exactly the window's end.
    task.request.overruling = Overruling{.from_ns = w.end_ns - AgentOptions{}.window_ns / 2, .until_ns = one.until_ns, .arm = w.active};
    tasks.push_back(std::move(task));
    out.push_back(std::move(one));
  }
  size_t done = 0;
  auto ran = run_campaign(snapshot, tasks, options, [&](const CampaignTask& task, EpisodeResult replay) -> Result<Unit> {
    Counterfactual& one = out[task.index];
    one.same_past = same_past(factual, replay, one.window);
    one.distrust = replay.distrust;
    compare(factual, replay, one);
    on_progress(++done, tasks.size());
    return Unit{};
  });
  if (!ran) return fail(ran.error());
  return out;
}

}  // namespace pointsman

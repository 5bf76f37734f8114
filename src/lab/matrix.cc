#include "lab/matrix.h"

namespace pointsman {

Scenario scenario_of_family(const std::string& family, int64_t length_ns) {
  Scenario scenario;
  scenario.name = family;
  scenario.phases.push_back({.family = family, .length_ns = length_ns, .parameters = {}});
  return scenario;
}

Result<Unit> run_matrix(const GuestSnapshot& snapshot, const Identities& identities, const MatrixOptions& options, Ledger& ledger,
                        const std::function<void(size_t done, size_t total)>& on_progress) {
  std::vector<CampaignTask> tasks;
  for (size_t i = 0; i < options.cells.size(); ++i) {
    const MatrixCell& cell = options.cells[i];
    EpisodeRequest request{.scenario = scenario_of_family(cell.family, options.length_ns),
                           .seed = cell.seed,
                           .draw = cell.draw,
                           .cpus = options.cpus,
                           .controller = cell.controller};
    const auto known = ledger.has(run_key_of(request, identities));
    if (!known) return fail(known.error());
    if (!*known) tasks.push_back({std::move(request), i});
  }
  const size_t total = options.cells.size();
  size_t done = total - tasks.size();
  on_progress(done, total);
  return run_campaign(snapshot, tasks, {.workers = options.workers}, [&](const CampaignTask& task, EpisodeResult result) -> Result<Unit> {
    if (auto appended = ledger.append(ledger_run_of(task.request, result, identities)); !appended) return appended;
    on_progress(++done, total);
    return Unit{};
  });
}

}  // namespace pointsman

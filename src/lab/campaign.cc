#include "lab/campaign.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <thread>

namespace pointsman {

Result<Unit> run_campaign(const GuestSnapshot& snapshot, const std::vector<CampaignTask>& tasks, const CampaignOptions& options,
                          const std::function<Result<Unit>(const CampaignTask&, EpisodeResult)>& on_result) {
  std::atomic<size_t> next{0};
  std::mutex mutex;
  std::optional<Error> first_error;
  const auto work = [&] {
    for (;;) {
      const size_t i = next.fetch_add(1);
      if (i >= tasks.size()) return;
      auto result = run_episode(snapshot, tasks[i].request, options.model);
      const std::lock_guard lock(mutex);
      Result<Unit> taken = Unit{};
      if (result) {
        taken = on_result(tasks[i], std::move(*result));
      } else if (result.error().code == ErrorCode::kInterrupted) {
        taken = fail(result.error());
      } else {
        const EpisodeRequest& request = tasks[i].request;
        taken = fail(result.error().at(fmt::format("{} seed {} under {}", request.scenario.name, request.seed, request.controller)));
      }
      if (!taken) {
        if (!first_error) first_error = taken.error();
        next.store(tasks.size());
      }
    }
  };
  const int workers = options.workers > 0 ? options.workers : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  {
    std::vector<std::jthread> threads;
    for (int i = 1; i < workers && static_cast<size_t>(i) < tasks.size(); ++i) threads.emplace_back(work);
    work();
  }
  if (first_error) return fail(*first_error);
  return Unit{};
}

}  // namespace pointsman

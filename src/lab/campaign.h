// Campaign: many episodes as forks of one snapshot, several at once.
// Threads: results are handed over one at a time, in the order in which they end, in whichever thread ran them.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "lab/episode.h"

namespace pointsman {

struct CampaignTask {
  EpisodeRequest request;
  size_t index = 0;  // the caller's
};

struct CampaignOptions {
  int workers = 0;  // 0: one for each host CPU
  std::string_view model{};
};

// Runs all tasks; stops handing out new ones at the first error and returns it when the running ones have ended; when the snapshot's machines
// are cancelled (MachineOptions::cancel_fd) that error is kInterrupted, and the running ones are ended at once.
// A run that must not be averaged (EpisodeResult::distrust) is handed over like any other: the caller marks it.
Result<Unit> run_campaign(const GuestSnapshot& snapshot, const std::vector<CampaignTask>& tasks, const CampaignOptions& options,
                          const std::function<Result<Unit>(const CampaignTask&, EpisodeResult)>& on_result);

}  // namespace pointsman

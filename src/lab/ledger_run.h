// From an episode to what the ledger keeps of it.
#pragma once

#include "lab/episode.h"
#include "store/run.h"

namespace pointsman {

struct Identities {
  std::string kernel, binary, qemu, snapshot;
};
LedgerRun ledger_run_of(const EpisodeRequest& request, const EpisodeResult& result, const Identities& identities);
// The key under which that episode will be kept, before it is run.
RunKey run_key_of(const EpisodeRequest& request, const Identities& identities);

}  // namespace pointsman

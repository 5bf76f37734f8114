// What the ledger keeps of one run, as plain data: who ran what, what it cost, what was seen, decided and swapped. Arms are stored by name,
// times in ns.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace pointsman {

// Two runs with the same key are the same experiment: with the same seed they have the same bits.
struct RunKey {
  std::string scenario{};    // a scenario's or a family's name
  std::string controller{};  // as make_controller reads it; an arm's name for a static row
  uint64_t seed = 0;
  uint64_t draw = 0;  // further draws of one seed: another delay before the start
  // Identities (hashes) of what produced it; empty where there is none.
  std::string kernel{}, binary{}, plan{}, qemu{}, snapshot{};

  bool operator==(const RunKey&) const = default;
};
std::string describe(const RunKey& key);  // for messages: "batch seed 3 draw 0 under las"

// Costs over some of the jobs of a run: of all, of one phase, of one kind. NaN: not defined.
struct LedgerCosts {
  int phase = -1;        // -1: all
  int kind = -1;         // -1: all
  std::string family{};  // of the phase
  int jobs = 0, unscored = 0;
  double log_slowdown = 0, mean_tat_s = 0, mean_rt_s = 0, cv_fairness = 0, seed_l = 0, mean_slowdown = 0, p99_rt_short_s = 0, p99_tat_s = 0,
         makespan_s = 0;
};

struct LedgerWindow {
  int64_t end_ns = 0;  // since the start
  std::string arm{};   // that was active
  bool idle = false;
  std::vector<float> features{};  // after LedgerRun::features_schema
};

struct LedgerDecision {
  int64_t at_ns = 0;
  std::string arm{}, taken{};  // what the controller wanted; what the machine was asked for
  double propensity = 1;
  std::string why{}, held_back{};
  std::vector<double> predicted{}, deviation{};  // of each choosable arm; empty where the controller does not predict
  double live_cost = std::numeric_limits<double>::quiet_NaN();  // that it was told of; NaN: none
  std::vector<double> replayed{};                               // that it was told of, each choosable arm's; empty: none
  std::string votes{};                                          // JSON, what each expert said (learn/votes.h); empty: it asks none
};

struct LedgerSwap {
  int64_t at_ns = 0;
  std::string from{}, to{};
  std::string outcome{};  // confirmed, refused, ejected
  std::string detail{};   // why, in the kernel's own words
  // -1: does not apply or was not seen.
  int64_t call_ns = -1, attach_ns = -1, detach_ns = -1, first_dispatch_ns = -1, all_cpus_ns = -1, longest_wait_ns = -1;
  int moved = 0;
};

struct LedgerRun {
  RunKey key{};
  std::string split{};  // train, validation, test-seeds, test-families
  bool selftest_ok = false;
  std::string rejected{};         // why it must not be averaged (dispatcher's lag, a dead arm); empty: it may
  std::string features_schema{};  // identity of the feature catalogue
  std::string results_hash{};     // over every result: what exactness is checked by
  std::string details = "{}";     // JSON: what only people read (the agent's own cost, the machine card)
  std::vector<LedgerCosts> costs{};
  std::vector<LedgerWindow> windows{};
  std::vector<LedgerDecision> decisions{};
  std::vector<LedgerSwap> swaps{};
};

// By scenario, seed, draw, controller, identities: the order in which runs are read, so that nothing depends on which ended first.
bool reads_before(const RunKey& a, const RunKey& b);

}  // namespace pointsman

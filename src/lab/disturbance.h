// Disturbances: what else happens in the guest while a plan runs: a crowd that wants the CPUs, or somebody's hand on the scheduler. The agent's guard, a person's veto and
// the rule that a foreign scheduler is never displaced are tested with them. In the guest only: they take a control group, sysrq and the one place for a scheduler.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pointsman {

struct Disturbance {
  enum class Kind {
    kHogs,      // `count` processes that never sleep
    kNappers,   // `count` processes that wake, run 1 ms and sleep 2 ms: always the shortest, always there
    kForkBomb,  // processes that do nothing but make others like themselves, `count` at a time
    kSysrq,     // a person ends whatever sched_ext scheduler is attached, once, at `from_ns`
    kForeign,   // another process attaches a scheduler of its own and keeps it
  } kind = Kind::kHogs;
  int64_t from_ns = 0, until_ns = 0;  // from the plan's start
  int count = 0;
};

// KIND@FROM-UNTIL or KIND@FROM-UNTIL:COUNT with times as 500ms, 2s; sysrq@AT. KIND is hogs, nappers, fork_bomb, sysrq, foreign; COUNT 1 to 2000, by default 32
// (a fork bomb: 200). Errors: kInvalidArgument.
Result<Disturbance> parse_disturbance(std::string_view text);
std::string spell(const Disturbance& disturbance);

// The processes behind one run's disturbances. Threads: one, which must outlive it.
// Owns: all those processes; none is left when it ends.
class Disturbers {
 public:
  // Starts a supervisor for each, which waits. Returns when all are ready: a foreign scheduler has been loaded and verified by then. Errors: kIo, kPermissionDenied.
  static Result<Disturbers> gather(std::span<const Disturbance> what);
  Disturbers(Disturbers&& other) noexcept;
  Disturbers& operator=(Disturbers&&) = delete;
  ~Disturbers();

  // The plan starts at this moment (CLOCK_MONOTONIC).
  void start(int64_t start_ns);
  // Ends what still goes on, and tells what became of each: {what, began_ns, ended_ns (-1: was still going on), forks, held, said}. `held`: the foreign scheduler was still
  // attached when its time was over. Times from the plan's start.
  nlohmann::json finish();

 private:
  struct Shared;
  Disturbers() = default;
  void end_all();
  std::vector<Disturbance> what_;
  std::vector<pid_t> supervisors_;
  Shared* shared_ = nullptr;
  int64_t start_ns_ = 0;
};

}  // namespace pointsman

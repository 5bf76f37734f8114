// What a swap needs so that it happens now and not after everything that waits: a rank above ordinary tasks for who calls it, and for the
// kernel threads on which a warm swap hangs.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.h"

namespace pointsman {

// The calling thread becomes SCHED_FIFO; what it forks starts as an ordinary task. Whoever flips must do this: as an ordinary task it would
// wait in the very queue that it means to change, under a policy that may never reach it. Errors: kPermissionDenied (needs CAP_SYS_NICE).
Result<Unit> outrank_ordinary_tasks();

// While it lives, RCU's grace periods are expedited and RCU's threads outrank ordinary tasks. Attaching and detaching wait for grace
// periods, and under overload the threads that drive these wait their turn among all the others. Everything is as it was when it ends.
// Degrades: what cannot be raised is left alone. Killed in the middle it leaves these settings behind, which cost other work a little and
// break nothing.
class Haste {
 public:
  // Looks the threads up; does nothing else yet. `procfs` and `sysfs` as everywhere.
  Haste(std::string procfs, std::string sysfs);

  class [[nodiscard]] Hold {
   public:
    explicit Hold(const Haste& haste);
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;
    ~Hold();

   private:
    const Haste& haste_;
    struct Before {
      pid_t pid;
      int nice;
    };
    std::vector<Before> raised_;
    struct Setting {
      std::string path;
      std::string value;
    };
    std::vector<Setting> changed_;
  };
  [[nodiscard]] const std::vector<pid_t>& threads() const { return threads_; }

 private:
  std::string sysfs_;
  std::vector<pid_t> threads_;
};

}  // namespace pointsman

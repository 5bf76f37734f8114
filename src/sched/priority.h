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
// Degrades: what cannot be raised is left alone. What it is about to change stands in a file (`record`) while it lasts, so that the next one
// puts back what a killed process left behind; what that costs other work until then is little, and it breaks nothing.
class Haste {
 public:
  // Puts back what was left behind, then looks the threads up. `procfs` and `sysfs` as everywhere. `record` empty: no file, nothing is put
  // back.
  Haste(std::string procfs, std::string sysfs, std::string record);

  class [[nodiscard]] Hold {
   public:
    explicit Hold(const Haste& haste);
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;
    ~Hold();

   private:
    const Haste& haste_;
    bool noted_;  // the record is ours
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
  std::string procfs_;
  std::string sysfs_;
  std::string record_;
  std::vector<pid_t> threads_;
};

inline constexpr const char* kHasteRecord = "/run/pointsman/haste";

// Puts back what a process that is no longer there wrote into `record` and changed, and removes the file. true: there was something.
// Errors: kBusy (its process is alive and in the middle), kCorrupt (removed all the same), those of reading.
Result<bool> put_back_haste(const std::string& procfs, const std::string& sysfs, const std::string& record);

}  // namespace pointsman

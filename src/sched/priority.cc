#include "sched/priority.h"

#include <sched.h>
#include <sys/resource.h>

#include <cerrno>
#include <filesystem>

#include "base/file.h"

namespace pointsman {
namespace {

constexpr int kPriority = 2;  // above other real-time work of the lowest rank, below all that chose a rank
constexpr int kMostUrgentNice = -20;

Result<Unit> poke(const std::string& path, const std::string& value) { return poke_file(path, value); }

}  // namespace

Result<Unit> outrank_ordinary_tasks() {
  sched_param parameters{};
  parameters.sched_priority = kPriority;
  if (::sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &parameters) != 0) return fail_errno("becoming a SCHED_FIFO thread");
  return Unit{};
}

Haste::Haste(std::string procfs, std::string sysfs) : sysfs_(std::move(sysfs)) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(procfs, error)) {
    const std::string name = entry.path().filename();
    if (name.empty() || name.find_first_not_of("0123456789") != std::string::npos) continue;
    const auto comm = read_file(entry.path() / "comm");
    // kthreadd too: every attachment makes a thread of its own, which begins its life with its parent's rank.
    if (comm && (comm->starts_with("rcu_") || comm->starts_with("rcuc/") || *comm == "kthreadd\n")) threads_.push_back(std::stoi(name));
  }
}

Haste::Hold::Hold(const Haste& haste) : haste_(haste) {
  for (const pid_t pid : haste.threads_) {
    if (::sched_getscheduler(pid) != SCHED_OTHER) continue;
    errno = 0;
    const int nice = ::getpriority(PRIO_PROCESS, static_cast<id_t>(pid));
    sched_param raised{};
    raised.sched_priority = kPriority;
    if (errno != 0 || ::sched_setscheduler(pid, SCHED_FIFO, &raised) != 0) continue;
    raised_.push_back({pid, nice});
    // A kernel thread that has just begun makes itself an ordinary task before it reports for work, and keeps kthreadd's nice value while
    // it does.
    ::setpriority(PRIO_PROCESS, static_cast<id_t>(pid), kMostUrgentNice);
  }
  for (const auto& [name, value] : {std::pair<const char*, const char*>{"/kernel/rcu_expedited", "1"}}) {
    const std::string path = haste.sysfs_ + name;
    auto before = read_file(path);
    if (before && poke(path, value)) changed_.push_back({path, *before});
  }
}

Haste::Hold::~Hold() {
  for (const auto& setting : changed_) static_cast<void>(poke(setting.path, setting.value));
  for (const auto& before : raised_) {
    sched_param ordinary{};
    ::sched_setscheduler(before.pid, SCHED_OTHER, &ordinary);
    ::setpriority(PRIO_PROCESS, static_cast<id_t>(before.pid), before.nice);
  }
}

}  // namespace pointsman

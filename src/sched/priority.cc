#include "sched/priority.h"

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <sstream>

#include "base/file.h"
#include "base/log.h"

namespace pointsman {
namespace {

constexpr int kPriority = 2;  // above other real-time work of the lowest rank, below all that chose a rank
constexpr int kMostUrgentNice = -20;

constexpr std::array kExpedite = {"/kernel/rcu_expedited"};  // settings that are 1 while we are in haste

bool poke(const std::string& path, const std::string& value) { return poke_file(path, value).has_value(); }

void make_ordinary(pid_t pid, int nice) {
  const sched_param ordinary{};
  ::sched_setscheduler(pid, SCHED_OTHER, &ordinary);
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(pid), nice);
}

}  // namespace

Result<Unit> outrank_ordinary_tasks() {
  sched_param parameters{};
  parameters.sched_priority = kPriority;
  if (::sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &parameters) != 0) return fail_errno("becoming a SCHED_FIFO thread");
  return Unit{};
}

namespace {

// When a process began, in the kernel's ticks since boot: field 22 of its stat; "-" when there is none. Tells it from a later one with the
// same number.
std::string beginning_of(const std::string& procfs, pid_t pid) {
  const auto stat = read_file(fmt::format("{}/{}/stat", procfs, pid));
  if (!stat) return "-";
  size_t at = stat->rfind(')');  // the name before it may hold anything
  for (int field = 2; at != std::string::npos && field < 22; ++field) at = stat->find(' ', at + 1);
  return at == std::string::npos ? "-" : stat->substr(at + 1, stat->find(' ', at + 1) - at - 1);
}

bool swaps_hang_on(const std::string& comm) {
  // kthreadd too: every attachment makes a thread of its own, which begins its life with its parent's rank.
  return comm.starts_with("rcu_") || comm.starts_with("rcuc/") || comm == "kthreadd\n";
}

}  // namespace

Haste::Haste(std::string procfs, std::string sysfs, std::string record)
    : procfs_(std::move(procfs)), sysfs_(std::move(sysfs)), record_(std::move(record)) {
  if (!record_.empty()) {
    auto put_back = put_back_haste(procfs_, sysfs_, record_);
    if (put_back && *put_back) log_warning("an agent was killed while it swapped: what it had changed in the kernel is as it was again");
    if (!put_back) log_warning("{}", put_back.error().message);
  }
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(procfs_, error)) {
    const std::string name = entry.path().filename();
    if (name.empty() || name.find_first_not_of("0123456789") != std::string::npos) continue;
    const auto comm = read_file(entry.path() / "comm");
    if (comm && swaps_hang_on(*comm)) threads_.push_back(std::stoi(name));
  }
}

Haste::Hold::Hold(const Haste& haste) : haste_(haste), noted_(false) {
  // Somebody else swaps at this moment: it is in haste for us, and must find everything as it left it.
  if (!haste.record_.empty() && ::access(haste.record_.c_str(), F_OK) == 0) return;
  for (const pid_t pid : haste.threads_) {
    if (::sched_getscheduler(pid) != SCHED_OTHER) continue;
    errno = 0;
    const int nice = ::getpriority(PRIO_PROCESS, static_cast<id_t>(pid));
    if (errno == 0) raised_.push_back({pid, nice});
  }
  for (const char* name : kExpedite) {
    if (auto before = read_file(haste.sysfs_ + name)) changed_.push_back({haste.sysfs_ + name, *before});
  }
  if (!haste.record_.empty()) {
    // Written before anything is changed: if we are killed at any moment after this, somebody can put it back.
    std::string text = fmt::format("process {} {}\n", ::getpid(), beginning_of(haste.procfs_, ::getpid()));
    for (const auto& before : raised_) text += fmt::format("thread {} {}\n", before.pid, before.nice);
    for (const auto& setting : changed_) text += fmt::format("setting {} {}", setting.path, setting.value.ends_with('\n') ? setting.value : setting.value + "\n");
    std::error_code ignored;  // writing tells
    std::filesystem::create_directories(std::filesystem::path(haste.record_).parent_path(), ignored);
    if (auto written = write_file(haste.record_, text); !written) {
      // What nobody could put back is not changed.
      log_warning("{}: the kernel's threads keep their rank in this swap", written.error().message);
      raised_.clear();
      changed_.clear();
    }
    noted_ = true;
  }
  std::erase_if(raised_, [](const Before& before) {
    const pid_t pid = before.pid;
    sched_param raised{};
    raised.sched_priority = kPriority;
    if (::sched_setscheduler(pid, SCHED_FIFO, &raised) != 0) return true;
    // A kernel thread that has just begun makes itself an ordinary task before it reports for work, and keeps kthreadd's nice value while
    // it does.
    ::setpriority(PRIO_PROCESS, static_cast<id_t>(pid), kMostUrgentNice);
    return false;
  });
  std::erase_if(changed_, [](const Setting& setting) { return !poke(setting.path, "1"); });
}

Haste::Hold::~Hold() {
  for (const auto& setting : changed_) static_cast<void>(poke(setting.path, setting.value));
  for (const auto& before : raised_) make_ordinary(before.pid, before.nice);
  if (noted_) ::unlink(haste_.record_.c_str());
}

Result<bool> put_back_haste(const std::string& procfs, const std::string& sysfs, const std::string& record) {
  auto text = read_file(record);
  if (!text && text.error().code == ErrorCode::kNotFound) return false;
  if (!text) return fail(text.error());
  std::istringstream lines(*text);
  std::string word, beginning, path, value;
  pid_t pid = 0;
  int nice = 0;
  if (!(lines >> word >> pid >> beginning) || word != "process") {
    ::unlink(record.c_str());
    return fail(ErrorCode::kCorrupt, "{}: damaged, so what a killed agent had changed in the kernel cannot be put back; removed", record);
  }
  if (pid != ::getpid() && beginning != "-" && beginning_of(procfs, pid) == beginning)
    return fail(ErrorCode::kBusy, "{}: process {} swaps schedulers at this moment", record, pid);
  while (lines >> word) {
    if (word == "thread" && lines >> pid >> nice) {
      // Only if it still is what it was, and still as we left it.
      const auto comm = read_file(fmt::format("{}/{}/comm", procfs, pid));
      if (comm && swaps_hang_on(*comm) && ::sched_getscheduler(pid) == SCHED_FIFO) make_ordinary(pid, nice);
    } else if (word == "setting" && lines >> path >> value) {
      if (path.starts_with(sysfs + "/")) static_cast<void>(poke(path, value));
    }
  }
  ::unlink(record.c_str());
  return true;
}

}  // namespace pointsman

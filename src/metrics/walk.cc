// /proc/PID/task/TID/status of every thread. Source: fs/proc/array.c: task_state() and task_context_switch_counts(); a status tells of one thread, never of its
// process, so every thread is opened, but for a process of one thread no folder is listed.
#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <unordered_map>

#include "base/unique_fd.h"
#include "metrics/collector.h"
#include "metrics/scan.h"

namespace pointsman {
namespace {

struct ThreadStatus {
  char state = '?';
  uint64_t voluntary = 0, involuntary = 0, threads = 1;
};

// The value of the line that begins with `key` (colon included), looked for from `at` on; empty when there is none. `at` is left behind it.
std::string_view value_of(std::string_view text, std::string_view key, size_t& at) {
  for (size_t begin = text.find(key, at); begin != std::string_view::npos; begin = text.find(key, begin + 1)) {
    if (begin != 0 && text[begin - 1] != '\n') continue;  // within another's value: a command may be called anything
    const size_t value = begin + key.size();
    at = std::min(text.find('\n', value), text.size());
    return Words(text.substr(value, at - value)).next();
  }
  return {};
}

// Nothing when it is no status of a thread. Its lines come in this order, among fifty others.
std::optional<ThreadStatus> parse_status(std::string_view text) {
  size_t at = 0;
  const std::string_view state = value_of(text, "State:", at), threads = value_of(text, "Threads:", at);
  const auto voluntary = Words::number_of(value_of(text, "voluntary_ctxt_switches:", at)), involuntary = Words::number_of(value_of(text, "nonvoluntary_ctxt_switches:", at));
  if (state.empty() || !voluntary || !involuntary) return std::nullopt;
  ThreadStatus out{.state = state.front(), .voluntary = *voluntary, .involuntary = *involuntary};
  if (!threads.empty()) {
    const auto number = Words::number_of(threads);
    if (!number) return std::nullopt;
    out.threads = *number;
  }
  return out;
}

// Calls `visit` with every entry whose name is a number. False when the folder cannot be listed.
template <typename Visit>
bool each_number(int folder, const Visit& visit) {
  alignas(dirent64) char buffer[32768];
  for (;;) {
    const long n = ::syscall(SYS_getdents64, folder, buffer, sizeof(buffer));
    if (n < 0) return false;
    if (n == 0) return true;
    for (long at = 0; at < n;) {
      const auto* entry = reinterpret_cast<const dirent64*>(buffer + at);
      at += entry->d_reclen;
      if (const auto number = Words::number_of(entry->d_name); number && *number <= INT32_MAX) visit(static_cast<uint32_t>(*number), entry->d_name);
    }
  }
}

class WalkCollector : public Collector {
 public:
  explicit WalkCollector(const Roots& roots) : root_(roots.procfs) {}
  Topic topic() const override { return Topic::kWalk; }

  Result<Unit> collect(Snapshot& snapshot) override {
    const UniqueFd root(::open(root_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!root) return fail_errno("open " + root_);
    ++walk_;
    WalkTopic& topic = snapshot.walk;
    topic = {.voluntary = sums_.voluntary, .involuntary = sums_.involuntary, .born = sums_.born};
    garbled_.clear();
    const bool listed = each_number(root.get(), [&](uint32_t pid, const char* name) {
      // The process's own file is that of its leader.
      const auto leader = read_status(root.get(), std::string(name) + "/status");
      if (!leader) return;
      count(pid, *leader, topic);
      if (leader->threads < 2) return;
      const UniqueFd tasks(::openat(root.get(), (std::string(name) + "/task").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      if (!tasks) return;
      each_number(tasks.get(), [&](uint32_t tid, const char* task) {
        if (tid == pid) return;
        if (const auto status = read_status(tasks.get(), std::string(task) + "/status")) count(tid, *status, topic);
      });
    });
    // What was met is counted, however the walk ended: the next one counts from here on.
    sums_ = topic;
    if (!listed) return fail_errno("list " + root_);
    if (!garbled_.empty()) return fail(ErrorCode::kCorrupt, "{}/{}: expected State and both counts of context switches", root_, garbled_);
    if (topic.threads == 0) return fail(ErrorCode::kNotFound, "{} has no readable PID/status", root_);
    std::erase_if(seen_, [&](const auto& one) { return one.second.walk != walk_; });
    return Unit{};
  }

 private:
  struct Seen {
    uint64_t voluntary = 0, involuntary = 0;
    uint64_t walk = 0;  // the last one that met it
  };

  // Nothing when the thread has ended meanwhile.
  std::optional<ThreadStatus> read_status(int folder, const std::string& path) {
    const UniqueFd file(::openat(folder, path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) return std::nullopt;
    size_t used = 0;
    while (used < sizeof(buffer_)) {
      const ssize_t n = ::read(file.get(), buffer_ + used, sizeof(buffer_) - used);
      if (n < 0) return std::nullopt;
      if (n == 0) break;
      used += static_cast<size_t>(n);
      // Whole lines with all that is asked for: no need to hear that the file is at its end.
      if (buffer_[used - 1] != '\n') continue;
      if (auto status = parse_status({buffer_, used})) return status;
    }
    if (used != 0) garbled_ = path;
    return std::nullopt;
  }

  void count(uint32_t tid, const ThreadStatus& status, WalkTopic& topic) {
    ++topic.threads;
    topic.running += status.state == 'R' ? 1 : 0;
    topic.sleeping += status.state == 'S' ? 1 : 0;
    topic.uninterruptible += status.state == 'D' ? 1 : 0;
    Seen& seen = seen_[tid];
    // Counts that fell belong to another thread with the same number.
    const bool another = seen.walk == 0 || status.voluntary < seen.voluntary || status.involuntary < seen.involuntary;
    if (another) {
      seen = {};
      if (walk_ > 1) {
        ++topic.born;
      } else {
        seen.voluntary = status.voluntary;
        seen.involuntary = status.involuntary;
      }
    }
    topic.voluntary += status.voluntary - seen.voluntary;
    topic.involuntary += status.involuntary - seen.involuntary;
    seen = {.voluntary = status.voluntary, .involuntary = status.involuntary, .walk = walk_};
  }

  std::string root_, garbled_;
  std::unordered_map<uint32_t, Seen> seen_;
  WalkTopic sums_;
  uint64_t walk_ = 0;
  char buffer_[16384];  // a status has some 1.5 KB, more with many groups or nodes
};

}  // namespace

std::unique_ptr<Collector> make_walk_collector(const Roots& roots) { return std::make_unique<WalkCollector>(roots); }

}  // namespace pointsman

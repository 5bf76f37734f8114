// PerfText: reads what `perf sched script` or `perf script` prints of a recording, event by event, and makes of it the rows of the process table.
// Streaming: memory grows with the tasks that are alive, never with the length of the text. A line that is no event is counted, the first ones by their number.
// Definitions: arrival = sched_process_fork; first run = the first sched_switch to it; completion = the sched_switch away from it in state Z or X; run delay = from
// sched_waking (which perf records; the kernel's own wake-up comes a little later) or from being preempted to running. CPU time is the sum of sched_stat_runtime, or,
// where the kernel emits none (sched_ext), the time between switches.
// Threads: one. Source: tools/perf/builtin-script.c, include/trace/events/sched.h; also the shorter form of libtraceevent's sched plug-in (comm:pid [prio]).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "report/process_table.h"

namespace pointsman::report {

struct PerfEvent {
  enum class Kind { kSwitch, kWaking, kWakeup, kNew, kFork, kExit, kRuntime, kMigrate, kOther };
  Kind kind = Kind::kOther;
  int64_t at_ns = 0;
  uint32_t cpu = 0;
  int32_t tid = 0, process = -1;  // who was running; `process` -1 where the text does not tell
  // kSwitch: from -> to. kFork: `from` the parent, `to` the child. kWaking, kWakeup, kNew: `to`. kRuntime, kExit: `from`.
  int32_t from = 0, to = 0;
  std::string_view from_name, to_name;
  int32_t from_priority = 120, to_priority = 120;
  std::string_view state;    // kSwitch: R, R+, S, D, Z, X ...
  int64_t runtime_ns = 0;    // kRuntime
  uint32_t target_cpu = 0;   // kWaking, kWakeup, kNew
};
// Why a line is no event; nullptr: it is one, and `out` refers into it. Lines that are empty or begin with '#' are kOther events.
const char* parse_perf_line(std::string_view line, PerfEvent& out);

struct PerfTextCounts {
  uint64_t lines = 0, bytes = 0, events = 0, other = 0, malformed = 0, backwards = 0, lost = 0;
  int64_t first_ns = 0, last_ns = 0;
  bool processes_known = false;  // the text tells pid/tid
};

class PerfText {
 public:
  using OnEvent = std::function<void(const PerfEvent&)>;
  explicit PerfText(OnEvent on_event = nullptr) : on_event_(std::move(on_event)) {}

  // Any part of the text; it may end within a line.
  void feed(std::string_view part);
  // The last line may have no end.
  void finish();

  // Those that ended, and after finish() also those that did not. Moved out: the next call gives the next ones.
  std::vector<ProcessRow> take();
  [[nodiscard]] const PerfTextCounts& counts() const { return counts_; }
  // "line 17: no time stamp": the first ten.
  [[nodiscard]] const std::vector<std::string>& complaints() const { return complaints_; }

  static constexpr size_t kLongestLine = 64 * 1024;

 private:
  struct Thread {
    ProcessRow row;
    int64_t ready_ns = 0, on_ns = 0;  // 0: is not
    int64_t runtime_ns = 0, between_switches_ns = 0, delay_ns = 0;
    int32_t process = -1;
    bool first_seen = true;  // alive before the recording: no arrival
  };
  struct Process {
    ProcessRow row;
    int alive = 0;
  };
  void take_line(std::string_view line);
  void count(const PerfEvent& event);
  Thread& known(int32_t tid, std::string_view name);
  void on_switch(const PerfEvent& event);
  void ready(int32_t tid, std::string_view name, int64_t at_ns);
  void end(int32_t tid, std::optional<int64_t> at_ns);
  void complain(const char* what);

  OnEvent on_event_;
  std::string partial_;
  bool overlong_ = false, finished_ = false;
  std::unordered_map<int32_t, Thread> threads_;
  std::map<int32_t, Process> processes_;  // of which a thread has ended or is known; only where the text tells them
  std::vector<ProcessRow> done_;
  std::vector<std::string> complaints_;
  PerfTextCounts counts_;
};

}  // namespace pointsman::report

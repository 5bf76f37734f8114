#include "report/perf_text.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "report/utf8.h"

namespace pointsman::report {
namespace {

constexpr size_t kComplaints = 10;
constexpr int64_t kLongestRuntime = 1'000'000'000'000'000;  // between two events of one thread, in ns: eleven days; sums of such do not overflow
constexpr size_t kMostName = 64;  // TASK_COMM_LEN is 16, of bytes; more leaves room for what escapes may make of them

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Digits at `at`, which moves behind them; false when there are none, or too many.
template <typename Number>
bool take_number(std::string_view text, size_t& at, Number& out) {
  const auto [end, error] = std::from_chars(text.data() + at, text.data() + text.size(), out);
  if (error != std::errc() || end == text.data() + at) return false;
  at = static_cast<size_t>(end - text.data());
  return true;
}

void skip_spaces(std::string_view text, size_t& at) {
  while (at < text.size() && text[at] == ' ') ++at;
}

// Text between `at` and the next KEY, which must follow within what a name can be long; then the number behind KEY.
bool take_named(std::string_view text, size_t& at, std::string_view key, std::string_view& name, int32_t& pid) {
  const size_t found = text.substr(0, std::min(text.size(), at + kMostName + key.size())).find(key, at);
  if (found == std::string_view::npos) return false;
  name = text.substr(at, found - at);
  at = found + key.size();
  return take_number(text, at, pid);
}

bool take_key(std::string_view text, size_t& at, std::string_view key) {
  if (text.substr(at, key.size()) != key) return false;
  at += key.size();
  return true;
}

// COMM:PID [PRIO]: the plug-in's form. A name may contain ':' and '[', so it is looked for from the bracket backwards.
bool take_short(std::string_view text, size_t& at, std::string_view& name, int32_t& pid, int32_t& priority) {
  const size_t limit = std::min(text.size(), at + kMostName);
  for (size_t bracket = text.find(" [", at); bracket != std::string_view::npos && bracket < limit; bracket = text.find(" [", bracket + 1)) {
    size_t digits = bracket;
    while (digits > at && is_digit(text[digits - 1])) --digits;
    if (digits == bracket || digits == at || text[digits - 1] != ':') continue;
    size_t end = bracket + 2, number = digits;
    if (!take_number(text, end, priority) || !take_key(text, end, "]") || !take_number(text, number, pid)) continue;
    name = text.substr(at, digits - 1 - at);
    at = end;
    return true;
  }
  return false;
}

const char* parse_switch(std::string_view text, size_t at, PerfEvent& out) {
  constexpr const char* kWrong = "sched_switch without prev and next";
  if (take_key(text, at, "prev_comm=")) {
    if (!take_named(text, at, " prev_pid=", out.from_name, out.from) || !take_key(text, at, " prev_prio=") || !take_number(text, at, out.from_priority) || !take_key(text, at, " prev_state=")) return kWrong;
    const size_t end = text.find(" ==> next_comm=", at);
    if (end == std::string_view::npos || end == at) return kWrong;
    out.state = text.substr(at, end - at);
    at = end + std::strlen(" ==> next_comm=");
    if (!take_named(text, at, " next_pid=", out.to_name, out.to)) return kWrong;
    if (!take_key(text, at, " next_prio=") || !take_number(text, at, out.to_priority)) return kWrong;
    return nullptr;
  }
  if (!take_short(text, at, out.from_name, out.from, out.from_priority)) return kWrong;
  skip_spaces(text, at);
  const size_t end = text.find(" ==> ", at);
  if (end == std::string_view::npos || end == at) return kWrong;
  out.state = text.substr(at, end - at);
  at = end + std::strlen(" ==> ");
  return take_short(text, at, out.to_name, out.to, out.to_priority) ? nullptr : kWrong;
}

const char* parse_wake(std::string_view text, size_t at, PerfEvent& out) {
  constexpr const char* kWrong = "a wake-up without comm and pid";
  if (take_key(text, at, "comm=")) {
    if (!take_named(text, at, " pid=", out.to_name, out.to) || !take_key(text, at, " prio=") || !take_number(text, at, out.to_priority)) return kWrong;
  } else if (!take_short(text, at, out.to_name, out.to, out.to_priority)) {
    return kWrong;
  }
  for (const std::string_view key : {" target_cpu=", " CPU:"}) {
    size_t cpu = text.find(key, at);
    if (cpu == std::string_view::npos) continue;
    cpu += key.size();
    if (!take_number(text, cpu, out.target_cpu)) return kWrong;
  }
  return nullptr;
}

const char* parse_fields(std::string_view name, std::string_view text, size_t at, PerfEvent& out) {
  using Kind = PerfEvent::Kind;
  if (name == "sched_switch") {
    out.kind = Kind::kSwitch;
    return parse_switch(text, at, out);
  }
  if (name == "sched_waking" || name == "sched_wakeup" || name == "sched_wakeup_new") {
    out.kind = name == "sched_waking" ? Kind::kWaking : name == "sched_wakeup" ? Kind::kWakeup : Kind::kNew;
    return parse_wake(text, at, out);
  }
  if (name == "sched_stat_runtime") {
    out.kind = Kind::kRuntime;
    if (!take_key(text, at, "comm=") || !take_named(text, at, " pid=", out.from_name, out.from) || !take_key(text, at, " runtime=") || !take_number(text, at, out.runtime_ns) || out.runtime_ns < 0 || out.runtime_ns > kLongestRuntime) {
      return "sched_stat_runtime without comm, pid and runtime";
    }
    return nullptr;
  }
  if (name == "sched_process_fork") {
    out.kind = Kind::kFork;
    if (!take_key(text, at, "comm=") || !take_named(text, at, " pid=", out.from_name, out.from) || !take_key(text, at, " child_comm=") || !take_named(text, at, " child_pid=", out.to_name, out.to)) {
      return "sched_process_fork without parent and child";
    }
    return nullptr;
  }
  if (name == "sched_process_exit") {
    out.kind = Kind::kExit;
    if (!take_key(text, at, "comm=") || !take_named(text, at, " pid=", out.from_name, out.from)) return "sched_process_exit without comm and pid";
    return nullptr;
  }
  out.kind = name == "sched_migrate_task" ? Kind::kMigrate : Kind::kOther;
  return nullptr;
}

}  // namespace

const char* parse_perf_line(std::string_view line, PerfEvent& out) {
  out = {};
  while (!line.empty() && (line.back() == ' ' || line.back() == '\r')) line.remove_suffix(1);
  size_t from = 0;
  skip_spaces(line, from);
  if (from == line.size() || line[from] == '#') return nullptr;
  // " [001] " or, without the CPU, " 5123.456789: ": a name may have brackets and dots of its own, so what follows must fit too.
  for (size_t bracket = line.find('['); bracket != std::string_view::npos; bracket = line.find('[', bracket + 1)) {
    size_t at = bracket + 1;
    if (!take_number(line, at, out.cpu) || !take_key(line, at, "]")) continue;
    skip_spaces(line, at);
    int64_t seconds = 0;
    const size_t whole = at;
    if (!take_number(line, at, seconds) || at - whole > 9 || seconds < 0 || at >= line.size() || line[at] != '.') continue;
    const size_t point = ++at;
    int64_t fraction = 0;
    if (!take_number(line, at, fraction) || fraction < 0 || at >= line.size() || line[at] != ':' || at - point > 9) continue;
    for (size_t digits = at - point; digits < 9; ++digits) fraction *= 10;
    out.at_ns = seconds * 1'000'000'000 + fraction;
    // Backwards from the bracket: TID, or PID/TID.
    size_t end = bracket;
    while (end > 0 && line[end - 1] == ' ') --end;
    size_t begin = end;
    while (begin > 0 && is_digit(line[begin - 1])) --begin;
    size_t digits = begin;
    if (begin == end || !take_number(line, digits, out.tid)) return "no thread before the CPU";
    if (begin > 1 && line[begin - 1] == '/') {
      size_t group = begin - 1;
      while (group > 0 && is_digit(line[group - 1])) --group;
      digits = group;
      if (group < begin - 1 && !take_number(line, digits, out.process)) return "no process before the thread";
      if (group > 0 && line[group - 1] == '-') out.process = -1;  // perf no longer knew it
    }
    ++at;
    skip_spaces(line, at);
    // A count or a period may stand before the event.
    if (at < line.size() && is_digit(line[at])) {
      uint64_t period = 0;
      if (!take_number(line, at, period)) return "no event after the time";
      skip_spaces(line, at);
    }
    if (line.substr(at, 11) == "PERF_RECORD") {
      out.kind = PerfEvent::Kind::kOther;
      const size_t lost = line.find("LOST lost ", at);
      size_t number = lost + 10;
      if (lost != std::string_view::npos) take_number(line, number, out.runtime_ns);
      return nullptr;
    }
    size_t colon = line.find(':', at);
    if (colon == std::string_view::npos) return "no event after the time";
    if (line.substr(at, colon - at) == "sched") {
      at = colon + 1;
      colon = line.find(':', at);
      if (colon == std::string_view::npos) return "an event without its name's end";
    }
    const std::string_view name = line.substr(at, colon - at);
    at = colon + 1;
    skip_spaces(line, at);
    return parse_fields(name, line, at, out);
  }
  return "no CPU and time stamp";
}

void PerfText::complain(const char* what) {
  ++counts_.malformed;
  if (complaints_.size() < kComplaints) complaints_.push_back(fmt::format("line {}: {}", counts_.lines, what));
}

PerfText::Thread& PerfText::known(int32_t tid, std::string_view name) {
  Thread& thread = threads_[tid];
  if (thread.row.pid == 0) thread.row.pid = tid;
  if (thread.row.threads == 0) thread.row.threads = 1;
  if (!name.empty() && thread.row.command != name) thread.row.command = one_line(name);
  return thread;
}

void PerfText::ready(int32_t tid, std::string_view name, int64_t at_ns) {
  if (tid == 0) return;
  Thread& thread = known(tid, name);
  if (thread.ready_ns == 0 && thread.on_ns == 0) thread.ready_ns = at_ns;
}

// Of one whose end was not seen there is no moment.
void PerfText::end(int32_t tid, std::optional<int64_t> at_ns) {
  const auto found = threads_.find(tid);
  if (found == threads_.end()) return;
  Thread thread = std::move(found->second);
  threads_.erase(found);
  ProcessRow& row = thread.row;
  row.cpu_s = static_cast<double>(thread.runtime_ns > 0 ? thread.runtime_ns : thread.between_switches_ns) / 1e9;
  row.run_delay_s = static_cast<double>(thread.delay_ns) / 1e9;
  if (at_ns) row.completion_s = static_cast<double>(*at_ns) / 1e9;  // its exit code no event tells
  if (thread.process < 0) {
    done_.push_back(std::move(row));
    return;
  }
  Process& process = processes_[thread.process];
  if (process.row.threads == 0) {
    process.row = row;
    process.row.pid = thread.process;
  } else {
    ProcessRow& whole = process.row;
    if (tid == thread.process) {
      whole.command = row.command;
      whole.parent = row.parent;
    }
    whole.arrival_s = std::isnan(whole.arrival_s) || std::isnan(row.arrival_s) ? kMissing : std::min(whole.arrival_s, row.arrival_s);
    whole.first_cpu_s = std::isnan(whole.first_cpu_s) || std::isnan(row.first_cpu_s) ? kMissing : std::min(whole.first_cpu_s, row.first_cpu_s);
    whole.completion_s = std::isnan(whole.completion_s) || std::isnan(row.completion_s) ? kMissing : std::max(whole.completion_s, row.completion_s);
    whole.cpu_s += row.cpu_s;
    whole.run_delay_s += row.run_delay_s;
    whole.voluntary += row.voluntary;
    whole.involuntary += row.involuntary;
    whole.threads += 1;
  }
  if (--process.alive > 0) return;
  done_.push_back(std::move(process.row));
  processes_.erase(thread.process);
}

void PerfText::on_switch(const PerfEvent& e) {
  if (e.from != 0) {
    Thread& thread = known(e.from, e.from_name);
    const bool runnable = e.state.starts_with('R');
    ++(runnable ? thread.row.involuntary : thread.row.voluntary);
    if (thread.on_ns != 0) thread.between_switches_ns += e.at_ns - thread.on_ns;
    thread.on_ns = 0;
    thread.ready_ns = runnable ? e.at_ns : 0;
    if (e.state.find_first_of("ZX") != std::string_view::npos) end(e.from, e.at_ns);
  }
  if (e.to != 0) {
    Thread& thread = known(e.to, e.to_name);
    if (!thread.first_seen && std::isnan(thread.row.first_cpu_s)) thread.row.first_cpu_s = static_cast<double>(e.at_ns) / 1e9;
    if (thread.ready_ns != 0) thread.delay_ns += e.at_ns - thread.ready_ns;
    thread.ready_ns = 0;
    thread.on_ns = e.at_ns;
  }
}

void PerfText::count(const PerfEvent& e) {
  using Kind = PerfEvent::Kind;
  if (counts_.events++ == 0) counts_.first_ns = e.at_ns;
  if (e.at_ns < counts_.last_ns) ++counts_.backwards;
  counts_.last_ns = std::max(counts_.last_ns, e.at_ns);
  if (e.process > 0 && e.tid > 0) {
    counts_.processes_known = true;
    if (Thread& running = known(e.tid, {}); running.process < 0) {
      running.process = e.process;
      ++processes_[e.process].alive;
    }
  }
  switch (e.kind) {
    case Kind::kSwitch: on_switch(e); break;
    case Kind::kWaking: ready(e.to, e.to_name, e.at_ns); break;
    case Kind::kWakeup: ready(e.to, e.to_name, e.at_ns); break;
    case Kind::kNew: ready(e.to, e.to_name, e.at_ns); break;
    case Kind::kRuntime: known(e.from, e.from_name).runtime_ns += e.runtime_ns; break;
    case Kind::kFork: {
      end(e.to, std::nullopt);  // the number was somebody else's, whose end was lost
      Thread& child = known(e.to, e.to_name);
      child.first_seen = false;
      child.row.arrival_s = static_cast<double>(e.at_ns) / 1e9;
      child.row.parent = e.from;
      break;
    }
    case Kind::kExit:
    case Kind::kMigrate:
    case Kind::kOther: break;
  }
}

void PerfText::take_line(std::string_view line) {
  ++counts_.lines;
  PerfEvent event;
  if (const char* wrong = parse_perf_line(line, event)) return complain(wrong);
  if (event.kind == PerfEvent::Kind::kOther) {
    ++counts_.other;
    counts_.lost += static_cast<uint64_t>(std::max<int64_t>(0, event.runtime_ns));
    return;
  }
  if (event.at_ns < counts_.last_ns - 1'000'000'000 && counts_.events > 0) return complain("time goes back by more than a second");
  count(event);
  if (on_event_) on_event_(event);
}

void PerfText::feed(std::string_view part) {
  counts_.bytes += part.size();
  while (!part.empty()) {
    const size_t end = part.find('\n');
    if (end == std::string_view::npos) {
      if (partial_.size() + part.size() > kLongestLine) {
        overlong_ = true;
        partial_.clear();
      } else if (!overlong_) {
        partial_ += part;
      }
      return;
    }
    const std::string_view line = part.substr(0, end);
    if (overlong_ || partial_.size() + line.size() > kLongestLine) {
      ++counts_.lines;
      complain("longer than 64 KiB");
      overlong_ = false;
    } else if (partial_.empty()) {
      take_line(line);
    } else {
      partial_ += line;
      take_line(partial_);
    }
    partial_.clear();
    part.remove_prefix(end + 1);
  }
}

void PerfText::finish() {
  if (finished_) return;
  finished_ = true;
  if (overlong_) {
    ++counts_.lines;
    complain("longer than 64 KiB");
  } else if (!partial_.empty()) {
    take_line(partial_);
  }
  std::vector<int32_t> left;
  for (const auto& [tid, _] : threads_) left.push_back(tid);
  std::sort(left.begin(), left.end());
  for (const int32_t tid : left) end(tid, std::nullopt);
}

std::vector<ProcessRow> PerfText::take() { return std::exchange(done_, {}); }

}  // namespace pointsman::report

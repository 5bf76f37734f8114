#include "report/traced_rows.h"

#include <time.h>

#include <cstring>

#include "base/clock.h"

namespace pointsman::report {

namespace {

std::string_view name_of(const char (&comm)[PM_COMM]) { return {comm, ::strnlen(comm, PM_COMM)}; }

}  // namespace

ProcessRow row_of(const TracedProcess& process) {
  const pm_process& p = process.sums;
  const auto seconds = [](uint64_t ns) { return static_cast<double>(ns) / 1e9; };
  ProcessRow row{.pid = process.pid, .parent = static_cast<int64_t>(p.parent), .command = process.command};
  row.arrival_s = seconds(p.arrival_ns);
  if (p.first_cpu_ns != 0) row.first_cpu_s = seconds(p.first_cpu_ns);
  row.cpu_s = seconds(p.cpu_ns);
  row.run_delay_s = seconds(p.wait_ns);
  row.voluntary = p.voluntary;
  row.involuntary = p.involuntary;
  row.threads = p.threads;
  if (p.completion_ns != 0) {
    row.completion_s = seconds(p.completion_ns);
    row.exit_code = (p.exit_code & 0x7f) != 0 ? 128 + (p.exit_code & 0x7f) : p.exit_code >> 8 & 0xff;
  }
  return row;
}

int64_t boot_offset_ns() {
  timespec boot{}, monotonic{};
  ::clock_gettime(CLOCK_BOOTTIME, &boot);
  ::clock_gettime(CLOCK_MONOTONIC, &monotonic);
  return (boot.tv_sec - monotonic.tv_sec) * kSecond + boot.tv_nsec - monotonic.tv_nsec;
}

void add(PerfettoFile& file, const pm_event& e) {
  const PerfettoFile::Task before{.tid = e.prev, .tgid = static_cast<int32_t>(e.prev_tgid), .priority = e.prev_prio, .name = name_of(e.prev_comm)};
  const PerfettoFile::Task after{.tid = e.next, .tgid = static_cast<int32_t>(e.next_tgid), .priority = e.next_prio, .name = name_of(e.next_comm)};
  const auto at_ns = static_cast<int64_t>(e.at_ns);
  if (e.kind == PM_SWITCH) {
    file.add(PerfettoFile::Switch{
        .at_ns = at_ns, .cpu = e.cpu, .from = before, .to = after, .state = e.prev_state & ~PM_PREEMPTED, .preempted = (e.prev_state & PM_PREEMPTED) != 0});
  } else {
    file.add(PerfettoFile::Wake{.at_ns = at_ns, .cpu = e.cpu, .target = e.target, .by = before, .woken = after, .newborn = e.kind == PM_NEW});
  }
}

}  // namespace pointsman::report

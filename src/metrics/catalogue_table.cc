#include "metrics/catalogue_table.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace pointsman {

double seconds_between(const Snapshot& a, const Snapshot& b) { return static_cast<double>(b.taken_ns - a.taken_ns) / 1e9; }
double grown(uint64_t before, uint64_t after) { return after > before ? static_cast<double>(after - before) : 0; }

namespace {

constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();

uint64_t page_bytes() {
  static const auto bytes = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}
double ticks_a_second() {
  static const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  return ticks;
}
double level(uint64_t value) { return static_cast<double>(value); }

constexpr std::string_view kIowaitAliases[] = {"T_iowait_percent_avg"};
constexpr std::string_view kAvailableAliases[] = {"T_mem_available_avg"};
constexpr std::string_view kSame = "the same";

double probe_ns(const Snapshot& a, const Snapshot& b) { return static_cast<double>(std::max<int64_t>(1, b.probe.moment_ns - a.probe.moment_ns)); }

// The mean over time of a level that the probe keeps as a count and a moment (probe.intf.h): T * level - moment is its integral, modulo 2^64.
double mean_level(const Snapshot& a, const Snapshot& b, pm_s64 pm_probe::*count, pm_u64 pm_probe::*moment) {
  const auto integral = [&](const ProbeTopic& p) {
    return static_cast<uint64_t>(p.moment_ns) * static_cast<uint64_t>(p.sums.*count) - p.sums.*moment;
  };
  return static_cast<double>(static_cast<int64_t>(integral(b.probe) - integral(a.probe))) / probe_ns(a, b);
}

double waiting_by_schedstat(const Snapshot& a, const Snapshot& b) {
  return grown(a.schedstat.waiting_ns, b.schedstat.waiting_ns) / 1e9 / seconds_between(a, b);
}
double counted_running(const Snapshot& a, const Snapshot& b) { return grown(a.probe.sums.busy_ns, b.probe.sums.busy_ns) / probe_ns(a, b); }
double waiting_by_probe(const Snapshot& a, const Snapshot& b) {
  return std::max(0.0, mean_level(a, b, &pm_probe::runnable, &pm_probe::runnable_moment_ns) - counted_running(a, b));
}
double running_by_stat(const Snapshot& a, const Snapshot& b) {
  const CpuTicks &x = a.cpu.all, &y = b.cpu.all;
  return (grown(x.user, y.user) + grown(x.nice, y.nice) + grown(x.system, y.system)) / ticks_a_second() / seconds_between(a, b);
}
// Weighted by ticks: between samples a few milliseconds apart there may be none, which says nothing about any share.
std::pair<double, double> cpu_parts(const Snapshot& a, const Snapshot& b, double CpuShares::*share, double scale) {
  const CpuTicks &x = a.cpu.all, &y = b.cpu.all;
  double ticks = 0;
  for (const auto field : {&CpuTicks::user, &CpuTicks::nice, &CpuTicks::system, &CpuTicks::idle, &CpuTicks::iowait, &CpuTicks::irq, &CpuTicks::softirq, &CpuTicks::steal}) {
    ticks += grown(x.*field, y.*field);
  }
  return {scale * (shares_between(x, y).*share) * ticks, ticks};
}
double waiting_by_sampling(const Snapshot& a, const Snapshot& b) {
  const double runnable = static_cast<double>(a.cpu.running + b.cpu.running) / 2;
  return std::max(0.0, runnable - running_by_stat(a, b));
}
double running_by_probe(const Snapshot& a, const Snapshot& b) {
  return counted_running(a, b) + grown(a.probe.sums.other_ns, b.probe.sums.other_ns) / probe_ns(a, b);
}

uint64_t idle_exits(const Snapshot& s) {
  const pm_probe& p = s.probe.sums;
  const uint64_t others = p.voluntary + p.involuntary + p.other_voluntary + p.other_involuntary;
  return p.switches > others ? p.switches - others : 0;
}

template <Stall PressureTopic::*Resource, uint64_t Stall::*Kind>
double stalled(const Snapshot& a, const Snapshot& b) {
  return std::min(1.0, grown(a.pressure.*Resource.*Kind, b.pressure.*Resource.*Kind) / 1e6 / seconds_between(a, b));
}

std::string caveat_of_walk(const Snapshot& a, const Snapshot& b) {
  std::string out = fmt::format("a walk over {} threads in /proc; what a thread did after its last walk, and threads that began and ended between two, are missed", b.walk.threads);
  if (a.of(Topic::kCpu).ok && b.of(Topic::kCpu).ok && b.cpu.forks >= a.cpu.forks) {
    const uint64_t born = b.cpu.forks - a.cpu.forks, met = b.walk.born - a.walk.born;
    if (born > met) out += fmt::format(": of {} threads born meanwhile {} were never met", born, born - met);
  }
  if (b.of(Topic::kLoad).ok && b.load.threads > b.walk.threads + b.load.threads / 10) {
    out += fmt::format("; the kernel has {} threads, so others are hidden from this user (hidepid)", b.load.threads);
  }
  return out;
}

MetricRow pressure_row(std::string_view name, std::string_view formula, double (*between)(const Snapshot&, const Snapshot&)) {
  return {.spec = {.name = name,
                   .canonical = name,
                   .aliases = {},
                   .kind = MetricKind::kShare,
                   .unit = "ratio",
                   .source = "/proc/pressure",
                   .formula = formula,
                   .eevdf = "kernel/sched/psi.c; a queued task that does not run is stalled on the CPU",
                   .ext = "the same: PSI is kept by the core, whatever the policy",
                   .psutil = "none",
                   .trap = "`full` of the CPU is always 0 for the whole system; the files are missing without CONFIG_PSI, or without psi=1 where that is not the default"},
          .sources = {{.topic = Topic::kPressure, .between = between}}};
}

std::vector<MetricRow> seed_rows() {
  constexpr std::string_view kTicks = "sampled by the tick of 1/USER_HZ (10 ms) without CONFIG_VIRT_CPU_ACCOUNTING_GEN: over 100 ms on two CPUs one tick is 5 %";
  constexpr std::string_view kCore = "the same: kept by the core, whatever the policy";
  return {
      {.spec = {.name = "T_vcsw_total",
                .canonical = "T_vcsw_total_delta",
                .aliases = {},
                .kind = MetricKind::kCounter,
                .unit = "switches",
                .source = "BPF: sched_switch; else /proc/PID/task/TID/status voluntary_ctxt_switches",
                .formula = "switches that were no preemption, away from a task that was not runnable: __schedule() counts them in nvcsw",
                .eevdf = "a task went to sleep; from Linux 6.12 on it may stay queued for a while (DELAY_DEQUEUE), which is no second switch",
                .ext = kCore,
                .psutil = "Process.num_ctx_switches().voluntary, but of every thread; that one reads the leader's only. cpu_stats().ctx_switches is neither: see switches_total",
                .trap = "/proc/stat ctxt lumps voluntary, involuntary and idle together; a walk misses threads that ended"},
       .sources = {{.topic = Topic::kProbe, .via = "probe", .count = [](const Snapshot& s) -> uint64_t { return s.probe.sums.voluntary + s.probe.sums.other_voluntary; }},
                   {.topic = Topic::kWalk, .via = "walk", .count = [](const Snapshot& s) { return s.walk.voluntary; }, .caveat = caveat_of_walk}}},
      {.spec = {.name = "T_nvcsw_total",
                .canonical = "T_nvcsw_total_delta",
                .aliases = {},
                .kind = MetricKind::kCounter,
                .unit = "switches",
                .source = "BPF: sched_switch; else /proc/PID/task/TID/status nonvoluntary_ctxt_switches",
                .formula = "switches away from a task that stayed runnable: preempted, slice used up, or sched_yield; nivcsw in __schedule()",
                .eevdf = "how often the slice ended or a waking task with an earlier deadline took the CPU",
                .ext = "how often the policy let a slice run out or kicked the CPU; a policy that runs to completion has next to none",
                .psutil = "Process.num_ctx_switches().involuntary, with the same difference",
                .trap = "sched_yield counts here, although it is the task's own will"},
       .sources = {{.topic = Topic::kProbe, .via = "probe", .count = [](const Snapshot& s) -> uint64_t { return s.probe.sums.involuntary + s.probe.sums.other_involuntary; }},
                   {.topic = Topic::kWalk, .via = "walk", .count = [](const Snapshot& s) { return s.walk.involuntary; }, .caveat = caveat_of_walk}}},
      {.spec = {.name = "T_cpu_percent",
                .canonical = "T_cpu_percent_avg",
                .aliases = {},
                .kind = MetricKind::kShare,
                .unit = "percent",
                .source = "/proc/stat cpu",
                .formula = "100 * busy / total; busy = total - idle - iowait; guest is within user; what went backwards did not grow",
                .eevdf = kTicks,
                .ext = kCore,
                .psutil = "cpu_percent() of 5.9 to 7.x, which is rounded to 0.1",
                .trap = "averaged over the CPUs already: dividing it by their number once more means nothing"},
       .sources = {{.topic = Topic::kCpu, .parts = [](const Snapshot& a, const Snapshot& b) { return cpu_parts(a, b, &CpuShares::busy, 100); }}}},
      {.spec = {.name = "T_io_wait_percent",
                .canonical = "T_io_wait_percent_avg",
                .aliases = kIowaitAliases,
                .kind = MetricKind::kShare,
                .unit = "percent",
                .source = "/proc/stat cpu",
                .formula = "100 * iowait / total",
                .eevdf = "idle time of a CPU on which a task went to sleep in io_schedule",
                .ext = kCore,
                .psutil = "cpu_times_percent().iowait of 5.9 to 7.x, rounded to 0.1",
                .trap = "only idle time can be iowait, so a busy machine hides it, and it may go backwards; psi_io_some_ratio tells more"},
       .sources = {{.topic = Topic::kCpu, .parts = [](const Snapshot& a, const Snapshot& b) { return cpu_parts(a, b, &CpuShares::iowait, 100); }}}},
      {.spec = {.name = "T_irq_percent",
                .canonical = "T_irq_percent_avg",
                .aliases = {},
                .kind = MetricKind::kShare,
                .unit = "percent",
                .source = "/proc/stat cpu",
                .formula = "100 * irq / total",
                .eevdf = "0 without CONFIG_IRQ_TIME_ACCOUNTING, as in Debian's cloud kernels",
                .ext = kCore,
                .psutil = "cpu_times_percent().irq of 5.9 to 7.x, rounded to 0.1",
                .trap = "0 may mean not measured"},
       .sources = {{.topic = Topic::kCpu, .parts = [](const Snapshot& a, const Snapshot& b) { return cpu_parts(a, b, &CpuShares::irq, 100); }}}},
      {.spec = {.name = "T_softirq_percent",
                .canonical = "T_softirq_percent_avg",
                .aliases = {},
                .kind = MetricKind::kShare,
                .unit = "percent",
                .source = "/proc/stat cpu",
                .formula = "100 * softirq / total",
                .eevdf = "sampled by the tick without CONFIG_IRQ_TIME_ACCOUNTING",
                .ext = kCore,
                .psutil = "cpu_times_percent().softirq of 5.9 to 7.x, rounded to 0.1",
                .trap = "softirqs that ksoftirqd runs are system time"},
       .sources = {{.topic = Topic::kCpu, .parts = [](const Snapshot& a, const Snapshot& b) { return cpu_parts(a, b, &CpuShares::softirq, 100); }}}},
      {.spec = {.name = "T_run_queue",
                .canonical = "T_run_queue_avg",
                .aliases = {},
                .kind = MetricKind::kShare,
                .unit = "threads",
                .source = "/proc/schedstat; else BPF; else /proc/stat",
                .formula = "threads waiting for a CPU, averaged over time: d(run delay) / t; else d(integral of runnable) / t - running; else procs_running sampled - running",
                .eevdf = "exact from run delay or the probe; samples of procs_running also count tasks that sleep but are still queued (DELAY_DEQUEUE, from Linux 6.12 on)",
                .ext = "the same from run delay or the probe: tasks in the policy's own queues wait; samples of procs_running mean another thing than under eevdf",
                .psutil = "none; getloadavg() is an average over a minute of waiting, running and uninterruptible threads together",
                .trap = "procs_running and the load averages count running threads too; the probe counts user space under the fair and ext classes"},
       .sources = {{.topic = Topic::kSchedstat, .via = "schedstat", .between = waiting_by_schedstat},
                   {.topic = Topic::kProbe, .via = "probe", .between = waiting_by_probe},
                   {.topic = Topic::kCpu, .via = "samples", .between = waiting_by_sampling}}},
      {.spec = {.name = "T_active_threads",
                .canonical = "T_active_threads_avg",
                .aliases = {},
                .kind = MetricKind::kShare,
                .unit = "threads",
                .source = "BPF; else /proc/schedstat; else /proc/stat",
                .formula = "threads on a CPU, averaged over time: d(CPU time of all threads) / t",
                .eevdf = "at most the number of CPUs",
                .ext = kCore,
                .psutil = "none; counting Process.status() == running sees leaders only, at one moment, and the counting process among them",
                .trap = "from /proc/stat in ticks of 10 ms, without interrupts"},
       .sources = {{.topic = Topic::kProbe, .via = "probe", .between = running_by_probe},
                   {.topic = Topic::kSchedstat,
                    .via = "schedstat",
                    .between = [](const Snapshot& a, const Snapshot& b) { return grown(a.schedstat.running_ns, b.schedstat.running_ns) / 1e9 / seconds_between(a, b); }},
                   {.topic = Topic::kCpu, .via = "stat", .between = running_by_stat}}},
      {.spec = {.name = "T_blocked_threads",
                .canonical = "T_blocked_threads_avg",
                .aliases = {},
                .kind = MetricKind::kGauge,
                .unit = "threads",
                .source = "BPF; else /proc/loadavg",
                .formula = "threads of user space that are neither on a CPU nor waiting for one, averaged over time; else all threads - runnable threads, sampled",
                .eevdf = "from the probe exact; the sample takes tasks that sleep but are still queued for runnable (DELAY_DEQUEUE)",
                .ext = "the same from the probe",
                .psutil = "none; counting Process.status() sees leaders only, at one moment",
                .trap = "daemons that idle are most of it, and in the sample kernel threads too; uninterruptible_threads tells more"},
       .sources = {{.topic = Topic::kProbe,
                    .via = "probe",
                    .between =
                        [](const Snapshot& a, const Snapshot& b) {
                          return std::max(0.0, mean_level(a, b, &pm_probe::alive, &pm_probe::alive_moment_ns) - mean_level(a, b, &pm_probe::runnable, &pm_probe::runnable_moment_ns));
                        },
                    .usable = [](const Snapshot& s) { return s.probe.states; }},
                   {.topic = Topic::kLoad, .via = "samples", .level = [](const Snapshot& s) { return level(s.load.threads) - level(s.load.runnable); }}}},
      {.spec = {.name = "T_io_blocked_threads",
                .canonical = "T_io_blocked_threads_avg",
                .aliases = {},
                .kind = MetricKind::kGauge,
                .unit = "threads",
                .source = "BPF; else /proc/stat procs_blocked",
                .formula = "threads in io_schedule, averaged over time; else sampled",
                .eevdf = "a task that waits for a block device, from its switch to its wake-up",
                .ext = kCore,
                .psutil = "none",
                .trap = "not the same as state D, in which locks and the network are waited for too; 0 in a sample says little, such waits take microseconds"},
       .sources = {{.topic = Topic::kProbe,
                    .via = "probe",
                    .between = [](const Snapshot& a, const Snapshot& b) { return std::max(0.0, mean_level(a, b, &pm_probe::io_blocked, &pm_probe::io_blocked_moment_ns)); },
                    .usable = [](const Snapshot& s) { return s.probe.states; }},
                   {.topic = Topic::kCpu, .via = "samples", .level = [](const Snapshot& s) { return level(s.cpu.io_blocked); }}}},
      {.spec = {.name = "T_mem_used",
                .canonical = "T_mem_used_avg",
                .aliases = {},
                .kind = MetricKind::kGauge,
                .unit = "bytes",
                .source = "/proc/meminfo",
                .formula = "MemTotal - MemAvailable",
                .eevdf = "nothing to do with the scheduler",
                .ext = kSame,
                .psutil = "virtual_memory().used from 7.1.0 on; 4.4.0 to 7.0: total - free - buffers - cached; before: total - free",
                .trap = "collinear with T_mem_available by definition: a model needs one of the two"},
       .sources = {{.topic = Topic::kMemory, .level = [](const Snapshot& s) { return level(s.memory.total_bytes) - level(s.memory.available_bytes); }}}},
      {.spec = {.name = "T_mem_available",
                .canonical = "T_mem_available",
                .aliases = kAvailableAliases,
                .kind = MetricKind::kGauge,
                .unit = "bytes",
                .source = "/proc/meminfo",
                .formula = "MemAvailable",
                .eevdf = "nothing to do with the scheduler",
                .ext = kSame,
                .psutil = "virtual_memory().available from 4.4.0 on, where the kernel gives it (from Linux 3.14 on)",
                .trap = "an estimate of the kernel's"},
       .sources = {{.topic = Topic::kMemory, .level = [](const Snapshot& s) { return level(s.memory.available_bytes); }}}},
      {.spec = {.name = "T_swap_used",
                .canonical = "T_swap_used_avg",
                .aliases = {},
                .kind = MetricKind::kGauge,
                .unit = "bytes",
                .source = "/proc/meminfo",
                .formula = "SwapTotal - SwapFree",
                .eevdf = "nothing to do with the scheduler",
                .ext = kSame,
                .psutil = "swap_memory().used",
                .trap = "a state, not activity: what was swapped out long ago stays in it"},
       .sources = {{.topic = Topic::kMemory, .level = [](const Snapshot& s) { return level(s.memory.swap_total_bytes) - level(s.memory.swap_free_bytes); }}}},
      {.spec = {.name = "T_cache_mem",
                .canonical = "T_cache_mem_avg",
                .aliases = {},
                .kind = MetricKind::kGauge,
                .unit = "bytes",
                .source = "/proc/meminfo",
                .formula = "Cached + SReclaimable",
                .eevdf = "nothing to do with the scheduler",
                .ext = kSame,
                .psutil = "virtual_memory().cached",
                .trap = "includes shared memory and tmpfs"},
       .sources = {{.topic = Topic::kMemory, .level = [](const Snapshot& s) { return level(s.memory.cached_bytes) + level(s.memory.reclaimable_slab_bytes); }}}},
      {.spec = {.name = "T_buffers_mem",
                .canonical = "T_buffers_mem_avg",
                .aliases = {},
                .kind = MetricKind::kGauge,
                .unit = "bytes",
                .source = "/proc/meminfo",
                .formula = "Buffers",
                .eevdf = "nothing to do with the scheduler",
                .ext = kSame,
                .psutil = "virtual_memory().buffers",
                .trap = "the page cache of block devices, not all of the kernel's buffers"},
       .sources = {{.topic = Topic::kMemory, .level = [](const Snapshot& s) { return level(s.memory.buffers_bytes); }}}},
      {.spec = {.name = "T_swap_in_total",
                .canonical = "T_swap_in_total_delta",
                .aliases = {},
                .kind = MetricKind::kCounter,
                .unit = "bytes",
                .source = "/proc/vmstat pswpin",
                .formula = "pages * page size",
                .eevdf = "nothing to do with the scheduler",
                .ext = kSame,
                .psutil = "swap_memory().sin where a page has 4096 bytes, which it takes for granted",
                .trap = "psi_memory_some_ratio tells what it costs"},
       .sources = {{.topic = Topic::kPaging, .count = [](const Snapshot& s) { return s.paging.swapped_in_pages * page_bytes(); }}}},
      {.spec = {.name = "T_swap_out_total",
                .canonical = "T_swap_out_total_delta",
                .aliases = {},
                .kind = MetricKind::kCounter,
                .unit = "bytes",
                .source = "/proc/vmstat pswpout",
                .formula = "pages * page size",
                .eevdf = "nothing to do with the scheduler",
                .ext = kSame,
                .psutil = "swap_memory().sout, with the same condition",
                .trap = "zram counts too: swapping need not touch a disk"},
       .sources = {{.topic = Topic::kPaging, .count = [](const Snapshot& s) { return s.paging.swapped_out_pages * page_bytes(); }}}},
      {.spec = {.name = "T_io_write_total",
                .canonical = "T_io_write_total_delta",
                .aliases = {},
                .kind = MetricKind::kCounter,
                .unit = "bytes",
                .source = "/proc/diskstats",
                .formula = "512 * sectors written, over the devices where data ends (not partitions, dm, md, loop, zram)",
                .eevdf = "nothing to do with the scheduler",
                .ext = kSame,
                .psutil = "disk_io_counters().write_bytes where no device is stacked on another; elsewhere that one adds up loop, zram, dm and md and so counts twice",
                .trap = "counted at write-back, up to 30 s after the write: a short run measures earlier ones"},
       .sources = {{.topic = Topic::kDisks, .count = [](const Snapshot& s) { return s.disks.written_bytes; }}}},
      {.spec = {.name = "T_io_read_total",
                .canonical = "T_io_read_total_delta",
                .aliases = {},
                .kind = MetricKind::kCounter,
                .unit = "bytes",
                .source = "/proc/diskstats",
                .formula = "512 * sectors read, over the same devices",
                .eevdf = "nothing to do with the scheduler",
                .ext = kSame,
                .psutil = "disk_io_counters().read_bytes, with the same condition",
                .trap = "reads from the page cache are none"},
       .sources = {{.topic = Topic::kDisks, .count = [](const Snapshot& s) { return s.disks.read_bytes; }}}},
  };
}

std::vector<MetricRow> added_rows() {
  constexpr std::string_view kTasks = "threads of user space under the fair and ext classes";
  std::vector<MetricRow> rows = {
      {.spec = {.name = "switches_total",
                .canonical = "switches_total",
                .aliases = {},
                .kind = MetricKind::kCounter,
                .unit = "switches",
                .source = "/proc/stat ctxt",
                .formula = "all switches of all CPUs: sum of rq->nr_switches",
                .eevdf = "voluntary, involuntary and away from idle",
                .ext = kSame,
                .psutil = "cpu_stats().ctx_switches",
                .trap = "read twice it is not a pair of voluntary and involuntary switches, however alike the names"},
       .sources = {{.topic = Topic::kCpu, .count = [](const Snapshot& s) { return s.cpu.switches; }}}},
      {.spec = {.name = "idle_exits_total",
                .canonical = "idle_exits_total",
                .aliases = {},
                .kind = MetricKind::kCounter,
                .unit = "switches",
                .source = "BPF: sched_switch",
                .formula = "switches away from an idle CPU's idle task",
                .eevdf = "a task came to a CPU that had nothing to do",
                .ext = "the same; a policy that keeps tasks in a shared queue leaves idle more often",
                .psutil = "none",
                .trap = ""},
       .sources = {{.topic = Topic::kProbe, .count = idle_exits}}},
      {.spec = {.name = "wakeups_total",
                .canonical = "wakeups_total",
                .aliases = {},
                .kind = MetricKind::kCounter,
                .unit = "wakeups",
                .source = "BPF: sched_wakeup",
                .formula = "wake-ups of threads that had gone to sleep",
                .eevdf = kTasks,
                .ext = kSame,
                .psutil = "none",
                .trap = "waking a thread that has not left its CPU yet is none"},
       .sources = {{.topic = Topic::kProbe, .count = [](const Snapshot& s) -> uint64_t { return s.probe.sums.wakeups; }}}},
      {.spec = {.name = "forks_total",
                .canonical = "forks_total",
                .aliases = {},
                .kind = MetricKind::kCounter,
                .unit = "threads",
                .source = "/proc/stat processes",
                .formula = "clones: processes and threads, of the kernel too",
                .eevdf = "nothing to do with the scheduler",
                .ext = kSame,
                .psutil = "none",
                .trap = "the kernel's name for it is `processes`, but threads are counted"},
       .sources = {{.topic = Topic::kCpu, .count = [](const Snapshot& s) { return s.cpu.forks; }}}},
      {.spec = {.name = "migrations_total",
                .canonical = "migrations_total",
                .aliases = {},
                .kind = MetricKind::kCounter,
                .unit = "migrations",
                .source = "BPF: sched_switch",
                .formula = "times that a thread got another CPU than the one that it had last",
                .eevdf = "by the load balancer or at a wake-up",
                .ext = "by the policy: with one queue for all CPUs almost any",
                .psutil = "none",
                .trap = "moves between queues without running are none, so it is less than perf's sched_migrate_task"},
       .sources = {{.topic = Topic::kProbe, .count = [](const Snapshot& s) -> uint64_t { return s.probe.sums.migrations; }}}},
      {.spec = {.name = "run_delay_total",
                .canonical = "run_delay_total",
                .aliases = {},
                .kind = MetricKind::kCounter,
                .unit = "ns",
                .source = "BPF; else /proc/schedstat",
                .formula = "time that threads spent runnable but not running, over all of them, entered when the wait ends",
                .eevdf = kTasks,
                .ext = "the same, whatever queue of the policy they wait in",
                .psutil = "none",
                .trap = "sched_stat_wait, which perf reports, is never emitted for tasks of sched_ext; schedstat counts the kernel's threads too"},
       .sources = {{.topic = Topic::kProbe, .via = "probe", .count = [](const Snapshot& s) -> uint64_t { return s.probe.sums.wait_ns; }},
                   {.topic = Topic::kSchedstat, .via = "schedstat", .count = [](const Snapshot& s) { return s.schedstat.waiting_ns; }}}},
      {.spec = {.name = "run_delay_mean",
                .canonical = "run_delay_mean",
                .aliases = {},
                .kind = MetricKind::kShare,
                .unit = "us",
                .source = "BPF; else /proc/schedstat",
                .formula = "d(run delay) / d(waits); from schedstat / d(timeslices)",
                .eevdf = kTasks,
                .ext = kSame,
                .psutil = "none",
                .trap = "a mean hides the tail; `pointsman trace` has quantiles"},
       .sources = {{.topic = Topic::kProbe,
                    .via = "probe",
                    .parts = [](const Snapshot& a, const Snapshot& b) { return std::pair(grown(a.probe.sums.wait_ns, b.probe.sums.wait_ns) / 1e3, grown(a.probe.sums.waits, b.probe.sums.waits)); }},
                   {.topic = Topic::kSchedstat,
                    .via = "schedstat",
                    .parts = [](const Snapshot& a, const Snapshot& b) { return std::pair(grown(a.schedstat.waiting_ns, b.schedstat.waiting_ns) / 1e3, grown(a.schedstat.timeslices, b.schedstat.timeslices)); }}}},
      {.spec = {.name = "burst_mean",
                .canonical = "burst_mean",
                .aliases = {},
                .kind = MetricKind::kShare,
                .unit = "us",
                .source = "BPF",
                .formula = "d(CPU time of bursts) / d(bursts); a burst is what a thread computes between its wake-up and its going to sleep",
                .eevdf = kTasks,
                .ext = "the same: a property of the work, not of the policy",
                .psutil = "none",
                .trap = "a burst counts when it ends: threads that never sleep have none"},
       .sources = {{.topic = Topic::kProbe,
                    .parts = [](const Snapshot& a, const Snapshot& b) { return std::pair(grown(a.probe.sums.burst_us, b.probe.sums.burst_us), grown(a.probe.sums.bursts, b.probe.sums.bursts)); }}}},
      {.spec = {.name = "burst_short_ratio",
                .canonical = "burst_short_ratio",
                .aliases = {},
                .kind = MetricKind::kShare,
                .unit = "ratio",
                .source = "BPF",
                .formula = "bursts below 5 ms / all bursts",
                .eevdf = kTasks,
                .ext = kSame,
                .psutil = "none",
                .trap = "by number, not by CPU time"},
       .sources = {{.topic = Topic::kProbe,
                    .parts = [](const Snapshot& a, const Snapshot& b) { return std::pair(grown(a.probe.sums.bursts_5ms, b.probe.sums.bursts_5ms), grown(a.probe.sums.bursts, b.probe.sums.bursts)); }}}},
      {.spec = {.name = "uninterruptible_threads",
                .canonical = "uninterruptible_threads",
                .aliases = {},
                .kind = MetricKind::kGauge,
                .unit = "threads",
                .source = "BPF; else /proc/PID/task/TID/status State",
                .formula = "threads in state D, averaged over time; else sampled",
                .eevdf = "what waits for a device, a lock of the kernel or the network, and takes no signal",
                .ext = kSame,
                .psutil = "counting Process.status() == disk-sleep, but of every thread",
                .trap = "the probe counts user space; a walk the kernel's threads too"},
       .sources = {{.topic = Topic::kProbe,
                    .via = "probe",
                    .between = [](const Snapshot& a, const Snapshot& b) { return std::max(0.0, mean_level(a, b, &pm_probe::uninterruptible, &pm_probe::uninterruptible_moment_ns)); },
                    .usable = [](const Snapshot& s) { return s.probe.states; }},
                   {.topic = Topic::kWalk, .via = "walk", .level = [](const Snapshot& s) { return level(s.walk.uninterruptible); }}}},
      {.spec = {.name = "busiest_cpu_ratio",
                .canonical = "busiest_cpu_ratio",
                .aliases = {},
                .kind = MetricKind::kShare,
                .unit = "ratio",
                .source = "/proc/stat cpuN",
                .formula = "the busy share of the busiest CPU",
                .eevdf = "what scx_loader goes by",
                .ext = kSame,
                .psutil = "max(cpu_percent(percpu=True)) / 100",
                .trap = "noisy over less than 200 ms: ticks of 10 ms"},
       .sources = {{.topic = Topic::kCpu, .between = [](const Snapshot& a, const Snapshot& b) { return cpu_parts(a, b, &CpuShares::busy, 1).second > 0 ? busiest_cpu_ratio(a.cpu, b.cpu) : kNothing; }}}},
      {.spec = {.name = "steal_ratio",
                .canonical = "steal_ratio",
                .aliases = {},
                .kind = MetricKind::kShare,
                .unit = "ratio",
                .source = "/proc/stat cpu",
                .formula = "steal / total",
                .eevdf = "time in which the hypervisor ran somebody else",
                .ext = kSame,
                .psutil = "cpu_times_percent().steal / 100",
                .trap = "0 where the hypervisor does not tell; anything else spoils a comparison of schedulers"},
       .sources = {{.topic = Topic::kCpu, .parts = [](const Snapshot& a, const Snapshot& b) { return cpu_parts(a, b, &CpuShares::steal, 1); }}}},
  };
  rows.push_back(pressure_row("psi_cpu_some_ratio", "share of the time in which at least one task waited for a CPU", stalled<&PressureTopic::cpu, &Stall::some_us>));
  rows.push_back(pressure_row("psi_cpu_full_ratio", "share of the time in which every task that was not idle waited for a CPU", stalled<&PressureTopic::cpu, &Stall::full_us>));
  rows.push_back(pressure_row("psi_memory_some_ratio", "share of the time in which at least one task waited for memory", stalled<&PressureTopic::memory, &Stall::some_us>));
  rows.push_back(pressure_row("psi_memory_full_ratio", "share of the time in which every task that was not idle waited for memory", stalled<&PressureTopic::memory, &Stall::full_us>));
  rows.push_back(pressure_row("psi_io_some_ratio", "share of the time in which at least one task waited for I/O", stalled<&PressureTopic::io, &Stall::some_us>));
  rows.push_back(pressure_row("psi_io_full_ratio", "share of the time in which every task that was not idle waited for I/O", stalled<&PressureTopic::io, &Stall::full_us>));
  return rows;
}

}  // namespace

const std::vector<MetricRow>& metric_rows() {
  static const std::vector<MetricRow> kRows = [] {
    std::vector<MetricRow> rows = seed_rows();
    for (MetricRow& row : rows) row.spec.of_seed = true;
    for (MetricRow& row : added_rows()) rows.push_back(std::move(row));
    return rows;
  }();
  return kRows;
}

}  // namespace pointsman

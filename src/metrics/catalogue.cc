#include "metrics/catalogue.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace pointsman {
namespace {

double seconds_between(const Snapshot& a, const Snapshot& b) { return static_cast<double>(b.taken_ns - a.taken_ns) / 1e9; }
double grown(uint64_t before, uint64_t after) { return after > before ? static_cast<double>(after - before) : 0; }

// What a metric takes from one snapshot or from two, and the topic without which it cannot.
struct Gauge {
  Topic topic;
  double (*at)(const Snapshot&);
};
struct Counter {
  Topic topic;
  uint64_t (*at)(const Snapshot&);
};
struct Share {
  Topic topic;
  std::string_view via;
  double (*between)(const Snapshot&, const Snapshot&);
};

uint64_t page_bytes() {
  static const auto bytes = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}
double ticks_a_second() {
  static const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  return ticks;
}

struct Entry {
  MetricSpec spec;
  std::vector<Gauge> gauge = {};
  std::vector<Counter> counter = {};
  std::vector<Share> share = {};  // the best source first
};

constexpr std::string_view kIowaitAliases[] = {"T_iowait_percent_avg"};
constexpr std::string_view kAvailableAliases[] = {"T_mem_available_avg"};

double waiting_by_schedstat(const Snapshot& a, const Snapshot& b) {
  return grown(a.schedstat.waiting_ns, b.schedstat.waiting_ns) / 1e9 / seconds_between(a, b);
}
double waiting_by_probe(const Snapshot& a, const Snapshot& b) {
  const auto integral = [](const ProbeTopic& p) {
    return static_cast<uint64_t>(p.moment_ns) * static_cast<uint64_t>(p.sums.runnable) - p.sums.runnable_moment_ns;  // modulo 2^64: probe.intf.h
  };
  const auto runnable_ns = static_cast<double>(static_cast<int64_t>(integral(b.probe) - integral(a.probe)));
  const double running_ns = grown(a.probe.sums.busy_ns, b.probe.sums.busy_ns);
  return std::max(0.0, runnable_ns - running_ns) / static_cast<double>(std::max<int64_t>(1, b.probe.moment_ns - a.probe.moment_ns));
}
double running_by_stat(const Snapshot& a, const Snapshot& b) {
  const CpuTicks &x = a.cpu.all, &y = b.cpu.all;
  return (grown(x.user, y.user) + grown(x.nice, y.nice) + grown(x.system, y.system)) / ticks_a_second() / seconds_between(a, b);
}
double waiting_by_sampling(const Snapshot& a, const Snapshot& b) {
  const double runnable = static_cast<double>(a.cpu.running + b.cpu.running) / 2;
  return std::max(0.0, runnable - running_by_stat(a, b));
}

const std::vector<Entry>& entries() {
  static const std::vector<Entry> kEntries = {
      {.spec = {.name = "T_vcsw_total",
                .canonical = "T_vcsw_total_delta",
                .aliases = {},
                .kind = MetricKind::kCounter,
                .unit = "switches",
                .source = "BPF: sched_switch",
                .formula = "switches that were no preemption, away from a task that was not runnable",
                .trap = "/proc/stat ctxt lumps voluntary, involuntary and idle; /proc/PID/status tells of leaders only and forgets who exited"},
       .counter = {{Topic::kProbe, [](const Snapshot& s) { return s.probe.sums.voluntary + s.probe.sums.other_voluntary; }}}},
      {.spec = {.name = "T_nvcsw_total",
                .canonical = "T_nvcsw_total_delta",
                .aliases = {},
                .kind = MetricKind::kCounter,
                .unit = "switches",
                .source = "BPF: sched_switch",
                .formula = "switches away from a task that stayed runnable: preempted, slice used up, or sched_yield",
                .trap = "the same"},
       .counter = {{Topic::kProbe, [](const Snapshot& s) { return s.probe.sums.involuntary + s.probe.sums.other_involuntary; }}}},
      {.spec = {.name = "T_cpu_percent",
                .canonical = "T_cpu_percent_avg",
                .aliases = {},
                .kind = MetricKind::kShare,
                .unit = "percent",
                .source = "/proc/stat cpu",
                .formula = "100 * busy / total; busy = total - idle - iowait; guest is within user",
                .trap = "averaged over the CPUs already; ticks of 10 ms"},
       .share = {{Topic::kCpu, "stat", [](const Snapshot& a, const Snapshot& b) { return 100 * shares_between(a.cpu.all, b.cpu.all).busy; }}}},
      {.spec = {.name = "T_io_wait_percent",
                .canonical = "T_io_wait_percent_avg",
                .aliases = kIowaitAliases,
                .kind = MetricKind::kShare,
                .unit = "percent",
                .source = "/proc/stat cpu",
                .formula = "100 * iowait / total",
                .trap = "only idle time can be iowait, and it may go backwards; pressure of io tells more"},
       .share = {{Topic::kCpu, "stat", [](const Snapshot& a, const Snapshot& b) { return 100 * shares_between(a.cpu.all, b.cpu.all).iowait; }}}},
      {.spec = {.name = "T_irq_percent",
                .canonical = "T_irq_percent_avg",
                .aliases = {},
                .kind = MetricKind::kShare,
                .unit = "percent",
                .source = "/proc/stat cpu",
                .formula = "100 * irq / total",
                .trap = "0 without CONFIG_IRQ_TIME_ACCOUNTING"},
       .share = {{Topic::kCpu, "stat", [](const Snapshot& a, const Snapshot& b) { return 100 * shares_between(a.cpu.all, b.cpu.all).irq; }}}},
      {.spec = {.name = "T_softirq_percent",
                .canonical = "T_softirq_percent_avg",
                .aliases = {},
                .kind = MetricKind::kShare,
                .unit = "percent",
                .source = "/proc/stat cpu",
                .formula = "100 * softirq / total",
                .trap = "sampled by the tick without CONFIG_IRQ_TIME_ACCOUNTING"},
       .share = {{Topic::kCpu, "stat", [](const Snapshot& a, const Snapshot& b) { return 100 * shares_between(a.cpu.all, b.cpu.all).softirq; }}}},
      {.spec = {.name = "T_run_queue",
                .canonical = "T_run_queue_avg",
                .aliases = {},
                .kind = MetricKind::kShare,
                .unit = "threads",
                .source = "/proc/schedstat, else BPF, else /proc/stat",
                .formula = "threads waiting for a CPU, averaged over time: d(run delay) / t; else d(integral of runnable) / t - running; else procs_running sampled - running",
                .trap = "procs_running and the load averages count running threads too; the probe counts user space under the fair and ext classes"},
       .share = {{Topic::kSchedstat, "schedstat", waiting_by_schedstat}, {Topic::kProbe, "probe", waiting_by_probe}, {Topic::kCpu, "samples", waiting_by_sampling}}},
      {.spec = {.name = "T_active_threads",
                .canonical = "T_active_threads_avg",
                .aliases = {},
                .kind = MetricKind::kShare,
                .unit = "threads",
                .source = "BPF, else /proc/schedstat, else /proc/stat",
                .formula = "threads on a CPU, averaged over time: d(CPU time of all threads) / t",
                .trap = "from /proc/stat in ticks of 10 ms, without interrupts"},
       .share = {{Topic::kProbe, "probe",
                  [](const Snapshot& a, const Snapshot& b) {
                    const double ns = grown(a.probe.sums.busy_ns, b.probe.sums.busy_ns) + grown(a.probe.sums.other_ns, b.probe.sums.other_ns);
                    return ns / static_cast<double>(std::max<int64_t>(1, b.probe.moment_ns - a.probe.moment_ns));
                  }},
                 {Topic::kSchedstat, "schedstat",
                  [](const Snapshot& a, const Snapshot& b) {
                    return grown(a.schedstat.running_ns, b.schedstat.running_ns) / 1e9 / seconds_between(a, b);
                  }},
                 {Topic::kCpu, "stat", running_by_stat}}},
      {.spec = {.name = "T_blocked_threads",
                .canonical = "T_blocked_threads_avg",
                .aliases = {},
                .kind = MetricKind::kGauge,
                .unit = "threads",
                .source = "/proc/loadavg",
                .formula = "all threads - runnable threads",
                .trap = "idle daemons and kernel threads are most of it"},
       .gauge = {{Topic::kLoad, [](const Snapshot& s) { return static_cast<double>(s.load.threads) - static_cast<double>(s.load.runnable); }}}},
      {.spec = {.name = "T_io_blocked_threads",
                .canonical = "T_io_blocked_threads_avg",
                .aliases = {},
                .kind = MetricKind::kGauge,
                .unit = "threads",
                .source = "/proc/stat procs_blocked",
                .formula = "threads in io_schedule",
                .trap = "not the same as state D"},
       .gauge = {{Topic::kCpu, [](const Snapshot& s) { return static_cast<double>(s.cpu.io_blocked); }}}},
      {.spec = {.name = "T_mem_used",
                .canonical = "T_mem_used_avg",
                .aliases = {},
                .kind = MetricKind::kGauge,
                .unit = "bytes",
                .source = "/proc/meminfo",
                .formula = "MemTotal - MemAvailable (psutil from 7.1 on)",
                .trap = "collinear with T_mem_available by definition; psutil before 7.1: total - free - buffers - cached"},
       .gauge = {{Topic::kMemory, [](const Snapshot& s) { return static_cast<double>(s.memory.total_bytes) - static_cast<double>(s.memory.available_bytes); }}}},
      {.spec = {.name = "T_mem_available",
                .canonical = "T_mem_available",
                .aliases = kAvailableAliases,
                .kind = MetricKind::kGauge,
                .unit = "bytes",
                .source = "/proc/meminfo",
                .formula = "MemAvailable",
                .trap = "an estimate of the kernel's"},
       .gauge = {{Topic::kMemory, [](const Snapshot& s) { return static_cast<double>(s.memory.available_bytes); }}}},
      {.spec = {.name = "T_swap_used",
                .canonical = "T_swap_used_avg",
                .aliases = {},
                .kind = MetricKind::kGauge,
                .unit = "bytes",
                .source = "/proc/meminfo",
                .formula = "SwapTotal - SwapFree",
                .trap = "a state, not activity: what was swapped out long ago stays in it"},
       .gauge = {{Topic::kMemory, [](const Snapshot& s) { return static_cast<double>(s.memory.swap_total_bytes) - static_cast<double>(s.memory.swap_free_bytes); }}}},
      {.spec = {.name = "T_cache_mem",
                .canonical = "T_cache_mem_avg",
                .aliases = {},
                .kind = MetricKind::kGauge,
                .unit = "bytes",
                .source = "/proc/meminfo",
                .formula = "Cached + SReclaimable",
                .trap = "includes shared memory and tmpfs"},
       .gauge = {{Topic::kMemory, [](const Snapshot& s) { return static_cast<double>(s.memory.cached_bytes) + static_cast<double>(s.memory.reclaimable_slab_bytes); }}}},
      {.spec = {.name = "T_buffers_mem",
                .canonical = "T_buffers_mem_avg",
                .aliases = {},
                .kind = MetricKind::kGauge,
                .unit = "bytes",
                .source = "/proc/meminfo",
                .formula = "Buffers",
                .trap = "the page cache of block devices, not all of the kernel's buffers"},
       .gauge = {{Topic::kMemory, [](const Snapshot& s) { return static_cast<double>(s.memory.buffers_bytes); }}}},
      {.spec = {.name = "T_swap_in_total",
                .canonical = "T_swap_in_total_delta",
                .aliases = {},
                .kind = MetricKind::kCounter,
                .unit = "bytes",
                .source = "/proc/vmstat pswpin",
                .formula = "pages * page size",
                .trap = "psutil takes every page for 4096 bytes"},
       .counter = {{Topic::kPaging, [](const Snapshot& s) { return s.paging.swapped_in_pages * page_bytes(); }}}},
      {.spec = {.name = "T_swap_out_total",
                .canonical = "T_swap_out_total_delta",
                .aliases = {},
                .kind = MetricKind::kCounter,
                .unit = "bytes",
                .source = "/proc/vmstat pswpout",
                .formula = "pages * page size",
                .trap = "the same"},
       .counter = {{Topic::kPaging, [](const Snapshot& s) { return s.paging.swapped_out_pages * page_bytes(); }}}},
      {.spec = {.name = "T_io_write_total",
                .canonical = "T_io_write_total_delta",
                .aliases = {},
                .kind = MetricKind::kCounter,
                .unit = "bytes",
                .source = "/proc/diskstats",
                .formula = "512 * sectors written, over the devices where data ends",
                .trap = "counted at write-back, up to 30 s after the write; psutil adds up loop, zram, dm and md too and so counts twice"},
       .counter = {{Topic::kDisks, [](const Snapshot& s) { return s.disks.written_bytes; }}}},
      {.spec = {.name = "T_io_read_total",
                .canonical = "T_io_read_total_delta",
                .aliases = {},
                .kind = MetricKind::kCounter,
                .unit = "bytes",
                .source = "/proc/diskstats",
                .formula = "512 * sectors read, over the devices where data ends",
                .trap = "reads from the page cache are none"},
       .counter = {{Topic::kDisks, [](const Snapshot& s) { return s.disks.read_bytes; }}}},
  };
  return kEntries;
}

bool all_ok(std::span<const Snapshot> snapshots, Topic topic) {
  return std::all_of(snapshots.begin(), snapshots.end(), [&](const Snapshot& s) { return s.of(topic).ok; });
}
std::string trouble_of(std::span<const Snapshot> snapshots, Topic topic) {
  for (const Snapshot& s : snapshots) {
    if (!s.of(topic).ok) return s.of(topic).trouble;
  }
  return "";
}

void set_change(MetricValue& v, double first, double last, double seconds, bool percent) {
  v.delta = last - first;
  if (seconds > 0) v.rate = *v.delta / seconds;
  if (percent && first != 0) v.pct_change = 100 * *v.delta / first;
}

void evaluate(const Gauge& gauge, std::span<const Snapshot> s, MetricValue& v) {
  if (!all_ok(s, gauge.topic)) {
    v.absent = trouble_of(s, gauge.topic);
    return;
  }
  double sum = 0;
  for (const Snapshot& one : s) sum += gauge.at(one);
  v.avg = sum / static_cast<double>(s.size());
  if (s.size() >= 2) set_change(v, gauge.at(s.front()), gauge.at(s.back()), seconds_between(s.front(), s.back()), true);
}

constexpr const char* kTwoNeeded = "needs two snapshots";

void evaluate(const Counter& counter, std::span<const Snapshot> s, MetricValue& v) {
  if (!all_ok(s, counter.topic)) {
    v.absent = trouble_of(s, counter.topic);
    return;
  }
  if (s.size() < 2) {
    v.absent = kTwoNeeded;
    return;
  }
  double total = 0;
  for (size_t i = 1; i < s.size(); ++i) {
    const uint64_t before = counter.at(s[i - 1]), after = counter.at(s[i]);
    if (after < before) ++v.backwards;
    total += grown(before, after);
  }
  v.delta = total;
  if (const double seconds = seconds_between(s.front(), s.back()); seconds > 0) v.rate = total / seconds;
}

// Over intervals without length there is no share; they are left out.
void evaluate(std::span<const Share> sources, std::span<const Snapshot> s, MetricValue& v) {
  const auto source = std::find_if(sources.begin(), sources.end(), [&](const Share& share) { return all_ok(s, share.topic); });
  if (source == sources.end()) {
    v.absent = trouble_of(s, sources.back().topic);
    return;
  }
  v.via = source->via;
  // One sum over the intervals rather than the two ends: what falls within one interval is no growth there, and the rest still counts.
  double weighted = 0, elapsed = 0, first = 0, last = 0;
  int intervals = 0;
  for (size_t i = 1; i < s.size(); ++i) {
    const double seconds = seconds_between(s[i - 1], s[i]);
    if (!(seconds > 0)) continue;
    last = source->between(s[i - 1], s[i]);
    if (intervals++ == 0) first = last;
    weighted += last * seconds;
    elapsed += seconds;
  }
  if (intervals == 0) {
    v.absent = s.size() < 2 ? kTwoNeeded : "no time passed between the snapshots";
    return;
  }
  v.avg = weighted / elapsed;
  if (intervals >= 2) set_change(v, first, last, seconds_between(s.front(), s.back()), true);
}

}  // namespace

std::string_view name_of(MetricKind kind) {
  switch (kind) {
    case MetricKind::kGauge: return "gauge";
    case MetricKind::kCounter: return "counter";
    case MetricKind::kShare: return "share";
  }
  return "?";
}

std::span<const MetricSpec> metric_catalogue() {
  static const std::vector<MetricSpec> kSpecs = [] {
    std::vector<MetricSpec> specs;
    for (const Entry& entry : entries()) specs.push_back(entry.spec);
    return specs;
  }();
  return kSpecs;
}

const MetricSpec* find_metric(std::string_view name) {
  for (const MetricSpec& spec : metric_catalogue()) {
    if (name == spec.name || name == spec.canonical || std::find(spec.aliases.begin(), spec.aliases.end(), name) != spec.aliases.end()) return &spec;
  }
  return nullptr;
}

std::vector<MetricValue> seed_metrics(std::span<const Snapshot> snapshots) {
  std::vector<MetricValue> out;
  const auto specs = metric_catalogue();
  for (size_t i = 0; i < specs.size(); ++i) {
    MetricValue v;
    v.spec = &specs[i];
    const Entry& entry = entries()[i];
    if (snapshots.empty())
      v.absent = "no snapshot";
    else if (!entry.gauge.empty())
      evaluate(entry.gauge.front(), snapshots, v);
    else if (!entry.counter.empty())
      evaluate(entry.counter.front(), snapshots, v);
    else
      evaluate(entry.share, snapshots, v);
    out.push_back(std::move(v));
  }
  return out;
}

}  // namespace pointsman

// pointsman metrics: what the kernel counts, live, with as much as this user may read.
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/clock.h"
#include "base/file.h"
#include "cli/interrupt.h"
#include "cli/verb.h"
#include "metrics/groups.h"
#include "metrics/print.h"
#include "metrics/probe.h"
#include "metrics/sampler.h"
#include "metrics/seed_columns.h"

namespace pointsman {

namespace {

struct Options {
  Roots roots;
  double interval_s = 1;
  int count = 1, samples = 10;
  bool csv = false, prometheus = false, per_cpu = false, seed_columns = false, no_probe = false;
  std::string by;
  std::vector<std::string> jobs;
  size_t top = 20;
  JsonOption json;
};

// The probe sees the machine that it runs on; a procfs may be that of another, or a copy.
bool is_this_machine(const std::string& procfs) {
  constexpr const char* kBoot = "/sys/kernel/random/boot_id";
  const auto here = read_file(std::string("/proc") + kBoot), there = read_file(procfs + kBoot);
  return procfs == "/proc" || (here && there && *here == *there);
}

struct Eyes {
  std::optional<Probe> probe;
  std::string absent;
  bool rights_missing = false;
};
Eyes open_eyes(const Options& options) {
  if (options.no_probe) return {.probe = std::nullopt, .absent = "--no-probe was given"};
  if (!is_this_machine(options.roots.procfs)) return {.probe = std::nullopt, .absent = fmt::format("{} is not of the machine that is running", options.roots.procfs)};
  auto probe = Probe::open({.states = true});
  if (probe) return {.probe = std::move(*probe), .absent = ""};
  // What libbpf says about it helps nobody without the rights.
  const bool rights_missing = probe.error().code == ErrorCode::kPermissionDenied;
  return {.probe = std::nullopt, .absent = rights_missing ? "the probe needs root, or CAP_BPF and CAP_PERFMON" : probe.error().message, .rights_missing = rights_missing};
}

std::string advice(std::span<const MetricValue> metrics, const Eyes& eyes) {
  if (!eyes.rights_missing) return "";
  const ProbeWouldAdd add = probe_would_add(metrics);
  std::string out = "As root, or with CAP_BPF and CAP_PERFMON, the probe would";
  if (!add.missing.empty()) out += fmt::format(" add {}", fmt::join(add.missing, ", "));
  if (!add.inexact.empty()) out += fmt::format("{} make exact {}", add.missing.empty() ? "" : ", and", fmt::join(add.inexact, ", "));
  return add.missing.empty() && add.inexact.empty() ? "" : out + ".\n";
}

report::Table seed_table(std::span<const MetricValue> metrics, std::span<const Snapshot> snapshots) {
  using report::Quantity;
  report::Table table("The columns of the tables that this project set out from, flagged", {{"column", "column"},
                                                                                            {"value", "value", Quantity::kNumber},
                                                                                            {"normalized", "per core", Quantity::kNumber},
                                                                                            {"wrong", "what is wrong about it"}});
  for (const SeedColumn& c : seed_columns(metrics, snapshots)) {
    const auto cell = [](const std::optional<double>& v) { return v ? report::Cell(*v) : report::Cell(); };
    table.add({c.name, cell(c.value), cell(c.normalized), c.absent.empty() ? std::string(c.wrong) : c.absent});
  }
  return table;
}

class Printer {
 public:
  Printer(const Options& options, const Eyes& eyes) : options_(options), eyes_(eyes) {}

  Result<Unit> print(std::span<const Snapshot> snapshots) {
    const auto metrics = evaluate_metrics(snapshots);
    const bool first = printed_++ == 0;
    if (options_.csv) {
      if (first) header_ = csv_header(metrics, snapshots, {.per_cpu = options_.per_cpu});
      // Columns stay those of the first row, whatever CPUs come and go.
      if (options_.per_cpu && !first && csv_header(metrics, snapshots, {.per_cpu = true}) != header_) {
        return fail(ErrorCode::kIo, "a CPU came or went, so the columns of --csv --per-cpu no longer fit; start again");
      }
      return out((first ? header_ : "") + csv_row(metrics, snapshots, {.per_cpu = options_.per_cpu}));
    }
    if (options_.prometheus) return out(to_prometheus(metrics, snapshots, {.per_cpu = options_.per_cpu}));
    const std::string help = advice(metrics, eyes_);
    nlohmann::json json;
    std::string text;
    if (options_.seed_columns) {
      const report::Table table = seed_table(metrics, snapshots);
      text = table.text({.color = report::wants_color(STDOUT_FILENO)});
      json = table.json();
    } else {
      text = to_table(metrics, snapshots);
      if (options_.per_cpu) text += "\n" + cpu_table(snapshots);
      if (!help.empty()) text += "\n" + help;
      json = to_json(metrics, snapshots);
      json["time_s"] = static_cast<double>(snapshots.back().taken_ns) / 1e9;
      if (options_.per_cpu) json["cpus"] = cpus_json(snapshots);
      if (!help.empty()) json["advice"] = help.substr(0, help.size() - 1);
    }
    const auto wanted = options_.json.emit();
    if (!wanted.json) return out((first ? "" : "\n") + text);
    const bool to_file = !wanted.json_file.empty() && wanted.json_file != "-";
    if (options_.count == 1) return report::emit(text, json, wanted);
    if (!to_file) return out(json.dump() + "\n");
    rows_.push_back(std::move(json));
    return out((first ? "" : "\n") + text);
  }
  Result<Unit> finish() {
    if (rows_.empty()) return Unit{};
    return write_file(options_.json.path, report::dump_json(rows_));
  }

 private:
  static Result<Unit> out(const std::string& text) {
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) return fail_errno("standard output");
    return Unit{};
  }
  const Options& options_;
  const Eyes& eyes_;
  int printed_ = 0;
  std::string header_;
  nlohmann::json rows_ = nlohmann::json::array();
};

report::Table group_table(std::span<const GroupSpan> spans, size_t top) {
  using report::Quantity;
  report::Table table("", {{"group", "group"},
                           {"alive", "threads", Quantity::kCount},
                           {"forks", "forks", Quantity::kCount},
                           {"exits", "exits", Quantity::kCount},
                           {"wakeups", "wake-ups", Quantity::kCount},
                           {"voluntary", "vol.", Quantity::kCount},
                           {"involuntary", "invol.", Quantity::kCount},
                           {"cpu_s", "CPU", Quantity::kSeconds},
                           {"mean_tat_s", "TAT", Quantity::kSeconds},
                           {"p99_tat_s", "p99", Quantity::kSeconds},
                           {"mean_rt_s", "RT", Quantity::kSeconds},
                           {"mean_wait_s", "delay", Quantity::kSeconds},
                           {"p50_wait_s", "p50", Quantity::kSeconds},
                           {"p90_wait_s", "p90", Quantity::kSeconds},
                           {"p99_wait_s", "p99", Quantity::kSeconds},
                           {"mean_slowdown", "slowdown", Quantity::kRatio},
                           {"jain_fairness", "Jain", Quantity::kRatio},
                           {"cv_fairness", "CV", Quantity::kRatio},
                           {"sharers", "sharers", Quantity::kCount},
                           {"jain_share", "Jain", Quantity::kRatio},
                           {"cv_share", "CV", Quantity::kRatio}});
  const auto cell = [](double value) { return std::isfinite(value) ? report::Cell(value) : report::Cell(); };
  using Hist = GroupSpan::Hist;
  for (const GroupSpan& g : spans.first(std::min(top, spans.size()))) {
    const pm_group& s = g.sums;
    table.add({g.name, s.alive, s.forks, s.exits, s.wakeups, s.voluntary, s.involuntary, static_cast<double>(s.cpu_ns) / 1e9, cell(g.mean_tat_s()), cell(g.quantile_s(Hist::kTat, .99)), cell(g.mean_rt_s()),
               cell(g.mean_wait_s()), cell(g.quantile_s(Hist::kWait, .5)), cell(g.quantile_s(Hist::kWait, .9)), cell(g.quantile_s(Hist::kWait, .99)), cell(g.mean_slowdown()), cell(g.jain_of_fairness()),
               cell(g.cv_of_fairness()), s.sharers, cell(g.jain_of_share()), cell(g.cv_of_share())});
  }
  if (spans.size() > top) table.notes.push_back(fmt::format("{} of {} groups, those with the most CPU time (--top)", top, spans.size()));
  return table;
}

Result<Unit> metrics_by_group(const Options& options) {
  const auto by = find_group_by(options.by);
  if (!by) return fail(by.error());
  if (*by != GroupBy::kJob && !options.jobs.empty()) return fail(ErrorCode::kInvalidArgument, "--job goes with --by job");
  if (options.csv || options.prometheus || options.seed_columns || options.per_cpu) return fail(ErrorCode::kInvalidArgument, "--by prints tables or --json only");
  auto groups = Groups::open(*by);
  if (!groups) return fail(groups.error());
  for (const std::string& job : options.jobs) {
    const size_t equals = job.find('=');
    int pid = 0;
    const char* end = job.data() + job.size();
    if (equals == 0 || equals == std::string::npos || std::from_chars(job.data() + equals + 1, end, pid).ptr != end || pid <= 0) return fail(ErrorCode::kInvalidArgument, "--job {}: NAME=PID is meant", job);
    if (auto tagged = groups->tag(pid, job.substr(0, equals)); !tagged) return fail(as_usage(tagged.error()));
  }
  remember_interrupts();
  SystemClock clock;
  int64_t due_ns = clock.now_ns();
  for (int done = 0; options.count == 0 || done < options.count; ++done) {
    due_ns += static_cast<int64_t>(options.interval_s * 1e9);
    while (!interrupted() && clock.now_ns() < due_ns) clock.sleep_until_ns(due_ns);
    if (interrupted()) break;
    auto spans = groups->look();
    if (!spans) return fail(spans.error());
    report::Table table = group_table(*spans, options.top);
    const pm_group_losses losses = groups->losses();
    if (losses.groups + losses.threads > 0) table.notes.push_back(fmt::format("LOST: {} events of groups without room, {} of threads without storage", losses.groups, losses.threads));
    const auto wanted = options.json.emit();
    nlohmann::json json = {{"by", options.by}, {"groups", table.json()}, {"lost_groups", losses.groups}, {"lost_threads", losses.threads}};
    const bool to_output = wanted.json && (wanted.json_file.empty() || wanted.json_file == "-");
    if (options.count != 1 && to_output) {
      fmt::print("{}\n", json.dump());
      if (std::fflush(stdout) != 0) return fail_errno("standard output");
      continue;
    }
    if (auto told = report::emit((done > 0 ? "\n" : "") + table.text({.color = report::wants_color(STDOUT_FILENO)}), json, wanted); !told) return told;
  }
  return Unit{};
}

Result<Unit> metrics(const Options& options) {
  const auto wanted = options.json.emit();
  if (options.count == 0 && wanted.json && !wanted.json_file.empty() && wanted.json_file != "-") {
    return fail(ErrorCode::kInvalidArgument, "--json={} without an end: say --count", wanted.json_file);
  }
  const Eyes eyes = open_eyes(options);
  SystemClock clock;
  auto sampler = Sampler::open({.roots = options.roots, .walk = !eyes.probe, .probe = eyes.probe ? &*eyes.probe : nullptr, .probe_absent = eyes.absent, .clock = &clock});
  if (!sampler) return fail(sampler.error());
  remember_interrupts();

  Printer printer(options, eyes);
  std::vector<Snapshot> snapshots(static_cast<size_t>(options.samples) + 1);
  const double step_ns = options.interval_s * 1e9 / options.samples;
  int64_t due_ns = clock.now_ns();
  snapshots.front() = sampler->tick();
  for (int done = 0; !interrupted() && (options.count == 0 || done < options.count); ++done) {
    for (int i = 1; i <= options.samples; ++i) {
      const int64_t moment_ns = due_ns + static_cast<int64_t>(step_ns * i);
      while (!interrupted() && clock.now_ns() < moment_ns) clock.sleep_until_ns(moment_ns);
      if (interrupted()) break;
      snapshots[static_cast<size_t>(i)] = sampler->tick({.walk = i == options.samples});
    }
    if (interrupted()) break;
    due_ns += static_cast<int64_t>(step_ns * options.samples);
    if (auto printed = printer.print(snapshots); !printed) return printed;
    std::swap(snapshots.front(), snapshots.back());
  }
  return printer.finish();
}

}  // namespace

void add_metrics(CommandLine& app, int& exit_code) {
  auto options = std::make_shared<Options>();
  const Option interval = app.add_option("--interval", options->interval_s, "Seconds from one report to the next").capture_default_str().between(0.01, 86400.0);
  const Option count = app.add_option("--count", options->count, "Reports to print; 0: until Ctrl-C (default: 1, or 0 with --interval)").between(0, 1'000'000'000);
  app.add_option("--samples", options->samples, "Samples in each interval, of which averages are made").capture_default_str().between(1, 1000);
  app.add_flag("--per-cpu", options->per_cpu, "The shares of each CPU too");
  app.add_option("--by", options->by, "By group instead: turnaround, response, run delay, slowdown and fairness of all, each cgroup, command or job").type_name("all|cgroup|command|job");
  app.add_option("--job", options->jobs, "With --by job: the process PID and what descends from it are NAME; may be repeated").type_name("NAME=PID").one_each();
  app.add_option("--top", options->top, "With --by: so many groups").capture_default_str().between(1, 4096);
  options->json.add(app);
  const Option csv = app.add_flag("--csv", options->csv, "One row a report, with a header").excludes(options->json.option);
  const Option prometheus = app.add_flag("--prometheus", options->prometheus, "Prometheus' text format").excludes(options->json.option).excludes(csv);
  app.add_flag("--seed-columns", options->seed_columns, "The columns of the tables that this project set out from, each with what is wrong about it").excludes(csv).excludes(prometheus);
  app.add_flag("--no-probe", options->no_probe, "Do not load the BPF probe, even with the rights to");
  app.add_option("--procfs", options->roots.procfs, "Where /proc is").capture_default_str();
  app.add_option("--sysfs", options->roots.sysfs, "Where /sys is").capture_default_str();
  app.footer(examples({{"pointsman metrics", "one second, every metric"},
                       {"pointsman metrics --interval 2", "a report every two seconds until Ctrl-C"},
                       {"pointsman metrics --interval 0.5 --count 120 --csv >run.csv", "a minute for a spreadsheet"},
                       {"pointsman metrics --json | jq .metrics.T_run_queue", "one metric for a program"},
                       {"pointsman metrics --by command --interval 2", "who waits for a CPU, and how fairly it is shared, every two seconds"},
                       {"pointsman metrics --by job --job nightly=4711 --interval 10", "a process and all its descendants against the rest"},
                       {"pointsman metrics --prometheus >/var/lib/node_exporter/pointsman.prom", "for node_exporter's textfile collector"}}) +
             "docs/metrics.md tells of every metric where it comes from and what it means under which scheduler.\n");
  app.callback([options, interval, count, &exit_code] {
    if (interval.count() > 0 && count.count() == 0) options->count = 0;
    if (auto done = options->by.empty() ? (options->jobs.empty() ? metrics(*options) : Result<Unit>(fail(ErrorCode::kInvalidArgument, "--job goes with --by job"))) : metrics_by_group(*options); !done) exit_code = report_error(done.error());
  });
}

}  // namespace pointsman

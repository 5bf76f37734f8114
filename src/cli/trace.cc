// pointsman trace: every process of a command, a cgroup or the whole system: when it came, first ran and ended, and with how much CPU time.
#include <fcntl.h>
#include <fmt/ranges.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/clock.h"
#include "base/file.h"
#include "base/unique_fd.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/verb.h"
#include "learn/features.h"
#include "metrics/catalogue.h"
#include "metrics/sampler.h"
#include "metrics/tracer.h"
#include "report/describe.h"
#include "report/ledger_tracks.h"
#include "report/perf_text.h"
#include "report/perfetto.h"
#include "report/process_table.h"
#include "store/ledger.h"
#include "report/traced_rows.h"

namespace pointsman {

namespace {

struct Options {
  double duration_s = 0;
  bool system = false, csv = false;
  std::string cgroup, sort = "T_Arrival", perfetto, from, ledger;
  int run = 0;
  pid_t pid = 0;
  size_t top = 0;
  std::vector<std::string> where, describe, command;
  JsonOption json;
};

// What stands beside the lanes: which scheduler was in charge, and how the machine was doing.
class Tracks {
 public:
  static Result<Tracks> open() {
    auto sampler = Sampler::open({});
    if (!sampler) return fail(sampler.error());
    return Tracks(std::move(*sampler));
  }
  void tick(report::PerfettoFile& file) {
    auto state = read_file("/sys/kernel/sched_ext/state");
    std::string scheduler = "eevdf";
    if (state && state->starts_with("enabled")) {
      auto ops = read_file("/sys/kernel/sched_ext/root/ops");
      scheduler = ops ? ops->substr(0, ops->find('\n')) : "sched_ext";
    }
    Snapshot now = sampler_.tick();
    if (scheduler != scheduler_) {
      file.set_slice("scheduler", now.taken_ns, scheduler);
      scheduler_ = scheduler;
    }
    if (before_.taken_ns != 0) {
      const Snapshot both[] = {before_, now};
      for (const MetricValue& m : evaluate_metrics(both)) {
        const bool wanted = m.spec->unit == "percent" || m.spec->unit == "threads" || m.spec->name.starts_with("psi_");
        if (wanted && m.spec->kind != MetricKind::kCounter && m.avg) file.add_counter(m.spec->name, now.taken_ns, *m.avg);
      }
    }
    before_ = std::move(now);
  }
  void end(report::PerfettoFile& file, int64_t now_ns) const { file.set_slice("scheduler", now_ns, ""); }

 private:
  explicit Tracks(Sampler sampler) : sampler_(std::move(sampler)) {}
  Sampler sampler_;
  Snapshot before_;
  std::string scheduler_;
};

struct Wanted {
  report::ProcessOrder order;
  std::vector<report::ProcessFilter> filters;
  std::vector<std::string> described;
};
Result<Wanted> parse(const Options& options) {
  Wanted out;
  auto order = report::ProcessOrder::parse(options.sort);
  if (!order) return fail(order.error());
  out.order = *order;
  for (const std::string& text : options.where) {
    auto filter = report::ProcessFilter::parse(text);
    if (!filter) return fail(filter.error());
    out.filters.push_back(std::move(*filter));
  }
  for (const std::string& name : options.describe) {
    if (name == "all") {
      for (const std::string& column : report::process_columns()) {
        if (report::is_number_column(column) && column != "PID" && column != "parent" && column != "exit_code") out.described.push_back(column);
      }
    } else {
      if (auto values = report::process_values({}, name); !values) return fail(values.error());
      out.described.push_back(name);
    }
  }
  return out;
}

// The rows that were asked for, in the form that was asked for.
Result<Unit> tell(const Options& options, const Wanted& wanted, std::vector<report::ProcessRow> rows, std::vector<std::string> notes, nlohmann::json json) {
  const size_t found = rows.size();
  report::sort_processes(rows, wanted.order);
  if (options.top > 0 && rows.size() > options.top) rows.resize(options.top);
  const auto still = std::count_if(rows.begin(), rows.end(), [](const report::ProcessRow& r) { return std::isnan(r.completion_s); });
  if (rows.size() < found) notes.insert(notes.begin(), fmt::format("{} of {} processes", rows.size(), found));
  if (still > 0) notes.insert(notes.begin(), fmt::format("{} still alive at the end: no T_Completion, no TAT", still));
  std::vector<std::pair<std::string, report::Description>> described;
  for (const std::string& name : wanted.described) {
    auto values = report::process_values(rows, name);
    if (!values) return fail(values.error());
    described.emplace_back(name, report::describe(*values));
  }
  if (options.csv) {
    for (const std::string& note : notes) fmt::print(stderr, "pointsman: {}\n", note);
    const std::string text = report::process_csv(rows);
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) return fail_errno("standard output");
    return Unit{};
  }
  report::Table table = described.empty() ? report::process_table(rows) : report::description_table(described);
  table.notes = notes;
  json["processes"] = report::process_table(rows).json();
  if (!described.empty()) json["describe"] = report::description_table(described).json();
  return report::emit(table.text({.color = report::wants_color(STDOUT_FILENO)}), json, options.json.emit());
}

void add(report::PerfettoFile& file, const report::PerfEvent& e) {
  using Kind = report::PerfEvent::Kind;
  // Without the process's number each thread stands for itself.
  const auto group = [&](int32_t tid) { return tid == e.tid && e.process > 0 ? e.process : tid; };
  const report::PerfettoFile::Task before{.tid = e.from, .tgid = group(e.from), .priority = e.from_priority, .name = e.from_name};
  const report::PerfettoFile::Task after{.tid = e.to, .tgid = group(e.to), .priority = e.to_priority, .name = e.to_name};
  if (e.kind == Kind::kSwitch) {
    // The kernel's own bits; of one that has ended those of its last moment (TASK_DEAD).
    constexpr std::pair<char, uint32_t> kStates[] = {{'S', 1}, {'D', 2}, {'T', 4}, {'t', 8}, {'X', 0x80}, {'Z', 0x80}, {'P', 0x40}, {'I', 0x402}};
    uint32_t state = 0;
    for (const auto& [letter, bits] : kStates) {
      if (e.state.find(letter) != std::string_view::npos) state |= bits;
    }
    file.add(report::PerfettoFile::Switch{.at_ns = e.at_ns, .cpu = e.cpu, .from = before, .to = after, .state = state, .preempted = e.state.starts_with('R')});
  } else if (e.kind == Kind::kWaking || e.kind == Kind::kNew) {
    const report::PerfettoFile::Task by{.tid = e.tid, .tgid = group(e.tid), .priority = 120, .name = {}};
    file.add(report::PerfettoFile::Wake{.at_ns = e.at_ns, .cpu = e.cpu, .target = e.target_cpu, .by = by, .woken = after, .newborn = e.kind == Kind::kNew});
  }
}

Result<Unit> trace_from(const Options& options) {
  auto wanted = parse(options);
  if (!wanted) return fail(wanted.error());
  if (!options.command.empty() || options.system || !options.cgroup.empty() || options.pid != 0 || options.duration_s > 0) {
    return fail(ErrorCode::kInvalidArgument, "--from reads a recording: no command, --system, --cgroup, --pid or --duration");
  }
  std::optional<report::PerfettoFile> perfetto;
  if (!options.perfetto.empty()) {
    auto file = report::PerfettoFile::open(options.perfetto, 0);
    if (!file) return fail(file.error());
    perfetto.emplace(std::move(*file));
  }
  report::PerfText text(perfetto ? report::PerfText::OnEvent([&](const report::PerfEvent& e) { add(*perfetto, e); }) : nullptr);
  const bool standard_input = options.from == "-";
  UniqueFd opened(standard_input ? -1 : ::open(options.from.c_str(), O_RDONLY | O_CLOEXEC));
  if (!standard_input && !opened) return fail_errno(options.from);
  const int fd = standard_input ? STDIN_FILENO : opened.get();
  std::vector<char> buffer(1 << 20);
  std::vector<report::ProcessRow> rows;
  size_t all = 0;
  const auto take = [&] {
    for (report::ProcessRow& row : text.take()) {
      ++all;
      if (perfetto) perfetto->add_process(static_cast<int32_t>(row.pid), static_cast<int32_t>(row.parent), row.command);
      if (std::all_of(wanted->filters.begin(), wanted->filters.end(), [&](const report::ProcessFilter& f) { return f.passes(row); })) rows.push_back(std::move(row));
    }
  };
  for (;;) {
    const ssize_t n = ::read(fd, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(options.from);
    if (n == 0) break;
    text.feed({buffer.data(), static_cast<size_t>(n)});
    take();
    // A recording itself, or any other binary file: no need to read gigabytes of it.
    if (text.counts().events == 0 && text.counts().malformed > 1000) break;
  }
  text.finish();
  take();
  const report::PerfTextCounts& counts = text.counts();
  if (counts.events == 0) {
    return fail(ErrorCode::kCorrupt, "{} has no scheduler events{}; what is read is the text of `perf sched script` (of a recording by `perf sched record`)", options.from,
                text.complaints().empty() ? "" : fmt::format(" ({})", text.complaints().front()));
  }
  std::vector<std::string> notes;
  if (counts.malformed > 0) {
    notes.push_back(fmt::format("{} of {} lines are no events: {}{}", counts.malformed, counts.lines, fmt::join(text.complaints(), "; "), counts.malformed > text.complaints().size() ? "; ..." : ""));
  }
  if (counts.backwards > 0) notes.push_back(fmt::format("{} events come before the one in front of them: let perf sort them (perf script does)", counts.backwards));
  if (counts.lost > 0) notes.push_back(fmt::format("LOST: perf says that it lost {} events", counts.lost));
  if (!counts.processes_known) notes.push_back("the text has no process numbers, so each thread is a row of its own (perf script -F comm,pid,tid,cpu,time,event,trace tells them)");
  if (perfetto) {
    if (auto done = perfetto->finish(); !done) return done;
    notes.push_back(fmt::format("{} events in {}; open it with ui.perfetto.dev", perfetto->events(), options.perfetto));
  }
  nlohmann::json json = {{"span_s", static_cast<double>(counts.last_ns - counts.first_ns) / 1e9}, {"lines", counts.lines},     {"events", counts.events},
                         {"malformed", counts.malformed},                                          {"complaints", text.complaints()}, {"lost_events", counts.lost}};
  return tell(options, *wanted, std::move(rows), std::move(notes), std::move(json));
}

// A run of a ledger as tracks for ui.perfetto.dev.
Result<Unit> trace_ledger(const Options& options) {
  if (options.perfetto.empty()) return fail(ErrorCode::kInvalidArgument, "--ledger shows a run's decisions in --perfetto FILE");
  if (!options.from.empty() || !options.command.empty()) return fail(ErrorCode::kInvalidArgument, "--ledger stands alone: no --from and no command");
  auto ledger = Ledger::open(options.ledger, {.access = LedgerOptions::Access::kRead});
  if (!ledger) return fail(ledger.error());
  auto runs = ledger->read();
  if (!runs) return fail(runs.error());
  if (runs->empty()) return fail(ErrorCode::kNotFound, "{} holds no runs", options.ledger);
  if (options.run == 0 && runs->size() > 1) {
    std::string text = fmt::format("{} holds {} runs; say which with --run:\n", options.ledger, runs->size());
    for (size_t i = 0; i < runs->size(); ++i) text += fmt::format("{:6}  {}\n", i + 1, describe((*runs)[i].key));
    nlohmann::json json = nlohmann::json::array();
    for (const LedgerRun& run : *runs) json.push_back(describe(run.key));
    return report::emit(text, json, options.json.emit());
  }
  const size_t index = options.run == 0 ? 0 : static_cast<size_t>(options.run) - 1;
  if (index >= runs->size()) return fail(ErrorCode::kInvalidArgument, "--run {}: {} holds {} runs", options.run, options.ledger, runs->size());
  const LedgerRun& run = (*runs)[index];
  auto file = report::PerfettoFile::open(options.perfetto, 0);
  if (!file) return fail(file.error());
  std::vector<std::string_view> features;
  for (const FeatureSpec& f : feature_catalogue()) features.push_back(f.name);
  report::add_run(*file, run, features);
  if (auto done = file->finish(); !done) return done;
  const std::string text = fmt::format("{}: {} windows, {} decisions, {} swaps in {}; open it with ui.perfetto.dev\n", describe(run.key), run.windows.size(), run.decisions.size(), run.swaps.size(), options.perfetto);
  return report::emit(text, {{"run", describe(run.key)}, {"windows", run.windows.size()}, {"decisions", run.decisions.size()}, {"swaps", run.swaps.size()}}, options.json.emit());
}

Result<Unit> trace(const Options& options, int& command_exit) {
  auto wanted = parse(options);
  if (!wanted) return fail(wanted.error());
  const int scopes = (options.system ? 1 : 0) + (options.cgroup.empty() ? 0 : 1) + (options.pid != 0 ? 1 : 0);
  if (scopes > 1) return fail(ErrorCode::kInvalidArgument, "only one of --system, --cgroup and --pid");
  TracerOptions tracer_options{.events = !options.perfetto.empty()};
  if (!options.cgroup.empty()) {
    tracer_options.scope = TracerOptions::Scope::kCgroup;
    tracer_options.cgroup = options.cgroup.starts_with("/sys/") ? options.cgroup : "/sys/fs/cgroup/" + options.cgroup;
  } else if (options.pid != 0) {
    tracer_options.scope = TracerOptions::Scope::kTree;
    tracer_options.root = options.pid;
  } else if (!options.command.empty() && !options.system) {
    tracer_options.scope = TracerOptions::Scope::kTree;
    tracer_options.root = ::getpid();  // so that the command's fork is seen too
  }
  std::optional<report::PerfettoFile> perfetto;
  if (!options.perfetto.empty()) {
    auto file = report::PerfettoFile::open(options.perfetto, report::boot_offset_ns());
    if (!file) return fail(file.error());
    perfetto.emplace(std::move(*file));
  }
  auto tracer = Tracer::open(tracer_options);
  if (!tracer) return fail(tracer.error());
  std::optional<Tracks> tracks;
  if (perfetto) {
    auto opened = Tracks::open();
    if (!opened) return fail(opened.error());
    tracks.emplace(std::move(*opened));
  }
  remember_interrupts();

  SystemClock clock;
  const auto wanted_json = options.json.emit();
  const bool data_on_output = options.csv || (wanted_json.json && (wanted_json.json_file.empty() || wanted_json.json_file == "-"));
  const int64_t start_ns = clock.now_ns();
  std::optional<Command> command;
  if (!options.command.empty()) {
    auto started = Command::start(options.command, data_on_output ? Command::Output::kToErrors : Command::Output::kKept);
    if (!started) return fail(started.error());
    command.emplace(std::move(*started));
  }
  constexpr int64_t kTickNs = 50 * kMillisecond;
  const int64_t end_ns = options.duration_s > 0 ? start_ns + static_cast<int64_t>(options.duration_s * 1e9) : INT64_MAX;
  std::vector<TracedProcess> processes;
  const auto take = [&](bool all) -> Result<Unit> {
    if (perfetto) {
      if (auto read = tracer->read_events([&](const pm_event& e) { add(*perfetto, e); }); !read) return read;
    }
    return tracer->drain(processes, {.all = all});
  };
  int64_t tracks_due_ns = start_ns;
  while (!interrupted() && clock.now_ns() < end_ns && !(command && command->wait(0))) {
    const int64_t tick_ns = std::min(clock.now_ns() + kTickNs, end_ns);
    if (tracks && clock.now_ns() >= tracks_due_ns) {
      tracks->tick(*perfetto);
      tracks_due_ns += 100 * kMillisecond;
    }
    if (command)
      command->wait(static_cast<int>((tick_ns - clock.now_ns()) / kMillisecond + 1));
    else
      clock.sleep_until_ns(tick_ns);
    if (auto taken = take(false); !taken) return taken;
  }
  // A parent hears of a child's end a little before the child's last switch.
  if (command && command->wait(0)) {
    const auto seen = [&] { return std::any_of(processes.begin(), processes.end(), [&](const TracedProcess& p) { return p.pid == command->pid(); }); };
    for (int i = 0; i < 100 && !seen(); ++i) {
      clock.sleep_until_ns(clock.now_ns() + kMillisecond);
      if (auto taken = take(true); !taken) return taken;
    }
  }
  const int64_t stop_ns = clock.now_ns();
  if (auto taken = take(true); !taken) return taken;
  auto alive = tracer->alive();
  if (!alive) return fail(alive.error());
  const pm_trace_losses losses = tracer->losses();
  if (command) command_exit = command->exit_code();

  std::vector<report::ProcessRow> rows;
  processes.insert(processes.end(), alive->begin(), alive->end());
  for (const TracedProcess& process : processes) {
    if (process.pid == ::getpid()) continue;
    if (perfetto) perfetto->add_process(process.pid, static_cast<int32_t>(process.sums.parent), process.command);
    report::ProcessRow row = report::row_of(process);
    if (std::all_of(wanted->filters.begin(), wanted->filters.end(), [&](const report::ProcessFilter& f) { return f.passes(row); })) rows.push_back(std::move(row));
  }
  std::string written;
  if (perfetto) {
    tracks->end(*perfetto, stop_ns);
    if (auto done = perfetto->finish(); !done) return done;
    written = fmt::format("{} events in {}; open it with ui.perfetto.dev", perfetto->events(), options.perfetto);
  }
  std::vector<std::string> notes;
  if (losses.processes > 0) notes.push_back(fmt::format("LOST: {} processes or threads had no room in the kernel's map", losses.processes));
  if (losses.events > 0) notes.push_back(fmt::format("LOST: {} events had no room in the ring", losses.events));
  if (!written.empty()) notes.push_back(written);
  if (command && command_exit < 0) notes.push_back(fmt::format("the command (process {}) goes on", command->pid()));
  nlohmann::json json = {{"span_s", static_cast<double>(stop_ns - start_ns) / 1e9}, {"lost_processes", losses.processes}, {"lost_events", losses.events}};
  if (command) json["exit_code"] = command_exit;
  return tell(options, *wanted, std::move(rows), std::move(notes), std::move(json));
}

}  // namespace

void add_trace(CommandLine& app, int& exit_code) {
  auto options = std::make_shared<Options>();
  app.add_option("--duration", options->duration_s, "Seconds after which to stop (default: when the command ends, or Ctrl-C)").between(0.001, 86400.0);
  app.add_flag("--system", options->system, "Every process (the default without a command)");
  app.add_option("--cgroup", options->cgroup, "Those in this cgroup and below: a folder, or its path below /sys/fs/cgroup").type_name("PATH");
  app.add_option("--pid", options->pid, "This process and those that descend from it").between(1, 1 << 30).type_name("PID");
  app.add_option("--sort", options->sort, "COLUMN, or COLUMN:desc for the largest first").capture_default_str().type_name("COLUMN");
  app.add_option("--where", options->where, "Only rows for which 'COLUMN OP VALUE' holds, OP one of < <= > >= = != ~ (contains); may be repeated").type_name("CONDITION").one_each();
  app.add_option("--top", options->top, "Only so many rows").type_name("N");
  app.add_option("--describe", options->describe, "Count, mean, std, min, quartiles and max of a column instead of the rows; 'all' for every one; may be repeated").type_name("COLUMN").one_each();
  app.add_option("--from", options->from, "Instead of tracing, read what `perf sched script` printed; - is standard input").type_name("FILE");
  const Option ledger = app.add_option("--ledger", options->ledger, "Instead of tracing, show a run of a ledger in --perfetto FILE: arms, decisions, swaps, features").type_name("FILE");
  app.add_option("--run", options->run, "Which of the ledger's runs, as numbered without this").needs(ledger).between(1, 1 << 30);
  options->json.add(app);
  app.add_flag("--csv", options->csv, "CSV; what the command prints goes to standard error").excludes(options->json.option);
  app.add_option("--perfetto", options->perfetto, "Also record every switch and wake-up for ui.perfetto.dev").type_name("FILE");
  app.add_option("command", options->command, "Command to trace, after --").type_name("-- CMD ...");
  app.footer(examples({{"pointsman trace -- make -j4", "every process of a build"},
                       {"pointsman trace --duration 10 --sort TAT:desc --top 20", "what took longest on this machine"},
                       {"pointsman trace --describe TAT --describe RT --where 'command=cc1plus' -- make -j4", "count, mean, std, quartiles"},
                       {"perf sched script | pointsman trace --from - --sort TAT:desc", "the same table of a recording that perf made"},
                       {"pointsman trace --ledger build/agent.db --run 3 --perfetto run.pftrace", "an agent's decisions, with what it saw, for ui.perfetto.dev"},
                       {"pointsman trace --pid 1234 --duration 5 --perfetto out.pftrace", "lanes and wake-ups for ui.perfetto.dev"}}) +
             fmt::format("Columns: {}.\nTimes are in seconds of CLOCK_MONOTONIC; arrival is the fork. Needs root, or CAP_BPF and CAP_PERFMON.\n", fmt::join(report::process_columns(), ", ")));
  app.callback([options, &exit_code] {
    int command_exit = 0;
    auto done = !options->ledger.empty() ? trace_ledger(*options) : options->from.empty() ? trace(*options, command_exit) : trace_from(*options);
    if (!done) exit_code = report_error(done.error());
    else if (command_exit > 0) exit_code = kExitFailed;
  });
}

}  // namespace pointsman

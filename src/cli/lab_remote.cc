// pointsman lab remote: the seed's case of an editor attached over ssh, in three conditions under many arms.
#include <algorithm>
#include <cmath>
#include <map>

#include "cli/lab_options.h"
#include "cli/statistics.h"
#include "cli/verb.h"
#include "lab/campaign.h"
#include "lab/matrix.h"
#include "lab/session_case.h"
#include "report/describe.h"
#include "report/progress.h"
#include "sched/arm.h"

namespace pointsman {

namespace {

struct Options {
  LabOptions lab;
  std::vector<std::string> arms = {"eevdf", "scx_simple", "scx_bpfland", "vtime", "dl", "hyb", "las"};
  std::vector<std::string> sessions = {"nobody", "ssh", "editor"};
  int draws = 50, workers = 0;
  uint64_t first_seed = 1;
  double seconds = 5.013;
  JsonOption json;
};

constexpr std::array<std::string_view, 3> kSessions = {"nobody", "ssh", "editor"};  // the parameter's values

// One cell of conditions x arms: its runs in order of draws. Draws that any arm did not run soundly are in no cell.
using Runs = std::vector<SessionRun>;
using Cells = std::map<std::pair<size_t, size_t>, Runs>;

double tat_of(const SessionRun& run, const std::string& name) {
  const auto found = run.classes.find(name);
  return found == run.classes.end() || found->second.jobs == 0 ? NAN : found->second.tat_s / found->second.jobs;
}

// Mean ln ratio to BASE over draws, as a ratio with its interval.
report::Cell ratio_cell(const Runs& base, const Runs& other, const std::function<double(const SessionRun&)>& measure) {
  std::vector<double> logs;
  for (size_t i = 0; i < base.size(); ++i) {
    const double ratio = measure(other[i]) / measure(base[i]);
    if (ratio > 0 && std::isfinite(ratio)) logs.push_back(std::log(ratio));
  }
  if (logs.empty()) return {};
  const Interval interval = bootstrap_mean(logs);
  return report::Interval{std::exp(interval.value), std::exp(interval.low), std::exp(interval.high)};
}

std::vector<report::Column> columns_of(const Options& options, const char* key, report::Quantity quantity, int decimals = 2) {
  std::vector<report::Column> columns{{"session", "session"}, {key, key}};
  for (const std::string& arm : options.arms) columns.push_back({arm, arm, quantity, decimals});
  return columns;
}

// The seed's own tables, side by side.
report::Table describe_table(const Options& options, const Cells& cells) {
  report::Table table("Mean turnaround of all processes that ended while the experiment ran, described over draws as the seed does", columns_of(options, "statistic", report::Quantity::kNumber, 4));
  constexpr std::array<const char*, 8> kNames = {"count", "mean", "std", "min", "25%", "50%", "75%", "max"};
  for (size_t s = 0; s < options.sessions.size(); ++s) {
    std::vector<report::Description> of_arm;
    for (size_t a = 0; a < options.arms.size(); ++a) {
      std::vector<double> values;
      for (const SessionRun& run : cells.at({s, a})) values.push_back(run.mean_tat_s());
      of_arm.push_back(report::describe(values));
    }
    for (size_t row = 0; row < kNames.size(); ++row) {
      std::vector<report::Cell> line{options.sessions[s], kNames[row]};
      for (const report::Description& d : of_arm) {
        const std::array<double, 8> values{d.count, d.mean, d.std, d.min, d.q25, d.q50, d.q75, d.max};
        line.emplace_back(values[row]);
      }
      table.add(std::move(line));
    }
    if (s + 1 < options.sessions.size()) table.add_rule();
  }
  table.notes.push_back("seconds; what the seed's Average_TAT is");
  return table;
}

report::Table class_table(const Options& options, const Cells& cells) {
  report::Table table("Turnaround by class, as a ratio to " + options.arms.front() + " on the same draws", columns_of(options, "class", report::Quantity::kRatio));
  for (size_t s = 0; s < options.sessions.size(); ++s) {
    const Runs& base = cells.at({s, 0});
    std::vector<std::string> classes;
    for (const SessionRun& run : base)
      for (const auto& [name, unused] : run.classes)
        if (std::find(classes.begin(), classes.end(), name) == classes.end()) classes.push_back(name);
    std::sort(classes.begin(), classes.end());
    const auto add = [&](const std::string& label, const std::function<double(const SessionRun&)>& measure) {
      std::vector<report::Cell> line{options.sessions[s], label};
      for (size_t a = 0; a < options.arms.size(); ++a) line.push_back(ratio_cell(base, cells.at({s, a}), measure));
      table.add(std::move(line));
    };
    for (const std::string& name : classes) add(name, [&](const SessionRun& run) { return tat_of(run, name); });
    add("all processes", [](const SessionRun& run) { return run.mean_tat_s(); });
    add("until all stressors are done", [](const SessionRun& run) { return run.window_s; });
    if (s + 1 < options.sessions.size()) table.add_rule();
  }
  return table;
}

report::Table number_table(const Options& options, const Cells& cells) {
  report::Table table("How many processes ended in that time, and what became of the mean turnaround by their number alone", columns_of(options, "measure", report::Quantity::kNumber));
  for (size_t s = 0; s < options.sessions.size(); ++s) {
    const Runs& base = cells.at({s, 0});
    std::vector<report::Cell> stress{options.sessions[s], "stressors"}, helpers{options.sessions[s], "helpers"}, total{options.sessions[s], "measure, ratio"}, mix{options.sessions[s], "  of it by the mix"},
        turnaround{options.sessions[s], "  of it by turnaround"};
    for (size_t a = 0; a < options.arms.size(); ++a) {
      const Runs& runs = cells.at({s, a});
      const auto mean_number = [&](const std::string& name) {
        double sum = 0;
        for (const SessionRun& run : runs)
          if (const auto found = run.classes.find(name); found != run.classes.end()) sum += found->second.jobs;
        return sum / static_cast<double>(std::max<size_t>(1, runs.size()));
      };
      const SessionDifference d = difference(base, runs);
      stress.emplace_back(mean_number("stress"));
      helpers.emplace_back(mean_number("helper"));
      total.emplace_back(std::exp(d.total));
      mix.emplace_back(std::exp(d.by_mix));
      turnaround.emplace_back(std::exp(d.by_turnaround));
    }
    for (auto* line : {&stress, &helpers, &total, &mix, &turnaround}) table.add(std::move(*line));
    if (s + 1 < options.sessions.size()) table.add_rule();
  }
  table.notes.push_back("the two parts multiply to the ratio; helpers follow one another, so their number hangs on how soon each is done");
  return table;
}

Result<Unit> run(const Options& options) {
  if (auto registered = options.lab.register_arms(); !registered) return registered;
  for (const std::string& name : options.arms)
    if (auto arm = find_arm(name); !arm) return fail(as_usage(arm.error()));
  auto bench = open_bench(options.lab, options.arms);
  if (!bench) return fail(bench.error());

  std::vector<CampaignTask> tasks;
  const size_t arm_count = options.arms.size();
  for (int draw = 0; draw < options.draws; ++draw) {
    for (size_t s = 0; s < options.sessions.size(); ++s) {
      for (size_t a = 0; a < arm_count; ++a) {
        EpisodeRequest request{.scenario = scenario_of_family("remote", static_cast<int64_t>(options.seconds * 1e9)), .seed = options.first_seed + static_cast<uint64_t>(draw), .draw = 0, .cpus = options.lab.cpus,
                               .controller = options.arms[a]};
        const auto value = std::find(kSessions.begin(), kSessions.end(), options.sessions[s]) - kSessions.begin();
        request.scenario.phases[0].parameters["session"] = static_cast<double>(value);
        tasks.push_back({std::move(request), (static_cast<size_t>(draw) * options.sessions.size() + s) * arm_count + a});
      }
    }
  }
  std::vector<std::optional<SessionRun>> runs(tasks.size());
  std::vector<std::string> doubts;
  {
    const SystemClock clock;
    report::ProgressOptions line;
    line.label = "remote";
    line.total = static_cast<int64_t>(tasks.size());
    report::Progress progress(line, clock);
    auto ran = run_campaign(bench->snapshot, tasks, {.workers = options.workers}, [&](const CampaignTask& task, const EpisodeResult& result) -> Result<Unit> {
      progress.advance();
      if (!result.distrust.empty()) {
        doubts.push_back(fmt::format("draw {} under {}: {}", task.request.seed, task.request.controller, result.distrust));
        return Unit{};
      }
      auto one = session_run_of(result);
      if (!one) return fail(one.error());
      runs[task.index] = std::move(*one);
      return Unit{};
    });
    if (!ran) return ran;
  }
  Cells cells;
  for (size_t s = 0; s < options.sessions.size(); ++s)
    for (size_t a = 0; a < arm_count; ++a) cells[{s, a}] = {};
  for (int draw = 0; draw < options.draws; ++draw) {
    for (size_t s = 0; s < options.sessions.size(); ++s) {
      const size_t first = (static_cast<size_t>(draw) * options.sessions.size() + s) * arm_count;
      if (!std::all_of(runs.begin() + static_cast<std::ptrdiff_t>(first), runs.begin() + static_cast<std::ptrdiff_t>(first + arm_count), [](const auto& r) { return r.has_value(); })) continue;
      for (size_t a = 0; a < arm_count; ++a) cells[{s, a}].push_back(*runs[first + a]);
    }
  }
  if (std::all_of(cells.begin(), cells.end(), [](const auto& cell) { return cell.second.empty(); })) return fail(ErrorCode::kIo, "no draw was sound under every arm: {}", doubts.empty() ? "" : doubts.front());
  const report::Table described = describe_table(options, cells), classes = class_table(options, cells);
  report::Table numbers = number_table(options, cells);
  for (const std::string& doubt : doubts) numbers.notes.push_back("left out: " + doubt);
  numbers.notes.push_back(fmt::format("{} draws from seed {}, {} CPUs, save {}", options.draws, options.first_seed, options.lab.cpus, bench->snapshot.identity()));
  return report::emit(described.text() + "\n" + classes.text() + "\n" + numbers.text(), {{"describe", described.json()}, {"classes", classes.json()}, {"numbers", numbers.json()}, {"snapshot", bench->snapshot.identity()}}, options.json.emit());
}

}  // namespace

void add_lab_remote(CommandLine& app, int& exit_code) {
  auto options = std::make_shared<Options>();
  options->lab.add(app);
  options->lab.add_arm_file(app);
  app.add_option("--arms", options->arms, "Arms; all others are compared with the first").delimiter(',').capture_default_str().type_name("NAME,...");
  app.add_option("--sessions", options->sessions, "Who is logged in: nobody, ssh, editor").delimiter(',').capture_default_str().one_of({"nobody", "ssh", "editor"}).type_name("WHO,...");
  app.add_option("--draws", options->draws, "Draws, each with a seed of its own").capture_default_str().between(1, 10000);
  app.add_option("--first-seed", options->first_seed, "The first one's seed").capture_default_str();
  app.add_option("--seconds", options->seconds, "How long the session goes on").capture_default_str().between(1.0, 600.0);
  app.add_option("--workers", options->workers, "Forks at a time (default: one for each CPU)").between(1, 64);
  options->json.add(app);
  app.footer(examples({{"pointsman lab remote --draws 5 --arms eevdf,dl", "a first look with our own arms"}, {"pointsman lab remote", "50 draws under the real schedulers too (scripts/setup --schedulers)"}}));
  app.callback([options, &exit_code] {
    if (auto done = run(*options); !done) exit_code = report_error(done.error());
  });
}

}  // namespace pointsman

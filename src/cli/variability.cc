// pointsman variability: what measurements can show, what they cannot, and what is wrong with them; and the runs to find out.
#include <fmt/ranges.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/file.h"
#include "cli/repeat.h"
#include "cli/verb.h"
#include "report/variability_page.h"

namespace pointsman {

namespace {

struct Options {
  std::vector<std::string> words, check;
  std::string html, markdown, out = "variability";
  bool strict = false, in_lab = false, against_itself = false;
  RepeatOptions repeat;
  LabOptions lab;
  JsonOption json;
};

size_t columns_of(int fd) {
  winsize size{};
  const bool known = ::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40;
  return known ? std::min<size_t>(size.ws_col, 160) : 100;
}

nlohmann::json to_json(const report::VariabilityReport& report) {
  const report::Variability& found = report.found;
  nlohmann::json json = {{"flaws", found.flaw_table().json()}, {"variation", found.variation_table().json()}, {"comparisons", found.comparison_table().json()}};
  for (size_t i = 0; i < found.comparisons.size(); ++i) json["comparisons"][i]["reservations"] = found.comparisons[i].reservations;
  for (const report::Frame& frame : report.frames) json["files"].push_back({{"file", frame.path()}, {"kind", name_of(report::kind_of(frame))}, {"rows", frame.rows()}});
  if (!report.settling.empty()) json["settling"] = report::settle_table(report.settling).json();
  for (const auto& [what, value] : report.about) json["about"][what] = value;
  return json;
}

std::string to_text(const report::VariabilityReport& report, const std::vector<std::string>& notes) {
  const report::TextStyle style{.color = report::wants_color(STDOUT_FILENO)};
  std::string text = report.found.flaw_text(columns_of(STDOUT_FILENO)) + "\n" + report.found.variation_table(report::Variability::Rows::kVarying).text(style);
  if (!report.found.comparisons.empty()) text += "\n" + report.found.comparison_table().text(style);
  if (!report.settling.empty()) text += "\n" + report::settle_table(report.settling).text(style);
  for (const std::string& note : notes) text += note + "\n";
  return text;
}

Result<Unit> tell(const Options& options, const report::VariabilityReport& report, const std::vector<std::string>& notes, bool& wrong) {
  const auto& flaws = report.found.flaws;
  wrong = std::any_of(flaws.begin(), flaws.end(), [](const report::Flaw& f) { return f.weight == report::Flaw::Weight::kWrong; });
  if (!options.html.empty()) {
    if (auto written = write_file(options.html, report::variability_page(report)); !written) return written;
  }
  if (!options.markdown.empty()) {
    if (auto written = write_file(options.markdown, report::variability_markdown(report)); !written) return written;
  }
  return report::emit(to_text(report, notes), to_json(report), options.json.emit());
}

Result<Unit> check(const Options& options, bool& wrong) {
  std::vector<report::Frame> frames;
  for (const auto* list : {&options.check, &options.words}) {
    for (const std::string& path : *list) {
      auto frame = report::Frame::read(path);
      if (!frame) return fail(frame.error());
      frames.push_back(std::move(*frame));
    }
  }
  if (frames.empty()) return fail(ErrorCode::kInvalidArgument, "name CSV files to look at, or say --runs N with a command, a --family or a --scenario to repeat");
  report::VariabilityReport report{.found = report::examine(frames), .settling = {}, .about = {}, .frames = frames};
  return tell(options, report, {}, wrong);
}

std::string where_it_ran(const RepeatOptions& repeat) {
  if (repeat.lab) return fmt::format("the exact lab, {} CPUs", repeat.lab->cpus);
  utsname name{};
  ::uname(&name);
  return fmt::format("this host: Linux {}, {} CPUs", name.release, ::sysconf(_SC_NPROCESSORS_ONLN));
}

Result<Unit> repeat_and_tell(const Options& given, bool& wrong) {
  Options options = given;
  RepeatOptions& repeat_options = options.repeat;
  repeat_options.command = options.words;
  if (options.in_lab) repeat_options.lab = options.lab;
  const int works = (repeat_options.command.empty() ? 0 : 1) + (repeat_options.family.empty() ? 0 : 1) + (repeat_options.scenario.empty() ? 0 : 1);
  if (works != 1) return fail(ErrorCode::kInvalidArgument, "--runs needs one thing to repeat: a command after --, a --family or a --scenario");
  if (options.in_lab && !repeat_options.command.empty()) return fail(ErrorCode::kInvalidArgument, "--lab repeats a --family or a --scenario; for a command there is: pointsman lab run --exec");
  if (!options.check.empty()) return fail(ErrorCode::kInvalidArgument, "--check reads files, --runs makes them: one of the two");
  if (options.against_itself) repeat_options.arms.push_back(repeat_options.arms.front() + "/A");

  // Before the first run, which may be an hour before the last.
  if (::mkdir(options.out.c_str(), 0777) != 0 && errno != EEXIST) return fail_errno(options.out);
  const std::string raw = options.out + "/runs.csv";
  if (::access(raw.c_str(), F_OK) == 0) return fail(ErrorCode::kInvalidArgument, "{} is there already: name another folder with --out", raw);
  auto repeated = repeat(repeat_options, [&](const std::vector<report::RunFigures>& runs) { return write_file(raw, report::runs_csv(runs)); });
  if (!repeated) return fail(repeated.error());
  if (repeated->runs.empty()) return fail(ErrorCode::kInterrupted, "interrupted before the first run had ended");

  auto frame = report::Frame::read(raw);
  if (!frame) return fail(frame.error());
  const std::span<const report::Frame> frames(&*frame, 1);
  report::VariabilityReport report{.found = report::examine(frames), .settling = std::move(repeated->settling), .about = {}, .frames = frames};
  const std::string work = !repeat_options.command.empty() ? fmt::format("{}", fmt::join(repeat_options.command, " ")) : !repeat_options.family.empty() ? "family " + repeat_options.family : repeat_options.scenario;
  report.about = {{"repeated", work},
                  {"where", where_it_ran(repeat_options)},
                  {"arms", fmt::format("{}, {} blocks of each once, in an order drawn by seed {}", fmt::join(repeat_options.arms, ", "), repeat_options.blocks, repeat_options.seed)}};
  if (!repeat_options.lab) report.about.emplace_back("left out", fmt::format("{} warm-up rounds; {} s idle before each run, and its first {} s", repeat_options.warm_ups, repeat_options.settle_s, repeat_options.skip_s));
  for (const std::string& note : repeated->notes) report.about.emplace_back("note", note);
  if (repeated->interrupted) report.about.emplace_back("note", fmt::format("interrupted after {} runs", repeated->runs.size()));

  if (options.html.empty()) options.html = options.out + "/report.html";
  if (options.markdown.empty()) options.markdown = options.out + "/report.md";
  const std::pair<const char*, std::string> files[] = {{"cpu_variability.csv", report::summary_csv(report.found.variations, report::Half::kCpu)},
                                                       {"other_variability.csv", report::summary_csv(report.found.variations, report::Half::kOther)},
                                                       {"settling.csv", report::settle_csv(report.settling)}};
  for (const auto& [name, content] : files) {
    if (auto written = write_file(options.out + "/" + name, content); !written) return written;
  }
  std::vector<std::string> notes = repeated->notes;
  if (repeated->interrupted) notes.push_back(fmt::format("interrupted after {} runs", repeated->runs.size()));
  notes.push_back(fmt::format("{0}/: runs.csv, cpu_variability.csv, other_variability.csv, settling.csv, report.html, report.md", options.out));
  if (auto told = tell(options, report, notes, wrong); !told) return told;
  if (repeated->interrupted) return fail(ErrorCode::kInterrupted, "interrupted; what was done is in {}", options.out);
  return Unit{};
}

}  // namespace

void add_variability(CommandLine& app, int& exit_code) {
  auto options = std::make_shared<Options>();
  RepeatOptions& repeat = options->repeat;
  app.add_option("words", options->words, "CSV files: runs (a row each), summaries, tables of processes, pandas' describe(); with --runs the command to repeat, after --").type_name("FILE | CMD");
  app.add_option("--check", options->check, "CSV files, as above").type_name("FILE");
  app.add_flag("--strict", options->strict, "Exit with 1 when something is wrong");
  const Option runs = app.add_option("--runs", repeat.blocks, "Repeat a command, a family or a scenario so many times under each arm").between(1, 100'000);
  app.add_option("--family", repeat.family, "Family of workloads to repeat (pointsman lab families)").type_name("NAME").needs(runs);
  app.add_option("--scenario", repeat.scenario, "Scenario to repeat").type_name("FILE").needs(runs);
  app.add_option("--arms", repeat.arms, "Arms, interleaved in randomised blocks").delimiter(',').capture_default_str().type_name("ARM,...").needs(runs);
  app.add_flag("--a-a", options->against_itself, "The first arm once more, as another: what differs between the two is noise").needs(runs);
  app.add_flag("--lab", options->in_lab, "In the exact guest instead of on this host").needs(runs);
  app.add_option("--out", options->out, "Folder for runs.csv, cpu_variability.csv, other_variability.csv, settling.csv, report.html and report.md").capture_default_str().type_name("FOLDER").needs(runs);
  app.add_option("--warm-up", repeat.warm_ups, "Rounds that do not count, first").capture_default_str().between(0, 1000).needs(runs);
  app.add_option("--settle", repeat.settle_s, "Idle seconds before each run").capture_default_str().between(0.0, 3600.0).needs(runs);
  app.add_option("--skip", repeat.skip_s, "Seconds at the start of each run that its averages leave out (settling.csv tells how many)").capture_default_str().between(0.0, 3600.0).needs(runs);
  app.add_option("--step", repeat.step_s, "Seconds between two samples of a run").capture_default_str().between(0.02, 60.0).needs(runs);
  app.add_option("--seconds", repeat.seconds, "Length of a family's phase").capture_default_str().between(0.2, 600.0).needs(runs);
  app.add_option("--seed", repeat.seed, "Seed of the order of arms and of the workload").capture_default_str().needs(runs);
  app.add_flag("--vary-seed", repeat.vary_seed, "Another workload in each block: seed, seed + 1, ...").needs(runs);
  app.add_option("--cpus", options->lab.cpus, "Virtual CPUs of the guest").capture_default_str().between(1, 8).needs(runs);
  app.add_option("--html", options->html, "Write the report as a page here").type_name("FILE");
  app.add_option("--markdown", options->markdown, "Write the report as Markdown here").type_name("FILE");
  options->json.add(app);
  app.footer(examples({{"pointsman variability --check runs.csv", "how noisy, how many runs for 1, 2, 5 and 10 %, drift, duplicates"},
                       {"pointsman variability before.csv after.csv", "two describe() tables of one column are two arms"},
                       {"pointsman variability --html report.html *.csv", "summaries that belong together (vm_cpu.csv, vm_other.csv) are looked at together"},
                       {"pointsman variability --runs 20 --a-a -- make -j4", "twice twenty runs on this host, interleaved: how large is nothing?"},
                       {"pointsman variability --runs 10 --lab --family forks --arms eevdf,hyb,las", "three arms in the exact lab, ten draws each"}}) +
             "A file of runs may have the columns arm and block: arms are compared, within blocks where there are some.\n");
  app.callback([options, runs, &exit_code] {
    bool wrong = false;
    auto done = runs.count() > 0 ? repeat_and_tell(*options, wrong) : check(*options, wrong);
    if (!done) exit_code = report_error(done.error());
    else if (wrong && options->strict) exit_code = kExitFailed;
  });
}

}  // namespace pointsman

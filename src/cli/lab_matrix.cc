// pointsman lab matrix: every family x seed x arm, each a fork of one snapshot. Goes on where it stopped.
#include <algorithm>
#include <charconv>

#include "cli/arm_file.h"
#include "cli/lab_options.h"
#include "cli/matrix_view.h"
#include "cli/verb.h"
#include "lab/matrix.h"
#include "lab/splits.h"
#include "learn/schedule.h"
#include "report/progress.h"
#include "store/matrix_file.h"

namespace pointsman {

namespace {

// Families whose means need more draws: heavy tails leave intervals of 15 to 30 % at ten seeds.
constexpr std::array<std::string_view, 3> kNoisy = {"pareto", "bimodal", "named"};

struct Options {
  LabOptions lab;
  std::vector<std::string> families, arms;
  std::vector<std::string> seeds = {"1-10"};
  std::string ledger = "build/lab/matrix.db", write, html;
  double seconds = 3.013, switch_at = 0;
  int workers = 0, noisy_factor = 2;
  bool show = false;
  JsonOption json;
};

// "7" or "1-10".
Result<std::vector<uint64_t>> range_of(std::string_view option, std::string_view text) {
  uint64_t first = 0, last = 0;
  const char* end = text.data() + text.size();
  auto [dash, error] = std::from_chars(text.data(), end, first);
  last = first;
  if (error == std::errc{} && dash != end) {
    const auto rest = std::from_chars(dash + 1, end, last);
    if (*dash != '-' || rest.ec != std::errc{} || rest.ptr != end) error = std::errc::invalid_argument;
  }
  if (error != std::errc{} || last < first || last - first > 10000) return fail(ErrorCode::kInvalidArgument, "{}: '{}' is neither a number nor a range like 1-10", option, text);
  std::vector<uint64_t> range;
  for (uint64_t n = first; n <= last; ++n) range.push_back(n);
  return range;
}

Result<std::vector<uint64_t>> seeds_of(const std::vector<std::string>& texts) {
  std::vector<uint64_t> seeds;
  for (const std::string& text : texts) {
    auto range = range_of("--seeds", text);
    if (!range) return range;
    seeds.insert(seeds.end(), range->begin(), range->end());
  }
  return seeds;
}

// Names as they are, but random:1-520 as each of its families.
Result<std::vector<std::string>> families_of(const std::vector<std::string>& texts) {
  std::vector<std::string> names;
  for (const std::string& text : texts) {
    const size_t colon = text.find(':');
    if (!is_random_family(text) || text.find('-', colon) == std::string::npos) {
      names.push_back(text);
      continue;
    }
    auto range = range_of("--families", std::string_view(text).substr(colon + 1));
    if (!range) return fail(range.error());
    for (const uint64_t structure : *range) names.push_back(text.substr(0, colon + 1) + std::to_string(structure));
  }
  if (names.empty())
    for (const Family& family : families())
      if (family.regime != "case") names.emplace_back(family.name);
  return names;
}

Result<std::vector<MatrixCell>> cells_of(const Options& options) {
  auto seeds = seeds_of(options.seeds);
  if (!seeds) return fail(seeds.error());
  std::vector<std::string> chosen;
  for (const std::string& name : options.arms) {
    if (name == "choosable" || name == "all") {
      const int n = name == "all" ? kBuiltInArms : kChoosable;
      for (ArmId arm = 0; arm < n; ++arm) chosen.emplace_back(arm_name(arm));
      continue;
    }
    if (name == "external") {
      const size_t before = chosen.size();
      for (ArmId arm = kBuiltInArms; arm < static_cast<ArmId>(arms().size()); ++arm)
        if (find_file(*external_arm(arm), scheduler_folders())) chosen.emplace_back(arm_name(arm));
      if (chosen.size() == before) return fail(ErrorCode::kNotFound, "--arms external: none of them is here (scripts/setup --schedulers builds those we know)");
      continue;
    }
    auto arm = find_arm(name);
    if (!arm) return fail(as_usage(arm.error()));
    chosen.emplace_back(arm_name(*arm));
  }
  // From each of the arms to each other one.
  if (options.switch_at > 0) {
    const std::vector<std::string> all = chosen;
    const auto at_ns = static_cast<int64_t>(options.switch_at * 1e9);
    for (const std::string& from : all)
      for (const std::string& to : all)
        if (from != to) chosen.push_back(schedule_spec({{0, *find_arm(from)}, {at_ns, *find_arm(to)}}));
  }
  auto expanded = families_of(options.families);
  if (!expanded) return fail(expanded.error());
  const std::vector<std::string>& names = *expanded;
  std::vector<MatrixCell> cells;
  // Seed by seed, so that an interrupted matrix has whole columns.
  for (const uint64_t seed : *seeds)
    for (const std::string& name : names) {
      if (auto family = find_family(name); !family) return fail(as_usage(family.error()));
      for (const std::string& controller : chosen) cells.push_back({name, seed, 0, controller});
    }
  const uint64_t beyond = *std::max_element(seeds->begin(), seeds->end());
  for (uint64_t extra = 1; extra <= seeds->size() * static_cast<uint64_t>(options.noisy_factor - 1); ++extra)
    for (const std::string& name : names)
      if (std::find(kNoisy.begin(), kNoisy.end(), name) != kNoisy.end())
        for (const std::string& controller : chosen) cells.push_back({name, beyond + extra, 0, controller});
  return cells;
}

Result<Unit> run(const Options& options) {
  if (auto registered = options.lab.register_arms(); !registered) return registered;
  if (options.switch_at >= options.seconds) return fail(ErrorCode::kInvalidArgument, "--switch-at {:g} is not before the end of the arrivals, --seconds {:g}", options.switch_at, options.seconds);
  auto cells = cells_of(options);
  if (!cells) return fail(cells.error());
  auto ledger = open_ledger(options.ledger);
  if (!ledger) return fail(ledger.error());
  std::string machine;
  if (!options.show) {
    std::vector<std::string> names;
    for (const MatrixCell& cell : *cells) names.push_back(cell.controller);
    auto bench = open_bench(options.lab, names);
    if (!bench) return fail(bench.error());
    const SystemClock clock;
    std::unique_ptr<report::Progress> progress;
    MatrixOptions matrix;
    matrix.cells = std::move(*cells);
    matrix.length_ns = static_cast<int64_t>(options.seconds * 1e9);
    matrix.cpus = options.lab.cpus;
    matrix.workers = options.workers;
    auto ran = run_matrix(bench->snapshot, bench->identities, matrix, *ledger, [&](size_t done, size_t total) {
      if (progress) return progress->advance();
      report::ProgressOptions line;
      line.label = "matrix";
      line.total = static_cast<int64_t>(total);
      line.already_done = static_cast<int64_t>(done);
      progress = std::make_unique<report::Progress>(line, clock);
    });
    progress.reset();
    if (!ran && ran.error().code == ErrorCode::kInterrupted) {
      auto count = ledger->count();
      if (!count) return fail(count.error());
      return fail(ErrorCode::kInterrupted, "interrupted; {} holds {} whole runs, and the same command goes on from there", options.ledger, *count);
    }
    if (!ran) return ran;
  }
  auto runs = ledger->read({});
  if (!runs) return fail(runs.error());
  if (!options.write.empty()) {
    if (auto written = write_matrix(options.write, *runs); !written) return written;
  }
  return show_matrix(*runs, {.html = options.html, .emit = options.json.emit()});
}

}  // namespace

void add_lab_matrix(CommandLine& app, int& exit_code) {
  auto options = std::make_shared<Options>();
  options->arms = {"choosable"};
  options->lab.add(app);
  options->lab.add_arm_file(app);
  app.add_option("--families", options->families, "Families (default: all named ones but the regime case's); random:1-520: so many of the generator's").delimiter(',').type_name("NAME,...");
  app.add_option("--arms", options->arms, "Arms: names, choosable, all (the built-in ones), external (those that are installed here)").delimiter(',').capture_default_str().type_name("NAME,...");
  app.add_option("--seeds", options->seeds, "Seeds: numbers and ranges; below 100 train, below 1000 validation, else test").delimiter(',').capture_default_str().type_name("RANGE,...");
  app.add_option("--noisy-factor", options->noisy_factor, "So many times as many seeds for pareto, bimodal and named").capture_default_str().between(1, 10);
  app.add_option("--seconds", options->seconds, "Length of a run's arrivals").capture_default_str().between(0.2, 600.0);
  app.add_option("--switch-at", options->switch_at, "Also from each of the arms to each other one, changed so many seconds after the start").between(0.1, 600.0);
  app.add_option("--ledger", options->ledger, "Where the runs are kept").capture_default_str().type_name("FILE");
  app.add_option("--workers", options->workers, "Forks at a time (default: one for each CPU)").between(1, 64);
  app.add_flag("--show", options->show, "Run nothing: show what the ledger has");
  app.add_option("--write", options->write, "Write the whole ledger as a compact matrix file too").type_name("FILE");
  app.add_option("--html", options->html, "Write the table as a page too").type_name("FILE");
  options->json.add(app);
  app.footer(examples({{"pointsman lab matrix --seeds 1-2 --families batch,pareto,inter", "a first look, a minute"},
                       {"pointsman lab matrix --families random:1-520 --seeds 10 --seconds 2.213", "520 workloads of the generator, one draw of each: the other half"},
                       {"pointsman lab matrix --seeds 1-2 --arms hyb,las,age,eevdf --switch-at 1.113", "what each change of arm costs, and what is seen under the other arm"},
                       {"pointsman lab matrix --seeds 1-5 --arms eevdf,vtime,scx_simple,dl,scx_bpfland --ledger build/lab/real.db", "real schedulers beside our policies of the same idea"},
                       {"pointsman lab matrix --seeds 100-102,1-7 --seconds 2.213 --write data/matrix.pmm", "the named half of what the shipped model is trained on"}}));
  app.callback([options, &exit_code] {
    if (auto done = run(*options); !done) exit_code = report_error(done.error());
  });
}

}  // namespace pointsman

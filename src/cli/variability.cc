// pointsman variability: what tables of measurements can show, what they cannot, and what is wrong with them.
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "base/file.h"
#include "cli/verb.h"
#include "report/page.h"
#include "report/variability.h"

namespace pointsman {

namespace {

struct Options {
  std::vector<std::string> files;
  std::string html, markdown;
  bool strict = false;
  JsonOption json;
};

std::string cell_of(std::string text) {
  for (size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2) text.insert(at, "\\");
  return text;
}

std::string to_markdown(const report::Variability& found) {
  std::string out = "# Variability\n\n| weight | code | where | what |\n|---|---|---|---|\n";
  for (const report::Flaw& f : found.flaws) out += fmt::format("| {} | {} | {} | {} |\n", name_of(f.weight), f.code, cell_of(f.where), cell_of(f.text));
  const auto number = [](double v, int digits) { return std::isfinite(v) ? fmt::format("{:.{}g}", v, digits) : std::string("-"); };
  out += "\n| file | metric | n | mean | std | CV % | runs for 1 % | 2 % | 5 % | 10 % |\n|---|---|---|---|---|---|---|---|---|---|\n";
  for (const report::Variation& v : found.variations) {
    out += fmt::format("| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |\n", cell_of(v.file), cell_of(v.metric), number(v.n, 6), number(v.mean, 6), number(v.std, 6), number(v.cv_percent, 4), number(v.runs_1, 9),
                       number(v.runs_2, 9), number(v.runs_5, 9), number(v.runs_10, 9));
  }
  for (const report::Comparison& c : found.comparisons) {
    out += fmt::format("\n**{}: {} against {}: {} % [{}, {}], t = {}**\n\n", c.metric, c.other, c.baseline, number(c.change_percent, 3), number(c.change_low, 3), number(c.change_high, 3), number(c.t, 3));
    for (const std::string& r : c.reservations) out += fmt::format("- {}\n", r);
  }
  return out;
}

std::string to_page(const report::Variability& found) {
  report::Page page{.title = "Variability", .kicker = "What the measurements can show", .lead = report::paragraph(fmt::format("{} findings in {} metrics.", found.flaws.size(), found.variations.size()))};
  page.sections.push_back({"findings", "Findings", found.flaw_table().html()});
  page.sections.push_back({"variation", "Variation", found.variation_table().html()});
  if (!found.comparisons.empty()) {
    std::string body = found.comparison_table().html();
    page.sections.push_back({"comparisons", "Comparisons", body});
  }
  return report::to_html(page);
}

Result<Unit> variability(const Options& options, bool& wrong) {
  std::vector<report::Frame> frames;
  for (const std::string& path : options.files) {
    auto frame = report::Frame::read(path);
    if (!frame) return fail(frame.error());
    frames.push_back(std::move(*frame));
  }
  const report::Variability found = report::examine(frames);
  wrong = std::any_of(found.flaws.begin(), found.flaws.end(), [](const report::Flaw& f) { return f.weight == report::Flaw::Weight::kWrong; });
  if (!options.html.empty()) {
    if (auto written = write_file(options.html, to_page(found)); !written) return written;
  }
  if (!options.markdown.empty()) {
    if (auto written = write_file(options.markdown, to_markdown(found)); !written) return written;
  }
  nlohmann::json json = {{"flaws", found.flaw_table().json()}, {"variation", found.variation_table().json()}, {"comparisons", found.comparison_table().json()}};
  for (size_t i = 0; i < found.comparisons.size(); ++i) json["comparisons"][i]["reservations"] = found.comparisons[i].reservations;
  for (const report::Frame& frame : frames) json["files"].push_back({{"file", frame.path()}, {"kind", name_of(report::kind_of(frame))}, {"rows", frame.rows()}});
  const report::TextStyle style{.color = report::wants_color(STDOUT_FILENO)};
  std::string text = found.flaw_table().text(style) + "\n" + found.variation_table().text(style);
  if (!found.comparisons.empty()) text += "\n" + found.comparison_table().text(style);
  return report::emit(text, json, options.json.emit());
}

}  // namespace

void add_variability(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<Options>();
  app.add_option("files", options->files, "CSV files: runs (a row each), summaries, tables of processes, pandas' describe()")->required()->type_name("FILE");
  app.add_option("--html", options->html, "Write the report as a page too")->type_name("FILE");
  app.add_option("--markdown", options->markdown, "Write the report as Markdown too")->type_name("FILE");
  app.add_flag("--strict", options->strict, "Exit with 1 when something is wrong");
  options->json.add(app);
  app.footer(examples({{"pointsman variability runs.csv", "how noisy, how many runs for 1, 2, 5 and 10 %, drift, duplicates"},
                       {"pointsman variability before.csv after.csv", "two describe() tables of one column are two arms"},
                       {"pointsman variability --html report.html *.csv", "summaries that belong together (vm_cpu.csv, vm_other.csv) are looked at together"}}) +
             "A file of runs may have the columns arm and block: arms are compared, within blocks where there are some.\n");
  app.callback([options, &exit_code] {
    bool wrong = false;
    auto done = variability(*options, wrong);
    if (!done) exit_code = report_error(done.error());
    else if (wrong && options->strict) exit_code = kExitFailed;
  });
}

}  // namespace pointsman

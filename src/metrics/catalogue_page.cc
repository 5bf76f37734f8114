#include "metrics/catalogue_page.h"

#include <fmt/core.h>

#include "metrics/catalogue_table.h"

namespace pointsman {
namespace {

std::string row(std::string_view what, std::string_view text) { return text.empty() ? "" : fmt::format("- **{}**: {}\n", what, text); }

void add(std::string& out, const MetricRow& one) {
  const MetricSpec& m = one.spec;
  out += fmt::format("\n### {}\n\n", m.name);
  std::string names(m.canonical);
  for (const std::string_view alias : m.aliases) names += fmt::format(", also spelled {}", alias);
  if (names != m.name) out += row("feature", names);
  out += row("kind, unit", fmt::format("{}, {}", name_of(m.kind), m.unit));
  out += row("source", m.source);
  out += row("formula", m.formula);
  out += row("under eevdf", m.eevdf);
  out += row("under sched_ext", m.ext);
  out += row("psutil", m.psutil);
  out += row("trap", m.trap);
}

}  // namespace

std::string catalogue_page() {
  std::string out =
      "# Metrics\n"
      "\n"
      "Made from the catalogue (`src/metrics/catalogue_table.cc`) by `ninja golden`; do not edit by hand. `pointsman metrics` prints the values.\n"
      "\n"
      "Each metric has up to four statistics over the samples of an interval:\n"
      "\n"
      "| statistic | gauge | share | counter |\n"
      "|---|---|---|---|\n"
      "| avg | mean of the samples | over the whole interval, weighted by time | mean growth from one sample to the next |\n"
      "| delta | last - first | last - first, each between two samples | growth; what fell did not grow, and is told |\n"
      "| rate | delta / seconds | delta / seconds | delta / seconds |\n"
      "| pct_change | 100 * delta / first, not from zero | the same | none: the base is what has gathered since boot, so it says how long the machine has been up |\n"
      "\n"
      "Where several sources are named, the first that this machine and its rights allow is taken; `via` tells which. `probe` needs root, or CAP_BPF and CAP_PERFMON, and a\n"
      "kernel with BTF; it is exact. `walk` opens the status of every thread in /proc and is biased: it misses what a thread did after its last walk, and threads that lived\n"
      "between two; `pointsman metrics` says how many. `samples` looks at a moment. Formulas are fixed here, not by the version of a library; \"psutil\" says whose result\n"
      "they equal, which a test checks against the psutil that `scripts/setup --test` installs.\n"
      "\n"
      "## The nineteen features\n";
  bool of_seed = true;
  for (const MetricRow& one : metric_rows()) {
    if (of_seed && !one.spec.of_seed) out += "\n## What those lacked\n";
    of_seed = one.spec.of_seed;
    add(out, one);
  }
  return out;
}

}  // namespace pointsman

// The demo's page. Order: what was gained, the table, what ran when, every arm in every phase, what the agent saw, how it was measured, the
// machine, the command.
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "report/chart.h"
#include "report/demo_report.h"
#include "report/format.h"
#include "report/markup.h"
#include "report/page.h"
#include "report/palette.h"
#include "report/svg.h"

namespace pointsman::report {

namespace {

constexpr double kWide = 1008, kNarrow = 448;

std::string times(double ratio) { return std::isfinite(ratio) ? format_ratio(ratio) + "×" : "–"; }

std::string range_text(const Interval& v, std::string (*one)(double)) {
  return v.bounded() ? fmt::format("95 % interval {} to {}", one(v.low), one(v.high)) : "one block: no interval";
}

std::string chip(const std::string& arm) {
  return fmt::format("<span class=\"chip\" style=\"background:{};color:{}\">{}</span>", arm_fill(arm), arm_ink(arm), escape(arm));
}

std::string figure(const std::string& svg, const std::string& caption) {
  return "<figure>\n" + svg + (caption.empty() ? "" : "<figcaption>" + prose(caption) + "</figcaption>\n") + "</figure>\n";
}

std::string controller_fill(const DemoReport& report, const ControllerInfo& controller) {
  if (controller.name == report.agent) return "var(--accent)";
  return controller.kind == "static" ? arm_fill(controller.name) : "var(--muted)";
}

const ControllerInfo* find_controller(const DemoReport& report, const std::string& name) {
  for (const ControllerInfo& c : report.controllers)
    if (c.name == name) return &c;
  return nullptr;
}

const GapClosed* agents_gap(const DemoReport& report) {
  for (const GapClosed& gap : report.gaps)
    if (gap.split == report.split && gap.controller == report.agent) return &gap;
  return nullptr;
}

struct Gauge {
  double low = 0, high = 1;  // the rail's ends
  double from = 0, to = 1;   // what the two names stand at
  std::string from_name{}, to_name{};
};

// A rail with the two points that matter, and where the agent stands between them.
std::string gauge_svg(const Gauge& gauge, const Interval& value, const std::string& label) {
  constexpr double kWidth = 200, kY = 12, kSide = 8;
  const auto at = [&](double v) {
    return kSide + (kWidth - 2 * kSide) * (std::clamp(v, gauge.low, gauge.high) - gauge.low) / (gauge.high - gauge.low);
  };
  Svg svg({.width = kWidth, .height = 38, .label = label, .css = "gauge"});
  svg.rect({at(gauge.low), kY - 1.5, at(gauge.high) - at(gauge.low), 3}, {.css = "rail", .radius = 1.5});
  for (const double v : {gauge.from, gauge.to}) svg.line({at(v), kY - 7}, {at(v), kY + 7}, {.css = "tick"});
  if (value.bounded()) {
    svg.line({at(value.low), kY}, {at(value.high), kY}, {.css = "whisker"});
    for (const double v : {value.low, value.high})
      if (v >= gauge.low && v <= gauge.high) svg.line({at(v), kY - 4}, {at(v), kY + 4}, {.css = "whisker"});
  }
  svg.circle({at(value.mean), kY}, 6, {.fill = "var(--accent)", .stroke = "var(--raised)", .stroke_width = 1.5});
  const auto name = [&](double v, const std::string& text) {
    const double half = text_width(text, 11) / 2;
    const char anchor = at(v) < half ? 's' : at(v) + half > kWidth ? 'e' : 'm';
    svg.text({anchor == 's' ? 0 : anchor == 'e' ? kWidth : at(v), 34}, text, {.css = "small muted", .anchor = anchor});
  };
  name(gauge.from, gauge.from_name);
  name(gauge.to, gauge.to_name);
  return std::move(svg).take();
}

std::string tile(const std::string& value, const std::string& name, const std::string& range, const std::string& extra) {
  return fmt::format("<div class=\"tile\"><p class=\"value\">{}</p><p class=\"name\">{}</p><p class=\"range\">{}</p>\n{}</div>\n",
                     prose(value), prose(name), prose(range), extra);
}

std::string ratio_tile(const Interval& ratio, const std::string& rival, const std::string& name) {
  const double least = std::min({.5, ratio.mean, ratio.bounded() ? ratio.low : 1.}),
               most = std::max({1.1, ratio.mean, ratio.bounded() ? ratio.high : 1.});
  const Gauge gauge{.low = std::max(least, .1) - .02,
                    .high = std::min(most, 3.) + .02,
                    .from = least <= .5 ? .5 : 1,
                    .to = 1,
                    .from_name = "half",
                    .to_name = rival};
  return tile(times(ratio.mean), name, range_text(ratio, format_ratio), gauge_svg(gauge, ratio, name));
}

std::string gap_tile(const Interval& gap, const std::string& rival, const std::string& role) {
  const std::string name = fmt::format("of the way from {}, {}, to the oracle", rival, role);
  if (!gap.known()) return tile("–", name, "no gap: the oracle was no better", "");
  const Gauge gauge{.low = std::clamp(std::min(0., gap.bounded() ? gap.low : gap.mean), -1., 0.) - .02,
                    .high = std::clamp(std::max(1., gap.bounded() ? gap.high : gap.mean), 1., 1.5) + .02,
                    .from = 0,
                    .to = 1,
                    .from_name = rival,
                    .to_name = "oracle"};
  return tile(typographic(format_percent(gap.mean)), name, range_text(gap, format_percent), gauge_svg(gauge, gap, name));
}

std::string lead(const DemoReport& report) {
  const Headline head = headline(report);
  std::string out = fmt::format("<h1>{}</h1>\n{}", prose(head.claim), paragraph(head.detail, "lede"));
  std::string tiles;
  const GapClosed* gap = agents_gap(report);
  const auto add_ratio = [&](const std::string& rival, const std::string& name) {
    for (const Versus& v : report.versus)
      if (v.split == report.split && v.rival == rival && v.ratio.known()) tiles += ratio_tile(v.ratio, rival, name);
  };
  add_ratio(report.baseline, fmt::format("the slowdown of a typical job, as a ratio to {}", report.baseline));
  if (gap != nullptr) {
    if (gap->train_static != report.baseline)
      add_ratio(gap->train_static, fmt::format("the same as a ratio to {}, the best fixed choice known beforehand", gap->train_static));
    tiles += gap_tile(gap->vs_train_static, gap->train_static, "the best fixed choice known beforehand");
    tiles += gap_tile(gap->vs_hindsight, gap->hindsight_static, "the best fixed choice in hindsight");
  }
  if (!tiles.empty()) out += "<div class=\"tiles\">\n" + tiles + "</div>\n";
  return out;
}

std::string forest_of(const DemoReport& report, const std::string& split) {
  ForestChart chart{.label = fmt::format("Cost of every controller as a ratio to {}, with 95 % intervals", report.baseline),
                    .better = "better than " + report.baseline};
  std::vector<const SummaryRow*> rows;
  for (const SummaryRow& row : report.summary)
    if (row.split == split && row.cost.known()) rows.push_back(&row);
  std::stable_sort(rows.begin(), rows.end(), [](const SummaryRow* a, const SummaryRow* b) { return a->cost.mean < b->cost.mean; });
  for (const SummaryRow* row : rows) {
    const ControllerInfo* controller = find_controller(report, row->controller);
    chart.rows.push_back({.label = row->controller,
                          .value = row->cost,
                          .fill = controller != nullptr ? controller_fill(report, *controller) : "",
                          .tip = controller != nullptr ? controller->summary : "",
                          .emphasised = row->controller == report.agent,
                          .hollow = row->controller == report.oracle});
  }
  if (chart.rows.empty()) return "";
  std::string out;
  for (const bool wide : {true, false}) {
    chart.width = wide ? kWide : kNarrow;
    out += fmt::format("<div class=\"{}\">\n{}</div>\n", wide ? "wide" : "narrow", forest_svg(chart));
  }
  return figure(out, fmt::format("Slowdown of a typical job, as a ratio to {} on the same jobs; logarithmic axis. Whiskers are 95 % "
                                 "intervals. The oracle knows the phases' boundaries "
                                 "and every arm's cost beforehand, and pays for its swaps.",
                                 report.baseline));
}

std::string results(const DemoReport& report) {
  std::string out;
  std::set<std::string> done;
  for (const DemoScenario& scenario : report.scenarios) {
    if (!done.insert(scenario.split).second) continue;
    const Table table = cost_table(report, scenario.split);
    if (table.empty()) continue;
    out += forest_of(report, scenario.split) + table.html();
  }
  if (!report.gaps.empty()) out += "<h3>Gap closed</h3>\n" + gap_table(report).html();
  if (out.empty()) out = paragraph("No run was trusted, so there is nothing to compare.");
  out += "<details><summary>What the columns mean</summary>\n" +
         definitions({{"cost", "Geometric mean over jobs of slowdown, families counting equally, as a ratio to " + report.baseline +
                                   " on the same jobs."},
                      {"slowdown", "Turnaround time of a job divided by the CPU time it needed: 1 is a machine of its own."},
                      {"TAT", "Turnaround time: from a job's arrival to its completion."},
                      {"RT", "Response time: from a job's arrival to its first run."},
                      {"CV fairness", "Standard deviation over mean of 1 / slowdown: 0 when all jobs are treated alike."},
                      {"L", "Mean TAT + mean RT, both in seconds, + CV of fairness."},
                      {"p99 RT short", "99th percentile of the response time of jobs that need at most 5 ms of CPU time."},
                      {"gap closed",
                       "(ln cost of the rival - ln cost of the agent) / (ln cost of the rival - ln cost of the oracle), a ratio of means "
                       "over blocks."},
                      {"block", "One scenario drawn with one seed; every controller ran the very same jobs."}}) +
         "</details>\n";
  return out;
}

TimelineChart timeline_of(const DemoReport& report, const DemoScenario& scenario, uint64_t seed) {
  TimelineChart chart{
      .label = fmt::format("{}, seed {}: phases of the workload and the arm that each controller had active", scenario.name, seed)};
  for (const DemoPhase& phase : scenario.phases)
    chart.phases.push_back({.label = phase.family,
                            .sublabel = phase.regime,
                            .tip = phase.imitates.empty() ? phase.family : phase.family + ": " + phase.imitates,
                            .start_s = phase.start_s,
                            .length_s = phase.length_s});
  const auto add = [&](bool own) {
    for (const ControllerInfo& controller : report.controllers) {
      if (controller.kind == "static" || (controller.name == report.agent) != own) continue;
      for (const DemoRun& run : report.runs) {
        if (run.controller != controller.name || run.scenario != scenario.name || run.seed != seed || run.steps.empty()) continue;
        TimelineChart::Lane lane{.label = run.controller,
                                 .note = run.distrust.empty()
                                             ? fmt::format("{}, {} swaps", times(std::exp(run.costs.ln_ratio)), format_count(run.swaps))
                                             : "not averaged",
                                 .end_s = run.end_s,
                                 .emphasised = own};
        for (const DemoStep& s : run.steps)
          lane.steps.push_back({.t_s = s.t_s,
                                .decided_s = controller.kind == "random" ? kMissing : s.decided_s,
                                .arm = s.arm,
                                .why = s.why,
                                .refused = s.refused});
        chart.lanes.push_back(std::move(lane));
      }
    }
  };
  add(true);
  add(false);
  return chart;
}

std::string both_widths(TimelineChart chart) {
  std::string out;
  for (const bool wide : {true, false}) {
    chart.width = wide ? kWide : kNarrow;
    out += fmt::format("<div class=\"{}\">\n{}</div>\n", wide ? "wide" : "narrow", timeline_svg(chart));
  }
  return out;
}

std::vector<uint64_t> seeds_of(const DemoReport& report, const DemoScenario& scenario) {
  std::vector<uint64_t> seeds;
  for (const DemoRun& run : report.runs)
    if (run.scenario == scenario.name && std::find(seeds.begin(), seeds.end(), run.seed) == seeds.end()) seeds.push_back(run.seed);
  return seeds;
}

std::string timelines(const DemoReport& report) {
  std::string out = paragraph(
      "Each lane is one controller; its colour is the arm that the kernel confirmed as active. To the right: the run's cost as a ratio "
      "to " +
          report.baseline + " and its swaps. Fixed arms have no lane: they never change.",
      "muted");
  bool any = false;
  for (const DemoScenario& scenario : report.scenarios) {
    const std::vector<uint64_t> seeds = seeds_of(report, scenario);
    bool first = true;
    for (const uint64_t seed : seeds) {
      const TimelineChart chart = timeline_of(report, scenario, seed);
      if (chart.lanes.empty()) continue;
      any = true;
      if (first)
        out += fmt::format("<h3>{}, seed {}</h3>\n", escape(scenario.name), seed) + figure(both_widths(chart), "");
      else
        out += fmt::format("<details><summary>{}, seed {}</summary>\n", escape(scenario.name), seed) + figure(both_widths(chart), "") +
               "</details>\n";
      first = false;
    }
  }
  return any ? out : paragraph("No run recorded which arm was active when.");
}

std::string bars(const DemoReport& report) {
  std::string out =
      paragraph("Bars start at " + report.baseline +
                    " (1) and grow to the left when an arm is better. Whiskers are 95 % intervals over seeds; a dot marks the fixed arm "
                    "with the lowest mean. The axis is logarithmic and the same within a scenario.",
                "muted");
  bool any = false;
  for (const DemoScenario& scenario : report.scenarios) {
    BarChart all{.label = ""};
    for (size_t p = 0; p < scenario.phases.size(); ++p) {
      const DemoPhase& phase = scenario.phases[p];
      BarChart::Group group{.label = fmt::format("{}. {}", p + 1, phase.family), .sublabel = phase.regime};
      size_t best = phase.costs.size();
      for (size_t i = 0; i < phase.costs.size(); ++i) {
        const ArmCost& cost = phase.costs[i];
        const ControllerInfo* controller = find_controller(report, cost.controller);
        const bool fixed = controller == nullptr || controller->kind == "static";
        if (fixed && cost.ratio.known() && (best == phase.costs.size() || cost.ratio.mean < phase.costs[best].ratio.mean)) best = i;
        group.bars.push_back({.label = cost.controller,
                              .value = cost.ratio,
                              .fill = controller != nullptr ? controller_fill(report, *controller) : "",
                              .tip = fmt::format("{} in {}: {}", cost.controller, phase.family, format_interval(cost.ratio)),
                              .emphasised = cost.controller == report.agent,
                              .hollow = cost.controller == report.oracle});
      }
      if (best < group.bars.size()) group.bars[best].best = true;
      if (!group.bars.empty()) all.groups.push_back(std::move(group));
    }
    if (all.groups.empty()) continue;
    any = true;
    fit_axis(all);
    out += "<h3>" + escape(scenario.name) + "</h3>\n<div class=\"grid\">\n";
    for (const BarChart::Group& group : all.groups) {
      BarChart one{.label = fmt::format("{}: cost of every arm as a ratio to {}", group.label, report.baseline),
                   .groups = {group},
                   .low = all.low,
                   .high = all.high};
      out += bars_svg(one);
    }
    out += "</div>\n";
  }
  return any ? out : paragraph("The costs of the arms phase by phase were not recorded.");
}

// The arm that was active for most of a phase.
std::string main_arm(const DemoRun& run, const DemoPhase& phase) {
  std::vector<std::pair<std::string, double>> held;
  const double to_s = phase.start_s + phase.length_s;
  std::vector<const DemoStep*> taken;
  for (const DemoStep& s : run.steps)
    if (!s.refused) taken.push_back(&s);
  for (size_t i = 0; i < taken.size(); ++i) {
    const double from = std::max(taken[i]->t_s, phase.start_s);
    const double until = std::min(i + 1 < taken.size() ? taken[i + 1]->t_s : to_s, to_s);
    if (!(until > from)) continue;
    const auto it = std::find_if(held.begin(), held.end(), [&](const auto& h) { return h.first == taken[i]->arm; });
    if (it == held.end())
      held.emplace_back(taken[i]->arm, until - from);
    else
      it->second += until - from;
  }
  const auto most = std::max_element(held.begin(), held.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == held.end() ? "" : most->first;
}

const DemoRun* first_run(const DemoReport& report, const std::string& scenario, const std::string& controller) {
  for (const DemoRun& run : report.runs)
    if (run.scenario == scenario && run.controller == controller) return &run;
  return nullptr;
}

std::string decisions(const DemoReport& report) {
  std::string out;
  for (const DemoScenario& scenario : report.scenarios) {
    const DemoRun* run = first_run(report, scenario.name, report.agent);
    if (run == nullptr) continue;
    const DemoRun* oracle = first_run(report, scenario.name, report.oracle);
    if (oracle != nullptr && oracle->seed != run->seed) oracle = nullptr;
    std::string rows;
    for (const Sight& sight : run->seen) {
      if (sight.phase < 0 || static_cast<size_t>(sight.phase) >= scenario.phases.size()) continue;
      const DemoPhase& phase = scenario.phases[static_cast<size_t>(sight.phase)];
      const std::string best = oracle != nullptr ? main_arm(*oracle, phase) : "";
      rows +=
          fmt::format("<tr><th scope=\"row\">{}. {}<span class=\"ci\">{}</span></th><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                      sight.phase + 1, escape(phase.family), prose(phase.imitates), prose(sight.saw),
                      sight.chose.empty() ? "–" : chip(sight.chose), prose(sight.why), best.empty() ? "–" : chip(best));
    }
    if (!rows.empty())
      out += fmt::format(
          "<h3>{}, seed {}</h3>\n<div class=\"scroll\"><table class=\"sights\">\n<thead><tr><th scope=\"col\">phase</th><th "
          "scope=\"col\">the agent saw</th><th scope=\"col\">chose</th>"
          "<th scope=\"col\">because</th><th scope=\"col\">the oracle took</th></tr></thead>\n<tbody>\n{}</tbody></table></div>\n",
          escape(scenario.name), run->seed, rows);
    std::string swaps;
    for (size_t i = 1; i < run->steps.size(); ++i) {
      const DemoStep& s = run->steps[i];
      swaps += fmt::format("<tr><th scope=\"row\" class=\"num\">{}</th><td>{}</td><td class=\"num\">{}</td><td>{}{}</td></tr>\n",
                           format_fixed(s.t_s, 2) + " s", chip(s.arm),
                           std::isfinite(s.decided_s) ? escape(format_seconds(s.t_s - s.decided_s)) : "–",
                           s.refused ? "<b>refused.</b> " : "", prose(s.why));
    }
    if (!swaps.empty())
      out += fmt::format(
          "<details><summary>Every swap of this run ({})</summary>\n<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\" "
          "class=\"num\">active at</th><th scope=\"col\">arm</th>"
          "<th scope=\"col\" class=\"num\">after the decision</th><th "
          "scope=\"col\">why</th></tr></thead>\n<tbody>\n{}</tbody></table></div>\n</details>\n",
          run->steps.size() - 1, swaps);
  }
  return out.empty() ? paragraph("What the agent saw was not recorded.") : out;
}

std::string method(const DemoReport& report) {
  std::string out;
  for (const std::string& text : report.how) out += paragraph(text);
  std::vector<std::pair<std::string, std::string>> own;
  if (std::isfinite(report.overhead.cpu_ratio))
    own.emplace_back("CPU time", fmt::format("{} of one CPU, inside the measurement", format_percent(report.overhead.cpu_ratio)));
  if (std::isfinite(report.overhead.rss_bytes)) own.emplace_back("memory", format_bytes(report.overhead.rss_bytes));
  if (std::isfinite(report.overhead.tick_p99_s)) own.emplace_back("one tick, p99", format_seconds(report.overhead.tick_p99_s));
  if (!own.empty()) out += "<h3>What the agent itself cost</h3>\n" + definitions(own);
  if (!report.swap_times.empty()) {
    Table table("", {{.key = "kind", .title = "swap"},
                     {.key = "count", .title = "count", .quantity = Quantity::kCount},
                     {.key = "call_p50_s", .title = "call, p50", .quantity = Quantity::kSeconds},
                     {.key = "call_p99_s", .title = "call, p99", .quantity = Quantity::kSeconds},
                     {.key = "longest_wait_s", .title = "longest wait of a runnable task", .quantity = Quantity::kSeconds}});
    for (const SwapTime& s : report.swap_times) table.add({s.kind, s.count, s.call_p50_s, s.call_p99_s, s.longest_wait_s});
    out += "<h3>What a swap cost</h3>\n" + table.html();
  }
  std::string limits;
  for (const std::string& text : report.limits) limits += "<li>" + prose(text) + "</li>\n";
  if (!limits.empty()) out += "<h3>Limits</h3>\n<ul>\n" + limits + "</ul>\n";
  std::string distrusted;
  for (const DemoRun& run : report.runs)
    if (!run.distrust.empty())
      distrusted +=
          fmt::format("<li>{}, seed {}, {}: {}</li>\n", escape(run.scenario), run.seed, escape(run.controller), escape(run.distrust));
  if (!distrusted.empty()) out += "<h3>Runs that are averaged nowhere</h3>\n<ul>\n" + distrusted + "</ul>\n";
  std::vector<std::pair<std::string, std::string>> controllers;
  for (const ControllerInfo& c : report.controllers) controllers.emplace_back(c.name, c.summary);
  if (const std::string list = definitions(controllers); !list.empty()) out += "<h3>The controllers</h3>\n" + list;
  return out;
}

}  // namespace

std::string machine_html(const MachineCard& m) {
  return definitions(
      {{"kernel", m.kernel},
       {"QEMU", m.qemu},
       {"guest", m.guest_cpus > 0 ? fmt::format("{} CPUs{}", m.guest_cpus,
                                                std::isfinite(m.guest_memory_bytes) ? ", " + format_bytes(m.guest_memory_bytes) : "")
                                  : ""},
       {"snapshot", m.snapshot},
       {"binary", m.binary_hash},
       {"commit", m.commit},
       {"host", m.host_cpus > 0 ? fmt::format("{}{}{} CPUs", m.host_cpu, m.host_cpu.empty() ? "" : ", ", m.host_cpus) : m.host_cpu},
       {"date", m.date}});
}

std::string to_html(const DemoReport& report) {
  Page page{.title = report.title, .kicker = "demo report", .lead = lead(report)};
  page.sections = {{.id = "results", .heading = "Results", .body = results(report)},
                   {.id = "timelines", .heading = "What ran when", .body = timelines(report)},
                   {.id = "arms", .heading = "Every arm in every phase", .body = bars(report)},
                   {.id = "decisions", .heading = "What the agent saw, and why it chose", .body = decisions(report)},
                   {.id = "method", .heading = "How this was measured, and its limits", .body = method(report)},
                   {.id = "machine", .heading = "Machine", .body = machine_html(report.machine)}};
  if (!report.command.empty())
    page.sections.push_back(
        {.id = "again",
         .heading = "Do it again",
         .body = paragraph("This command makes this page anew. The same image, QEMU and guest CPU give the same bits.") + "<pre><code>" +
                 escape(report.command) + "</code></pre>\n"});
  return to_html(page);
}

}  // namespace pointsman::report

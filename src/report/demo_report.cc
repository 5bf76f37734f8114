#include "report/demo_report.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "report/format.h"

namespace pointsman::report {

namespace {

using Block = std::pair<std::string, uint64_t>;  // scenario, seed

double ln_of_ratio(double value, double base) { return value > 0 && base > 0 ? std::log(value / base) : kMissing; }

double mean_of(const std::vector<double>& values) {
  double sum = 0;
  int n = 0;
  for (const double v : values)
    if (std::isfinite(v)) sum += v, ++n;
  return n > 0 ? sum / n : kMissing;
}

struct Splits {
  explicit Splits(const DemoReport& report) {
    for (const DemoScenario& s : report.scenarios) {
      of_scenario[s.name] = s.split;
      if (std::find(in_order.begin(), in_order.end(), s.split) == in_order.end()) in_order.push_back(s.split);
    }
  }
  std::map<std::string, std::string> of_scenario;
  std::vector<std::string> in_order;
};

enum class Verdict { kUnknown, kGain, kLoss, kUnclear };

Verdict verdict_of(const Interval& ratio) {
  if (!ratio.known()) return Verdict::kUnknown;
  if (!ratio.bounded()) return ratio.mean < 1 ? Verdict::kGain : Verdict::kLoss;
  return ratio.high < 1 ? Verdict::kGain : ratio.low > 1 ? Verdict::kLoss : Verdict::kUnclear;
}

std::string lower_or_higher(double ratio) {
  return fmt::format("{} {}", format_percent(std::fabs(1 - ratio)), ratio <= 1 ? "lower" : "higher");
}

// A verb phrase with "the agent" as its subject.
std::string phrase(const Interval& ratio, const std::string& rival, bool first) {
  const std::string what = first ? "the typical job's slowdown" : "it";
  switch (verdict_of(ratio)) {
    case Verdict::kGain:
      return fmt::format("cut {} by {} against {}", what, format_percent(1 - ratio.mean), rival);
    case Verdict::kLoss:
      return fmt::format("raised {} by {} against {}", what, format_percent(ratio.mean - 1), rival);
    case Verdict::kUnclear:
      return fmt::format("made no clear difference {}against {}", first ? "to " + what + " " : "", rival);
    case Verdict::kUnknown:
      break;
  }
  return fmt::format("was not compared with {}", rival);
}

// What stands behind "no clear difference".
std::string doubt(const Interval& ratio, const std::string& rival) {
  if (verdict_of(ratio) != Verdict::kUnclear) return "";
  return fmt::format("Against {} the slowdown was {}; the 95 % interval reaches from {} to {}. ", rival, lower_or_higher(ratio.mean),
                     lower_or_higher(ratio.low), lower_or_higher(ratio.high));
}

std::string in_words(const std::string& split) {
  if (split == "test-seeds") return "known families of workloads, drawn with seeds never seen";
  if (split == "test-families") return "families of workloads never seen in training";
  return split;
}

std::string split_title(const std::string& split) {
  const std::string words = in_words(split);
  return words == split ? split : split + " (" + words + ")";
}

std::string gap_sentence(const Interval& gap, const std::string& rival, const std::string& role) {
  if (!gap.known()) return fmt::format("Against {}, {}, there was no gap to close: the perfect chooser was no better.", rival, role);
  const std::string size = format_percent(gap.mean);
  const std::string range =
      gap.bounded() ? fmt::format(" (95 % interval {} to {})", format_percent(gap.low), format_percent(gap.high)) : "";
  std::string out = gap.mean >= 0 ? fmt::format("It went {}{} of the way from {}, {}, to a perfect chooser", size, range, rival, role)
                                  : fmt::format("It fell behind {}, {}: {}{} of the way to a perfect chooser", rival, role, size, range);
  if (!gap.bounded()) return out + ", from a single block, so without an interval.";
  if (gap.includes(0)) return out + "; the interval includes zero, so this may be chance.";
  return out + ".";
}

const GapClosed* find_gap(const DemoReport& report, const std::string& split, const std::string& controller) {
  for (const GapClosed& gap : report.gaps)
    if (gap.split == split && gap.controller == controller) return &gap;
  return nullptr;
}

Interval versus(const DemoReport& report, const std::string& split, const std::string& rival) {
  for (const Versus& v : report.versus)
    if (v.split == split && v.rival == rival) return v.ratio;
  return {};
}

}  // namespace

void summarise(DemoReport& report, const IntervalOf& interval_of) {
  report.summary.clear();
  report.versus.clear();
  const Splits splits(report);
  std::map<std::pair<std::string, Block>, const DemoRun*> trusted;
  for (const DemoRun& run : report.runs)
    if (run.distrust.empty()) trusted[{run.controller, {run.scenario, run.seed}}] = &run;
  const auto find = [&](const std::string& controller, const Block& block) -> const DemoRun* {
    const auto it = trusted.find({controller, block});
    return it == trusted.end() ? nullptr : it->second;
  };

  for (const std::string& split : splits.in_order) {
    // In order of first appearance, so that the order in which the interval's draws take them is fixed.
    std::vector<Block> blocks;
    for (const DemoRun& run : report.runs) {
      const auto of = splits.of_scenario.find(run.scenario);
      const Block block{run.scenario, run.seed};
      if (of != splits.of_scenario.end() && of->second == split && std::find(blocks.begin(), blocks.end(), block) == blocks.end())
        blocks.push_back(block);
    }
    for (const ControllerInfo& controller : report.controllers) {
      SummaryRow row{.split = split,
                     .controller = controller.name,
                     .blocks = 0,
                     .cost = {},
                     .tat = {},
                     .rt = {},
                     .cv_fairness = {},
                     .seed_l = {},
                     .p99_rt_short = {},
                     .swaps = {},
                     .absolute = {}};
      std::vector<double> cost, tat, rt, cv, seed_l, p99, swaps;
      std::vector<double> slowdown_abs, tat_abs, rt_abs, cv_abs, l_abs, p99_abs;
      std::vector<double> ahead;
      for (const Block& block : blocks) {
        const DemoRun* run = find(controller.name, block);
        const DemoRun* base = find(report.baseline, block);
        if (run == nullptr || base == nullptr) continue;
        ++row.blocks;
        const RunCosts& c = run->costs;
        const RunCosts& b = base->costs;
        cost.push_back(c.ln_ratio);
        tat.push_back(ln_of_ratio(c.mean_tat_s, b.mean_tat_s));
        rt.push_back(ln_of_ratio(c.mean_rt_s, b.mean_rt_s));
        cv.push_back(ln_of_ratio(c.cv_fairness, b.cv_fairness));
        seed_l.push_back(ln_of_ratio(c.seed_l, b.seed_l));
        p99.push_back(ln_of_ratio(c.p99_rt_short_s, b.p99_rt_short_s));
        swaps.push_back(run->swaps);
        slowdown_abs.push_back(c.log_slowdown);
        tat_abs.push_back(c.mean_tat_s);
        rt_abs.push_back(c.mean_rt_s);
        cv_abs.push_back(c.cv_fairness);
        l_abs.push_back(c.seed_l);
        p99_abs.push_back(c.p99_rt_short_s);
        if (const DemoRun* agent = find(report.agent, block)) ahead.push_back(agent->costs.ln_ratio - c.ln_ratio);
      }
      if (row.blocks == 0) continue;
      row.cost = exp_of(over_known(cost, interval_of));
      row.tat = exp_of(over_known(tat, interval_of));
      row.rt = exp_of(over_known(rt, interval_of));
      row.cv_fairness = exp_of(over_known(cv, interval_of));
      row.seed_l = exp_of(over_known(seed_l, interval_of));
      row.p99_rt_short = exp_of(over_known(p99, interval_of));
      row.swaps = over_known(swaps, interval_of);
      row.absolute = {.ln_ratio = mean_of(cost),
                      .log_slowdown = mean_of(slowdown_abs),
                      .mean_tat_s = mean_of(tat_abs),
                      .mean_rt_s = mean_of(rt_abs),
                      .cv_fairness = mean_of(cv_abs),
                      .seed_l = mean_of(l_abs),
                      .p99_rt_short_s = mean_of(p99_abs)};
      report.summary.push_back(row);
      if (controller.name != report.agent && !ahead.empty())
        report.versus.push_back({.split = split, .rival = controller.name, .ratio = exp_of(over_known(ahead, interval_of))});
    }
  }
}

Headline headline(const DemoReport& report) {
  const GapClosed* gap = find_gap(report, report.split, report.agent);
  const Interval against_baseline = versus(report, report.split, report.baseline);
  const std::string baseline = report.baseline + ", the kernel's own scheduler";
  if (!against_baseline.known() && gap == nullptr)
    return {"There is no trusted run of the agent to judge by.", "The tables below show what there is."};

  Headline out;
  out.claim = "The agent " + phrase(against_baseline, baseline, true);
  if (gap != nullptr && gap->train_static != report.baseline) {
    const Interval against_static = versus(report, report.split, gap->train_static);
    const std::string rival = gap->train_static + ", the best fixed choice known beforehand";
    const Verdict one = verdict_of(against_baseline), other = verdict_of(against_static);
    if (one == Verdict::kGain && other == Verdict::kGain)
      out.claim += fmt::format(", and by {} against {}", format_percent(1 - against_static.mean), rival);
    else
      out.claim += (one == other ? ", and " : ", but ") + phrase(against_static, rival, false);
    out.detail = doubt(against_static, gap->train_static);
  }
  out.claim += ".";
  out.detail = doubt(against_baseline, report.baseline) + out.detail;

  if (gap == nullptr) {
    out.detail += "How much of the possible gain this is was not measured.";
    return out;
  }
  if (gap->train_static == gap->hindsight_static) {
    out.detail += gap_sentence(gap->vs_train_static, gap->train_static, "the best fixed choice known beforehand and in hindsight too");
  } else {
    out.detail += gap_sentence(gap->vs_train_static, gap->train_static, "the best fixed choice known beforehand") + " " +
                  gap_sentence(gap->vs_hindsight, gap->hindsight_static, "the best fixed choice in hindsight");
  }
  for (const GapClosed& other : report.gaps) {
    if (other.split == report.split || other.controller != report.agent || !other.vs_train_static.known()) continue;
    const bool proven = other.vs_train_static.bounded() && other.vs_train_static.low > 0;
    out.detail +=
        fmt::format(" On {} it closed {} of the gap to {}{}.", in_words(other.split),
                    format_interval(other.vs_train_static, format_percent), other.train_static, proven ? "" : ": no gain is shown there");
  }
  return out;
}

Table cost_table(const DemoReport& report, const std::string& split) {
  std::string beforehand = "beforehand", hindsight = "in hindsight";
  if (const GapClosed* gap = find_gap(report, split, report.agent)) beforehand = gap->train_static, hindsight = gap->hindsight_static;
  Table table(fmt::format("{}: ratios to {} (below 1 is better) with 95 % intervals", split_title(split), report.baseline),
              {{.key = "controller", .title = "controller"},
               {.key = "cost", .title = "cost", .quantity = Quantity::kRatio},
               {.key = "tat", .title = "TAT", .quantity = Quantity::kRatio},
               {.key = "rt", .title = "RT", .quantity = Quantity::kRatio},
               {.key = "cv_fairness", .title = "CV fairness", .quantity = Quantity::kRatio},
               {.key = "seed_l", .title = "L", .quantity = Quantity::kRatio},
               {.key = "p99_rt_short", .title = "p99 RT short", .quantity = Quantity::kRatio},
               {.key = "swaps", .title = "swaps a run", .quantity = Quantity::kNumber, .decimals = 1},
               {.key = "gap_vs_train_static", .title = "gap to " + beforehand, .quantity = Quantity::kPercent},
               {.key = "gap_vs_hindsight", .title = "gap to " + hindsight, .quantity = Quantity::kPercent}});
  int blocks = 0;
  for (const SummaryRow& row : report.summary) {
    if (row.split != split) continue;
    blocks = std::max(blocks, row.blocks);
    const GapClosed* gap = find_gap(report, split, row.controller);
    table.add({row.controller, row.cost, row.tat, row.rt, row.cv_fairness, row.seed_l, row.p99_rt_short, row.swaps,
               gap != nullptr ? Cell(gap->vs_train_static) : Cell(), gap != nullptr ? Cell(gap->vs_hindsight) : Cell()});
    if (row.controller == report.agent) table.emphasise_last();
  }
  for (const SummaryRow& row : report.summary) {
    if (row.split != split || row.controller != report.baseline) continue;
    const RunCosts& a = row.absolute;
    table.notes.push_back(
        fmt::format("{}: geometric-mean slowdown {}, mean TAT {}, mean RT {}, CV of fairness {}, L {}, p99 RT of short jobs {}.",
                    report.baseline, format_ratio(std::exp(a.log_slowdown)), format_seconds(a.mean_tat_s), format_seconds(a.mean_rt_s),
                    format_ratio(a.cv_fairness), format_ratio(a.seed_l), format_seconds(a.p99_rt_short_s)));
  }
  table.notes.push_back(
      fmt::format("{} blocks (scenario and seed). Gaps: 0 % is as good as that rival, 100 % as good as the oracle.", blocks));
  return table;
}

std::vector<std::string> lab_limits() {
  return {
      "The lab's machine has no caches, no TLB, no frequency changes and no hyperthreads, and moving a task to another CPU costs nothing: "
      "rankings that live off these "
      "are not shown here.",
      "One global queue is free of contention here. Our own arms use one, so the lab is biased towards them and against eevdf.",
      "Each instruction takes 2 ns of virtual time and work inside the kernel is about ten times dearer than on hardware, so workloads "
      "that switch often are exaggerated.",
      "The families of workloads are ours: a mean over them is a property of that list, and no cost is neutral between arms."};
}

Table gap_table(const DemoReport& report) {
  Table table("gap closed: 0 % is as good as the rival, 100 % as good as the oracle",
              {{.key = "split", .title = "workload"},
               {.key = "controller", .title = "controller"},
               {.key = "train_static", .title = "fixed beforehand"},
               {.key = "vs_train_static", .title = "gap closed", .quantity = Quantity::kPercent},
               {.key = "hindsight_static", .title = "fixed in hindsight"},
               {.key = "vs_hindsight", .title = "gap closed", .quantity = Quantity::kPercent},
               {.key = "blocks", .title = "blocks", .quantity = Quantity::kCount}});
  for (const GapClosed& gap : report.gaps)
    table.add({gap.split, gap.controller, gap.train_static, gap.vs_train_static, gap.hindsight_static, gap.vs_hindsight, gap.blocks});
  return table;
}

std::string to_text(const DemoReport& report, const TextStyle& style) {
  const Headline head = headline(report);
  std::string out = head.claim + "\n" + head.detail + "\n";
  for (const std::string& split : Splits(report).in_order) out += "\n" + cost_table(report, split).text(style);
  if (!report.gaps.empty()) out += "\n" + gap_table(report).text(style);
  return out;
}

}  // namespace pointsman::report

#include "cli/evaluate_view.h"

#include <algorithm>
#include <cmath>

#include "cli/statistics.h"
#include "report/chart.h"
#include "report/page.h"

namespace pointsman {

namespace {

using report::Column;
using report::Quantity;

const Judgement* find(const JudgedSplit& split, const std::string& name) {
  for (const Judgement& j : split.contenders)
    if (j.name == name) return &j;
  return nullptr;
}

report::Table family_table(const EvaluationView& view, const EvaluationView::Split& split) {
  std::vector<Column> columns{{"family", "family"}, {"blocks", "blocks", Quantity::kCount}};
  columns.push_back({"oracle", "oracle", Quantity::kRatio});
  for (const std::string& name : view.featured)
    if (find(split.judged, name) != nullptr) columns.push_back({name, name, Quantity::kRatio});
  report::Table table("Per family: geometric-mean slowdown as a ratio to " + std::string(arm_name(kDefaultArm)) + " (below 1 is better); * the best but the oracle", columns);
  table.mark_key = "best";
  if (split.judged.contenders.empty()) return table;
  const auto& rows = split.judged.contenders.front().families;
  for (size_t f = 0; f < rows.size(); ++f) {
    const double default_ratio = rows[f].ratio / rows[f].to_default;
    std::vector<report::Cell> row{rows[f].family, rows[f].blocks, rows[f].oracle / default_ratio};
    double best = 1e9;
    for (const std::string& name : view.featured)
      if (const Judgement* j = find(split.judged, name)) best = std::min(best, j->families[f].to_default);
    for (const std::string& name : view.featured)
      if (const Judgement* j = find(split.judged, name)) row.push_back(report::Cell(j->families[f].to_default).mark(j->families[f].to_default <= best * 1.01));
    table.add(std::move(row));
  }
  return table;
}

report::Table off_policy_table(const EvaluationView& view) {
  report::Table table("Off-policy estimates from decisions of random, beside the truth on the same windows (mean ln cost to eevdf)",
                      {{"target", "policy"}, {"truth", "truth", Quantity::kNumber, 3}, {"ips", "IPS", Quantity::kNumber, 3}, {"snips", "SNIPS", Quantity::kNumber, 3},
                       {"doubly_robust", "doubly robust", Quantity::kNumber, 3}, {"effective", "effective decisions", Quantity::kCount}, {"largest_weight", "largest weight", Quantity::kRatio}});
  for (const OffPolicyRow& row : view.off_policy)
    table.add({row.target, row.truth, to_report(row.estimate.ips), to_report(row.estimate.snips), to_report(row.estimate.doubly_robust), std::round(row.estimate.effective_decisions), row.estimate.largest_weight});
  return table;
}

std::string regret_chart(const EvaluationView& view, const EvaluationView::Split& split) {
  report::LineChart chart{.label = "Regret over a life of " + split.name, .x_label = "seconds", .y_label = "mean regret to the block's best arm (ln)"};
  for (const std::string& name : view.featured) {
    const Judgement* j = find(split.judged, name);
    if (j == nullptr) continue;
    report::LineChart::Series& series = chart.series.emplace_back();
    series.label = name;
    // Means of four windows: a bandit decides once in a cost window.
    for (size_t t = 0; t + 4 <= j->regret.size(); t += 4)
      series.points.push_back({.x = .25 * static_cast<double>(t + 4), .y = (j->regret[t] + j->regret[t + 1] + j->regret[t + 2] + j->regret[t + 3]) / 4});
  }
  return report::line_svg(chart);
}

std::string ratio_chart(const EvaluationView& view, const EvaluationView::Split& split) {
  report::ForestChart chart{.label = "Cost of each controller on " + split.name + ", as a ratio to eevdf"};
  std::vector<const Judgement*> order;
  for (const Judgement& j : split.judged.contenders) order.push_back(&j);
  std::stable_sort(order.begin(), order.end(), [](const Judgement* a, const Judgement* b) { return a->cost < b->cost; });
  chart.rows.push_back({.label = "oracle", .value = {std::exp(split.judged.oracle), report::kMissing, report::kMissing}, .hollow = true});
  for (const Judgement* j : order)
    chart.rows.push_back({.label = j->name, .value = to_report(j->ratio), .fill = "var(--ink)", .tip = j->summary, .emphasised = j->name == view.agent});
  return report::forest_svg(chart);
}

}  // namespace

report::Table phased_table(const EvaluationView::Split& split) {
  report::Table table("Phases that change: the same scenarios under each", {{"controller", "controller"},
                                                                           {"vs_default", "against " + std::string(arm_name(kDefaultArm)), Quantity::kRatio},
                                                                           {"vs_hindsight", "against each scenario's best static", Quantity::kRatio},
                                                                           {"adaptation_s", "median adaptation", Quantity::kSeconds},
                                                                           {"swaps_per_phase", "swaps a phase", Quantity::kRatio},
                                                                           {"wasted", "swaps that do not pay", Quantity::kPercent}});
  for (const PhasedJudgement& j : split.phased)
    table.add({j.name, to_report(j.vs_default), to_report(j.vs_hindsight), .25 * j.median_adaptation, j.swaps_per_phase, j.swaps_that_do_not_pay});
  return table;
}

report::Table split_table(const EvaluationView& view, const EvaluationView::Split& split) {
  const JudgedSplit& s = split.judged;
  report::Table table(fmt::format("{}: {} blocks; {}; ratios to eevdf: {} {:.3f}, {} (chosen on train) {:.3f}, {} (best in hindsight) {:.3f}, oracle {:.3f}", split.name, s.blocks, split.about,
                                  arm_name(kDefaultArm), std::exp(s.default_arm), view.train_static, std::exp(s.train_static), arm_name(s.hindsight), std::exp(s.hindsight_cost), std::exp(s.oracle)),
                      {{"controller", "controller"},
                       {"ratio", "to eevdf", Quantity::kRatio},
                       {"vs_train_static", "gap closed vs train's static", Quantity::kRatio},
                       {"vs_hindsight", "vs hindsight", Quantity::kRatio},
                       {"s2", "vs hyb, 0-2 s", Quantity::kRatio},
                       {"s10", "2-10 s", Quantity::kRatio},
                       {"s20", "10-20 s", Quantity::kRatio},
                       {"tied", "best or tied", Quantity::kPercent},
                       {"swaps", "swaps/decision", Quantity::kRatio},
                       {"harmed_blocks", "blocks harmed", Quantity::kPercent},
                       {"harmed_families", "families harmed", Quantity::kCount},
                       {"p", "p (Holm)", Quantity::kNumber, 3}});
  for (const Judgement& j : s.contenders) {
    std::vector<report::Cell> row{report::Cell(j.name), to_report(j.ratio), to_report(j.vs_train_static), to_report(j.vs_hindsight)};
    row.front().tip = j.summary;
    for (size_t i = 0; i < 3; ++i) row.push_back(i < j.vs_default_by_span.size() ? report::Cell(j.vs_default_by_span[i].value) : report::Cell());
    row.insert(row.end(), {j.tied, j.swaps, j.harmed_blocks, j.harmed_families, j.p_vs_default});
    table.add(std::move(row));
    if (j.name == view.agent) table.emphasise_last();
  }
  return table;
}

std::string evaluation_page(const EvaluationView& view) {
  report::Page page{.title = "Every controller on every split", .kicker = view.quick ? "evaluation, quick" : "evaluation"};
  std::string lead = "By look-up in the full-information matrix: every block was run under every choosable arm, and a controller sees the next window as it was recorded under the arm that it took. "
                     "A gap closed of 1 is the oracle's, 0 the rival's; intervals are BCa bootstraps over blocks at 95 %.";
  page.lead = report::paragraph(lead) + report::definitions({{"data", view.data}, {"made by", view.command}, {"the agent", view.agent}, {"static chosen on train", view.train_static}});
  for (const EvaluationView::Split& split : view.splits) {
    std::string body = ratio_chart(view, split) + split_table(view, split).html() + family_table(view, split).html() + regret_chart(view, split);
    if (!split.phased.empty()) body += phased_table(split).html();
    page.sections.push_back({.id = split.name, .heading = split.name, .body = std::move(body)});
  }
  page.sections.push_back({.id = "off-policy", .heading = "Judged before acting", .body = off_policy_table(view).html()});
  std::string method = report::paragraph(fmt::format("A/A check: of {} pairs of one random controller with itself under other seeds the test called {:.1f} % different at 5 %.", view.false_alarm_pairs, 100 * view.false_alarms));
  method += report::definitions(view.chosen);
  for (const std::string& note : view.notes) method += report::paragraph(note);
  page.sections.push_back({.id = "method", .heading = "Method and choices", .body = method});
  return report::to_html(page);
}

nlohmann::json evaluation_json(const EvaluationView& view) {
  using report::to_json;
  nlohmann::json out{{"quick", view.quick}, {"data", view.data}, {"command", view.command}, {"agent", view.agent}, {"train_static", view.train_static}};
  out["a_a"] = {{"pairs", view.false_alarm_pairs}, {"called_different", view.false_alarms}};
  for (const auto& [what, value] : view.chosen) out["chosen"][what] = value;
  for (const EvaluationView::Split& split : view.splits) {
    nlohmann::json& s = out["splits"][split.name];
    const JudgedSplit& judged = split.judged;
    s["blocks"] = judged.blocks;
    s["hindsight"] = arm_name(judged.hindsight);
    s["ratio_to_eevdf"] = {{"default", std::exp(judged.default_arm)}, {"train_static", std::exp(judged.train_static)}, {"hindsight", std::exp(judged.hindsight_cost)}, {"oracle", std::exp(judged.oracle)}};
    for (const Judgement& j : judged.contenders) {
      nlohmann::json c{{"ratio", to_json(to_report(j.ratio))},
                       {"gap_closed", {{"vs_default", to_json(to_report(j.vs_default))}, {"vs_train_static", to_json(to_report(j.vs_train_static))}, {"vs_hindsight", to_json(to_report(j.vs_hindsight))}}},
                       {"p_vs_default", j.p_vs_default},
                       {"top1", j.top1},
                       {"tied", j.tied},
                       {"swaps_per_decision", j.swaps},
                       {"harmed_blocks", j.harmed_blocks},
                       {"harmed_families", j.harmed_families},
                       {"worst", {{"block", j.worst_block}, {"ratio", j.worst_ratio}}},
                       {"regret", j.regret}};
      for (const Interval& span : j.vs_default_by_span) c["vs_default_by_span"].push_back(to_json(to_report(span)));
      for (const Judgement::OfFamily& f : j.families) c["families"][f.family] = {{"blocks", f.blocks}, {"ratio", f.ratio}, {"to_default", f.to_default}, {"oracle", f.oracle}};
      if (j.name == view.agent) s["gap_closed"] = c["gap_closed"];
      s["controllers"][j.name] = std::move(c);
    }
    for (const PhasedJudgement& j : split.phased)
      s["phased"][j.name] = {{"vs_default", to_json(to_report(j.vs_default))}, {"vs_hindsight", to_json(to_report(j.vs_hindsight))}, {"median_adaptation_s", .25 * j.median_adaptation},
                             {"swaps_per_phase", j.swaps_per_phase}, {"swaps_that_do_not_pay", j.swaps_that_do_not_pay}};
  }
  for (const OffPolicyRow& row : view.off_policy)
    out["off_policy"][row.target] = {{"truth", row.truth}, {"ips", to_json(to_report(row.estimate.ips))}, {"snips", to_json(to_report(row.estimate.snips))}, {"doubly_robust", to_json(to_report(row.estimate.doubly_robust))},
                                     {"effective_decisions", row.estimate.effective_decisions}, {"largest_weight", row.estimate.largest_weight}, {"unsupported", row.estimate.unsupported}};
  return out;
}

}  // namespace pointsman

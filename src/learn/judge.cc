#include "learn/judge.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/exact_math.h"
#include "base/rng.h"

namespace pointsman {

namespace {

double mean_cost(std::span<const LookupDecision> decisions) {
  double sum = 0;
  for (const LookupDecision& d : decisions) sum += d.cost;
  return decisions.empty() ? 0 : sum / static_cast<double>(decisions.size());
}

double best_of(const Block& block) { return *std::min_element(block.log_cost.begin(), block.log_cost.end()) - block.log_cost[kEevdf]; }
double cost_of(const Block& block, ArmId arm) { return block.log_cost[static_cast<size_t>(arm)] - block.log_cost[kEevdf]; }

int length_of(const Block& block, const JudgeOptions& options) {
  return options.windows > 0 ? options.windows : static_cast<int>(block.windows[kDefaultArm].size());
}

Interval exponential(const Interval& logs) {
  const auto up = [](double v) { return std::isnan(v) ? v : exact_exp(v); };
  return {up(logs.value), up(logs.low), up(logs.high)};
}

Result<Judgement> judge_one(const Dataset& dataset, const Contender& contender, const JudgeOptions& options, ArmId hindsight,
                            double& p_value) {
  Judgement out{.name = contender.name, .summary = contender.summary};
  std::vector<double> costs, against;
  std::vector<GapBlock> vs_default, vs_train, vs_hindsight;
  std::vector<std::vector<GapBlock>> spans(options.spans.size());
  struct Sum {
    int blocks = 0;
    double cost = 0, default_arm = 0, oracle = 0;
  };
  std::map<std::string, Sum> families;
  std::vector<double> regret_count;
  double decisions_made = 0;
  for (const Block& block : dataset.blocks) {
    auto controller = contender.make(block.seed * 1000 + block.draw);
    if (!controller) return fail(controller.error().at(contender.name));
    const LookupPhase life{.block = &block, .windows = length_of(block, options)};
    const auto decisions = live_through(std::span(&life, 1), **controller, options.lookup);
    const double cost = decisions.empty() ? cost_of(block, kDefaultArm) : mean_cost(decisions), best = best_of(block);
    costs.push_back(cost);
    const double difference = cost - cost_of(block, kDefaultArm);
    against.push_back(std::abs(difference) < 1e-12 ? 0 : difference);  // a mean of equal costs rounds
    vs_default.push_back({cost, cost_of(block, kDefaultArm), best});
    vs_train.push_back({cost, cost_of(block, options.train_static), best});
    vs_hindsight.push_back({cost, cost_of(block, hindsight), best});
    size_t from = 0;
    for (size_t s = 0; s < options.spans.size(); ++s) {
      const size_t to = std::min(decisions.size(), static_cast<size_t>(options.spans[s]));
      if (to > from) spans[s].push_back({mean_cost(std::span(decisions).subspan(from, to - from)), cost_of(block, kDefaultArm), best});
      from = to;
    }
    if (out.regret.size() < decisions.size()) {
      out.regret.resize(decisions.size());
      regret_count.resize(decisions.size());
    }
    for (size_t t = 0; t < decisions.size(); ++t) {
      const LookupDecision& d = decisions[t];
      out.regret[t] += d.regret;
      ++regret_count[t];
      out.top1 += d.regret <= 0;
      out.tied += d.regret <= options.tie;
      out.swaps += d.arm != d.active;
      ++decisions_made;
    }
    if (cost > exact_log(1 + options.harm)) out.harmed_blocks += 1.0 / static_cast<double>(dataset.blocks.size());
    if (out.worst_block.empty() || exact_exp(cost) > out.worst_ratio) {
      out.worst_ratio = exact_exp(cost);
      out.worst_block = fmt::format("{} seed {}", block.family, block.seed);
    }
    Sum& sum = families[block.family];
    ++sum.blocks;
    sum.cost += cost;
    sum.default_arm += cost_of(block, kDefaultArm);
    sum.oracle += best;
  }
  for (size_t t = 0; t < out.regret.size(); ++t) out.regret[t] /= regret_count[t];
  for (double* share : {&out.top1, &out.tied, &out.swaps}) *share /= std::max(decisions_made, 1.0);
  out.cost = mean_of(costs);
  out.ratio = exponential(bootstrap_mean(costs, options.bootstrap));
  out.vs_default = gap_closed(vs_default, options.bootstrap);
  out.vs_train_static = gap_closed(vs_train, options.bootstrap);
  out.vs_hindsight = gap_closed(vs_hindsight, options.bootstrap);
  for (const auto& span : spans) out.vs_default_by_span.push_back(gap_closed(span, options.bootstrap));
  p_value = wilcoxon_p(against);
  for (const auto& [family, sum] : families) {
    const double n = sum.blocks, harm = (sum.cost - sum.default_arm) / n;
    out.harmed_families += harm > exact_log(1 + options.family_harm);
    out.families.push_back({.family = family,
                            .blocks = sum.blocks,
                            .ratio = exact_exp(sum.cost / n),
                            .to_default = exact_exp(harm),
                            .oracle = exact_exp(sum.oracle / n)});
  }
  return out;
}

}  // namespace

Result<JudgedSplit> judge(const Dataset& dataset, std::span<const Contender> contenders, const JudgeOptions& options) {
  if (auto sound = check(dataset); !sound) return fail(sound.error());
  JudgedSplit out{.blocks = static_cast<int>(dataset.blocks.size()), .hindsight = best_static(dataset)};
  for (const Block& block : dataset.blocks) {
    const auto n = static_cast<double>(dataset.blocks.size());
    out.default_arm += cost_of(block, kDefaultArm) / n;
    out.train_static += cost_of(block, options.train_static) / n;
    out.hindsight_cost += cost_of(block, out.hindsight) / n;
    out.oracle += best_of(block) / n;
  }
  std::vector<double> p;
  for (const Contender& contender : contenders) {
    double p_value = 1;
    auto judged = judge_one(dataset, contender, options, out.hindsight, p_value);
    if (!judged) return fail(judged.error());
    p.push_back(p_value);
    out.contenders.push_back(std::move(*judged));
    if (options.on_contender) options.on_contender();
  }
  const std::vector<double> corrected = holm(p);
  for (size_t i = 0; i < corrected.size(); ++i) out.contenders[i].p_vs_default = corrected[i];
  return out;
}

Result<std::vector<PhasedJudgement>> judge_phased(const Dataset& dataset, std::span<const Contender> contenders,
                                                  const PhasedOptions& options) {
  if (auto sound = check(dataset); !sound) return fail(sound.error());
  std::map<std::string_view, std::vector<const Block*>> by_family;
  for (const Block& block : dataset.blocks)
    if (!block.windows[kDefaultArm].empty()) by_family[block.family].push_back(&block);
  if (by_family.size() < 2)
    return fail(ErrorCode::kInvalidArgument, "phases need two families at least, the data have {}", by_family.size());
  std::vector<std::vector<const Block*>> families;
  for (const auto& [name, blocks] : by_family) families.push_back(blocks);
  std::vector<std::vector<LookupPhase>> scenarios;
  for (int s = 0; s < options.scenarios; ++s) {
    Rng rng(options.seed, "phased scenario", static_cast<uint64_t>(s));
    auto& scenario = scenarios.emplace_back();
    size_t last = families.size();
    for (int p = 0; p < options.phases; ++p) {
      // Never the same family twice in a row: a boundary is a change.
      size_t family = rng.below(families.size() - (last < families.size() ? 1 : 0));
      if (family >= last) ++family;
      last = family;
      scenario.push_back({.block = families[family][rng.below(families[family].size())],
                          .windows = static_cast<int>(rng.between(options.shortest, options.longest))});
    }
  }
  std::vector<PhasedJudgement> out;
  for (const Contender& contender : contenders) {
    PhasedJudgement j{.name = contender.name};
    std::vector<GapBlock> vs_default, vs_hindsight;
    std::vector<double> delays;
    double swaps = 0, wasted = 0;
    for (size_t s = 0; s < scenarios.size(); ++s) {
      auto controller = contender.make(options.seed * 1000 + s);
      if (!controller) return fail(controller.error().at(contender.name));
      const auto decisions = live_through(scenarios[s], **controller, options.lookup);
      // Phases count equally, as families do elsewhere.
      std::vector<double> sums(scenarios[s].size()), counts(scenarios[s].size());
      for (const LookupDecision& d : decisions) {
        sums[d.phase] += d.cost;
        ++counts[d.phase];
      }
      double agent = 0, best = 0;
      ArmCosts statics{};
      const auto n = static_cast<double>(scenarios[s].size());
      for (size_t p = 0; p < scenarios[s].size(); ++p) {
        const Block& block = *scenarios[s][p].block;
        agent += (counts[p] > 0 ? sums[p] / counts[p] : cost_of(block, kDefaultArm)) / n;
        best += best_of(block) / n;
        for (ArmId arm = 0; arm < kChoosable; ++arm) statics[static_cast<size_t>(arm)] += cost_of(block, arm) / n;
      }
      vs_default.push_back({agent, statics[kDefaultArm], best});
      vs_hindsight.push_back({agent, *std::min_element(statics.begin(), statics.end()), best});
      for (const int d : adaptation(scenarios[s], decisions, options.near)) delays.push_back(d);
      for (size_t i = 0; i < decisions.size(); ++i) {
        if (decisions[i].arm == decisions[i].active) continue;
        ++swaps;
        const Block& block = *scenarios[s][decisions[i].phase].block;
        wasted += cost_of(block, decisions[i].arm) > cost_of(block, decisions[i].active);
      }
    }
    j.vs_default = gap_closed(vs_default, options.bootstrap);
    j.vs_hindsight = gap_closed(vs_hindsight, options.bootstrap);
    j.median_adaptation = quantile_of(delays, .5);
    j.swaps_per_phase = swaps / static_cast<double>(options.scenarios * options.phases);
    j.swaps_that_do_not_pay = swaps > 0 ? wasted / swaps : 0;
    out.push_back(std::move(j));
  }
  return out;
}

Result<double> false_alarm_rate(const Dataset& dataset, const Contender& contender, int pairs, const LookupOptions& lookup) {
  const auto costs_under = [&](uint64_t seed) -> Result<std::vector<double>> {
    std::vector<double> out;
    for (size_t b = 0; b < dataset.blocks.size(); ++b) {
      auto controller = contender.make(seed * 100'003 + b);
      if (!controller) return fail(controller.error());
      const LookupPhase life{.block = &dataset.blocks[b], .windows = static_cast<int>(dataset.blocks[b].windows[kDefaultArm].size())};
      out.push_back(mean_cost(live_through(std::span(&life, 1), **controller, lookup)));
    }
    return out;
  };
  int called = 0;
  for (int i = 0; i < pairs; ++i) {
    const auto a = costs_under(static_cast<uint64_t>(2 * i)), b = costs_under(static_cast<uint64_t>(2 * i + 1));
    if (!a) return fail(a.error());
    if (!b) return fail(b.error());
    std::vector<double> differences;
    for (size_t k = 0; k < a->size(); ++k) differences.push_back((*a)[k] - (*b)[k]);
    called += wilcoxon_p(differences) < .05;
  }
  return static_cast<double>(called) / std::max(pairs, 1);
}

}  // namespace pointsman

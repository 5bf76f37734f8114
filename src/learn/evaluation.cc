#include "learn/evaluation.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <tuple>

#include "base/exact_math.h"
#include "sched/arm.h"

namespace pointsman {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

struct EpisodeId {
  std::string scenario;
  uint64_t seed = 0, draw = 0;
  auto operator<=>(const EpisodeId&) const = default;
};
using BlockId = std::pair<std::string, uint64_t>;

struct PhaseId {
  std::string scenario;
  int phase = 0;
  std::string family;
  auto operator<=>(const PhaseId&) const = default;
};

// What one controller did, by block: values of the block's draws, averaged at the end.
using ByBlock = std::map<BlockId, std::vector<double>>;
std::vector<double> averaged(const ByBlock& values) {
  std::vector<double> out;
  for (const auto& [block, draws] : values) out.push_back(mean_of(draws));
  return out;
}

Interval exponential(const Interval& logs) {
  const auto up = [](double v) { return std::isnan(v) ? kNaN : exact_exp(v); };
  return {up(logs.value), up(logs.low), up(logs.high)};
}

double log_ratio(double mine, double reference) { return mine > 0 && reference > 0 ? exact_log(mine / reference) : kNaN; }

void add_if_defined(ByBlock& values, const BlockId& block, double value) {
  if (!std::isnan(value)) values[block].push_back(value);
}

struct Collected {
  ByBlock cost, tat, rt, cv, p99, l, swaps;
  ByBlock tat_s, rt_s, cv_value, p99_s, l_value;
  std::map<PhaseId, ByBlock> phases;
  std::map<std::string, ByBlock> families;
};

class Table {
 public:
  // By episode and controller; nullptr where it did not run soundly.
  std::map<EpisodeId, std::map<std::string, const EvaluatedRun*>> episodes;
  std::vector<std::string> controllers;

  static Result<Table> of(std::span<const EvaluatedRun> runs) {
    Table out;
    for (const EvaluatedRun& run : runs) {
      if (std::find(out.controllers.begin(), out.controllers.end(), run.controller) == out.controllers.end())
        out.controllers.push_back(run.controller);
      auto& episode = out.episodes[{run.scenario, run.seed, run.draw}];
      if (!episode.try_emplace(run.controller, run.sound ? &run : nullptr).second)
        return fail(ErrorCode::kInvalidArgument, "{} seed {} draw {} under {} is given twice", run.scenario, run.seed, run.draw,
                    run.controller);
    }
    for (const auto& [id, episode] : out.episodes) {
      const EvaluatedRun* first = nullptr;
      for (const auto& [controller, run] : episode) {
        if (run == nullptr) continue;
        if (first == nullptr) first = run;
        const auto same = [](const EvaluatedRun::Phase& a, const EvaluatedRun::Phase& b) { return a.family == b.family; };
        if (!std::equal(run->phases.begin(), run->phases.end(), first->phases.begin(), first->phases.end(), same))
          return fail(ErrorCode::kInvalidArgument, "{} seed {} draw {}: {} and {} ran different phases", id.scenario, id.seed, id.draw,
                      first->controller, controller);
      }
    }
    return out;
  }

  [[nodiscard]] bool has(const std::string& controller) const {
    return std::find(controllers.begin(), controllers.end(), controller) != controllers.end();
  }
};

}  // namespace

Result<Evaluation> evaluate(std::span<const EvaluatedRun> runs, const EvaluationOptions& options) {
  auto table = Table::of(runs);
  if (!table) return fail(table.error());
  if (!table->has(options.reference))
    return fail(ErrorCode::kInvalidArgument, "no run under {}, to which costs are compared", options.reference);
  if (!options.train_static.empty() && !table->has(options.train_static))
    return fail(ErrorCode::kInvalidArgument, "no run under {}, the static arm chosen on training data", options.train_static);

  Evaluation out;
  out.train_static = options.train_static;
  std::map<std::string, Collected> collected;
  std::map<std::string, ControllerResult> results;
  std::map<BlockId, int> blocks;
  for (const auto& [id, episode] : table->episodes) {
    const bool complete = std::all_of(table->controllers.begin(), table->controllers.end(), [&](const std::string& controller) {
      const auto run = episode.find(controller);
      return run != episode.end() && run->second != nullptr;
    });
    if (!complete) {
      ++out.dropped;
      continue;
    }
    const EvaluatedRun& reference = *episode.at(options.reference);
    // A phase counts for all controllers or for none.
    std::vector<size_t> counted;
    for (size_t p = 0; p < reference.phases.size(); ++p) {
      const bool defined = std::all_of(episode.begin(), episode.end(), [&](const auto& entry) {
        return log_cost(entry.second->phases[p].costs, reference.phases[p].costs, options.objective).has_value();
      });
      if (defined) counted.push_back(p);
    }
    out.phases_left_out += static_cast<int>(reference.phases.size() - counted.size());
    if (counted.empty()) {
      ++out.dropped;
      continue;
    }
    ++out.episodes;
    const BlockId block{id.scenario, id.seed};
    ++blocks[block];
    for (const auto& [controller, run] : episode) {
      Collected& to = collected[controller];
      ControllerResult& result = results[controller];
      std::vector<NamedCost> costs;
      std::map<std::string, std::vector<double>> families;
      for (const size_t p : counted) {
        const double cost = *log_cost(run->phases[p].costs, reference.phases[p].costs, options.objective);
        const std::string& family = run->phases[p].family;
        costs.push_back({family, cost});
        families[family].push_back(cost);
        to.phases[{id.scenario, static_cast<int>(p), family}][block].push_back(cost);
      }
      for (const auto& [family, of_family] : families) to.families[family][block].push_back(mean_of(of_family));
      const double cost = *mean_over_families(costs);
      to.cost[block].push_back(cost);
      const double tie = exact_log(1 + options.tie);
      ++(cost > tie ? result.worse : cost < -tie ? result.better : result.ties);
      if (result.worst_episode.empty() || exact_exp(cost) > result.worst_ratio) {
        result.worst_ratio = exact_exp(cost);
        result.worst_episode = fmt::format("{} seed {} draw {}", id.scenario, id.seed, id.draw);
      }
      if (breaks_p99_limit(run->whole, reference.whole, options.objective).value_or(false)) ++result.over_p99_limit;
      const Costs &mine = run->whole, &theirs = reference.whole;
      add_if_defined(to.tat, block, log_ratio(mine.mean_tat_s, theirs.mean_tat_s));
      add_if_defined(to.rt, block, log_ratio(mine.mean_rt_s, theirs.mean_rt_s));
      add_if_defined(to.cv, block, log_ratio(mine.cv_fairness, theirs.cv_fairness));
      add_if_defined(to.p99, block, log_ratio(mine.p99_rt_short_s, theirs.p99_rt_short_s));
      add_if_defined(to.l, block, log_ratio(mine.seed_l, theirs.seed_l));
      add_if_defined(to.tat_s, block, mine.mean_tat_s);
      add_if_defined(to.rt_s, block, mine.mean_rt_s);
      add_if_defined(to.cv_value, block, mine.cv_fairness);
      add_if_defined(to.p99_s, block, mine.p99_rt_short_s);
      add_if_defined(to.l_value, block, mine.seed_l);
      to.swaps[block].push_back(run->swaps);
    }
  }
  out.blocks = static_cast<int>(blocks.size());
  if (out.episodes == 0)
    return fail(ErrorCode::kInvalidArgument, "no episode was run soundly by all of the {} controllers ({} episodes dropped)",
                table->controllers.size(), out.dropped);

  for (const std::string& controller : table->controllers) {
    const bool eligible = options.statics.empty()
                              ? find_arm(controller).has_value()
                              : std::find(options.statics.begin(), options.statics.end(), controller) != options.statics.end();
    if (!eligible) continue;
    if (out.hindsight_static.empty() ||
        mean_of(averaged(collected[controller].cost)) < mean_of(averaged(collected[out.hindsight_static].cost)))
      out.hindsight_static = controller;
  }

  const auto interval = [&](const ByBlock& values) { return bootstrap_mean(averaged(values), options.bootstrap); };
  const auto ratio = [&](const ByBlock& values) { return exponential(interval(values)); };
  const auto gap = [&](const std::string& controller, const std::string& rival) -> Interval {
    if (!table->has(rival) || !table->has(options.oracle)) return {kNaN, kNaN, kNaN};
    const auto mine = averaged(collected[controller].cost), theirs = averaged(collected[rival].cost),
               best = averaged(collected[options.oracle].cost);
    std::vector<GapBlock> gaps;
    for (size_t b = 0; b < mine.size(); ++b) gaps.push_back({mine[b], theirs[b], best[b]});
    return gap_closed(gaps, options.bootstrap);
  };
  for (const std::string& controller : table->controllers) {
    const Collected& from = collected[controller];
    ControllerResult result = results[controller];
    result.controller = controller;
    result.ratio = ratio(from.cost);
    result.tat_ratio = ratio(from.tat);
    result.rt_ratio = ratio(from.rt);
    result.cv_ratio = ratio(from.cv);
    result.p99_rt_short_ratio = ratio(from.p99);
    result.l_ratio = ratio(from.l);
    result.mean_tat_s = mean_of(averaged(from.tat_s));
    result.mean_rt_s = mean_of(averaged(from.rt_s));
    result.cv_fairness = mean_of(averaged(from.cv_value));
    result.p99_rt_short_s = mean_of(averaged(from.p99_s));
    result.seed_l = mean_of(averaged(from.l_value));
    result.gap_vs_train_static = gap(controller, out.train_static);
    result.gap_vs_hindsight = gap(controller, out.hindsight_static);
    result.swaps = interval(from.swaps);
    for (const auto& [id, values] : from.phases)
      result.phases.push_back({.scenario = id.scenario, .family = id.family, .phase = id.phase, .ratio = ratio(values)});
    for (const auto& [family, values] : from.families) {
      FamilyResult f{.family = family, .ratio = ratio(values), .ratio_to_default = kNaN};
      if (table->has(options.default_arm)) {
        const double harm = mean_of(averaged(values)) - mean_of(averaged(collected[options.default_arm].families[family]));
        f.ratio_to_default = exact_exp(harm);
        f.harmed = harm > exact_log(1 + options.family_harm);
      }
      result.families.push_back(std::move(f));
    }
    out.controllers.push_back(std::move(result));
  }
  return out;
}

}  // namespace pointsman

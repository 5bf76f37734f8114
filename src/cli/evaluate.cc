// pointsman evaluate: trains every learner on train, chooses what there is to choose on validation, and judges every controller on every split by
// look-up in the matrix; or, with --from, estimates from a ledger's own decisions what another policy would have cost.
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>

#include "base/file.h"
#include "base/temporary_folder.h"
#include "cli/evaluate_live.h"
#include "cli/evaluate_view.h"
#include "cli/model_option.h"
#include "cli/project.h"
#include "cli/split_data.h"
#include "cli/statistics.h"
#include "cli/verb.h"
#include "learn/controllers.h"
#include "learn/judge.h"
#include "learn/train.h"
#include "report/progress.h"
#include "store/ledger.h"

namespace pointsman {

namespace {

constexpr int kLongLife = 80;  // windows: 20 s

struct Options {
  std::vector<std::string> data;
  std::string html, model, from, target;
  double seconds = kShippedSeconds, noise = .25;
  std::string live_cost = "simulated";
  int threads = 2;
  bool quick = false;
  uint64_t seed = 1;
  LiveEvaluation live{};
  JsonOption json;
};

Contender contender(const std::string& name, const std::string& spec, const std::string& summary) {
  return {.name = name, .summary = summary, .make = [spec](uint64_t seed) { return make_controller(spec, seed); }};
}

struct Lesson {
  std::string name, summary;
  TrainOptions options{};
};

std::vector<Lesson> lessons(const Options& o) {
  const auto with = [&](std::string_view algorithm, auto change) {
    TrainOptions t = shipped_training();
    t.algorithm = algorithm;
    t.seed = o.seed;
    t.threads = o.threads;
    if (o.quick) t.epochs = 15;
    change(t);
    return t;
  };
  const auto policy = [&](PolicyLoss loss, std::string_view explore = "0.05") {
    return with("policy", [&](TrainOptions& t) {
      t.policy.loss = loss;
      t.policy.explore = *parse_exploration(explore);
    });
  };
  std::vector<Lesson> out{
      {"softmax-label", "idea 1 of the seed: linear softmax on argmin labels", with("softmax", [](TrainOptions& t) { t.policy.loss = PolicyLoss::kLabel; })},
      {"softmax-cost", "the same form trained on costs", with("softmax", [](TrainOptions& t) { t.policy.loss = PolicyLoss::kExpectedCost; })},
      {"ridge", "regret of every arm by ridge regression", with("ridge", [](TrainOptions&) {})},
      {"mlp", "regret of every arm by five networks of 2 x 32", with("mlp", [](TrainOptions&) {})},
      {"trees", "regret of every arm by extra trees", with("trees", [](TrainOptions&) {})},
      {"policy-seed", "idea 2 to the letter: sum L_i log a_i", policy(PolicyLoss::kSeed)},
      {"policy-seed-early", "the same, stopped after two passes, before its weights run away",
       with("policy", [](TrainOptions& t) {
         t.policy.loss = PolicyLoss::kSeed;
         t.epochs = 2;
       })},
      {"policy-cost", "idea 2 with full information: sum a_i L_i", policy(PolicyLoss::kExpectedCost)},
      {"reinforce", "idea 2 with the cost of what was taken alone, 5 % exploration", policy(PolicyLoss::kReinforce)},
  };
  if (!o.quick) {
    out.push_back({"policy-label", "the two layers as a classifier of argmin labels", policy(PolicyLoss::kLabel)});
    out.push_back({"reinforce-sqrt", "the same, exploring with 1 / sqrt(n)", policy(PolicyLoss::kReinforce, "sqrt")});
    out.push_back({"reinforce-ucb1", "the same, exploring by UCB1", policy(PolicyLoss::kReinforce, "ucb1")});
    out.push_back({"mlp-squares", "ablation: squares of errors alone, no weight on the choice", with("mlp", [](TrainOptions& t) { t.decision = {}; })});
    out.push_back({"mlp-family", "ablation: members resample families instead of blocks", with("mlp", [](TrainOptions& t) { t.resample = Resample::kFamily; })});
  }
  return out;
}

LookupOptions lookup_of(const Options& o) {
  LookupOptions out;
  out.noise = o.noise;
  out.seed = o.seed;
  out.live_cost = o.live_cost == "queue" ? LookupOptions::LiveCost::kQueue : LookupOptions::LiveCost::kSimulated;
  return out;
}

// Data to choose on, with a model that has not seen them. On-line controllers are for the unknown as much as for the known, so they are chosen on
// both: unseen seeds of known families (validation), and families of train that the model was not shown.
struct Ground {
  Dataset data{};
  std::string model{};
  double share = 0;  // of the choice
};
constexpr std::string_view kModelHere = "@";  // in a spec: the ground's model

std::string with_model_of(std::string spec, const std::string& model) {
  if (const size_t at = spec.find(kModelHere); at != std::string::npos) spec.replace(at, kModelHere.size(), model);
  return spec;
}

Result<std::vector<Ground>> grounds_of(const Dataset& train_set, const Dataset& validation, const std::string& model, const TrainOptions& options, const std::string& folder) {
  constexpr size_t kFolds = 4;
  std::vector<Ground> out{{.data = validation, .model = model, .share = .5}};
  std::vector<std::string> families;
  for (const Block& block : train_set.blocks)
    if (std::find(families.begin(), families.end(), block.family) == families.end()) families.push_back(block.family);
  Rng rng(options.seed, "family folds");
  for (size_t i = families.size(); i > 1; --i) std::swap(families[i - 1], families[rng.below(i)]);
  if (families.size() < 2 * kFolds) {
    out.front().share = 1;
    return out;
  }
  for (size_t fold = 0; fold < kFolds; ++fold) {
    Dataset seen;
    Ground ground;
    for (const Block& block : train_set.blocks) {
      const auto place = static_cast<size_t>(std::find(families.begin(), families.end(), block.family) - families.begin());
      (place % kFolds == fold ? ground.data : seen).blocks.push_back(block);
    }
    auto trained = train(seen, options);
    if (!trained) return fail(trained.error());
    ground.model = fmt::format("{}/fold{}.pmm", folder, fold);
    ground.share = .5 * static_cast<double>(ground.data.blocks.size()) / static_cast<double>(train_set.blocks.size());
    if (auto saved = save_model(ground.model, *trained, {}); !saved) return fail(saved.error());
    out.push_back(std::move(ground));
  }
  return out;
}

// The spec of least cost over lives of 20 s on all grounds; ties go to the first.
Result<std::string> choose_spec(const std::vector<Ground>& grounds, const std::vector<std::string>& specs, const Options& o) {
  std::vector<double> cost(specs.size());
  for (const Ground& ground : grounds) {
    std::vector<Contender> candidates;
    for (const std::string& spec : specs) candidates.push_back(contender(spec, with_model_of(spec, ground.model), ""));
    auto judged = judge(ground.data, candidates, {.windows = kLongLife, .lookup = lookup_of(o), .bootstrap = {.resamples = 0}});
    if (!judged) return fail(judged.error());
    for (size_t i = 0; i < specs.size(); ++i) cost[i] += ground.share * judged->contenders[i].cost;
  }
  size_t best = 0;
  for (size_t i = 1; i < specs.size(); ++i)
    if (cost[i] < cost[best] - 1e-9) best = i;
  return specs[best];
}

// Off-policy estimates from a log of random on these blocks, with the truth that full information gives.
Result<std::vector<OffPolicyRow>> check_off_policy(const Dataset& dataset, const std::vector<std::pair<std::string, std::string>>& targets, const Options& o) {
  std::vector<OffPolicyRow> out;
  const Contender logger = contender("random", "random:every=1", "");
  // Costs by arm in the other blocks, for the doubly robust estimate.
  std::vector<ArmCosts> elsewhere(dataset.blocks.size());
  for (size_t b = 0; b < dataset.blocks.size(); ++b)
    for (size_t other = 0; other < dataset.blocks.size(); ++other)
      for (size_t a = 0; a < kChoosable && other != b; ++a)
        elsewhere[b][a] += (dataset.blocks[other].log_cost[a] - dataset.blocks[other].log_cost[kEevdf]) / static_cast<double>(std::max<size_t>(dataset.blocks.size() - 1, 1));
  for (const auto& [name, spec] : targets) {
    std::vector<LoggedDecision> log;
    double truth = 0;
    for (size_t b = 0; b < dataset.blocks.size(); ++b) {
      const Block& block = dataset.blocks[b];
      auto actor = logger.make(o.seed * 1000 + b);
      auto target = make_controller(spec, o.seed);
      if (!actor) return fail(actor.error());
      if (!target) return fail(target.error());
      const LookupPhase life{.block = &block, .windows = static_cast<int>(block.windows[kDefaultArm].size())};
      for (const LookupDecision& d : live_through(std::span(&life, 1), **actor, {.live_cost = LookupOptions::LiveCost::kNone})) {
        Context context;
        context.active = d.active;
        context.features = *d.seen;
        const Decision wanted = (*target)->decide(context);
        LoggedDecision logged{.block = static_cast<uint32_t>(b), .arm = d.arm, .propensity = d.propensity, .cost = d.cost, .predicted = elsewhere[b]};
        if (wanted.distribution)
          logged.target = *wanted.distribution;
        else
          logged.target[static_cast<size_t>(wanted.arm)] = 1;
        for (size_t a = 0; a < kChoosable; ++a) truth += logged.target[a] * (block.log_cost[a] - block.log_cost[kEevdf]);
        log.push_back(logged);
      }
    }
    auto estimate = off_policy(log);
    if (!estimate) return fail(estimate.error().at(name));
    out.push_back({.target = name, .estimate = *estimate, .truth = truth / static_cast<double>(log.size())});
  }
  return out;
}

Result<Unit> run(const Options& o) {
  auto data = read_matrix_data(o.data);
  if (!data) return fail(data.error());
  auto train_set = dataset_of_split(data->runs, "train", o.seconds);
  if (!train_set) return fail(train_set.error());
  auto validation = dataset_of_split(data->runs, "validation", o.seconds);
  if (!validation) return fail(validation.error());
  const ArmId fixed = best_static(train_set->dataset);

  EvaluationView view;
  view.data = fmt::format("{}; {} blocks and {} windows of train", data->name, train_set->dataset.blocks.size(), train_set->windows);
  view.command = fmt::format("pointsman evaluate{}{}{}", o.seconds != kShippedSeconds ? fmt::format(" --seconds {}", o.seconds) : "", o.quick ? " --quick" : "", o.live_cost == "queue" ? " --live-cost queue" : "");
  view.quick = o.quick;
  view.train_static = arm_name(fixed);
  // Where trained models live while they are judged: controllers read theirs from files.
  const auto folder = TemporaryFolder::make("evaluate");
  if (!folder) return fail(folder.error());
  const SystemClock clock;
  std::vector<Contender> contenders;
  for (ArmId arm = 0; arm < kChoosable; ++arm) {
    const std::string name(arm_name(arm));
    contenders.push_back(contender(name, name, "static"));
  }
  contenders.push_back(contender("random", "random", "a fresh draw every second"));
  contenders.push_back(contender("round_robin", "round_robin", "each arm in turn, a second each"));

  // What ships.
  const std::string shipped = o.model.empty() ? find_in_project("models/default.pmm") : o.model;
  if (!shipped.empty()) {
    auto model = load_model(shipped);
    if (!model) return fail(model.error());
    contenders.push_back(contender("agent", is_policy(model->kind) ? "policy:model=" + shipped : with_model("agent", shipped), "the model that ships, with its rule"));
  }

  const std::vector<Lesson> all = lessons(o);
  report::ProgressOptions line;
  line.label = "training";
  line.total = static_cast<int64_t>(all.size());
  report::Progress training(line, clock);
  std::map<std::string, std::string> model_of;
  std::map<std::string, double> validation_cost;
  for (const Lesson& lesson : all) {
    auto model = train(train_set->dataset, lesson.options);
    if (!model) return fail(model.error().at(lesson.name));
    const HeldOut seen = predict_all(*model, validation->dataset, fixed);
    model->rule = tune_rule(validation->dataset, seen, rule_grid(model->kind));
    validation_cost[lesson.name] = score(validation->dataset, seen, model->rule, {.resamples = 0}).agent;
    const std::string path = folder->path() + "/" + lesson.name + ".pmm";
    if (auto saved = save_model(path, *model, {}); !saved) {
      // A loss without a lower bound may have blown its weights up: that is a finding, not the end.
      view.notes.push_back(fmt::format("{} made no usable model: {}", lesson.name, saved.error().message));
    } else {
      model_of[lesson.name] = path;
      contenders.push_back(contender(lesson.name, "classifier:model=" + path, lesson.summary));
      view.chosen.emplace_back(lesson.name, fmt::format("rule: {} deviations, margin {}, ewma {}", model->rule.deviations, model->rule.margin, model->rule.ewma));
      if (is_policy(model->kind)) contenders.push_back(contender(lesson.name + "-drawn", "policy:model=" + path, lesson.summary + "; drawn by its probabilities"));
      if (lesson.name == "mlp" && !o.quick) {
        contenders.push_back(contender("mlp-no-rule", fmt::format("classifier:model={},deviations=0,margin=0,ewma=0", path), "ablation: plain argmin, no robust rule"));
      }
    }
    training.advance(1, lesson.name);
  }
  training.finish();
  if (!model_of.contains("mlp")) return fail(ErrorCode::kIo, "the networks could not be trained");
  const std::string mlp = model_of.at("mlp"), prior = fmt::format("model={}", kModelHere);
  const auto lesson_of_mlp = std::find_if(all.begin(), all.end(), [](const Lesson& l) { return l.name == "mlp"; });
  auto grounds = grounds_of(train_set->dataset, validation->dataset, mlp, lesson_of_mlp->options, folder->path());
  if (!grounds) return fail(grounds.error());

  // On line, with what was chosen on validation.
  const auto pick = [&](const std::string& name, const std::vector<std::string>& specs, const std::string& summary) -> Result<Unit> {
    auto spec = specs.size() > 1 ? choose_spec(*grounds, specs, o) : Result<std::string>(specs.front());
    if (!spec) return fail(spec.error());
    view.chosen.emplace_back(name, with_model_of(*spec, "mlp"));
    contenders.push_back(contender(name, with_model_of(*spec, mlp), summary));
    return Unit{};
  };
  const auto grid = [&](const std::string& base, std::initializer_list<const char*> variants) {
    std::vector<std::string> out;
    for (const char* v : variants) out.push_back(base + v);
    return out;
  };
  std::vector<Result<Unit>> picked;
  picked.push_back(pick("thompson-flat", grid("thompson:", {"tau=.3", "tau=.6", "tau=1"}), "Thompson sampling on the live cost, no prior"));
  picked.push_back(pick("thompson", grid("thompson:" + prior, {",tau=.15", ",tau=.3", ",tau=.6", ",tau=1"}), "Thompson sampling around the model's prediction"));
  picked.push_back(pick("experts", grid("experts:" + prior, {",explore=0", ",explore=.1", ",explore=.2", ",explore=.4", ",explore=.2,tau=.3", ",explore=.4,tau=.3", ",explore=.2,eta=4", ",explore=.4,eta=4,tau=.3"}), "Hedge over model, replay, live cost and staying"));
  if (!o.quick) {
    picked.push_back(pick("lin_thompson", grid("lin_thompson:" + prior, {",tau=.3,slope=.1", ",tau=.6,slope=.2"}), "effects that depend on features, discounted"));
    picked.push_back(pick("lin_ucb", grid("lin_ucb:" + prior, {",width=.5", ",width=1", ",width=2"}), "linear confidence bounds"));
    picked.push_back(pick("square_cb", grid("square_cb:" + prior, {",gamma=10", ",gamma=40", ",gamma=160", ",gamma=40,tau=.3", ",gamma=160,tau=.3"}), "inverse-gap weighting"));
    picked.push_back(pick("exp3s", grid("exp3s:", {"range=.5", "range=1", "range=.5,gamma=.3"}), "exponential weights"));
    picked.push_back(pick("d_ucb", grid("d_ucb:", {"discount=.95", "discount=.98"}), "discounted confidence bounds"));
    picked.push_back(pick("ucb1", {"ucb1"}, "the seed's UCB, on the live cost"));
    picked.push_back(pick("epsilon-sqrt", {"epsilon_greedy:explore=sqrt," + prior}, "the seed's exploration, 1 / sqrt(n)"));
    picked.push_back(pick("epsilon-5%", {"epsilon_greedy:explore=0.05," + prior}, "constant exploration"));
    picked.push_back(pick("thompson-glr", grid("thompson:change=glr," + prior, {",tau=.3", ",tau=.6"}), "change detection by likelihood ratio"));
    picked.push_back(pick("thompson-blind", grid("thompson:change=none," + prior, {",tau=.3", ",tau=.6"}), "ablation: no change detection"));
    picked.push_back(pick("experts-no-prior", {"experts:explore=.2"}, "ablation: no context"));
    picked.push_back(pick("experts-no-bandit", {"experts:without=bandit," + prior}, "ablation: no live cost"));
  }
  for (const auto& done : picked)
    if (!done) return fail(done.error());

  view.agent = shipped.empty() ? "mlp" : "agent";
  view.featured = {"hyb", view.agent, "mlp", "trees", "softmax-label", "policy-cost", "reinforce", "thompson-flat", "thompson", "experts"};
  const auto best = std::min_element(validation_cost.begin(), validation_cost.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  view.chosen.emplace_back("best of the trained on validation", best->first);

  report::ProgressOptions judging;
  judging.label = "judging";
  report::Progress progress(judging, clock);
  const BootstrapOptions bootstrap{.resamples = o.quick ? 500 : 2000};
  const std::pair<const char*, const char*> splits[] = {{"validation", "unseen seeds of known families and unseen structures of the generator; rules and options were chosen here"}, {"test-seeds", "unseen seeds of known families and unseen structures of the generator"}, {"test-families", "families never seen"}};
  for (const auto& [name, about] : splits) {
    auto dataset = std::string_view(name) == "validation" ? std::move(validation) : dataset_of_split(data->runs, name, o.seconds);
    if (!dataset) {
      view.notes.push_back(dataset.error().message);
      continue;
    }
    auto judged = judge(dataset->dataset, contenders, {.train_static = fixed, .windows = kLongLife, .lookup = lookup_of(o), .bootstrap = bootstrap, .on_contender = [&] { progress.advance(1, name); }});
    if (!judged) return fail(judged.error());
    EvaluationView::Split& split = view.splits.emplace_back();
    split.name = name;
    split.about = about;
    split.judged = std::move(*judged);
    auto phased = judge_phased(dataset->dataset, contenders, {.scenarios = o.quick ? 8 : 20, .seed = o.seed, .lookup = lookup_of(o), .bootstrap = bootstrap});
    if (phased)
      split.phased = std::move(*phased);
    else
      view.notes.push_back(fmt::format("{}: {}", name, phased.error().message));
    // The last split that there is: where nothing was chosen.
    std::vector<std::pair<std::string, std::string>> targets{{"mlp", "classifier:model=" + mlp}};
    for (const char* policy : {"policy-cost", "reinforce"})
      if (model_of.contains(policy)) targets.emplace_back(fmt::format("{}-drawn", policy), "policy:model=" + model_of.at(policy));
    targets.emplace_back("hyb", "hyb");
    auto estimates = check_off_policy(dataset->dataset, targets, o);
    if (!estimates) return fail(estimates.error());
    view.off_policy = std::move(*estimates);
    view.false_alarm_pairs = o.quick ? 100 : 400;
    auto rate = false_alarm_rate(dataset->dataset, contender("random", "random:every=1", ""), view.false_alarm_pairs, lookup_of(o));
    if (!rate) return fail(rate.error());
    view.false_alarms = *rate;
  }
  progress.finish();
  view.notes.push_back(o.live_cost == "queue" ? "The live cost is the run-queue length, as recorded." : fmt::format("The live cost is simulated: the arm's true cost with noise of {} (ln) a second, which is what the episode cost has. What a bandit does with it on the kernel, live runs show.", o.noise));
  view.notes.push_back("Look-up carries no backlog from one arm to the next, and swaps cost nothing in it.");
  if (!o.html.empty())
    if (auto written = write_file(o.html, evaluation_page(view)); !written) return written;
  std::string text;
  for (const EvaluationView::Split& split : view.splits) {
    text += split_table(view, split).text() + "\n";
    if (!split.phased.empty()) text += phased_table(split).text() + "\n";
  }
  for (const std::string& note : view.notes) text += note + "\n";
  return report::emit(text, evaluation_json(view), o.json.emit());
}

// What would TARGET have cost in the situations of this ledger?
Result<Unit> estimate_from(const Options& o) {
  auto ledger = Ledger::open(o.from, {.access = LedgerOptions::Access::kRead});
  if (!ledger) return fail(ledger.error());
  auto runs = ledger->read({.only_sound = true, .swaps = false});
  if (!runs) return fail(runs.error().at(o.from));
  std::string target = o.target;
  if (target.empty()) {
    const std::string model = o.model.empty() ? find_in_project("models/default.pmm") : o.model;
    if (model.empty()) return fail(ErrorCode::kNotFound, "no models/default.pmm: name a model with --model, or another policy with --target");
    target = with_model("agent", model);
  }
  auto log = logged_decisions_of(*runs, [&](uint64_t seed) { return make_controller(target, seed); });
  if (!log) return fail(log.error().at(o.from));
  auto e = off_policy(log->decisions);
  if (!e) return fail(e.error());
  report::Table table(fmt::format("{} instead of what was done; cost: mean log run-queue length, lower is better", target), {{"estimate", "estimate"}, {"cost", "cost", report::Quantity::kNumber, 3}});
  table.add({"what was done", e->logged});
  table.add({"IPS", to_report(e->ips)});
  table.add({"SNIPS", to_report(e->snips)});
  table.add({"doubly robust", to_report(e->doubly_robust)});
  table.notes.push_back(fmt::format("{} drawn decisions of {} blocks, worth {:.0f} equal ones; largest weight {:.1f}; {:.0f} % of the target lies on arms that were never taken", log->decisions.size(), log->blocks.size(),
                                    e->effective_decisions, e->largest_weight, 100 * e->unsupported));
  table.notes.push_back(fmt::format("{} decisions were certain and {} held back: they tell nothing", log->certain, log->held_back));
  return report::emit(table, o.json.emit());
}

}  // namespace

void add_evaluate(CommandLine& app, int& exit_code) {
  auto options = std::make_shared<Options>();
  app.add_option("--data", options->data, "Matrix files (default: those of the project, data/matrix.pmm and data/random.pmm)").delimiter(',').type_name("FILE,...");
  app.add_option("--model", options->model, "The model that is judged as the agent (default: models/default.pmm)").type_name("FILE");
  app.add_option("--html", options->html, "Write the report as a page").type_name("FILE");
  app.add_flag("--quick", options->quick, "Fewer controllers, shorter training, coarser intervals: minutes");
  app.add_option("--live-cost", options->live_cost, "What bandits learn from: simulated (true cost and noise) or queue (run-queue length as recorded)").capture_default_str().one_of({"simulated", "queue"});
  app.add_option("--noise", options->noise, "Deviation of the simulated live cost in a window of 1 s (ln)").capture_default_str().between(0.0, 10.0);
  app.add_option("--seconds", options->seconds, "Length of the runs' arrivals in the data").capture_default_str();
  app.add_option("--seed", options->seed, "Seed of training, draws and noise").capture_default_str();
  app.add_option("--threads", options->threads, "Threads of the training; the result is the same for any number").capture_default_str().between(1, 64);
  app.add_option("--from", options->from, "Estimate from the decisions of this ledger instead (off-policy)").type_name("LEDGER");
  app.add_option("--target", options->target, "Of --from: the policy to estimate (default: the agent's model)").type_name("CONTROLLER");
  app.add_option("--live", options->live.controllers, "Run these controllers on the real kernel in the lab instead (12 at most), beside their twins under eevdf, hyb and train's best static").delimiter(';').type_name("CONTROLLER;...");
  app.add_option("--live-seeds", options->live.seeds, "Of --live: seeds of each scenario").capture_default_str().between(1, 1000);
  app.add_option("--phase-seconds", options->live.phase_seconds, "Of --live: length of a phase in virtual seconds").capture_default_str().between(0.5, 600.0);
  app.add_option("--workers", options->live.workers, "Of --live: forks at a time (default: one for each CPU)").between(1, 64);
  app.add_option("--arm-file", options->live.lab.arm_file, "Of --live: external arms of your own, in TOML (docs/arms.md)").type_name("FILE");
  options->json.add(app);
  app.footer(examples({{"pointsman evaluate --html evaluation.html", "every controller on every split"},
                       {"pointsman evaluate --quick --json=evaluation.json", "the same, coarser, for machines"},
                       {"pointsman evaluate --live 'agent;experts;random' --live-seeds 10", "on the real kernel; prints each one's virtual seconds first"},
                       {"pointsman evaluate --live 'agent;scx_bpfland;scx_loader:arm=scx_bpfland'", "beside a scheduler of somebody else's, and the rule that ships today with it"},
                       {"pointsman evaluate --from build/lab/random.db", "what would the agent have cost where random decided?"}}));
  app.callback([options, &exit_code] {
    options->live.model = options->model;
    options->live.data = options->data;
    options->live.emit = options->json.emit();
    auto done = !options->live.controllers.empty() ? evaluate_live(options->live) : options->from.empty() ? run(*options) : estimate_from(*options);
    if (!done) exit_code = report_error(done.error());
  });
}

}  // namespace pointsman

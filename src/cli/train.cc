// pointsman train: from a matrix to a model by any learner: a rule chosen on validation seeds, scores on families never seen, learning curves.
#include <cmath>
#include <filesystem>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "agent/config.h"
#include "base/file.h"
#include "cli/split_data.h"
#include "cli/statistics.h"
#include "cli/train_remote.h"
#include "cli/verb.h"
#include "learn/importance.h"
#include "learn/train.h"
#include "report/chart.h"
#include "report/page.h"
#include "report/progress.h"

namespace pointsman {

namespace {

struct Options {
  std::vector<std::string> data;
  std::string out = "models/default.pmm", commit, curve, config;
  std::string algorithm = "mlp", loss, explore = "0.05";
  std::vector<int> hidden;
  TrainOptions train = shipped_training();
  SplitOptions split;
  bool cross = false, importance = false;
  bool algorithm_given = false, explore_given = false, out_given = false;
  double seconds = kShippedSeconds;
  RemoteTrainOptions remote;
  JsonOption json;
};

// From what was written to what is trained with.
Result<Unit> settle(Options& o) {
  o.train.algorithm = o.algorithm;
  if (!o.hidden.empty()) o.train.hidden = o.hidden;
  const bool policy = o.algorithm == "softmax" || o.algorithm == "policy";
  if (!o.loss.empty() && !policy) return fail(ErrorCode::kInvalidArgument, "--loss belongs to softmax and policy, not to {}", o.algorithm);
  auto loss = find_policy_loss(!o.loss.empty() ? o.loss : o.algorithm == "softmax" ? "label" : "expected-cost");
  if (!loss) return fail(loss.error());
  o.train.policy.loss = *loss;
  if (o.train.policy.episodes > 0 && *loss != PolicyLoss::kReinforce) return fail(ErrorCode::kInvalidArgument, "--episodes belongs to --loss reinforce");
  if (o.importance && o.json.emit().json) return fail(ErrorCode::kInvalidArgument, "--importance tells people: without --json");
  auto explore = parse_exploration(o.explore);
  if (!explore) return fail(explore.error().at("--explore"));
  o.train.policy.explore = *explore;
  return Unit{};
}

// What was asked for beyond the defaults, so that the card's command makes the same model.
std::string command_of(const Options& o) {
  const TrainOptions defaults = shipped_training();
  const SplitOptions defaults_split;
  std::string out = "pointsman train";
  if (o.algorithm != defaults.algorithm) out += " --algo " + o.algorithm;
  if (!o.loss.empty()) out += " --loss " + o.loss;
  if (o.train.policy.loss == PolicyLoss::kReinforce) out += " --explore " + o.explore;
  if (o.train.policy.episodes > 0) out += fmt::format(" --episodes {}", o.train.policy.episodes);
  for (size_t i = 0; i < o.hidden.size(); ++i) out += fmt::format("{}{}", i == 0 ? " --hidden " : ",", o.hidden[i]);
  if (o.train.epochs != defaults.epochs) out += fmt::format(" --epochs {}", o.train.epochs);
  if (o.train.decision.weight != defaults.decision.weight) out += fmt::format(" --decision {}", o.train.decision.weight);
  if (o.train.nets != defaults.nets) out += fmt::format(" --nets {}", o.train.nets);
  if (o.train.seed != defaults.seed) out += fmt::format(" --seed {}", o.train.seed);
  if (o.seconds != kShippedSeconds) out += fmt::format(" --seconds {}", o.seconds);
  if (!o.config.empty()) out += " --config " + o.config;
  if (o.split.random_weight != defaults_split.random_weight) out += fmt::format(" --random-weight {}", o.split.random_weight);
  if (!o.data.empty()) out += fmt::format(" --data {}", fmt::join(o.data, ","));
  return out + " --out " + o.out;
}

// The same with a server: what of it means something there.
Result<Unit> settle_remote(Options& o) {
  if (!o.algorithm_given) o.algorithm = "policy";
  if (o.algorithm != "policy" || (!o.loss.empty() && o.loss != "reinforce"))
    return fail(ErrorCode::kInvalidArgument, "--server learns from the cost of what was taken alone, so by --algo policy --loss reinforce only");
  auto explore = parse_exploration(o.explore_given ? o.explore : "sqrt");
  if (!explore) return fail(explore.error().at("--explore"));
  RemoteTrainingOptions& training = o.remote.training;
  training.policy.explore = *explore;
  if (!o.hidden.empty()) training.policy.hidden = o.hidden;
  training.policy.seed = o.train.seed;
  training.seconds = o.seconds;
  o.remote.out = o.out_given ? o.out : "models/online.pmm";
  o.remote.json = o.json;
  std::string& command = o.remote.command;
  command = fmt::format("pointsman train --server {} --seconds {} --seed {} --explore {} --steps {} --judge {}", o.remote.server.url, o.seconds, o.train.seed, to_string(*explore), training.steps, training.judged);
  if (!training.families.empty()) command += fmt::format(" --families {}", fmt::join(training.families, ","));
  if (!training.arms.empty()) command += fmt::format(" --arms {}", fmt::join(training.arms, ","));
  if (training.lives > 0) command += fmt::format(" --lives {}", training.lives);
  if (!o.hidden.empty()) command += fmt::format(" --hidden {}", fmt::join(o.hidden, ","));
  command += " --out " + o.remote.out;
  return Unit{};
}

// How the score on validation grows with the families that were trained on.
struct CurvePoint {
  size_t families = 0;
  Interval vs_default{};
};
Result<std::vector<CurvePoint>> family_curve(const Dataset& train_set, const Dataset& validation, const TrainOptions& train_options) {
  std::set<std::string> names;
  for (const Block& block : train_set.blocks) names.insert(block.family);
  std::vector<std::string> order(names.begin(), names.end());
  Rng rng(train_options.seed, "family curve");
  for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[rng.below(i)]);
  std::vector<CurvePoint> out;
  for (const int quarters : {1, 2, 3, 4}) {
    const size_t n = std::max<size_t>(1, order.size() * static_cast<size_t>(quarters) / 4);
    Dataset part;
    for (const Block& block : train_set.blocks)
      if (std::find(order.begin(), order.begin() + static_cast<ptrdiff_t>(n), block.family) != order.begin() + static_cast<ptrdiff_t>(n)) part.blocks.push_back(block);
    auto model = train(part, train_options);
    if (!model) return fail(model.error());
    const HeldOut seen = predict_all(*model, validation, best_static(part));
    out.push_back({n, score(validation, seen, tune_rule(validation, seen, rule_grid(model->kind))).vs_default});
  }
  return out;
}

std::string curve_page(const Options& options, const std::vector<double>& losses, const std::vector<CurvePoint>& families, const report::Table& table) {
  report::LineChart loss{.label = "Loss over training", .x_label = "pass", .y_label = "mean loss"};
  report::LineChart::Series& series = loss.series.emplace_back();
  series.label = options.algorithm;
  for (size_t i = 0; i < losses.size(); ++i) series.points.push_back({.x = static_cast<double>(i + 1), .y = losses[i]});
  report::LineChart growth{.label = "Score on validation by families trained on", .x_label = "families", .y_label = "share of the way to the oracle"};
  report::LineChart::Series& grown = growth.series.emplace_back();
  grown.label = "against " + std::string(arms()[kDefaultArm].name);
  for (const CurvePoint& p : families) grown.points.push_back({.x = static_cast<double>(p.families), .y = p.vs_default.value, .low = p.vs_default.low, .high = p.vs_default.high});
  return report::to_html({.title = "Learning curves: " + options.algorithm,
                          .kicker = "training",
                          .lead = report::paragraph(command_of(options)),
                          .sections = {{.id = "loss", .heading = "Loss", .body = report::line_svg(loss)},
                                       {.id = "families", .heading = "How many families it takes", .body = report::line_svg(growth)},
                                       {.id = "scores", .heading = "Scores", .body = table.html()}}});
}

// What the model leans on, and which features would do.
Result<Unit> tell_importance(const Model& model, const Dataset& train_set, const Dataset& validation, const Options& options) {
  const auto name = [](size_t feature) { return std::string(feature_catalogue()[feature].name); };
  report::Table leans("what the model loses on validation when a feature is shuffled among windows of the same arm; share of the way from hyb to the oracle",
                      {{"feature", "feature"}, {"loss", "loss", report::Quantity::kRatio}});
  for (const Permuted& p : permutation_importance(model, validation)) leans.add({name(p.feature), p.loss});
  if (auto emitted = report::emit(leans, options.json.emit()); !emitted) return emitted;
  TrainOptions small;
  small.algorithm = "trees";
  small.seed = options.train.seed;
  small.threads = options.train.threads;
  small.rule = model.rule;
  const SystemClock clock;
  report::ProgressOptions line;
  line.label = "forward selection";
  line.total = SelectionOptions{}.steps;
  report::Progress progress(line, clock);
  auto chosen = forward_selection(train_set, validation, small, {.on_step = [&] { progress.advance(); }});
  progress.finish();
  if (!chosen) return fail(chosen.error());
  report::Table few("which features would do: extra trees, one more feature a line, chosen on one half of train's seeds after training on the other",
                    {{"feature", "feature"}, {"inner", "where chosen", report::Quantity::kRatio}, {"outer", "validation", report::Quantity::kRatio}});
  for (const Selected& s : *chosen) few.add({name(s.feature), s.inner, s.outer});
  return report::emit(few, options.json.emit());
}

int passes_of(const Options& o) { return o.algorithm == "ridge" ? 1 : o.algorithm == "trees" ? o.train.trees.per_member : o.train.epochs; }

Result<Unit> run(Options options) {
  Config config;
  if (!options.config.empty()) {
    auto loaded = load_config(options.config);
    if (!loaded) return fail(loaded.error());
    config = std::move(*loaded);
  }
  options.split.objective = config.objective;
  auto data = read_matrix_data(options.data);
  if (!data) return fail(data.error());
  auto train_set = dataset_of_split(data->runs, "train", options.seconds, options.split);
  if (!train_set) return fail(train_set.error());
  auto validation = dataset_of_split(data->runs, "validation", options.seconds, options.split);
  if (!validation) return fail(validation.error());

  const SystemClock clock;
  report::ProgressOptions line;
  line.label = "training";
  line.total = static_cast<int64_t>(options.train.nets) * passes_of(options);
  report::Progress progress(line, clock);
  TrainOptions train_options = options.train;
  std::vector<double> losses(static_cast<size_t>(passes_of(options)));
  train_options.on_epoch = [&](int net, int epoch, double loss) {
    losses[static_cast<size_t>(epoch)] += loss / options.train.nets;
    progress.advance(1, fmt::format("member {} pass {} loss {:.4f}", net + 1, epoch + 1, loss));
  };
  auto model = train(train_set->dataset, train_options);
  if (!model) return fail(model.error());
  progress.finish();

  const ArmId fixed = best_static(train_set->dataset);
  const HeldOut seen = predict_all(*model, validation->dataset, fixed);
  model->rule = tune_rule(validation->dataset, seen, rule_grid(model->kind));

  report::Table table(fmt::format("Scores by look-up; share of the way to the oracle (rule: {} deviations, margin {}, ewma {})", model->rule.deviations, model->rule.margin, model->rule.ewma),
                      {{"split", "split"}, {"blocks", "blocks", report::Quantity::kCount}, {"vs_default", "against hyb", report::Quantity::kRatio},
                       {"vs_train_static", "against the static of train", report::Quantity::kRatio}, {"vs_hindsight", "against the best static", report::Quantity::kRatio},
                       {"agent", "cost", report::Quantity::kRatio}, {"oracle", "oracle's cost", report::Quantity::kRatio}, {"worst_family", "worst family"}, {"worst_harm", "its ratio to hyb", report::Quantity::kRatio}});
  ModelCard card;
  const auto add = [&](const std::string& split, const Dataset& dataset, const HeldOut& predictions) {
    const LookupScore s = score(dataset, predictions, model->rule);
    table.add({split, static_cast<double>(dataset.blocks.size()), to_report(s.vs_default), to_report(s.vs_train_static), to_report(s.vs_hindsight), std::exp(s.agent), std::exp(s.oracle), s.worst_family,
               std::exp(s.worst_harm)});
    card.scores.emplace_back(split + " vs_default", s.vs_default);
    card.scores.emplace_back(split + " vs_train_static", s.vs_train_static);
    card.scores.emplace_back(split + " vs_hindsight", s.vs_hindsight);
  };
  if (options.cross) {
    report::ProgressOptions folds;
    folds.label = "cross-validation by seed";
    report::Progress cross_progress(folds, clock);
    TrainOptions quiet = options.train;
    quiet.rule = model->rule;
    auto cross = cross_predict(train_set->dataset, quiet, {.leave_out = CrossOptions::LeaveOut::kSeed, .folds = 5, .on_fold = [&](int, int) { cross_progress.advance(); }});
    if (!cross) return fail(cross.error());
    cross_progress.finish();
    add("train, cross-validated by seed", train_set->dataset, *cross);
  }
  add("validation (the rule was chosen on it)", validation->dataset, seen);
  for (const char* split : {"test-seeds", "test-families"}) {
    if (auto held_out = dataset_of_split(data->runs, split, options.seconds, options.split))
      add(split, held_out->dataset, predict_all(*model, held_out->dataset, fixed));
    else
      table.notes.push_back(held_out.error().message);
  }
  table.notes.push_back(fmt::format("{} windows of {} blocks; the static arm chosen on train is {}", train_set->windows, train_set->dataset.blocks.size(), arm_name(fixed)));
  table.notes.push_back("A trained model carries over little to families that it has never seen; the test-families row says how little.");

  card.data = data->name;
  card.objective = spell(config.objective);
  card.commit = options.commit;
  card.command = command_of(options);
  card.losses = losses;
  for (const Block& block : train_set->dataset.blocks) {
    if (std::find(card.families.begin(), card.families.end(), block.family) == card.families.end()) card.families.push_back(block.family);
    if (std::find(card.seeds.begin(), card.seeds.end(), block.seed) == card.seeds.end()) card.seeds.push_back(block.seed);
  }
  card.training_seed = options.train.seed;
  card.windows = train_set->windows;
  card.blocks = static_cast<int>(train_set->dataset.blocks.size());
  card.limits = {"Trained in the exact lab: no caches, one cheap global queue, 4 CPUs.", "Families of workloads that it was not trained on: expect little gain over hyb, and sometimes a loss."};
  std::error_code ignored;
  if (const auto folder = std::filesystem::path(options.out).parent_path(); !folder.empty()) std::filesystem::create_directories(folder, ignored);
  if (auto saved = save_model(options.out, *model, card); !saved) return saved;
  if (!options.curve.empty()) {
    auto families = family_curve(train_set->dataset, validation->dataset, options.train);
    if (!families) return fail(families.error());
    if (auto written = write_file(options.curve, curve_page(options, losses, *families, table)); !written) return written;
  }
  if (auto emitted = report::emit(table, options.json.emit()); !emitted || !options.importance) return emitted;
  return tell_importance(*model, train_set->dataset, validation->dataset, options);
}

}  // namespace

void add_train(CommandLine& app, int& exit_code) {
  auto options = std::make_shared<Options>();
  options->train.threads = 2;
  std::vector<std::string> names;
  std::string described = "Learner:";
  for (const Learner& learner : learners()) {
    names.emplace_back(learner.name);
    described += fmt::format("{} {} ({})", names.size() > 1 ? "," : "", learner.name, learner.summary);
  }
  const Option server = app.add_option("--server", options->remote.server.url, "Learn on line from experiments on this server (pointsman serve) instead of from data").type_name("URL");
  const Option algorithm = app.add_option("--algo", options->algorithm, described).capture_default_str().one_of(names).type_name("NAME");
  app.add_option("--loss", options->loss, "Of softmax and policy: label, seed, expected-cost or reinforce (default: label, expected-cost)")
      .one_of({"label", "seed", "expected-cost", "reinforce"})
      .type_name("LOSS");
  app.add_option("--episodes", options->train.policy.episodes, "Of reinforce: lives of one block by look-up (default: as many as would see all windows --epochs times)").between(1, 100'000'000).excludes(server);
  const Option explore = app.add_option("--explore", options->explore, "Of reinforce: none, sqrt, ucb1 or a constant rate (with --server: sqrt)").capture_default_str();
  app.add_option("--hidden", options->hidden, "Widths of the hidden layers (default: 32,32)").delimiter(',').between(1, kWidestLayer);
  app.add_option("--curve", options->curve, "Write learning curves as a page: loss by pass, score by families (four more trainings)").type_name("HTML").excludes(server);
  app.add_option("--data", options->data, "Matrix files (default: those of the project, data/matrix.pmm and data/random.pmm)").delimiter(',').type_name("FILE,...").excludes(server);
  app.add_option("--random-weight", options->split.random_weight, "What the generator's workloads count for beside all named families together").capture_default_str().between(0.01, 100.0).excludes(server);
  const Option out = app.add_option("--out", options->out, "Where the model goes; its card goes to FILE.json (with --server: models/online.pmm)").capture_default_str().type_name("FILE");
  app.add_option("--config", options->config, "Take the objective from this configuration").type_name("FILE").excludes(server);
  app.add_option("--seed", options->train.seed, "Seed of the training").capture_default_str();
  app.add_option("--epochs", options->train.epochs, "Passes over the data").capture_default_str().between(1, 1000).excludes(server);
  app.add_option("--decision", options->train.decision.weight, "Of mlp: weight of what a choice by the predictions costs, beside the squares of their errors").capture_default_str().between(0.0, 1000.0).excludes(server);
  app.add_option("--nets", options->train.nets, "Networks in the ensemble").capture_default_str().between(2, kMostNets).excludes(server);
  app.add_option("--threads", options->train.threads, "Threads; the result is the same for any number").capture_default_str().between(1, 64).excludes(server);
  app.add_option("--seconds", options->seconds, "Length of the runs' arrivals in the data").capture_default_str();
  app.add_option("--commit", options->commit, "Commit that the data come from, for the card").type_name("HASH").excludes(server);
  app.add_flag("--cross", options->cross, "Cross-validate by seed as well (five more trainings)").excludes(server);
  app.add_flag("--importance", options->importance, "Tell also which features the model leans on, and which few would do (some hundred small trainings)").excludes(server);
  app.add_option("--token-file", options->remote.server.token_file, "File with the token that the server asks for").type_name("FILE").needs(server);
  app.add_option("--families", options->remote.training.families, "Of the server: families to learn from (default: all that training may see)").delimiter(',').type_name("NAME,...").needs(server);
  app.add_option("--arms", options->remote.training.arms, "Of the server: arms to choose from (default: all choosable ones that it has)").delimiter(',').type_name("ARM,...").needs(server);
  app.add_option("--lives", options->remote.training.lives, "Of the server: lives of one workload, of 1 + --steps experiments each (default: four for each family)").between(1, 100'000).needs(server);
  app.add_option("--steps", options->remote.training.steps, "Of the server: decisions in a life").capture_default_str().between(1, 100).needs(server);
  app.add_option("--judge", options->remote.training.judged, "Of the server: seeds of each family on which what was learned is judged at the end").capture_default_str().between(0, 100).needs(server);
  options->json.add(app);
  app.footer(examples({{"pointsman train", "make models/default.pmm anew from the data that ship"},
                       {"pointsman train --algo policy --loss reinforce --episodes 20000 --out /tmp/policy.pmm", "learn from the cost of what was taken alone"},
                       {"pointsman train --algo trees --out /tmp/trees.pmm --curve /tmp/trees.html", "extra trees, with learning curves"},
                       {"pointsman train --config my.toml --out my.pmm", "a model for an objective of your own"},
                       {"pointsman train --server http://127.0.0.1:8765 --families pareto,forks,inter --out /tmp/online.pmm", "learn while another machine runs the experiments"}}));
  app.callback([options, &exit_code, algorithm, explore, out, server] {
    options->algorithm_given = algorithm.count() > 0;
    options->explore_given = explore.count() > 0;
    options->out_given = out.count() > 0;
    if (server.count() > 0) {
      auto trained = settle_remote(*options);
      if (trained) trained = train_on_server(options->remote);
      if (!trained) exit_code = report_error(trained.error());
      return;
    }
    if (auto ready = settle(*options); !ready) {
      exit_code = report_error(ready.error());
      return;
    }
    if (auto done = run(*options); !done) exit_code = report_error(done.error());
  });
}

}  // namespace pointsman

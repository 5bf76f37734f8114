// pointsman train: from a matrix to a model: an ensemble that predicts every arm's regret, a rule chosen on validation seeds, scores on families never seen.
#include <cmath>
#include <filesystem>

#include "agent/config.h"
#include "base/file.h"
#include "base/hash.h"
#include "cli/project.h"
#include "cli/statistics.h"
#include "cli/verb.h"
#include "lab/splits.h"
#include "learn/from_ledger.h"
#include "learn/train.h"
#include "report/progress.h"
#include "store/matrix_file.h"

namespace pointsman {

namespace {

// Of a run: the first half second is the arm's beginning, what comes after the last arrival only drains.
constexpr int64_t kFirstWindowNs = 500'000'000;

struct Options {
  std::string data, out = "models/default.pmm", commit, config;
  TrainOptions train;
  bool cross = false;
  double seconds = 3.013;
  JsonOption json;
};

Result<LedgerDataset> dataset_of_split(const std::vector<LedgerRun>& runs, std::string_view split, double seconds, const Objective& objective) {
  std::vector<LedgerRun> chosen;
  for (const LedgerRun& run : runs)
    if (split_of(run.key.scenario, run.key.seed) == split) chosen.push_back(run);
  if (chosen.empty()) return fail(ErrorCode::kInvalidArgument, "the data have no runs of the split {}", split);
  auto dataset = dataset_of(chosen, {.objective = objective, .from_ns = kFirstWindowNs, .until_ns = static_cast<int64_t>(seconds * 1e9)});
  if (!dataset) return fail(dataset.error().at(std::string(split)));
  return dataset;
}

Result<Unit> run(const Options& options) {
  Config config;
  if (!options.config.empty()) {
    auto loaded = load_config(options.config);
    if (!loaded) return fail(loaded.error());
    config = std::move(*loaded);
  }
  const std::string data = options.data.empty() ? find_in_project("data/matrix.pmm") : options.data;
  if (data.empty()) return fail(ErrorCode::kNotFound, "no data/matrix.pmm: name a matrix file with --data, or make one with pointsman lab matrix --write");
  auto bytes = read_file(data);
  if (!bytes) return fail(bytes.error());
  auto runs = decode_matrix(*bytes);
  if (!runs) return fail(runs.error().at(data));
  auto train_set = dataset_of_split(*runs, "train", options.seconds, config.objective);
  if (!train_set) return fail(train_set.error());
  auto validation = dataset_of_split(*runs, "validation", options.seconds, config.objective);
  if (!validation) return fail(validation.error());

  const SystemClock clock;
  report::ProgressOptions line;
  line.label = "training";
  line.total = static_cast<int64_t>(options.train.nets) * options.train.epochs;
  report::Progress progress(line, clock);
  TrainOptions train_options = options.train;
  train_options.on_epoch = [&](int net, int epoch, double loss) { progress.advance(1, fmt::format("net {} epoch {} loss {:.4f}", net + 1, epoch + 1, loss)); };
  auto model = train(train_set->dataset, train_options);
  if (!model) return fail(model.error());
  progress.finish();

  const ArmId fixed = best_static(train_set->dataset);
  const HeldOut seen = predict_all(*model, validation->dataset, fixed);
  model->rule = tune_rule(validation->dataset, seen, {});

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
  if (auto held_out = dataset_of_split(*runs, "test-families", options.seconds, config.objective)) {
    add("test-families", held_out->dataset, predict_all(*model, held_out->dataset, fixed));
  } else {
    table.notes.push_back(held_out.error().message);
  }
  table.notes.push_back(fmt::format("{} windows of {} blocks; the static arm chosen on train is {}", train_set->windows, train_set->dataset.blocks.size(), arms()[static_cast<size_t>(fixed)].name));
  table.notes.push_back("A trained model alone does not carry over to families that it has never seen; the test-families row says how little.");

  card.data = fmt::format("{} ({})", std::filesystem::path(data).filename().string(), Hash64{}.add(*bytes).hex());
  card.objective = spell(config.objective);
  card.commit = options.commit;
  card.command = "pointsman train --data data/matrix.pmm --out models/default.pmm";
  if (!options.config.empty()) card.command = fmt::format("pointsman train --config {} --data {} --out {}", options.config, data, options.out);
  for (const Block& block : train_set->dataset.blocks) {
    if (std::find(card.families.begin(), card.families.end(), block.family) == card.families.end()) card.families.push_back(block.family);
    if (std::find(card.seeds.begin(), card.seeds.end(), block.seed) == card.seeds.end()) card.seeds.push_back(block.seed);
  }
  card.training_seed = options.train.seed;
  card.windows = train_set->windows;
  card.blocks = static_cast<int>(train_set->dataset.blocks.size());
  card.limits = {"Trained in the exact lab: no caches, one cheap global queue, 4 CPUs.", "Families of workloads that it was not trained on: expect no gain over hyb."};
  std::error_code ignored;
  if (const auto folder = std::filesystem::path(options.out).parent_path(); !folder.empty()) std::filesystem::create_directories(folder, ignored);
  if (auto saved = save_model(options.out, *model, card); !saved) return saved;
  return report::emit(table, options.json.emit());
}

}  // namespace

void add_train(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<Options>();
  options->train.threads = 2;
  app.add_option("--data", options->data, "Matrix file (default: data/matrix.pmm of the project)")->type_name("FILE");
  app.add_option("--out", options->out, "Where the model goes; its card goes to FILE.json")->capture_default_str()->type_name("FILE");
  app.add_option("--config", options->config, "Take the objective from this configuration")->type_name("FILE");
  app.add_option("--seed", options->train.seed, "Seed of the training")->capture_default_str();
  app.add_option("--epochs", options->train.epochs, "Passes over the data")->capture_default_str()->check(CLI::Range(1, 1000));
  app.add_option("--nets", options->train.nets, "Networks in the ensemble")->capture_default_str()->check(CLI::Range(2, kMostNets));
  app.add_option("--threads", options->train.threads, "Threads; the result is the same for any number")->capture_default_str()->check(CLI::Range(1, 64));
  app.add_option("--seconds", options->seconds, "Length of the runs' arrivals in the data")->capture_default_str();
  app.add_option("--commit", options->commit, "Commit that the data come from, for the card")->type_name("HASH");
  app.add_flag("--cross", options->cross, "Cross-validate by seed as well (five more trainings)");
  options->json.add(app);
  app.footer(examples({{"pointsman train", "make models/default.pmm anew from the data that ship"},
                       {"pointsman train --config my.toml --out my.pmm", "a model for an objective of your own"}}));
  app.callback([options, &exit_code] {
    if (auto done = run(*options); !done) exit_code = report_error(done.error());
  });
}

}  // namespace pointsman

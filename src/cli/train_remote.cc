#include "cli/train_remote.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "base/clock.h"
#include "cli/interrupt.h"
#include "cli/statistics.h"
#include "report/progress.h"

namespace pointsman {

namespace {

std::string offered_arms(const RemoteGround& ground) {
  std::string out;
  for (ArmId arm = 0; arm < kChoosable; ++arm)
    if (ground.offered[static_cast<size_t>(arm)]) out += (out.empty() ? "" : ", ") + std::string(arm_name(arm));
  return out;
}

// The draws in five equal parts, in order: what exploring costs falls, what was learned shows.
report::Table curve_table(const RemoteTrained& trained) {
  report::Table table(fmt::format("what was drawn, against {} on the same work (ratio of slowdowns; below 1 is better)", arm_name(trained.ground.first)),
                      {{"experiments", "experiments"}, {"draws", "draws", report::Quantity::kCount}, {"exploring", "uniform draws", report::Quantity::kRatio}, {"ratio", "ratio", report::Quantity::kRatio}});
  std::vector<const Trial*> drawn;
  for (const Trial& t : trained.trials)
    if (t.kind == Trial::Kind::kDrawn && t.failure.empty()) drawn.push_back(&t);
  constexpr size_t kParts = 5;
  for (size_t part = 0; part < kParts; ++part) {
    const size_t from = drawn.size() * part / kParts, to = drawn.size() * (part + 1) / kParts;
    if (from == to) continue;
    std::vector<double> costs;
    double exploring = 0;
    for (size_t i = from; i < to; ++i) {
      costs.push_back(drawn[i]->cost);
      exploring += drawn[i]->exploring / static_cast<double>(to - from);
    }
    const Interval interval = bootstrap_mean(costs);
    table.add({fmt::format("{} - {}", drawn[from]->number, drawn[to - 1]->number), static_cast<double>(to - from), exploring, report::Interval{std::exp(interval.value), std::exp(interval.low), std::exp(interval.high)}});
  }
  return table;
}

std::vector<double> judged_costs(const RemoteTrained& trained) {
  std::vector<double> costs;
  for (const Trial& t : trained.trials)
    if (t.kind == Trial::Kind::kJudged && t.failure.empty()) costs.push_back(t.cost);
  return costs;
}

report::Table judged_table(const RemoteTrained& trained) {
  report::Table table("judged on seeds that it never saw, without chance", {{"family", "family"}, {"seed", "seed"}, {"arm", "its arm"}, {"ratio", "ratio", report::Quantity::kRatio}});
  for (const Trial& t : trained.trials)
    if (t.kind == Trial::Kind::kJudged && t.failure.empty()) table.add({t.family, std::to_string(t.seed), arm_name(t.arm), std::exp(t.cost)});
  if (const auto costs = judged_costs(trained); !costs.empty()) {
    const Interval mean = bootstrap_mean(costs);
    table.notes.push_back(fmt::format("geometric mean {:.3f} [{:.3f}, {:.3f}] over {} workloads", std::exp(mean.value), std::exp(mean.low), std::exp(mean.high), costs.size()));
  }
  return table;
}

ModelCard card_of(const RemoteTrainOptions& options, const RemoteTrained& trained) {
  ModelCard card;
  card.data = fmt::format("{} experiments on {} (backend {}, Linux {})", trained.trials.size(), options.server.url, trained.ground.backend, trained.ground.kernel);
  card.command = options.command;
  for (const Trial& t : trained.trials) {
    if (t.kind != Trial::Kind::kDrawn || !t.failure.empty()) continue;
    if (std::find(card.families.begin(), card.families.end(), t.family) == card.families.end()) card.families.push_back(t.family);
    if (std::find(card.seeds.begin(), card.seeds.end(), t.seed) == card.seeds.end()) card.seeds.push_back(t.seed);
    card.losses.push_back(t.cost);
  }
  card.training_seed = options.training.policy.seed;
  card.windows = static_cast<int>(trained.policy.windows());
  card.blocks = static_cast<int>(std::count_if(trained.trials.begin(), trained.trials.end(), [](const Trial& t) { return t.kind == Trial::Kind::kFirst && t.life > 0; }));
  if (const auto costs = judged_costs(trained); !costs.empty()) card.scores.emplace_back(fmt::format("validation, ln ratio to {}", arm_name(trained.ground.first)), bootstrap_mean(costs));
  card.limits = {fmt::format("A policy over {}, learned from the cost of what it took alone, a whole run under one arm for each decision.", offered_arms(trained.ground)),
                 "losses: ln ratio of each draw to the first arm on the same work, exploration included."};
  if (trained.interrupted) card.limits.emplace_back("The training was interrupted.");
  return card;
}

}  // namespace

Result<Unit> train_on_server(const RemoteTrainOptions& options) {
  auto client = options.server.client({.cancel_fd = interrupt_fd()});
  if (!client) return fail(client.error());
  auto ground = survey(*client, options.training);
  if (!ground) return fail(ground.error());
  const int judged = static_cast<int>(ground->families.size()) * options.training.judged * 2;
  fmt::print(stderr, "pointsman: {} experiments of {} s on {} ({}): {} lives of {} famil{} under {}{}\n", ground->experiments, options.training.seconds, options.server.url, ground->backend, ground->lives,
             ground->families.size(), ground->families.size() == 1 ? "y" : "ies", offered_arms(*ground), judged > 0 ? fmt::format(", and {} to judge", judged) : "");
  const SystemClock clock;
  report::ProgressOptions line;
  line.label = "experiments";
  line.total = ground->experiments;
  report::Progress progress(line, clock);
  auto trained = train_remotely(*client, options.training, *ground, [&](const Trial& t) {
    progress.advance(1, fmt::format("{} seed {} {}: {}", t.family, t.seed, arm_name(t.arm), !t.failure.empty() ? "failed" : t.kind == Trial::Kind::kFirst ? "the first" : fmt::format("{:.3f}", std::exp(t.cost))));
  });
  progress.finish();
  if (!trained) return fail(trained.error());
  if (trained->policy.outcomes() == 0)
    return fail(trained->interrupted ? ErrorCode::kInterrupted : ErrorCode::kIo, "{}, and no model was written", trained->interrupted ? "interrupted before anything was learned" : "no experiment taught anything");
  std::error_code ignored;
  if (const auto folder = std::filesystem::path(options.out).parent_path(); !folder.empty()) std::filesystem::create_directories(folder, ignored);
  if (auto saved = save_model(options.out, trained->policy.model(), card_of(options, *trained)); !saved) return saved;

  report::Table curve = curve_table(*trained), judgement = judged_table(*trained);
  for (const std::string& note : trained->notes) curve.notes.push_back(note);
  curve.notes.push_back(fmt::format("{} experiments, {} decisions learned from {} windows; {} and its card are written", trained->trials.size(), trained->policy.outcomes(), trained->policy.windows(), options.out));
  nlohmann::json trials = nlohmann::json::array();
  for (const Trial& t : trained->trials) trials.push_back(to_json(t));
  const report::TextStyle style{.color = report::wants_color(STDOUT_FILENO)};
  const nlohmann::json out = {{"server", options.server.url}, {"backend", ground->backend}, {"kernel", ground->kernel}, {"model", options.out}, {"first", arm_name(ground->first)},
                              {"experiments", trials}, {"curve", curve.json()}, {"judged", judgement.json()}, {"interrupted", trained->interrupted}};
  if (auto emitted = report::emit(curve.text(style) + (judged_costs(*trained).empty() ? "" : "\n" + judgement.text(style)), out, options.json.emit()); !emitted) return emitted;
  if (trained->interrupted) return fail(ErrorCode::kInterrupted, "interrupted after {} experiments; {} holds what was learned until then", trained->trials.size(), options.out);
  return Unit{};
}

}  // namespace pointsman

#include "http/remote_training.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "base/rng.h"
#include "http/errand.h"
#include "http/result_windows.h"
#include "lab/splits.h"

namespace pointsman {

using nlohmann::json;

namespace {

constexpr int kLivesOfAFamily = 4;
constexpr int kFailuresInARow = 3;

// What one experiment told.
struct Seen {
  double slowdown = 0;
  std::vector<FeatureVector> windows{};
  std::string failure{};
};

class Player {
 public:
  Player(const Client& client, const RemoteTrainingOptions& options, RemoteTrained& out, const std::function<void(const Trial&)>& on_trial)
      : client_(client), options_(options), out_(out), on_trial_(on_trial) {}

  // Errors: what ends the training; an experiment that failed is none.
  Result<Seen> run(const std::string& family, uint64_t seed, ArmId arm) {
    const json body = {{"workload", {{"name", family}, {"seconds", options_.seconds}}}, {"arm", arm_name(arm)}, {"seed", seed}};
    // Undisturbed, so that whatever was begun has a number by which it can be cancelled.
    auto id = submit_experiment(client_.undisturbed(), body);
    if (!id) return fail(id.error());
    auto ended = wait_for_experiment(client_, *id, {});
    if (!ended) {
      if (ended.error().code == ErrorCode::kInterrupted) abandoned_ = *id;
      return fail(ended.error());
    }
    auto result = result_of_experiment(client_, *id);
    if (!result) return fail(result.error());
    try {
      return seen_in(*result);
    } catch (const json::exception& error) {
      return fail(ErrorCode::kCorrupt, "the server's result: {}", error.what());
    }
  }

  // Errors: as many in a row as cannot be bad luck.
  Result<Unit> note(Trial trial, const Seen& seen) {
    trial.number = static_cast<int>(out_.trials.size()) + 1;
    trial.slowdown = seen.slowdown;
    trial.failure = seen.failure;
    out_.trials.push_back(trial);
    if (on_trial_) on_trial_(trial);
    failures_ = seen.failure.empty() ? 0 : failures_ + 1;
    if (failures_ >= kFailuresInARow) return fail(ErrorCode::kIo, "{} experiments in a row failed, the last, {} seed {} under {}: {}", failures_, trial.family, trial.seed, arm_name(trial.arm), seen.failure);
    return Unit{};
  }
  [[nodiscard]] int64_t abandoned() const { return abandoned_; }

 private:
  Result<Seen> seen_in(const json& result) const {
    Seen seen;
    const json& experiment = result.at("experiment");
    if (experiment.at("state") != "done" || result.at("repeats").empty()) {
      seen.failure = experiment.contains("error") ? experiment.at("error").value("message", "") : experiment.at("state").get<std::string>();
      return seen;
    }
    const json& repeat = result.at("repeats").front();
    if (repeat.contains("rejected")) {
      seen.failure = repeat.at("rejected");
      return seen;
    }
    const json& slowdown = repeat.at("costs").at("geo_slowdown");
    if (!slowdown.is_number() || !(slowdown.get<double>() > 0)) {
      seen.failure = "no job of it has a slowdown";
      return seen;
    }
    seen.slowdown = slowdown;
    auto windows = windows_of(repeat);
    if (!windows) return fail(windows.error());
    // After the last arrival a run only drains, which in a life of many phases never lasts.
    const auto until_ns = static_cast<int64_t>(options_.seconds * 1e9);
    for (const ResultWindow& w : *windows)
      if (!w.idle && w.end_ns <= until_ns) seen.windows.push_back(w.features);
    return seen;
  }

  const Client& client_;
  const RemoteTrainingOptions& options_;
  RemoteTrained& out_;
  const std::function<void(const Trial&)>& on_trial_;
  int failures_ = 0;
  int64_t abandoned_ = 0;
};

// The families again and again, each round in another order; each time under its next seed.
struct Turn {
  std::string family{};
  uint64_t seed = 0;
};
std::vector<Turn> turns_of(const RemoteGround& ground, uint64_t seed) {
  std::vector<Turn> out;
  for (uint64_t round = 0; out.size() < static_cast<size_t>(ground.lives); ++round) {
    std::vector<std::string> order = ground.families;
    Rng rng(seed, "remote training order", round);
    for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[rng.below(i)]);
    for (const std::string& family : order)
      if (out.size() < static_cast<size_t>(ground.lives)) out.push_back({family, kFirstTrainSeed + round % (kFirstValidationSeed - kFirstTrainSeed)});
  }
  return out;
}

Result<Unit> learn(Player& player, RemoteTrained& out, const RemoteTrainingOptions& options, std::set<std::string>& useless) {
  int life = 0;
  for (const Turn& turn : turns_of(out.ground, options.policy.seed)) {
    ++life;
    if (useless.contains(turn.family)) continue;
    auto seen = player.run(turn.family, turn.seed, out.ground.first);
    if (!seen) return fail(seen.error());
    Trial trial{.life = life, .family = turn.family, .seed = turn.seed, .arm = out.ground.first};
    if (auto noted = player.note(trial, *seen); !noted) return noted;
    if (!seen->failure.empty()) {
      useless.insert(turn.family);
      out.notes.push_back(fmt::format("{} was left out from life {} on: {}", turn.family, life, seen->failure));
      continue;
    }
    const double reference = std::log(seen->slowdown);
    ArmId active = out.ground.first;
    std::vector<FeatureVector> windows = std::move(seen->windows);
    for (int step = 0; step < options.steps; ++step) {
      const OnlinePolicy::Drawn drawn = out.policy.draw(windows, active);
      seen = player.run(turn.family, turn.seed, drawn.arm);
      if (!seen) return fail(seen.error());
      trial.kind = Trial::Kind::kDrawn;
      trial.arm = drawn.arm;
      trial.exploring = drawn.exploring;
      trial.propensity = drawn.propensity;
      trial.cost = seen->failure.empty() ? std::log(seen->slowdown) - reference : 0;
      if (auto noted = player.note(trial, *seen); !noted) return noted;
      if (!seen->failure.empty()) break;
      out.policy.learn({.windows = std::move(windows), .active = active, .taken = drawn.arm, .propensity = drawn.propensity, .cost = trial.cost});
      active = drawn.arm;
      windows = std::move(seen->windows);
    }
  }
  return Unit{};
}

// On seeds that nothing was learned from: the first arm, then what the policy takes without chance.
Result<Unit> judge(Player& player, RemoteTrained& out, const RemoteTrainingOptions& options, const std::set<std::string>& useless) {
  for (const std::string& family : out.ground.families) {
    if (useless.contains(family)) continue;
    for (int i = 0; i < options.judged; ++i) {
      const uint64_t seed = kFirstValidationSeed + static_cast<uint64_t>(i);
      auto first = player.run(family, seed, out.ground.first);
      if (!first) return fail(first.error());
      Trial trial{.family = family, .seed = seed, .arm = out.ground.first};
      if (auto noted = player.note(trial, *first); !noted) return noted;
      if (!first->failure.empty()) continue;
      trial.kind = Trial::Kind::kJudged;
      trial.arm = out.policy.best(first->windows, out.ground.first);
      auto seen = player.run(family, seed, trial.arm);
      if (!seen) return fail(seen.error());
      trial.cost = seen->failure.empty() ? std::log(seen->slowdown) - std::log(first->slowdown) : 0;
      if (auto noted = player.note(trial, *seen); !noted) return noted;
    }
  }
  return Unit{};
}

}  // namespace

Result<RemoteGround> survey(const Client& client, const RemoteTrainingOptions& options) {
  auto has = client.ask_json({.target = "/v1/arms"});
  if (!has) return fail(has.error());
  auto offers = client.ask_json({.target = "/v1/workloads"});
  if (!offers) return fail(offers.error());
  RemoteGround ground;
  try {
    ground.backend = has->at("backend");
    ground.kernel = has->at("kernel");
    std::string obstacle;
    int count = 0;
    std::map<std::string, std::string> reasons;  // of arms that the server knows
    for (const json& row : has->at("arms")) {
      const std::string name = row.at("name");
      reasons[name] = row.at("available").get<bool>() ? "" : row.value("reason", "it says not why");
      const auto arm = find_arm(name);
      if (!arm || *arm >= kChoosable) continue;
      if (!reasons[name].empty()) {
        if (obstacle.empty()) obstacle = fmt::format("{}: {}", name, reasons[name]);
        continue;
      }
      if (!options.arms.empty() && std::find(options.arms.begin(), options.arms.end(), name) == options.arms.end()) continue;
      ground.offered[static_cast<size_t>(*arm)] = true;
      ++count;
    }
    for (const std::string& name : options.arms) {
      const auto arm = find_arm(name);
      if (!arm) return fail(arm.error());
      if (*arm >= kChoosable) return fail(ErrorCode::kInvalidArgument, "arm {} is not one that a policy may take", name);
      if (!reasons.contains(name)) return fail(ErrorCode::kNotFound, "the server has no arm {}", name);
      if (!reasons[name].empty()) return fail(ErrorCode::kUnsupported, "the server cannot have arm {}: {}", name, reasons[name]);
    }
    if (count < 2)
      return fail(ErrorCode::kUnsupported, "there is nothing to learn with fewer than two arms to choose from; this server offers {}{}", count, obstacle.empty() ? "" : " (" + obstacle + ")");
    ground.first = ground.offered[static_cast<size_t>(kDefaultArm)] ? kDefaultArm : static_cast<ArmId>(std::find(ground.offered.begin(), ground.offered.end(), true) - ground.offered.begin());

    std::set<std::string> known;
    for (const json& row : offers->at("workloads")) {
      if (row.at("kind") != "family") continue;
      const std::string name = row.at("name");
      known.insert(name);
      if (options.families.empty() && !is_held_out(name)) ground.families.push_back(name);
    }
    for (const std::string& name : options.families) {
      if (!known.contains(name) && !name.starts_with("random:")) return fail(ErrorCode::kNotFound, "the server has no family '{}'", name);
      if (is_held_out(name)) return fail(ErrorCode::kInvalidArgument, "{} is a family that nothing learns from: it is kept for judging", name);
      ground.families.push_back(name);
    }
  } catch (const json::exception& error) {
    return fail(ErrorCode::kCorrupt, "the server's answer: {}", error.what());
  }
  if (ground.families.empty()) return fail(ErrorCode::kNotFound, "the server has no families to learn from");
  const int families = static_cast<int>(ground.families.size());
  ground.lives = options.lives > 0 ? options.lives : kLivesOfAFamily * families;
  ground.experiments = ground.lives * (1 + options.steps) + families * options.judged * 2;
  return ground;
}

json to_json(const Trial& t) {
  static constexpr const char* kKinds[] = {"first", "drawn", "judged"};
  json out = {{"number", t.number}, {"life", t.life}, {"family", t.family}, {"seed", t.seed}, {"arm", arm_name(t.arm)}, {"kind", kKinds[static_cast<int>(t.kind)]}, {"exploring", t.exploring},
              {"propensity", t.propensity}};
  if (t.failure.empty()) {
    out["slowdown"] = t.slowdown;
    out["ln_ratio"] = t.cost;
  } else {
    out["failure"] = t.failure;
  }
  return out;
}

Result<RemoteTrained> train_remotely(const Client& client, const RemoteTrainingOptions& options, const RemoteGround& ground, const std::function<void(const Trial&)>& on_trial) {
  OnlinePolicyOptions policy_options = options.policy;
  policy_options.offered = ground.offered;
  auto policy = OnlinePolicy::make(policy_options);
  if (!policy) return fail(policy.error());
  RemoteTrained out{.ground = ground, .policy = std::move(*policy)};
  Player player(client, options, out, on_trial);
  std::set<std::string> useless;
  auto played = learn(player, out, options, useless);
  if (played) played = judge(player, out, options, useless);
  if (!played && played.error().code == ErrorCode::kInterrupted) {
    out.interrupted = true;
    // By a client that the same wish does not end at once.
    if (player.abandoned() > 0) static_cast<void>(cancel_experiment(client.undisturbed(), player.abandoned()));
    return out;
  }
  if (!played) return fail(played.error());
  return out;
}

}  // namespace pointsman

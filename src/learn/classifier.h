// Classifier: the learned policy. Predicts the regret of every arm from each busy window and takes the least, but leaves the default arm
// only by the model's rule. Where it may, it asks the replay of what has just run as well, which knows workloads that no model has seen.
#pragma once

#include <array>
#include <memory>
#include <optional>

#include "learn/controller.h"
#include "learn/model.h"

namespace pointsman {

class Classifier : public Controller {
 public:
  struct Options {
    // What is not allowed is predicted but never chosen; the default arm always is allowed.
    std::array<bool, kChoosable> allowed = {true, true, true, true, true, true};
    double change = 0;  // the memory of what came before ends when forks or wake-ups grow or fall by more than this (ln) between two windows; 0: it never does
    // One deviation (ln cost) of what a replay says; 0: none is asked for, and bursts are not recorded. Model and replay are weighed by their precisions, so the
    // replay decides where the networks disagree, and a model that is sure is not talked out of it.
    double replay = 0;
    double model_floor = .05;      // one deviation of what the networks agree on, for what they may all be wrong about; used where a replay stands beside them
    double replay_deviations = 1;  // the rule's where a replay has spoken
  };
  Classifier(Model model, const Options& options) : model_(std::move(model)), options_(options) {}

  [[nodiscard]] std::string name() const override { return "classifier"; }
  // Idle windows, and features that are no numbers, keep the active arm; an idle window also ends the memory: what comes after it is a new thing.
  Decision decide(const Context& context) override;
  [[nodiscard]] bool wants_bursts() const override { return options_.replay > 0; }
  // While what is steady has not been replayed lately.
  [[nodiscard]] bool wants_recording(const Context& context) const override;
  [[nodiscard]] bool wants_live_cost() const override { return false; }
  // What ran under the active arm since the last change, and no longer ago than a second.
  [[nodiscard]] std::optional<int64_t> replays_from_ns(const Context& context) const override;

 private:
  void forget();
  void hear_replay(const Context& context);
  [[nodiscard]] bool has_heard() const;
  [[nodiscard]] Prediction with_replays() const;
  [[nodiscard]] bool replay_due(const Context& context, int64_t ahead_ns) const;

  // What replays said of what is steady and ran under one arm, ln ratios to that arm: a moving average, half of it the last.
  struct Heard {
    ArmCosts gain{};
    int replays = 0;
    int64_t to_ns = 0;  // the end of the last recording, since the start
  };

  Model model_;
  Options options_;
  Prediction running_;
  std::optional<FeatureVector> last_;
  std::array<Heard, kChoosable> heard_{};  // by the arm that was active
  int64_t steady_since_ns_ = 0;
};

}  // namespace pointsman

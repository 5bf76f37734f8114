// Classifier: the learned policy. Predicts the regret of every arm from each busy window and takes the least, but leaves the default arm
// only by the model's rule.
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
    double change = 0;  // the memory of the EWMA ends when forks or wake-ups grow or fall by more than this (ln) between two windows; 0: it never does
  };
  Classifier(Model model, const Options& options) : model_(std::move(model)), options_(options) {}

  [[nodiscard]] std::string name() const override { return "classifier"; }
  // Idle windows, and features that are no numbers, keep the active arm; an idle window also ends the memory of the EWMA: what comes after
  // it is a new thing.
  Decision decide(const Context& context) override;

 private:
  Model model_;
  Options options_;
  Prediction running_;
  std::optional<FeatureVector> last_;
};

}  // namespace pointsman

// Every controller that exists, by name. Adding one: a file with its class and its make_NAME, and a line in the table of controllers.cc.
// A controller is written NAME or NAME:KEY=VALUE,KEY=VALUE; an arm's name alone is that static arm.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "learn/controller.h"

namespace pointsman {

// NAME:KEY=VALUE,... taken apart. Errors of its readers: kInvalidArgument, in the words of the one who wrote it.
class ControllerSpec {
 public:
  static Result<ControllerSpec> parse(std::string_view text, uint64_t seed);

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::vector<std::pair<std::string, std::string>>& options() const { return options_; }
  [[nodiscard]] uint64_t seed() const { return seed_; }

  // Refuses any other key, and one given twice.
  [[nodiscard]] Result<Unit> allow(std::initializer_list<std::string_view> keys) const {
    return allow(std::span(keys.begin(), keys.size()));
  }
  [[nodiscard]] Result<Unit> allow(std::span<const std::string_view> keys) const;
  [[nodiscard]] std::string text(std::string_view key, std::string_view otherwise) const;
  [[nodiscard]] Result<double> number(std::string_view key, double otherwise, double low, double high) const;
  [[nodiscard]] Result<int64_t> whole(std::string_view key, int64_t otherwise, int64_t low, int64_t high) const;
  [[nodiscard]] Result<ArmId> arm(std::string_view key, ArmId otherwise) const;
  // "hyb+las": those that may be chosen, the default arm always among them; all when it is not given.
  [[nodiscard]] Result<std::array<bool, kChoosable>> choosable(std::string_view key) const;

 private:
  std::string name_;
  std::vector<std::pair<std::string, std::string>> options_;
  uint64_t seed_ = 0;
};

struct ControllerKind {
  std::string_view name, options, summary;
  Result<std::unique_ptr<Controller>> (*make)(const ControllerSpec&) = nullptr;
};
std::span<const ControllerKind> controller_kinds();

// `seed` is for those that draw, unless the text has its own. Errors: kNotFound, with the names that exist; kInvalidArgument; those of the
// model file.
Result<std::unique_ptr<Controller>> make_controller(std::string_view text, uint64_t seed = 1);

// "0", "250ms", "2.5s", "10us" in ns. Errors: kInvalidArgument.
Result<int64_t> parse_duration(std::string_view text);

}  // namespace pointsman

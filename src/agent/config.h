// Config: what a user may set of the agent, in TOML. Every key has a default; docs/configuration.md explains them and holds a file with all of them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "agent/agent.h"
#include "base/result.h"
#include "learn/cost.h"

namespace pointsman {

struct Config {
  std::string controller{};  // empty: the command line's
  std::string model{};       // path; empty: the command line's
  std::string ledger{};      // path; empty: none
  Objective objective{};
  AgentOptions agent{};
  // Whether the file restricts the arms at all: then a learned controller is told so.
  bool restricts_arms = false;
};

// Errors: kInvalidArgument with file:line, what is wrong and what is allowed.
Result<Config> parse_config(std::string_view toml, const std::string& file_name);
// Errors: those of reading the file, and as above.
Result<Config> load_config(const std::string& path);

// The objective in one line, the same for equal objectives: what a model's card says it was trained for.
std::string spell(const Objective& objective);

}  // namespace pointsman

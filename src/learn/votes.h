// Votes: what several experts said of one decision, as text that a ledger keeps and people are told of.
// Shapes: gain, deviation [kChoosable], ln ratios to the default arm, to three decimals.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "learn/controller.h"

namespace pointsman {

struct WrittenVote {
  std::string expert{};
  double weight = 0;
  std::array<double, kChoosable> gain{}, deviation{};
};

std::string write_votes(std::span<const Vote> votes);
// Errors: kCorrupt (not what write_votes makes, or of other arms).
Result<std::vector<WrittenVote>> read_votes(std::string_view text);

}  // namespace pointsman

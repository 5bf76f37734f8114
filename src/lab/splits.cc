#include "lab/splits.h"

#include <algorithm>
#include <array>

namespace pointsman {

namespace {
constexpr std::array<std::string_view, 6> kHeldOut = {"mapreduce", "logserver", "gamehost", "backup", "ci", "mail"};
}

std::span<const std::string_view> held_out_families() { return kHeldOut; }
bool is_held_out(std::string_view family) { return std::find(kHeldOut.begin(), kHeldOut.end(), family) != kHeldOut.end(); }

std::string_view split_of(std::string_view family, uint64_t seed) {
  if (is_held_out(family)) return "test-families";
  if (seed >= kFirstTestSeed) return "test-seeds";
  return seed >= kFirstValidationSeed ? "validation" : "train";
}

}  // namespace pointsman

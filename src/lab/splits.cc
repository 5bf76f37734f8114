#include "lab/splits.h"

#include <algorithm>
#include <array>
#include <vector>

namespace pointsman {

namespace {
constexpr std::array<std::string_view, 6> kHeldOut = {"mapreduce", "logserver", "gamehost", "backup", "ci", "mail"};
}

std::span<const std::string_view> held_out_families() { return kHeldOut; }
bool is_held_out(std::string_view family) { return std::find(kHeldOut.begin(), kHeldOut.end(), family) != kHeldOut.end(); }

std::string_view split_of(std::string_view family, uint64_t seed) {
  if (is_held_out(family)) return "test-families";
  bool validates = seed >= kFirstValidationSeed, tests = seed >= kFirstTestSeed;
  if (const auto structure = random_structure_of(family)) {
    const uint64_t place = (*structure - 1) % kRandomStructures + 1;
    validates = validates || place >= kFirstValidationStructure;
    tests = tests || place >= kFirstTestStructure;
  }
  return tests ? "test-seeds" : validates ? "validation" : "train";
}

Result<Scenario> draw_held_out_scenario(uint64_t seed, int64_t phase_ns) {
  std::vector<std::string_view> names(kHeldOut.begin(), kHeldOut.end());
  // Lengths come from the common rule: a scenario of as many phases, of which only the families are replaced.
  auto scenario = draw_scenario("mixed", seed, static_cast<int>(names.size()), phase_ns);
  if (!scenario) return scenario;
  Rng rng(seed, "held-out order");
  for (size_t i = names.size(); i > 1; --i) std::swap(names[i - 1], names[rng.below(i)]);
  for (size_t i = 0; i < names.size(); ++i) scenario->phases[i].family = names[i];
  scenario->name = fmt::format("held-out-{}", seed);
  return scenario;
}

}  // namespace pointsman

// Splits: which runs may be learnt from, which choose, which judge.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "workload/scenario.h"

namespace pointsman {

// Families that no training, no choice of features, thresholds or hyper-parameters has ever seen.
std::span<const std::string_view> held_out_families();
bool is_held_out(std::string_view family);

inline constexpr uint64_t kFirstTrainSeed = 1, kFirstValidationSeed = 100, kFirstTestSeed = 1000;

// Of random families it is structures that are split, so that a learner is judged on workloads and not on further draws of those it knows: of every 520
// the first 400 train, 80 validate, 40 test.
inline constexpr uint64_t kRandomStructures = 520, kFirstValidationStructure = 401, kFirstTestStructure = 481;

// train (seeds below 100), validation (100..999), test-seeds (from 1000 on), or test-families, whatever the seed. A run of random:SEED is in the later one of
// its seed's split and its structure's, and never in test-families.
std::string_view split_of(std::string_view family, uint64_t seed);

// The held-out families, each once, in an order drawn by seed; phase lengths as draw_scenario has them.
Result<Scenario> draw_held_out_scenario(uint64_t seed, int64_t phase_ns);

}  // namespace pointsman

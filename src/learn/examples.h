// Examples: a data set as the learners take it: one row a window, standardised, with the regret of every arm in its block and the weight
// with which it counts.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string_view>
#include <vector>

#include "base/rng.h"
#include "learn/dataset.h"
#include "learn/model.h"

namespace pointsman {

// Each member of an ensemble sees another sample, drawn with replacement. kBlock draws within each family, so that all members know all
// families and disagree about what is noise; kFamily draws whole families, so that they disagree about what few families support, known
// ones included.
enum class Resample { kBlock, kFamily };

struct Examples {
  std::vector<float> inputs{};    // [n][kModelInputs]
  std::vector<uint32_t> block{};  // [n]
  std::vector<float> regret{};    // [blocks][kChoosable], clipped
  std::vector<double> weight{};   // [n], mean 1 before it is capped: families count by their weights, in them blocks equally, in them windows
  // Where the windows that were seen under each arm begin, and the end of the last: rows are in the order of blocks, arms, time.
  std::vector<std::array<uint32_t, kChoosable + 1>> begins{};  // [blocks]

  [[nodiscard]] size_t size() const { return block.size(); }
  [[nodiscard]] const float* input(size_t row) const { return inputs.data() + row * kModelInputs; }
  [[nodiscard]] const float* regret_of(size_t row) const { return regret.data() + size_t{block[row]} * kChoosable; }
};
// Also sets the model's standardisation.
Examples make_examples(const Dataset& dataset, double clip, Model& model);

std::map<std::string_view, std::vector<uint32_t>> blocks_by_family(const Dataset& dataset);
// How often each block is in the sample of one member.
std::vector<int> draw_blocks(const Dataset& dataset, Resample resample, Rng& rng);

// Runs `work` for 0 .. count-1 on up to `threads` threads; which runs where changes nothing.
void in_parallel(size_t count, int threads, const std::function<void(size_t)>& work);

}  // namespace pointsman

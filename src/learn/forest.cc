#include "learn/forest.h"

#include <cmath>

namespace pointsman {

const std::array<float, kChoosable>& Tree::at(std::span<const float> input) const {
  size_t i = 0;
  while (nodes[i].feature != kLeaf) i = input[nodes[i].feature] <= nodes[i].threshold ? i + 1 : nodes[i].other;
  return values[nodes[i].other];
}

Result<Unit> Tree::check(int features) const {
  const Unexpected bad = fail(ErrorCode::kCorrupt, "damaged: a tree contradicts itself");
  if (nodes.empty() || nodes.size() != 2 * values.size() - 1 || values.size() > kMostLeaves) return bad;
  for (size_t i = 0; i < nodes.size(); ++i) {
    const Node& node = nodes[i];
    if (node.feature == kLeaf) {
      if (node.other >= values.size()) return bad;
      continue;
    }
    // Children lie behind their parent, so every walk ends.
    if (node.feature >= features || !std::isfinite(node.threshold) || node.other <= i + 1 || node.other >= nodes.size()) return bad;
  }
  if (nodes.back().feature != kLeaf) return bad;
  for (const auto& value : values)
    for (const float v : value)
      if (!(std::abs(v) <= 1e6f)) return fail(ErrorCode::kCorrupt, "damaged: a tree's value is not a number, or far too large");
  return Unit{};
}

std::array<float, kChoosable> Forest::predict(int member, std::span<const float> input) const {
  std::array<float, kChoosable> out{};
  float count = 0;
  for (size_t t = static_cast<size_t>(member); t < trees.size(); t += static_cast<size_t>(members)) {
    const auto& value = trees[t].at(input);
    for (size_t arm = 0; arm < kChoosable; ++arm) out[arm] += value[arm];
    ++count;
  }
  for (float& v : out) v /= count;
  return out;
}

}  // namespace pointsman

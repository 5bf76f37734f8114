// Forest: regression trees that predict one value for every arm. Evaluated by comparisons and additions in a fixed order: same bits
// everywhere.
// Shapes: inputs [kModelInputs], values [kChoosable].
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sched/arm.h"

namespace pointsman {

struct Tree {
  static constexpr uint8_t kLeaf = 255;
  // In preorder: the left child of node i is node i + 1.
  struct Node {
    uint8_t feature = kLeaf;
    uint16_t other = 0;   // the right child; of a leaf, its place in `values`
    float threshold = 0;  // left when input <= threshold

    bool operator==(const Node&) const = default;
  };
  std::vector<Node> nodes{};
  std::vector<std::array<float, kChoosable>> values{};

  [[nodiscard]] const std::array<float, kChoosable>& at(std::span<const float> input) const;
  // Errors: kCorrupt (a child that is not behind its parent, a feature or value that does not exist, a number that is none).
  [[nodiscard]] Result<Unit> check(int features) const;
  bool operator==(const Tree&) const = default;
};

inline constexpr size_t kMostTrees = 256, kMostLeaves = 4096;

// Tree t belongs to member t mod `members`: a member is a small forest of its own, and members disagree like the nets of an ensemble.
struct Forest {
  int members = 1;
  std::vector<Tree> trees{};

  // The mean over the trees of one member.
  [[nodiscard]] std::array<float, kChoosable> predict(int member, std::span<const float> input) const;
};

}  // namespace pointsman

// A network as the textbook has it: weights in the order of the file, no padding.
#pragma once

#include <vector>

namespace pointsman::bench {

class NaiveNet {
 public:
  NaiveNet(std::vector<int> sizes, std::vector<float> packed) : sizes_(std::move(sizes)), packed_(std::move(packed)) {}

  std::vector<float> apply(const std::vector<float>& in) const {
    std::vector<float> now = in;
    size_t at = 0;
    for (size_t layer = 0; layer + 1 < sizes_.size(); ++layer) {
      const auto inputs = static_cast<size_t>(sizes_[layer]), outputs = static_cast<size_t>(sizes_[layer + 1]);
      std::vector<float> next(outputs);
      const size_t biases = at + inputs * outputs;
      for (size_t o = 0; o < outputs; ++o) {
        next[o] = packed_[biases + o];
        for (size_t i = 0; i < inputs; ++i) next[o] += now[i] * packed_[at + i * outputs + o];
        if (layer + 2 < sizes_.size() && next[o] < 0) next[o] = 0;
      }
      at = biases + outputs;
      now = std::move(next);
    }
    return now;
  }

 private:
  std::vector<int> sizes_;
  std::vector<float> packed_;
};

}  // namespace pointsman::bench

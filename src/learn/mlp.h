// Mlp: a small fully connected network, ReLU between layers, linear at the end; forward and backward written out, nothing but additions
// and multiplications in a fixed order, so that the same parameters and inputs give the same bits on every build and machine.
// Shapes: parameters are one flat array; layer by layer the weights [in][stride], then the biases [stride], where stride is the layer's
// width rounded up to 8 (what pads stays zero, so loops need no tails).
// Instantiated for float, which is trained and shipped, and for double, in which gradients are checked.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/rng.h"

namespace pointsman {

inline constexpr int kWidestLayer = 256;

template <typename Real>
class Mlp {
 public:
  // Zero everywhere. sizes: inputs, hidden..., outputs; 2 or more, each 1 .. kWidestLayer.
  explicit Mlp(std::vector<int> sizes);
  // Weights from N(0, 2 / in) (He et al., ICCV 2015), biases 0.
  static Mlp random(std::vector<int> sizes, Rng& rng);

  [[nodiscard]] const std::vector<int>& sizes() const { return sizes_; }
  [[nodiscard]] int inputs() const { return sizes_.front(); }
  [[nodiscard]] int outputs() const { return sizes_.back(); }
  [[nodiscard]] std::span<Real> parameters() { return parameters_; }
  [[nodiscard]] std::span<const Real> parameters() const { return parameters_; }

  // Without the padding: layer by layer the weights [in][out], then the biases. For files.
  [[nodiscard]] std::vector<Real> packed() const;
  [[nodiscard]] static size_t packed_size(const std::vector<int>& sizes);
  // packed_size(sizes()) values.
  void unpack(std::span<const Real> values);

  // One sample; allocates nothing. in [inputs()], out [outputs()].
  void apply(std::span<const Real> in, std::span<Real> out) const;

  // No output exceeds this while no input exceeds `input_bound` in size; inf when the weights can overflow.
  [[nodiscard]] double output_bound(double input_bound) const;

  // Scratch for forward(), backward() and gradient(); keep it between calls.
  struct Workspace {
    std::vector<std::vector<Real>> activations, deltas;
    std::vector<Real> transposed, outputs, slopes;
  };
  // A batch of n samples, in [n][inputs()]. Returns the outputs, [n][outputs()], which live in `work` until the next call.
  std::span<const Real> forward(std::span<const Real> in, int n, Workspace& work) const;
  // After forward() of the same inputs: from the slopes of a loss by the outputs, [n][outputs()], writes those by the parameters, as long
  // as parameters().
  void backward(std::span<const Real> in, int n, std::span<const Real> slopes, std::span<Real> gradient, Workspace& work) const;
  // A batch: loss = sum over samples of weight * |output - target|^2 / 2, divided by the number of samples. Writes its gradient, as long as
  // parameters(). in [n][inputs()], target [n][outputs()], weight [n].
  Real gradient(std::span<const Real> in, std::span<const Real> target, std::span<const Real> weight, std::span<Real> gradient,
                Workspace& work) const;

 private:
  struct Layer {
    int in = 0, out = 0, stride = 0;
    size_t weights = 0, biases = 0;  // offsets into parameters_
  };
  std::vector<int> sizes_;
  std::vector<Layer> layers_;
  std::vector<Real> parameters_;
};

extern template class Mlp<float>;
extern template class Mlp<double>;

// Adam with decoupled weight decay. Source: Kingma and Ba, ICLR 2015; Loshchilov and Hutter, ICLR 2019.
template <typename Real>
class Adam {
 public:
  explicit Adam(size_t parameters) : first_(parameters), second_(parameters) {}
  struct Step {
    Real rate = Real(1e-3), decay = 0;
  };
  void step(std::span<Real> parameters, std::span<const Real> gradient, const Step& step);

 private:
  static constexpr double kBeta1 = .9, kBeta2 = .999;
  std::vector<Real> first_, second_;
  double power1_ = 1, power2_ = 1;  // kBeta1^t, kBeta2^t
};

extern template class Adam<float>;
extern template class Adam<double>;

}  // namespace pointsman

// Compiled with -O3 -fno-math-errno (see CMakeLists.txt): the square root of Adam then becomes one instruction for four parameters. Neither
// changes a bit of a result.
#include "learn/mlp.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace pointsman {

namespace {

constexpr int kPad = 8;
int padded(int width) { return (width + kPad - 1) / kPad * kPad; }

// 16 bytes: what every x86-64 has. Explicit, because g++ keeps arrays of scalars in memory where it keeps these in registers.
template <typename Real>
struct Vector {
  typedef Real Type __attribute__((vector_size(16)));
  static constexpr int kLanes = 16 / sizeof(Real);
};

// y[0 .. kVectors * lanes) += sum over i of x[i * step] * w[i * stride ...], in rising order of i for each element.
template <typename Real, int kVectors>
inline void accumulate_block(const Real* x, int step, int n, const Real* w, int stride, Real* y) {
  using V = typename Vector<Real>::Type;
  V sum[kVectors];
  std::memcpy(sum, y, sizeof sum);
  for (int i = 0; i < n; ++i) {
    const Real factor = x[static_cast<ptrdiff_t>(i) * step];
    const Real* row = w + static_cast<ptrdiff_t>(i) * stride;
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      V part;
      std::memcpy(&part, row + v * Vector<Real>::kLanes, sizeof part);
      sum[v] += factor * part;
    }
  }
  std::memcpy(y, sum, sizeof sum);
}

// The same over a whole padded width: the one loop that forward, the gradient of the weights and that of the inputs are all made of.
template <typename Real>
void accumulate(const Real* x, int step, int n, const Real* w, int stride, int width, Real* y) {
  constexpr int kWide = 8 * Vector<Real>::kLanes, kNarrow = 2 * Vector<Real>::kLanes;
  int at = 0;
  for (; at + kWide <= width; at += kWide) accumulate_block<Real, 8>(x, step, n, w + at, stride, y + at);
  for (; at < width; at += kNarrow) accumulate_block<Real, 2>(x, step, n, w + at, stride, y + at);
}

}  // namespace

template <typename Real>
Mlp<Real>::Mlp(std::vector<int> sizes) : sizes_(std::move(sizes)) {
  size_t at = 0;
  for (size_t l = 0; l + 1 < sizes_.size(); ++l) {
    Layer layer{.in = sizes_[l], .out = sizes_[l + 1], .stride = padded(sizes_[l + 1])};
    layer.weights = at;
    layer.biases = at += static_cast<size_t>(layer.in) * layer.stride;
    at += static_cast<size_t>(layer.stride);
    layers_.push_back(layer);
  }
  parameters_.assign(at, Real(0));
}

template <typename Real>
Mlp<Real> Mlp<Real>::random(std::vector<int> sizes, Rng& rng) {
  Mlp out(std::move(sizes));
  for (const Layer& layer : out.layers_) {
    const double deviation = std::sqrt(2.0 / layer.in);
    for (int i = 0; i < layer.in; ++i)
      for (int o = 0; o < layer.out; ++o)
        out.parameters_[layer.weights + static_cast<size_t>(i * layer.stride + o)] = static_cast<Real>(deviation * rng.normal());
  }
  return out;
}

template <typename Real>
size_t Mlp<Real>::packed_size(const std::vector<int>& sizes) {
  size_t total = 0;
  for (size_t l = 0; l + 1 < sizes.size(); ++l) total += static_cast<size_t>(sizes[l] + 1) * static_cast<size_t>(sizes[l + 1]);
  return total;
}

template <typename Real>
std::vector<Real> Mlp<Real>::packed() const {
  std::vector<Real> out;
  for (const Layer& layer : layers_)
    for (int row = 0; row <= layer.in; ++row) {  // the biases follow the weights like one more row
      const auto* from = parameters_.data() + layer.weights + static_cast<size_t>(row * layer.stride);
      out.insert(out.end(), from, from + layer.out);
    }
  return out;
}

template <typename Real>
void Mlp<Real>::unpack(std::span<const Real> values) {
  const Real* from = values.data();
  for (const Layer& layer : layers_)
    for (int row = 0; row <= layer.in; ++row, from += layer.out)
      std::copy(from, from + layer.out, parameters_.data() + layer.weights + static_cast<size_t>(row * layer.stride));
}

template <typename Real>
void Mlp<Real>::apply(std::span<const Real> in, std::span<Real> out) const {
  Real buffers[2][kWidestLayer];
  const Real* x = in.data();
  for (size_t l = 0; l < layers_.size(); ++l) {
    const Layer& layer = layers_[l];
    Real* y = buffers[l % 2];
    std::copy_n(parameters_.data() + layer.biases, layer.stride, y);
    accumulate(x, 1, layer.in, parameters_.data() + layer.weights, layer.stride, layer.stride, y);
    if (l + 1 < layers_.size())
      for (int o = 0; o < layer.stride; ++o) y[o] = y[o] > 0 ? y[o] : Real(0);
    x = y;
  }
  std::copy_n(x, outputs(), out.data());
}

template <typename Real>
double Mlp<Real>::output_bound(double input_bound) const {
  std::vector<double> bound(static_cast<size_t>(inputs()), input_bound);
  for (const Layer& layer : layers_) {
    std::vector<double> next(static_cast<size_t>(layer.out));
    for (int o = 0; o < layer.out; ++o) {
      double sum = std::abs(static_cast<double>(parameters_[layer.biases + static_cast<size_t>(o)]));
      for (int i = 0; i < layer.in; ++i)
        sum += std::abs(static_cast<double>(parameters_[layer.weights + static_cast<size_t>(i * layer.stride + o)])) *
               bound[static_cast<size_t>(i)];
      next[static_cast<size_t>(o)] = sum;
    }
    bound = std::move(next);
  }
  double widest = 0;
  for (const double b : bound) widest = std::isnan(b) ? INFINITY : std::max(widest, b);
  return widest;
}

template <typename Real>
std::span<const Real> Mlp<Real>::forward(std::span<const Real> in, int n, Workspace& work) const {
  const size_t count = layers_.size();
  work.activations.resize(count);
  for (size_t l = 0; l < count; ++l) {
    const Layer& layer = layers_[l];
    const Real* from = l == 0 ? in.data() : work.activations[l - 1].data();
    const ptrdiff_t step = l == 0 ? inputs() : layers_[l - 1].stride;
    std::vector<Real>& y = work.activations[l];
    y.resize(static_cast<size_t>(n * layer.stride));
    for (int s = 0; s < n; ++s) {
      Real* row = y.data() + static_cast<ptrdiff_t>(s) * layer.stride;
      std::copy_n(parameters_.data() + layer.biases, layer.stride, row);
      accumulate(from + s * step, 1, layer.in, parameters_.data() + layer.weights, layer.stride, layer.stride, row);
    }
    if (l + 1 < count)
      for (Real& v : y) v = v > 0 ? v : Real(0);
  }
  const Layer& last = layers_.back();
  work.outputs.resize(static_cast<size_t>(n * last.out));
  for (int s = 0; s < n; ++s)
    std::copy_n(work.activations.back().data() + static_cast<ptrdiff_t>(s) * last.stride, last.out,
                work.outputs.data() + static_cast<ptrdiff_t>(s) * last.out);
  return work.outputs;
}

template <typename Real>
void Mlp<Real>::backward(std::span<const Real> in, int n, std::span<const Real> slopes, std::span<Real> gradient, Workspace& work) const {
  const size_t count = layers_.size();
  work.deltas.resize(count);
  const auto input_of = [&](size_t l) { return l == 0 ? in.data() : work.activations[l - 1].data(); };
  const auto input_stride = [&](size_t l) { return l == 0 ? inputs() : layers_[l - 1].stride; };
  const Layer& last = layers_.back();
  std::vector<Real>& top = work.deltas.back();
  top.assign(static_cast<size_t>(n * last.stride), Real(0));
  for (int s = 0; s < n; ++s)
    std::copy_n(slopes.data() + static_cast<ptrdiff_t>(s) * last.out, last.out, top.data() + static_cast<ptrdiff_t>(s) * last.stride);

  std::fill(gradient.begin(), gradient.end(), Real(0));
  for (size_t l = count; l-- > 0;) {
    const Layer& layer = layers_[l];
    const Real* delta = work.deltas[l].data();
    for (int i = 0; i < layer.in; ++i)
      accumulate(input_of(l) + i, input_stride(l), n, delta, layer.stride, layer.stride,
                 gradient.data() + layer.weights + static_cast<size_t>(i * layer.stride));
    Real* biases = gradient.data() + layer.biases;
    for (int s = 0; s < n; ++s)
      for (int o = 0; o < layer.stride; ++o) biases[o] += delta[static_cast<ptrdiff_t>(s) * layer.stride + o];
    if (l == 0) break;

    const int below = layers_[l - 1].stride;
    work.transposed.assign(static_cast<size_t>(layer.out * below), Real(0));
    for (int i = 0; i < layer.in; ++i)
      for (int o = 0; o < layer.out; ++o)
        work.transposed[static_cast<size_t>(o * below + i)] = parameters_[layer.weights + static_cast<size_t>(i * layer.stride + o)];
    std::vector<Real>& down = work.deltas[l - 1];
    down.assign(static_cast<size_t>(n * below), Real(0));
    for (int s = 0; s < n; ++s)
      accumulate(delta + static_cast<ptrdiff_t>(s) * layer.stride, 1, layer.out, work.transposed.data(), below, below,
                 down.data() + static_cast<ptrdiff_t>(s) * below);
    const std::vector<Real>& hidden = work.activations[l - 1];
    for (size_t i = 0; i < down.size(); ++i) down[i] = hidden[i] > 0 ? down[i] : Real(0);
  }
}

template <typename Real>
Real Mlp<Real>::gradient(std::span<const Real> in, std::span<const Real> target, std::span<const Real> weight, std::span<Real> gradient,
                         Workspace& work) const {
  const auto n = static_cast<int>(weight.size());
  const std::span<const Real> y = forward(in, n, work);
  const auto width = static_cast<size_t>(outputs());
  work.slopes.resize(y.size());
  Real loss = 0;
  const Real share = Real(1) / static_cast<Real>(n);
  for (size_t s = 0; s < weight.size(); ++s)
    for (size_t o = 0; o < width; ++o) {
      const Real error = y[s * width + o] - target[s * width + o];
      const Real w = weight[s] * share;
      loss += w * error * error / 2;
      work.slopes[s * width + o] = w * error;
    }
  backward(in, n, work.slopes, gradient, work);
  return loss;
}

template <typename Real>
void Adam<Real>::step(std::span<Real> parameters, std::span<const Real> gradient, const Step& step) {
  constexpr auto b1 = static_cast<Real>(kBeta1), b2 = static_cast<Real>(kBeta2);
  constexpr auto epsilon = static_cast<Real>(1e-8);
  power1_ *= kBeta1;
  power2_ *= kBeta2;
  const auto first_scale = static_cast<Real>(1 / (1 - power1_)), second_scale = static_cast<Real>(1 / (1 - power2_));
  const Real rate = step.rate, keep = 1 - step.rate * step.decay;
  Real* p = parameters.data();
  const Real* g = gradient.data();
  Real *m = first_.data(), *v = second_.data();
  const size_t n = parameters.size();
#pragma GCC ivdep
  for (size_t i = 0; i < n; ++i) {
    m[i] = b1 * m[i] + (1 - b1) * g[i];
    v[i] = b2 * v[i] + (1 - b2) * g[i] * g[i];
    p[i] = keep * p[i] - rate * (m[i] * first_scale) / (std::sqrt(v[i] * second_scale) + epsilon);
  }
}

template class Mlp<float>;
template class Mlp<double>;
template class Adam<float>;
template class Adam<double>;

}  // namespace pointsman

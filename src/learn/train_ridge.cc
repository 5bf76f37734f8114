// Linear forms that regress the regret of every arm: ridge regression, one per member, each on its own sample of blocks.
// Source: Hoerl and Kennard, Technometrics 12 (1970); solved through the Cholesky factor of the normal equations.
#include <array>
#include <vector>

#include "base/exact_math.h"
#include "learn/learners.h"
#include "learn/mlp.h"

namespace pointsman {

namespace {

constexpr size_t kColumns = kModelInputs + 1;  // the last is the constant
using Matrix = std::array<std::array<double, kColumns>, kColumns>;
using Right = std::array<std::array<double, kChoosable>, kColumns>;

// Solves A x = b in place for a symmetric positive definite A; b becomes x.
void solve(Matrix& a, Right& b) {
  for (size_t j = 0; j < kColumns; ++j) {
    for (size_t k = 0; k < j; ++k)
      for (size_t i = j; i < kColumns; ++i) a[i][j] -= a[i][k] * a[j][k];
    const double pivot = exact_sqrt(a[j][j]);
    for (size_t i = j; i < kColumns; ++i) a[i][j] /= pivot;
  }
  for (size_t o = 0; o < kChoosable; ++o) {
    for (size_t i = 0; i < kColumns; ++i) {
      for (size_t k = 0; k < i; ++k) b[i][o] -= a[i][k] * b[k][o];
      b[i][o] /= a[i][i];
    }
    for (size_t i = kColumns; i-- > 0;) {
      for (size_t k = i + 1; k < kColumns; ++k) b[i][o] -= a[k][i] * b[k][o];
      b[i][o] /= a[i][i];
    }
  }
}

}  // namespace

Result<Model> train_ridge(const Dataset& dataset, const TrainOptions& options) {
  Model model;
  model.kind = ModelKind::kRidge;
  const Examples examples = make_examples(dataset, options.clip, model);
  for (int member = 0; member < options.nets; ++member) {
    Rng rng(options.seed, "train ridge", static_cast<uint64_t>(member));
    const std::vector<int> count = draw_blocks(dataset, options.resample, rng);
    Matrix normal{};
    Right right{};
    double total = 0;
    for (size_t row = 0; row < examples.size(); ++row) {
      const double weight = examples.weight[row] * count[examples.block[row]];
      if (weight == 0) continue;
      total += weight;
      std::array<double, kColumns> x{};
      for (size_t i = 0; i < kModelInputs; ++i) x[i] = static_cast<double>(examples.input(row)[i]);
      x[kColumns - 1] = 1;
      for (size_t i = 0; i < kColumns; ++i) {
        for (size_t j = 0; j <= i; ++j) normal[i][j] += weight * x[i] * x[j];
        for (size_t o = 0; o < kChoosable; ++o) right[i][o] += weight * x[i] * static_cast<double>(examples.regret_of(row)[o]);
      }
    }
    for (size_t i = 0; i < kColumns; ++i) {
      // The constant is not held down, but for a trace that keeps it defined beside the arms, which add up to it.
      normal[i][i] += total * (i + 1 < kColumns ? options.penalty : 1e-9);
      for (size_t j = i + 1; j < kColumns; ++j) normal[i][j] = normal[j][i];
    }
    solve(normal, right);
    std::vector<float> packed;
    for (const auto& row : right)
      for (const double v : row) packed.push_back(static_cast<float>(v));
    Mlp<float> form({kModelInputs, kChoosable});
    form.unpack(packed);
    model.nets.push_back(std::move(form));
    if (options.on_epoch) {
      double loss = 0;
      std::array<float, kChoosable> y{};
      for (size_t row = 0; row < examples.size(); ++row) {
        model.nets.back().apply(std::span(examples.input(row), kModelInputs), y);
        const double weight = examples.weight[row] * count[examples.block[row]];
        for (size_t o = 0; o < kChoosable; ++o) {
          const double error = static_cast<double>(y[o] - examples.regret_of(row)[o]);
          loss += weight * error * error / 2;
        }
      }
      options.on_epoch(member, 0, loss / static_cast<double>(examples.size()));
    }
  }
  return model;
}

}  // namespace pointsman

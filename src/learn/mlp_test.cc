#include "learn/mlp.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "base/hash.h"

namespace pointsman {
namespace {

template <typename Real>
std::vector<Real> draws(Rng& rng, size_t n) {
  std::vector<Real> out(n);
  for (Real& v : out) v = static_cast<Real>(rng.normal());
  return out;
}

// The textbook, one number at a time.
template <typename Real>
std::vector<Real> textbook(const Mlp<Real>& net, std::vector<Real> x) {
  const std::vector<Real> w = net.packed();
  size_t at = 0;
  for (size_t l = 0; l + 1 < net.sizes().size(); ++l) {
    const auto in = static_cast<size_t>(net.sizes()[l]), out = static_cast<size_t>(net.sizes()[l + 1]);
    std::vector<Real> y(out);
    for (size_t o = 0; o < out; ++o) {
      y[o] = w[at + in * out + o];
      for (size_t i = 0; i < in; ++i) y[o] += x[i] * w[at + i * out + o];
      if (l + 2 < net.sizes().size() && !(y[o] > 0)) y[o] = 0;
    }
    at += (in + 1) * out;
    x = y;
  }
  return x;
}

TEST(Mlp, ForwardIsTheTextbooksToTheBit) {
  for (const std::vector<int>& sizes : std::vector<std::vector<int>>{{26, 32, 32, 6}, {3, 5, 2}, {1, 1}, {7, 40, 1}, {256, 256, 3}}) {
    Rng rng(1, "forward", static_cast<uint64_t>(sizes[1]));
    auto net = Mlp<float>::random(sizes, rng);
    for (float& p : net.parameters()) p += 0.01f * static_cast<float>(p != 0);
    std::vector<float> biased = net.packed();
    for (float& v : biased) v += static_cast<float>(.1 * rng.normal());
    net.unpack(biased);
    const auto x = draws<float>(rng, static_cast<size_t>(net.inputs()));
    std::vector<float> y(static_cast<size_t>(net.outputs()));
    net.apply(x, y);
    EXPECT_EQ(y, textbook(net, x));
  }
}

TEST(Mlp, PackingLosesNothing) {
  Rng rng(2, "pack");
  auto a = Mlp<float>::random({5, 9, 3}, rng);
  const auto packed = a.packed();
  EXPECT_EQ(packed.size(), size_t{5 * 9 + 9 + 9 * 3 + 3});
  EXPECT_EQ(packed.size(), Mlp<float>::packed_size({5, 9, 3}));
  Mlp<float> b({5, 9, 3});
  b.unpack(packed);
  EXPECT_TRUE(std::equal(a.parameters().begin(), a.parameters().end(), b.parameters().begin()));
}

TEST(Mlp, GradientAgreesWithFiniteDifferences) {
  for (const std::vector<int>& sizes : std::vector<std::vector<int>>{{4, 7, 5, 3}, {3, 2}, {5, 17, 6}, {26, 32, 32, 6}}) {
    Rng rng(3, "gradient", static_cast<uint64_t>(sizes[1]));
    auto net = Mlp<double>::random(sizes, rng);
    std::vector<double> values = net.packed();
    for (double& v : values) v += .1 * rng.normal();
    net.unpack(values);
    const size_t n = 5;
    const auto x = draws<double>(rng, n * static_cast<size_t>(net.inputs()));
    const auto t = draws<double>(rng, n * static_cast<size_t>(net.outputs()));
    const std::vector<double> weight{1, 0, 2, .5, 3};
    typename Mlp<double>::Workspace work;
    std::vector<double> gradient(net.parameters().size()), unused(net.parameters().size());
    const double loss = net.gradient(x, t, weight, gradient, work);

    double by_hand = 0;
    for (size_t s = 0; s < n; ++s) {
      std::vector<double> y(static_cast<size_t>(net.outputs()));
      net.apply(std::span(x).subspan(s * static_cast<size_t>(net.inputs()), static_cast<size_t>(net.inputs())), y);
      for (size_t o = 0; o < y.size(); ++o) by_hand += weight[s] * (y[o] - t[s * y.size() + o]) * (y[o] - t[s * y.size() + o]) / 2 / n;
    }
    EXPECT_NEAR(loss, by_hand, 1e-12 * by_hand);

    // Which parameters pad: those that stay out of the packed form.
    Mlp<double> ones(sizes);
    ones.unpack(std::vector<double>(values.size(), 1.0));
    for (size_t i = 0; i < gradient.size(); ++i) {
      if (ones.parameters()[i] == 0) {
        EXPECT_EQ(gradient[i], 0) << "padding";
        continue;
      }
      const double h = 1e-6, was = net.parameters()[i];
      net.parameters()[i] = was + h;
      const double above = net.gradient(x, t, weight, unused, work);
      net.parameters()[i] = was - h;
      const double below = net.gradient(x, t, weight, unused, work);
      net.parameters()[i] = was;
      ASSERT_NEAR(gradient[i], (above - below) / (2 * h), 1e-7 * (1 + std::abs(gradient[i]))) << "parameter " << i;
    }
  }
}

TEST(Mlp, FloatGradientIsTheDoublesRounded) {
  Rng rng(4, "float");
  const std::vector<int> sizes{26, 32, 32, 6};
  auto exact = Mlp<double>::random(sizes, rng);
  Mlp<float> fast(sizes);
  std::vector<float> narrow;
  for (const double v : exact.packed()) narrow.push_back(static_cast<float>(v));
  fast.unpack(narrow);
  exact.unpack(std::vector<double>(narrow.begin(), narrow.end()));
  const size_t n = 64;
  const auto x = draws<float>(rng, n * 26), t = draws<float>(rng, n * 6);
  const std::vector<float> weight(n, 1);
  std::vector<float> g(fast.parameters().size());
  std::vector<double> h(exact.parameters().size());
  Mlp<float>::Workspace fw;
  Mlp<double>::Workspace dw;
  fast.gradient(x, t, weight, g, fw);
  exact.gradient(std::vector<double>(x.begin(), x.end()), std::vector<double>(t.begin(), t.end()), std::vector<double>(n, 1), h, dw);
  for (size_t i = 0; i < g.size(); ++i) ASSERT_NEAR(g[i], h[i], 2e-5 * (1 + std::abs(h[i])));
}

TEST(Mlp, OutputBoundHoldsAndSeesOverflow) {
  Rng rng(5, "bound");
  auto net = Mlp<float>::random({4, 8, 2}, rng);
  const double bound = net.output_bound(4);
  double largest = 0;
  for (int i = 0; i < 2000; ++i) {
    std::vector<float> x(4), y(2);
    for (float& v : x) v = static_cast<float>(rng.uniform(-4, 4));
    net.apply(x, y);
    for (const float v : y) largest = std::max(largest, std::abs(static_cast<double>(v)));
  }
  EXPECT_LE(largest, bound);
  EXPECT_GT(largest, bound / 50);
  std::vector<float> w = net.packed();
  w[3] = std::nanf("");
  net.unpack(w);
  EXPECT_TRUE(std::isinf(net.output_bound(4)));
}

TEST(Adam, FollowsTheFormula) {
  std::vector<double> p{1, -2, .5}, m(3), v(3), q = p;
  Adam<double> adam(3);
  for (int t = 1; t <= 5; ++t) {
    const std::vector<double> g{.3 * t, -1e-3, 0};
    adam.step(q, g, {.rate = .01, .decay = .1});
    for (size_t i = 0; i < 3; ++i) {
      m[i] = .9 * m[i] + .1 * g[i];
      v[i] = .999 * v[i] + .001 * g[i] * g[i];
      const double mh = m[i] / (1 - std::pow(.9, t)), vh = v[i] / (1 - std::pow(.999, t));
      p[i] -= .01 * .1 * p[i] + .01 * mh / (std::sqrt(vh) + 1e-8);
      EXPECT_NEAR(q[i], p[i], 1e-12);
    }
  }
}

TEST(Adam, FitsAKnownFunction) {
  // max(x0, x1) is exactly representable: x1 + relu(x0 - x1), with x1 = relu(x1) - relu(-x1).
  Rng rng(6, "fit");
  auto net = Mlp<float>::random({2, 16, 1}, rng);
  Adam<float> adam(net.parameters().size());
  Mlp<float>::Workspace work;
  std::vector<float> gradient(net.parameters().size());
  const std::vector<float> weight(64, 1);
  float loss = 0;
  const int steps = 4000;
  for (int step = 0; step < steps; ++step) {
    const auto x = draws<float>(rng, 128);
    std::vector<float> t(64);
    for (size_t s = 0; s < 64; ++s) t[s] = std::max(x[2 * s], x[2 * s + 1]);
    loss = net.gradient(x, t, weight, gradient, work);
    adam.step(net.parameters(), gradient, {.rate = 1e-2f * (1 - static_cast<float>(step) / steps)});
  }
  EXPECT_LT(loss, 1e-4f);
}

// The same on every build: neither the optimiser's level nor vector width may change a bit of what training gives.
TEST(Adam, TrainingGivesTheseBits) {
  Rng rng(7, "bits");
  auto net = Mlp<float>::random({26, 32, 32, 6}, rng);
  Adam<float> adam(net.parameters().size());
  Mlp<float>::Workspace work;
  std::vector<float> gradient(net.parameters().size());
  const std::vector<float> weight(32, 1);
  for (int step = 0; step < 50; ++step) {
    const auto x = draws<float>(rng, 32 * 26), t = draws<float>(rng, 32 * 6);
    net.gradient(x, t, weight, gradient, work);
    adam.step(net.parameters(), gradient, {.rate = 3e-3f, .decay = 1e-4f});
  }
  Hash64 hash;
  for (const float v : net.packed()) hash.add(uint64_t{std::bit_cast<uint32_t>(v)});
  EXPECT_EQ(hash.hex(), "85037ca1bd5e2b4d");
}

}  // namespace
}  // namespace pointsman

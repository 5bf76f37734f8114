#include "learn/onnx.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "base/file.h"
#include "learn/train.h"
#include "learn/world_for_test.h"

namespace pointsman {
namespace {

using testing::HasSubstr;

Model trained(std::string_view algorithm) {
  TrainOptions options{.hidden = {12, 8}, .nets = 2, .epochs = 3, .batch = 16, .algorithm = algorithm};
  options.trees = {.per_member = 4, .leaves = 8, .least = 2};
  options.rule = {.deviations = .75, .margin = .03, .ewma = .25};
  auto model = train(make_world({}, 1, 3, 6), options);
  EXPECT_TRUE(model) << algorithm;
  return *model;
}

TEST(Onnx, EveryKindComesBack) {
  for (const Learner& learner : learners()) {
    const Model model = trained(learner.name);
    const auto back = from_onnx(to_onnx(model));
    ASSERT_TRUE(back) << learner.name << ": " << back.error().message;
    EXPECT_EQ(back->kind, model.kind);
    EXPECT_EQ(back->members(), model.members());
    EXPECT_EQ(back->rule.deviations, .75);
    EXPECT_EQ(back->rule.ewma, .25);
    for (const Block& block : make_world({}, 50, 1, 3).blocks)
      for (const FeatureVector& x : block.windows[2]) {
        const Prediction a = model.predict(x, 2), b = back->predict(x, 2);
        for (size_t k = 0; k < static_cast<size_t>(a.nets); ++k)
          for (size_t arm = 0; arm < kChoosable; ++arm) EXPECT_NEAR(a.regret[k][arm], b.regret[k][arm], 1e-4) << learner.name;
      }
  }
}

TEST(Onnx, RefusesWhatItDidNotWrite) {
  const std::string good = to_onnx(trained("mlp"));
  EXPECT_EQ(from_onnx("").error().message, "damaged ONNX file: it has no graph");
  EXPECT_EQ(from_onnx("hello").error().code, ErrorCode::kCorrupt);
  std::string other = good;
  other.replace(other.find("eevdf hyb"), 9, "eevdf hyx");
  EXPECT_EQ(from_onnx(other).error().message, "not a graph that this build writes: it chooses among other arms");
  other = good;
  other.replace(other.find("Relu"), 4, "Tanh");
  EXPECT_THAT(from_onnx(other).error().message, HasSubstr("operator Tanh"));
}

TEST(Onnx, DamagedFilesNeverCrash) {
  const std::string nets = to_onnx(trained("mlp")), trees = to_onnx(trained("trees"));
  Rng rng(1, "onnx damage");
  for (int i = 0; i < 3000; ++i) {
    std::string bad = i % 2 == 0 ? nets : trees;
    for (uint64_t n = 1 + rng.below(4); n > 0; --n) bad[rng.below(bad.size())] = static_cast<char>(rng.next());
    if (rng.below(3) == 0) bad.resize(rng.below(bad.size()));
    const auto model = from_onnx(bad);
    if (!model) continue;
    const Prediction p = model->predict({}, 1);
    for (int k = 0; k < p.nets; ++k)
      for (const float v : p.regret[static_cast<size_t>(k)]) ASSERT_TRUE(std::isfinite(v));
  }
}

// A well-kept library computes what we compute. Skipped, with a reason, where it is not installed.
TEST(Onnx, OnnxruntimeAgrees) {
  const char* python = std::getenv("POINTSMAN_PYTHON");
  const std::string interpreter = python != nullptr ? python : std::string(POINTSMAN_SOURCE_DIR) + "/build/venv/bin/python";
  if (std::system((interpreter + " -c 'import onnxruntime, numpy' 2>/dev/null").c_str()) != 0)
    GTEST_SKIP() << interpreter << " has no onnxruntime: scripts/setup --test installs it";
  const std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / "pointsman_onnx_test";
  std::filesystem::create_directories(folder);
  const Dataset unseen = make_world({}, 50, 2, 4);
  for (const Learner& learner : learners()) {
    const Model model = trained(learner.name);
    const std::string base = (folder / std::string(learner.name)).string();
    ASSERT_TRUE(write_file(base + ".onnx", to_onnx(model)));
    std::string inputs, expected;
    for (const Block& block : unseen.blocks)
      for (ArmId active = 0; active < kChoosable; ++active)
        for (const FeatureVector& x : block.windows[static_cast<size_t>(active)]) {
          for (const double v : x) inputs += fmt::format("{:.17g} ", v);
          for (ArmId arm = 0; arm < kChoosable; ++arm) inputs += arm == active ? "1 " : "0 ";
          inputs += "\n";
          const Prediction p = model.predict(x, active);
          for (size_t k = 0; k < static_cast<size_t>(p.nets); ++k)
            for (const float v : p.regret[k]) expected += fmt::format("{:.9g} ", is_policy(model.kind) ? std::exp(-v) : v);
          expected += "\n";
        }
    ASSERT_TRUE(write_file(base + ".in", inputs));
    ASSERT_TRUE(write_file(base + ".expected", expected));
  }
  const std::string script =
      "import sys, numpy as np, onnxruntime as rt\n"
      "worst = 0\n"
      "for base in sys.argv[1:]:\n"
      "    x = np.loadtxt(base + '.in').astype(np.float32)\n"
      "    want = np.loadtxt(base + '.expected')\n"
      "    s = rt.InferenceSession(base + '.onnx', providers=['CPUExecutionProvider'])\n"
      "    got = s.run(None, {'features': x[:, :20], 'active': x[:, 20:]})[0]\n"
      "    assert got.shape == (len(x), want.shape[1] // 6, 6), got.shape\n"
      "    off = np.abs(got.reshape(len(x), -1) - want).max(axis=1)\n"
      // A feature within rounding of a threshold may fall on the other side of it: seldom, and only in trees.
      "    bad = (off > 1e-5).mean()\n"
      "    assert bad <= (0.01 if base.endswith('trees') else 0), (base, bad, off.max())\n"
      "    worst = max(worst, np.median(off))\n"
      "print('median difference', worst)\n";
  ASSERT_TRUE(write_file((folder / "check.py").string(), script));
  std::string command = interpreter + " " + (folder / "check.py").string();
  for (const Learner& learner : learners()) command += " " + (folder / std::string(learner.name)).string();
  EXPECT_EQ(std::system(command.c_str()), 0);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace pointsman

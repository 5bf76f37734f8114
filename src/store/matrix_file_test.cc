#include "store/matrix_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>

#include "base/file.h"
#include "base/rng.h"

namespace pointsman {
namespace {

using testing::HasSubstr;

// As a matrix looks: families x seeds x arms, 15 windows of 20 features that wander.
std::vector<LedgerRun> sample_matrix(int families, int seeds, int windows = 15) {
  std::vector<LedgerRun> runs;
  for (int family = 0; family < families; ++family)
    for (int seed = 0; seed < seeds; ++seed)
      for (const char* arm : {"eevdf", "hyb", "las", "age", "sjf", "ipre"}) {
        Rng rng(static_cast<uint64_t>(seed), arm, static_cast<uint64_t>(family));
        LedgerRun run;
        run.key = {.scenario = "family" + std::to_string(family),
                   .controller = arm,
                   .seed = static_cast<uint64_t>(seed),
                   .kernel = "kernel",
                   .binary = "binary",
                   .plan = std::to_string(family) + "/" + std::to_string(seed),
                   .qemu = "qemu",
                   .snapshot = "snapshot"};
        run.split = "train";
        run.selftest_ok = rng.uniform() < .99;
        run.features_schema = "schema";
        run.results_hash = std::to_string(rng.next());
        for (int phase = -1; phase < 1; ++phase)
          run.costs.push_back({.phase = phase,
                               .kind = -1,
                               .family = run.key.scenario,
                               .jobs = 100,
                               .unscored = 0,
                               .log_slowdown = rng.normal(),
                               .mean_tat_s = rng.uniform(),
                               .mean_rt_s = rng.uniform(),
                               .cv_fairness = rng.uniform(),
                               .seed_l = rng.uniform(),
                               .mean_slowdown = rng.uniform(),
                               .p99_rt_short_s = std::nan(""),
                               .p99_tat_s = rng.uniform(),
                               .makespan_s = 2});
        std::vector<float> centre(20);
        for (float& x : centre) x = static_cast<float>(rng.uniform(0, 10));
        for (int w = 0; w < windows; ++w) {
          LedgerWindow window{.end_ns = int64_t{250'000'000} * (w + 1) + static_cast<int64_t>(rng.below(100000)),
                              .arm = arm,
                              .idle = false,
                              .features = centre};
          for (float& x : window.features) x += static_cast<float>(rng.normal());
          run.windows.push_back(window);
        }
        runs.push_back(run);
      }
  return runs;
}

void expect_same(const LedgerRun& a, const LedgerRun& b) {
  EXPECT_EQ(a.key, b.key);
  EXPECT_EQ(a.split, b.split);
  EXPECT_EQ(a.selftest_ok, b.selftest_ok);
  EXPECT_EQ(a.results_hash, b.results_hash);
  EXPECT_EQ(a.features_schema, b.features_schema);
  EXPECT_EQ(a.details, b.details);
  ASSERT_EQ(a.costs.size(), b.costs.size());
  for (size_t i = 0; i < a.costs.size(); ++i) {
    EXPECT_EQ(a.costs[i].log_slowdown, b.costs[i].log_slowdown);
    EXPECT_EQ(a.costs[i].phase, b.costs[i].phase);
    EXPECT_EQ(a.costs[i].family, b.costs[i].family);
    EXPECT_TRUE(std::isnan(b.costs[i].p99_rt_short_s));
  }
  ASSERT_EQ(a.windows.size(), b.windows.size());
  for (size_t i = 0; i < a.windows.size(); ++i) {
    EXPECT_EQ(a.windows[i].end_ns, b.windows[i].end_ns);
    EXPECT_EQ(a.windows[i].arm, b.windows[i].arm);
    ASSERT_EQ(a.windows[i].features, b.windows[i].features);
  }
}

TEST(MatrixFile, WhatGoesInComesOutInTheReadingOrder) {
  std::vector<LedgerRun> runs = sample_matrix(2, 3);
  runs[4].rejected = "lag";
  runs[5].windows.clear();
  const std::string path = testing::TempDir() + "pointsman_matrix_test";
  ASSERT_TRUE(write_matrix(path, runs));
  auto back = read_matrix(path);
  ASSERT_TRUE(back) << back.error().message;
  std::sort(runs.begin(), runs.end(), [](const LedgerRun& a, const LedgerRun& b) { return reads_before(a.key, b.key); });
  ASSERT_EQ(back->size(), runs.size());
  for (size_t i = 0; i < runs.size(); ++i) expect_same(runs[i], (*back)[i]);
  std::filesystem::remove(path);
}

TEST(MatrixFile, SameRunsSameBytesInWhateverOrder) {
  std::vector<LedgerRun> runs = sample_matrix(2, 3);
  const std::string one = *encode_matrix(runs);
  std::reverse(runs.begin(), runs.end());
  EXPECT_EQ(one, *encode_matrix(runs));
}

TEST(MatrixFile, EmptyIsAFileToo) { EXPECT_TRUE(decode_matrix(*encode_matrix({}))->empty()); }

TEST(MatrixFile, TwoThousandRunsFitInThreeMegabytes) {
  const auto runs = sample_matrix(24, 14);  // 2,016
  const auto bytes = encode_matrix(runs);
  ASSERT_TRUE(bytes);
  EXPECT_LT(bytes->size(), 3'000'000u);
  EXPECT_GT(bytes->size(), 100'000u);
}

TEST(MatrixFile, RefusesWhatItCannotRead) {
  const std::string good = *encode_matrix(sample_matrix(1, 1));
  EXPECT_EQ(decode_matrix("").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(decode_matrix("{\"runs\": 3}").error().message, "not a matrix file");
  EXPECT_EQ(decode_matrix(good.substr(0, 20)).error().message, "truncated in the header");
  std::string newer = good;
  newer[8] = 9;
  EXPECT_EQ(decode_matrix(newer).error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(decode_matrix(newer).error().message, "version 9, this build reads version 1");
  EXPECT_EQ(decode_matrix(good + "x").error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(read_matrix("/no/such/matrix").error().code, ErrorCode::kNotFound);
  auto odd = sample_matrix(1, 1);
  odd[1].windows[0].features.pop_back();
  EXPECT_EQ(encode_matrix(odd).error().code, ErrorCode::kInvalidArgument);
}

TEST(MatrixFile, EveryTruncationAndEveryChangedByteIsSeen) {
  const std::string good = *encode_matrix(sample_matrix(1, 1, 4));
  for (size_t length = 0; length < good.size(); length += 7) EXPECT_FALSE(decode_matrix(good.substr(0, length))) << length;
  Rng rng(11, "matrix corruption");
  for (int i = 0; i < 3000; ++i) {
    std::string bad = good;
    const uint64_t at = rng.below(bad.size());
    bad[at] = static_cast<char>(bad[at] ^ (1 << rng.below(8)));
    const auto runs = decode_matrix(bad);
    ASSERT_FALSE(runs) << "byte " << at;
    EXPECT_EQ(runs.error().message.find('\n'), std::string::npos);
  }
}

}  // namespace
}  // namespace pointsman

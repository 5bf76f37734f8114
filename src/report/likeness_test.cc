#include "report/likeness.h"

#include <gtest/gtest.h>

#include <cmath>

namespace pointsman::report {
namespace {

TEST(RankCorrelation, OfOrdersAndTies) {
  const std::vector<double> x{1, 2, 3, 4}, same{10, 20, 30, 400}, other{4, 3, 2, 1}, flat{7, 7, 7, 7};
  EXPECT_DOUBLE_EQ(rank_correlation(x, same), 1);
  EXPECT_DOUBLE_EQ(rank_correlation(x, other), -1);
  EXPECT_TRUE(std::isnan(rank_correlation(x, flat)));
  EXPECT_TRUE(std::isnan(rank_correlation(std::vector<double>{1, 2}, std::vector<double>{1, 2})));
  // scipy.stats.spearmanr([1,2,2,4,5],[1,3,2,5,4]) = 0.8720815992723809
  EXPECT_NEAR(rank_correlation(std::vector<double>{1, 2, 2, 4, 5}, std::vector<double>{1, 3, 2, 5, 4}), 0.8720815992723809, 1e-12);
}

MatrixReport report_of(std::vector<std::vector<std::vector<double>>> families) {
  MatrixReport report;
  report.arms = {"eevdf", "vtime", "theirs", "far"};
  for (auto& ln_ratio : families) {
    MatrixFamily family;
    family.name = "f" + std::to_string(report.families.size());
    family.ln_ratio = std::move(ln_ratio);
    report.families.push_back(std::move(family));
  }
  return report;
}

TEST(Likeness, SeedsThatOneLacksCountForNeitherAndFamiliesCountEqually) {
  const MatrixReport report = report_of({
      {{0, 0}, {.1, .3}, {.2, kMissing}, {1, 1}},
      {{0, 0}, {.2, .2}, {.3, .5}, {-1, -1}},
      {{0}, {.5}, {kMissing}, {2}},
  });
  const Likeness l = likeness(report, 2, 1);
  EXPECT_EQ(l.families, 2);
  EXPECT_NEAR(l.distance, (.1 + .2) / 2, 1e-12);
  EXPECT_TRUE(std::isnan(l.rank_correlation)) << "two families have no ranks worth the name";
  EXPECT_EQ(likeness(report, 1, 2).distance, l.distance);
}

TEST(Likeness, TheTableMarksTheNearest) {
  const MatrixReport report = report_of({{{0}, {.1}, {.11}, {1}}, {{0}, {.2}, {.21}, {-1}}, {{0}, {.3}, {.31}, {2}}});
  const std::vector<std::string> arms{"theirs", "not run"};
  const Table table = likeness_table(report, arms);
  const auto rows = table.json();
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_NEAR(rows[0].at("vtime").get<double>(), .01, 1e-12);
  EXPECT_NEAR(rows[0].at("eevdf").get<double>(), .21, 1e-12);
  EXPECT_NEAR(rows[1].at("vtime").get<double>(), 1, 1e-12);
  EXPECT_TRUE(rows[1].at("eevdf").is_null()) << "the baseline has no ratio to itself";
  EXPECT_EQ(rows[0].at("nearest"), nlohmann::json::array({"vtime"}));
}

}  // namespace
}  // namespace pointsman::report

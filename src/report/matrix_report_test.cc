#include "report/matrix_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "report/wellformed_for_test.h"

namespace pointsman::report {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Interval range_of(std::span<const double> values) {
  Interval out{0, values[0], values[0]};
  for (const double v : values) {
    out.mean += v / static_cast<double>(values.size());
    out.low = std::min(out.low, v);
    out.high = std::max(out.high, v);
  }
  return out;
}

std::vector<double> ln(std::initializer_list<double> ratios) {
  std::vector<double> out;
  for (const double r : ratios) out.push_back(std::log(r));
  return out;
}

MatrixReport synthetic_matrix() {
  MatrixReport report;
  report.arms = {"eevdf", "las", "age"};
  report.families = {// las and age spread widely, but las is better on every seed: separable because paired.
                     {.name = "paired",
                      .regime = "tail",
                      .imitates = "x",
                      .baseline_slowdown = 2.5,
                      .ln_ratio = {ln({1, 1}), ln({.5, .8}), ln({.55, .88})}},
                     // Which is better depends on the seed: not separable.
                     {.name = "mixed", .regime = "batch", .ln_ratio = {ln({1, 1}), ln({.7, .6}), ln({.65, .7})}},
                     // Within a tie.
                     {.name = "tie", .regime = "control", .ln_ratio = {ln({1, 1}), ln({.995, .995}), ln({2, 2})}}};
  return report;
}

TEST(Matrix, best_is_what_cannot_be_told_from_the_best_on_the_same_seeds) {
  MatrixReport report = synthetic_matrix();
  judge(report, range_of);
  const auto best = [&](size_t family) {
    std::vector<bool> out;
    for (const MatrixCell& cell : report.families[family].cells) out.push_back(cell.best);
    return out;
  };
  EXPECT_EQ(best(0), (std::vector<bool>{false, true, false}));
  EXPECT_EQ(best(1), (std::vector<bool>{false, true, true}));
  EXPECT_EQ(best(2), (std::vector<bool>{true, true, false}));
}

TEST(Matrix, totals_count_families_equally) {
  MatrixReport report = synthetic_matrix();
  judge(report, range_of);
  const double las = std::cbrt(std::sqrt(.5 * .8) * std::sqrt(.7 * .6) * .995);
  EXPECT_NEAR(report.totals[1].ratio.mean, las, 1e-12);
  EXPECT_EQ(report.best_static, "las");
  EXPECT_NEAR(report.oracle_ratio, las, 1e-12);  // las is best in all three
  EXPECT_EQ(report.totals[2].worst_family, "tie");
  EXPECT_NEAR(report.totals[2].worst_to_best, 2 / .995, 1e-12);
  EXPECT_EQ(report.totals[0].lost, 2);
  EXPECT_EQ(report.totals[1].lost, 0);
}

TEST(Matrix, an_arm_that_misses_a_family_has_no_total) {
  MatrixReport report = synthetic_matrix();
  report.families[2].ln_ratio[1] = {kMissing, kMissing};
  report.families[0].ln_ratio[2] = {kMissing, std::log(.88)};
  judge(report, range_of);
  EXPECT_FALSE(report.totals[1].ratio.known());
  EXPECT_TRUE(report.totals[2].ratio.known());
  EXPECT_NEAR(report.families[0].cells[2].ratio.mean, .88, 1e-12);
  EXPECT_EQ(report.best_static, "eevdf");
}

TEST(Matrix, prints_as_a_table) {
  MatrixReport report = synthetic_matrix();
  judge(report, range_of);
  EXPECT_EQ(matrix_table(report).text(),
            "geometric-mean slowdown as a ratio to eevdf (below 1 is better); * best, or not separable from it at 95 %\n"
            "family                       regime   seeds  eevdf abs  eevdf    las    age   best\n"
            "---------------------------  -------  -----  ---------  -----  -----  -----  ----------\n"
            "paired                       tail         2       2.50  1.00   0.63*  0.70   las\n"
            "mixed                        batch        2          -  1.00   0.65*  0.67*  las, age\n"
            "tie                          control      2          -  1.00*  0.99*  2.00   eevdf, las\n"
            "---------------------------  -------  -----  ---------  -----  -----  -----  ----------\n"
            "all families                                            1.00   0.74   0.98   las\n"
            "worst, to the family's best                             1.58   1.00   2.01\n"
            "Best arm of each family: 0.74 (0.0 % below las, the best single arm).\n");
  EXPECT_THAT(matrix_table(report, {.intervals = true}).text(), HasSubstr("0.63 [0.50, 0.80]*"));
}

TEST(Matrix, json_has_intervals_and_marks) {
  MatrixReport report = synthetic_matrix();
  judge(report, range_of);
  const nlohmann::json json = to_json(report);
  EXPECT_EQ(json["families"][1]["arms"]["age"]["best"], true);
  EXPECT_NEAR(json["families"][0]["arms"]["las"]["low"].get<double>(), .5, 1e-12);
  EXPECT_EQ(json["families"][1]["baseline_slowdown"], nullptr);
  EXPECT_EQ(json["best_static"], "las");
  EXPECT_EQ(json["totals"]["eevdf"]["families_lost_by_10_percent"], 2);
}

TEST(Matrix, page_marks_and_tints) {
  MatrixReport report = synthetic_matrix();
  judge(report, range_of);
  const std::string html = to_html(report);
  EXPECT_EQ(problem_in_markup(html), "");
  EXPECT_THAT(html, HasSubstr("<td class=\"heat better marked\" style=\"--h:0.66\">0.63<span class=\"ci\">0.50–0.80</span></td>"));
  EXPECT_THAT(html, HasSubstr("<td class=\"heat worse\" style=\"--h:1.00\">2.00</td>"));
  EXPECT_THAT(html, HasSubstr("One arm is best, or as good as the best, everywhere."));
}

TEST(Matrix, empty_missing_and_hostile_input) {
  EXPECT_EQ(problem_in_markup(to_html(MatrixReport{})), "");
  EXPECT_THAT(to_html(MatrixReport{}), HasSubstr("Nothing was measured."));
  MatrixReport report = synthetic_matrix();
  EXPECT_EQ(problem_in_markup(to_html(report)), "");  // not judged yet
  report.arms[1] = report.families[0].name = report.families[0].imitates = "<script>alert(1)</script>\"";
  report.families[1].ln_ratio = {};
  judge(report, range_of);
  const std::string html = to_html(report);
  EXPECT_EQ(problem_in_markup(html), "");
  EXPECT_THAT(html, Not(HasSubstr("<script>alert")));
  EXPECT_THAT(matrix_table(report).text(), Not(HasSubstr("nan")));
}

}  // namespace
}  // namespace pointsman::report

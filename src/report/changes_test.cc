#include "report/changes.h"

#include <gtest/gtest.h>

#include <cmath>

namespace pointsman::report {
namespace {

TEST(Changes, FamiliesCountEquallyAndTheLastColumnIsOfBothDirections) {
  const std::vector<std::string> arms{"eevdf", "hyb", "las"};
  const std::vector<Change> changes{
      {"eevdf", "hyb", "web", .1},  {"eevdf", "hyb", "web", .3}, {"eevdf", "hyb", "batch", .4},  // .2 and .4
      {"hyb", "eevdf", "web", -.1}, {"hyb", "las", "web", .05},
  };
  const auto rows = changes_table(arms, changes).json();
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_NEAR(rows[0].at("hyb").get<double>(), std::exp(.3), 1e-12);
  EXPECT_NEAR(rows[0].at("both_ways").get<double>(), std::exp((.3 - .1) / 2), 1e-12);
  EXPECT_NEAR(rows[1].at("both_ways").get<double>(), std::exp((.3 - .1) / 2), 1e-12) << "to las there is no way back";
  EXPECT_TRUE(rows[0].at("las").is_null());
  EXPECT_TRUE(rows[2].at("both_ways").is_null());
}

}  // namespace
}  // namespace pointsman::report

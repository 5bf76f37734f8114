// A model that leaves as ONNX and comes back is written as the same bytes again.
#include <gmock/gmock.h>

#include "base/file.h"
#include "tests/run_binary.h"

namespace pointsman {
namespace {

TEST(Convert, AModelComesBack) {
  const TempFolder folder;
  const std::string shipped = std::string(POINTSMAN_SOURCE_DIR) + "/models/default.pmm", there = folder.path() + "/it.onnx", back = folder.path() + "/back.pmm", again = folder.path() + "/again.onnx";
  ASSERT_EQ(run_binary({"convert", shipped, there}).exit_code, 0);
  ASSERT_EQ(run_binary({"convert", there, back}).exit_code, 0);
  ASSERT_EQ(run_binary({"convert", back, again}).exit_code, 0);
  EXPECT_EQ(*read_file(again), *read_file(there));
  EXPECT_THAT(*read_file(back + ".json"), testing::HasSubstr("converted from"));
}

TEST(Convert, WhatItWasTrainedForTravelsAlong) {
  const TempFolder folder;
  const std::string mine = folder.path() + "/mine.pmm", there = folder.path() + "/it.onnx", back = folder.path() + "/back.pmm";
  ASSERT_TRUE(write_file(mine, *read_file(std::string(POINTSMAN_SOURCE_DIR) + "/models/default.pmm")));
  ASSERT_TRUE(write_file(mine + ".json", R"({"objective": "mean_tat"})"));
  ASSERT_EQ(run_binary({"convert", mine, there}).exit_code, 0);
  ASSERT_EQ(run_binary({"convert", there, back}).exit_code, 0);
  EXPECT_THAT(*read_file(back + ".json"), testing::HasSubstr(R"("objective": "mean_tat")"));
  ASSERT_TRUE(write_file(mine + ".json", "no card"));
  EXPECT_EQ(run_binary({"convert", mine, there}).exit_code, 1) << "rather than guessing";
}

}  // namespace
}  // namespace pointsman

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

}  // namespace
}  // namespace pointsman

#include "http/result_windows.h"

#include <gtest/gtest.h>

namespace pointsman {
namespace {

using nlohmann::json;

json repeat_with(const json& windows) { return {{"repeat", 0}, {"windows", windows}}; }

TEST(ResultWindows, ComeBackAsTheyWere) {
  std::vector<ResultWindow> windows(2);
  windows[0].end_ns = 250'000'000;
  windows[0].idle = true;
  windows[1].end_ns = 500'000'000;
  for (size_t f = 0; f < kFeatures; ++f) windows[1].features[f] = .1 * static_cast<double>(f) - 1;
  const json text = json::parse(to_json(windows).dump());
  EXPECT_EQ(text.at("names").size(), static_cast<size_t>(kFeatures));
  auto back = windows_of(repeat_with(text));
  ASSERT_TRUE(back) << back.error().message;
  ASSERT_EQ(back->size(), 2u);
  EXPECT_TRUE((*back)[0].idle);
  EXPECT_EQ((*back)[1].end_ns, 500'000'000);
  EXPECT_EQ((*back)[1].features, windows[1].features);
}

TEST(ResultWindows, WhereThereAreNoneThereAreNone) {
  EXPECT_TRUE(windows_of(json{{"repeat", 0}})->empty());
  EXPECT_TRUE(windows_of(repeat_with(nullptr))->empty());
}

TEST(ResultWindows, OtherFeaturesAndDamagedOnesAreRefused) {
  json windows = to_json(std::vector<ResultWindow>(1));
  json other = windows;
  other["schema"] = "0";
  EXPECT_EQ(windows_of(repeat_with(other)).error().code, ErrorCode::kUnsupported);
  other = windows;
  other["rows"][0]["values"].erase(0);
  EXPECT_EQ(windows_of(repeat_with(other)).error().message, "a window has 19 features instead of 20");
  other = windows;
  other["rows"][0]["values"][3] = nullptr;
  EXPECT_EQ(windows_of(repeat_with(other)).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(windows_of(repeat_with("many")).error().code, ErrorCode::kCorrupt);
}

}  // namespace
}  // namespace pointsman

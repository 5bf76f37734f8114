#include "lab/verify.h"

#include <gmock/gmock.h>

#include "lab/exec.h"

namespace pointsman {
namespace {

using testing::HasSubstr;

VerifyRow row(const char* group, const char* identity, const char* hash, bool good = true) {
  VerifyRow out;
  out.group = group, out.identity = identity, out.hash = hash, out.self_test_good = good;
  return out;
}

VerifyReport report_of(std::vector<VerifyRow> rows) {
  VerifyReport report;
  report.rows = std::move(rows);
  judge(report);
  return report;
}

TEST(Verify, ForksAreComparedWithForksAndBootsWithBoots) {
  const auto report = report_of({row("forks of one save", "i", "f"), row("forks of one save", "i", "f"), row("two saves", "i", "f"), row("two boots", "", "b"), row("two boots", "", "b")});
  EXPECT_TRUE(report.exact());
  EXPECT_EQ(report.json().at("exact"), true);
  EXPECT_EQ(report.json().at("rows").size(), 5u);
}

TEST(Verify, EveryDifferenceIsSeen) {
  const auto f = row("forks of one save", "i", "f"), s = row("two saves", "i", "f"), b = row("two boots", "", "b");
  EXPECT_FALSE(report_of({f, row("forks of one save", "i", "x"), s, b, b}).forks_agree);
  EXPECT_FALSE(report_of({f, f, row("two saves", "i", "x"), b, b}).saves_agree);
  EXPECT_FALSE(report_of({f, f, row("two saves", "j", "f"), b, b}).saves_agree);  // equal results of unequal saves are luck
  EXPECT_FALSE(report_of({f, f, s, b, row("two boots", "", "x")}).boots_agree);
  EXPECT_FALSE(report_of({f, f, s, b, row("two boots", "", "b", false)}).exact());
  EXPECT_FALSE(report_of({f, f, s, b}).boots_agree);  // nothing to compare with
  EXPECT_FALSE(report_of({f, f, b, b}).saves_agree);
  EXPECT_FALSE(report_of({}).exact());
}

RunResult run_with(const nlohmann::json& selftest, const nlohmann::json& end) {
  RunResult run;
  run.frames.push_back({"hello", nlohmann::json{{"selftest", selftest}}.dump()});
  run.frames.push_back({"exec", R"({"exit_code":3,"signal":0,"wall_ns":2500000000,"user_ns":1000000000,"system_ns":0,"stdout_bytes":5,"stderr_bytes":9})"});
  run.frames.push_back({"stdout", "hello"});
  run.frames.push_back({"stderr", "oh"});
  run.end = end;
  return run;
}

TEST(Exec, ReadsWhatTheGuestSaid) {
  const ExecResult result = read_exec(run_with({{"good", true}}, {{"kernel_complaints", 0}}));
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_DOUBLE_EQ(result.wall_seconds, 2.5);
  EXPECT_EQ(result.output, "hello");
  EXPECT_TRUE(result.output_cut);  // 2 of 9 bytes of stderr
  EXPECT_EQ(result.distrust, "");
}

TEST(Exec, DoubtsAreSaid) {
  EXPECT_THAT(read_exec(run_with({{"good", false}}, nlohmann::json::object())).distrust, HasSubstr("self-test before"));
  EXPECT_THAT(read_exec(run_with({{"good", true}}, {{"kernel_complaints", 512}})).distrust, HasSubstr("kernel warned"));
  RunResult run = run_with({{"good", true}}, nlohmann::json::object());
  run.frames.push_back({"beside", R"({"good":false,"mean_us":27000.0})"});
  EXPECT_THAT(read_exec(std::move(run)).distrust, HasSubstr("27000 us"));
}

}  // namespace
}  // namespace pointsman

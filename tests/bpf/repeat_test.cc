// pointsman variability --runs as a person uses it: a command on this host, twice the same arm; what it writes is what it reads.
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "tests/run_binary.h"

namespace pointsman {
namespace {

using testing::HasSubstr;

class VariabilityRuns : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "probe and trace need root";
  }
  std::string read(const std::string& name) {
    auto text = read_file(folder_ + "/out/" + name);
    EXPECT_TRUE(text) << text.error().message;
    return text ? *text : "";
  }
  TempFolder temporary_;
  const std::string& folder_ = temporary_.path();
};

TEST_F(VariabilityRuns, ACommandAgainstItself) {
  const Ran ran = run_binary({"variability", "--runs", "3", "--a-a", "--settle", "0", "--out", folder_ + "/out", "--json", "--", "sh", "-c", "/bin/true; /bin/true; sleep 0.25"});
  ASSERT_EQ(ran.exit_code, 0) << ran.err;
  const auto json = nlohmann::json::parse(ran.out, nullptr, false);
  ASSERT_FALSE(json.is_discarded()) << ran.out;
  EXPECT_EQ(json["files"][0]["rows"], 6) << "the warm-up does not count";
  bool processes = false;
  for (const auto& row : json["variation"]) {
    if (row["metric"] == "jobs [eevdf]") processes = row["mean"] == 4;  // the shell, two trues, one sleep
  }
  EXPECT_TRUE(processes) << ran.out;
  EXPECT_THAT(read("runs.csv"), HasSubstr("run,block,arm,time_s,wall_s,cpu_s,jobs,Average_TAT,Average_RT,CV_Fairness,L"));
  EXPECT_THAT(read("cpu_variability.csv"), HasSubstr("T_vcsw_total_delta [eevdf/A]"));
  EXPECT_THAT(read("other_variability.csv"), HasSubstr("Average_TAT [eevdf]"));
  EXPECT_THAT(read("settling.csv"), HasSubstr("metric,time_s,mean,cv_%"));
  EXPECT_THAT(read("report.html"), HasSubstr("id=\"boxes\""));
  EXPECT_THAT(read("report.md"), HasSubstr("- repeated: sh -c /bin/true"));
  const Ran again = run_binary({"variability", "--check", folder_ + "/out/runs.csv", "--check", folder_ + "/out/cpu_variability.csv"});
  EXPECT_EQ(again.exit_code, 0) << again.err;
  const Ran twice = run_binary({"variability", "--runs", "1", "--out", folder_ + "/out", "--", "true"});
  EXPECT_EQ(twice.exit_code, 2);
  EXPECT_THAT(twice.err, HasSubstr("runs.csv is there already")) << "an hour of runs is not overwritten";
}

TEST_F(VariabilityRuns, WhatIsNoMeasurementIsNone) {
  const std::string out = folder_ + "/out";
  const Ran failing = run_binary({"variability", "--runs", "2", "--settle", "0", "--out", out, "--", "false"});
  EXPECT_EQ(failing.exit_code, 1);
  EXPECT_THAT(failing.err, HasSubstr("false ended with exit code 1: a run that fails is no measurement"));
  EXPECT_THAT(run_binary({"variability", "--runs", "2", "--settle", "0", "--out", out, "--", "/no/such"}).err, HasSubstr("cannot run /no/such"));
  EXPECT_THAT(run_binary({"variability", "--runs", "2", "--out", out}).err, HasSubstr("one thing to repeat"));
  EXPECT_THAT(run_binary({"variability"}).err, HasSubstr("--runs N"));
  EXPECT_THAT(run_binary({"variability", "--runs", "2", "--out", out, "--arms", "eevdf,eevdf", "--", "true"}).err, HasSubstr("names eevdf twice"));
  EXPECT_THAT(run_binary({"variability", "--runs", "2", "--out", out, "--arms", "fast", "--", "true"}).err, HasSubstr("fast"));
  EXPECT_THAT(run_binary({"variability", "--runs", "2", "--out", out, "--family", "nothing"}).err, HasSubstr("nothing"));
  EXPECT_THAT(run_binary({"variability", "--family", "forks"}).err, HasSubstr("--runs"));
}

}  // namespace
}  // namespace pointsman

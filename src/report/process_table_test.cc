#include "report/process_table.h"

#include <gtest/gtest.h>

#include <cmath>

#include "report/describe.h"

namespace pointsman::report {
namespace {

std::vector<ProcessRow> sample() {
  std::vector<ProcessRow> rows(4);
  rows[0] = {.pid = 30, .parent = 1, .command = "cc1plus", .arrival_s = 10, .first_cpu_s = 10.001, .completion_s = 12, .cpu_s = 1.5, .voluntary = 3, .involuntary = 4, .threads = 1, .exit_code = 0};
  rows[1] = {.pid = 20, .parent = 1, .command = "make, \"all\"", .arrival_s = 9, .first_cpu_s = 9.004, .completion_s = 13, .cpu_s = .25, .voluntary = 9, .threads = 2, .exit_code = 2};
  rows[2] = {.pid = 40, .parent = 20, .command = "cc1", .arrival_s = 11, .first_cpu_s = kMissing, .cpu_s = .5, .threads = 1};  // alive, and from before
  rows[3] = {.pid = 50, .parent = 20, .command = "as", .arrival_s = 11.5, .first_cpu_s = 11.5, .completion_s = 11.75, .cpu_s = .125, .threads = 1, .exit_code = 0};
  return rows;
}
std::vector<int64_t> pids(const std::vector<ProcessRow>& rows) {
  std::vector<int64_t> out;
  for (const auto& row : rows) out.push_back(row.pid);
  return out;
}
std::vector<int64_t> passing(const std::string& text) {
  const auto filter = ProcessFilter::parse(text);
  EXPECT_TRUE(filter) << filter.error().message;
  std::vector<int64_t> out;
  for (const auto& row : sample()) {
    if (filter->passes(row)) out.push_back(row.pid);
  }
  return out;
}
std::string refusal(const std::string& text) {
  const auto filter = ProcessFilter::parse(text);
  EXPECT_FALSE(filter) << text;
  return filter ? "" : filter.error().message;
}

TEST(ProcessTable, SortsWithTheUnknownLastInBothDirections) {
  auto rows = sample();
  sort_processes(rows, *ProcessOrder::parse("TAT"));
  EXPECT_EQ(pids(rows), (std::vector<int64_t>{50, 30, 20, 40}));
  sort_processes(rows, *ProcessOrder::parse("TAT:desc"));
  EXPECT_EQ(pids(rows), (std::vector<int64_t>{20, 30, 50, 40}));
  sort_processes(rows, *ProcessOrder::parse("command"));
  EXPECT_EQ(pids(rows), (std::vector<int64_t>{50, 40, 30, 20}));
  const auto bad = ProcessOrder::parse("TATT");
  ASSERT_FALSE(bad);
  EXPECT_NE(bad.error().message.find("no column 'TATT' (there are PID, command, T_Arrival"), std::string::npos) << bad.error().message;
}

TEST(ProcessTable, FiltersNumbersAndText) {
  EXPECT_EQ(passing("TAT>=2"), (std::vector<int64_t>{30, 20}));
  EXPECT_EQ(passing("TAT < 2"), (std::vector<int64_t>{50}));
  EXPECT_EQ(passing("switches=9"), (std::vector<int64_t>{20}));
  EXPECT_EQ(passing("exit_code!=0"), (std::vector<int64_t>{20, 40})) << "what is not known is not 0";
  EXPECT_EQ(passing("command=cc1"), (std::vector<int64_t>{40}));
  EXPECT_EQ(passing("command~cc1"), (std::vector<int64_t>{30, 40}));
  EXPECT_EQ(passing("command != cc1"), (std::vector<int64_t>{30, 20, 50}));
  EXPECT_NE(refusal("TAT").find("is no condition"), std::string::npos);
  EXPECT_NE(refusal("TAT>soon").find("'soon' is no number"), std::string::npos);
  EXPECT_NE(refusal("TAT~1").find("~ is for text"), std::string::npos);
  EXPECT_NE(refusal("command<a").find("is text"), std::string::npos);
  EXPECT_NE(refusal("TAT>nan").find("is no number"), std::string::npos);
  EXPECT_NE(refusal(">1").find("no column ''"), std::string::npos);
}

TEST(ProcessTable, CsvQuotesWhatNeedsIt) {
  const auto rows = sample();
  const std::string csv = process_csv(std::span(rows).first(3));
  EXPECT_EQ(csv,
            "PID,command,T_Arrival,T_First_CPU,T_Completion,TAT,RT,Total_CPU_Time,switches,voluntary,involuntary,run_delay,threads,parent,exit_code\n"
            "30,cc1plus,10.000000,10.001000,12.000000,2.000000,0.001000,1.500000,7,3,4,0.000000,1,1,0\n"
            "20,\"make, \"\"all\"\"\",9.000000,9.004000,13.000000,4.000000,0.004000,0.250000,9,9,0,0.000000,2,1,2\n"
            "40,cc1,11.000000,,,,,0.500000,0,0,0,0.000000,1,20,\n");
}

TEST(ProcessTable, JsonHasTheColumnsNamesAndNullForTheUnknown) {
  const auto rows = sample();
  const auto json = process_table(rows).json();
  ASSERT_EQ(json.size(), 4u);
  EXPECT_EQ(json[0]["PID"], 30);
  EXPECT_DOUBLE_EQ(json[0]["TAT"].get<double>(), 2);
  EXPECT_TRUE(json[2]["TAT"].is_null());
  EXPECT_TRUE(json[2]["exit_code"].is_null());
}

// The values are those that pandas 2.2 prints for Series([2, 4, 0.25, nan, 1]).describe().
TEST(Describe, IsWhatPandasPrints) {
  const double values[] = {2, 4, .25, kMissing, 1};
  const Description d = describe(values);
  EXPECT_EQ(d.count, 4);
  EXPECT_DOUBLE_EQ(d.mean, 1.8125);
  EXPECT_NEAR(d.std, 1.6249999999999998, 1e-12);
  EXPECT_DOUBLE_EQ(d.min, .25);
  EXPECT_DOUBLE_EQ(d.q25, .8125);
  EXPECT_DOUBLE_EQ(d.q50, 1.5);
  EXPECT_DOUBLE_EQ(d.q75, 2.5);
  EXPECT_DOUBLE_EQ(d.max, 4);
}

TEST(Describe, OfOneAndOfNothing) {
  const double one[] = {3};
  EXPECT_EQ(describe(one).count, 1);
  EXPECT_DOUBLE_EQ(describe(one).q75, 3);
  EXPECT_TRUE(std::isnan(describe(one).std));
  EXPECT_EQ(describe({}).count, 0);
  EXPECT_TRUE(std::isnan(describe({}).mean));
  const auto json = description_table({{"TAT", describe({})}}).json();
  EXPECT_EQ(json[0]["TAT"], 0);
  EXPECT_TRUE(json[1]["TAT"].is_null());
}

}  // namespace
}  // namespace pointsman::report

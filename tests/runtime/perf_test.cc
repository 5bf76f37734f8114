// Our trace beside perf's of the same run: perf records while we trace a command, its text is read by our importer, and the two tables of processes are compared. What the
// definitions explain: our arrival is the task's start_time, perf's its sched_process_fork a little later in the same system call; a run delay begins with sched_waking in
// perf and with the wake-up proper in ours, so perf's is never the shorter one. All else is one and the same event.
#include <gmock/gmock.h>

#include <cmath>
#include <cstdlib>
#include <map>

#include "base/file.h"
#include "base/temporary_folder.h"
#include "report/frame.h"
#include "report/perf_text.h"
#include "tests/run_binary.h"

namespace pointsman {
namespace {

class PerfTest : public testing::Test {
 protected:
  void SetUp() override {
    if (std::system("command -v perf >/dev/null 2>&1") != 0) GTEST_SKIP() << "perf is not installed (scripts/setup --test does it)";
  }
  TemporaryFolder temporary_ = *TemporaryFolder::make("perf");
  const std::string& folder_ = temporary_.path();
};

TEST_F(PerfTest, TheSameRunGivesTheSameTable) {
  const std::string recording = folder_ + "/perf.data", table = folder_ + "/ours.csv", text_file = folder_ + "/text";
  // Short processes, ones that sleep, and a pair that passes a byte to and fro.
  const std::string work = "for i in 1 2 3 4 5 6 7 8; do /bin/true; done; sleep 0.05 & (for i in 1 2 3; do :; sleep 0.01; done) & "
                           "seq 1 20000 | tail -n 1 >/dev/null; wait";
  ASSERT_TRUE(write_file(folder_ + "/work.sh", work));
  const std::string command = "perf sched record -k CLOCK_MONOTONIC -o " + recording + " -- " + POINTSMAN_BINARY + " trace --csv -- sh " + folder_ + "/work.sh >" + table + " 2>" + folder_ + "/messages";
  if (std::system(command.c_str()) != 0) {
    auto why = read_file(folder_ + "/messages");
    GTEST_SKIP() << "perf cannot record here: " << (why ? *why : "");
  }
  ASSERT_EQ(std::system(("perf script --ns -i " + recording + " -F comm,pid,tid,cpu,time,event,trace >" + text_file + " 2>/dev/null").c_str()), 0);
  auto text = read_file(text_file);
  ASSERT_TRUE(text);
  // Seen on a virtual machine that had been resumed: perf, and ftrace too, hear nothing of what one CPU's idle task switches to. Then perf is no witness.
  for (int cpu = 0; text->find(fmt::format("next_comm=swapper/{} ", cpu)) != std::string::npos; ++cpu) {
    if (text->find(fmt::format("prev_comm=swapper/{} ", cpu)) == std::string::npos)
      GTEST_SKIP() << "perf does not see the switches from idle to a task on CPU " << cpu << " of this kernel";
  }
  report::PerfText reader;
  reader.feed(*text);
  reader.finish();
  EXPECT_THAT(reader.complaints(), testing::IsEmpty()) << "perf's own text";
  EXPECT_EQ(reader.counts().lost, 0u);
  EXPECT_TRUE(reader.counts().processes_known);
  std::map<int64_t, report::ProcessRow> theirs;
  for (report::ProcessRow& row : reader.take()) {
    if (!std::isnan(row.arrival_s)) theirs.emplace(row.pid, std::move(row));
  }

  auto ours = report::Frame::read(table);
  ASSERT_TRUE(ours) << ours.error().message;
  size_t compared = 0, switches = 0;
  for (size_t i = 0; i < ours->rows(); ++i) {
    const auto value = [&](const char* column) { return ours->number(i, *ours->find(column)); };
    const auto found = theirs.find(static_cast<int64_t>(value("PID")));
    ASSERT_NE(found, theirs.end()) << "perf did not see process " << value("PID");
    const report::ProcessRow& row = found->second;
    const std::string who = fmt::format("process {} ({})", row.pid, row.command);
    if (std::isnan(row.completion_s) || std::isnan(value("TAT"))) continue;
    ++compared;
    EXPECT_EQ(row.command, ours->text(i, *ours->find("command"))) << who;
    // The last 10 us of a fork's own work, unless its CPU was taken away in between: then by as much as the parent's own delays.
    EXPECT_GE(value("TAT") - row.turnaround_s(), -5e-5) << who;
    EXPECT_LE(value("TAT") - row.turnaround_s(), .02) << who;
    EXPECT_GE(value("RT") - row.response_s(), -5e-5) << who;
    EXPECT_LE(value("RT") - row.response_s(), .02) << who;
    EXPECT_EQ(value("voluntary"), static_cast<double>(row.voluntary)) << who;
    EXPECT_EQ(value("involuntary"), static_cast<double>(row.involuntary)) << who;
    switches += row.voluntary + row.involuntary;
    EXPECT_NEAR(value("Total_CPU_Time"), row.cpu_s, 2e-4 + .02 * row.cpu_s) << who;
    // Per wait at most what lies between waking and wake-up: an interrupt sent to another CPU.
    EXPECT_GE(row.run_delay_s - value("run_delay"), -1e-4) << who;
    EXPECT_LE(row.run_delay_s - value("run_delay"), 1e-3 + 1e-3 * value("switches")) << who;
  }
  EXPECT_GE(compared, 15u);
  EXPECT_GE(switches, 30u);
}

}  // namespace
}  // namespace pointsman

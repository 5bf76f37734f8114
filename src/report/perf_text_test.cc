#include "report/perf_text.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/rng.h"

namespace pointsman::report {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Kind = PerfEvent::Kind;

PerfEvent parsed(std::string_view line) {
  PerfEvent event;
  EXPECT_EQ(parse_perf_line(line, event), nullptr) << line;
  return event;
}

TEST(PerfLine, SwitchesInBothOfTheirForms) {
  for (const char* line : {"   a [x] 1: b   77 [003]  5123.456789:       sched:sched_switch: prev_comm=a [x] 1: b prev_pid=77 prev_prio=120 prev_state=S ==> next_comm=pid=1 x next_pid=8 next_prio=49",
                           "   a [x] 1: b   77 [003]  5123.456789:       sched:sched_switch: a [x] 1: b:77 [120] S ==> pid=1 x:8 [49]"}) {
    const PerfEvent e = parsed(line);
    EXPECT_EQ(e.kind, Kind::kSwitch);
    EXPECT_EQ(e.at_ns, 5123'456'789'000);
    EXPECT_EQ(e.cpu, 3u);
    EXPECT_EQ(e.tid, 77);
    EXPECT_EQ(e.process, -1);
    EXPECT_EQ(e.from, 77);
    EXPECT_EQ(e.from_name, "a [x] 1: b");
    EXPECT_EQ(e.from_priority, 120);
    EXPECT_EQ(e.state, "S");
    EXPECT_EQ(e.to, 8);
    EXPECT_EQ(e.to_name, "pid=1 x");
    EXPECT_EQ(e.to_priority, 49);
  }
}

TEST(PerfLine, TheOtherEventsAndColumns) {
  PerfEvent e = parsed("sh 4227/4228 [001] 25745.569501001:          1 sched:sched_process_fork: comm=sh pid=4228 child_comm=s h child_pid=4235");
  EXPECT_EQ(e.kind, Kind::kFork);
  EXPECT_EQ(e.at_ns, 25745'569'501'001) << "nanoseconds, as --ns prints them";
  EXPECT_EQ(e.process, 4227);
  EXPECT_EQ(e.tid, 4228);
  EXPECT_EQ(e.to, 4235);
  EXPECT_EQ(e.to_name, "s h");
  e = parsed("perf  4218 [000] 25745.564244: sched:sched_stat_runtime: comm=perf pid=4218 runtime=44773 [ns]");
  EXPECT_EQ(e.kind, Kind::kRuntime);
  EXPECT_EQ(e.runtime_ns, 44773);
  EXPECT_EQ(parsed("perf 1 [000] 1.000000: sched_stat_runtime: comm=perf pid=1 runtime=5 [ns] vruntime=77 [ns]").runtime_ns, 5) << "older kernels tell vruntime too";
  e = parsed("x 1 [000] 1.000000: sched:sched_waking: comm=y pid=2 prio=120 target_cpu=003");
  EXPECT_EQ(e.kind, Kind::kWaking);
  EXPECT_EQ(e.target_cpu, 3u);
  e = parsed("x 1 [000] 1.000000: sched:sched_wakeup_new: y:2 [120] success=1 CPU:001");
  EXPECT_EQ(e.kind, Kind::kNew);
  EXPECT_EQ(e.to, 2);
  EXPECT_EQ(e.target_cpu, 1u);
  EXPECT_EQ(parsed("x 1 [000] 1.0: sched:sched_migrate_task: comm=y pid=2 prio=120 orig_cpu=0 dest_cpu=1").kind, Kind::kMigrate);
  EXPECT_EQ(parsed("x 1 [000] 1.0: irq:softirq_entry: vec=1").kind, Kind::kOther);
  EXPECT_EQ(parsed("# a comment").kind, Kind::kOther);
  EXPECT_EQ(parsed("   ").kind, Kind::kOther);
  e = parsed("x 1 [000] 1.0: PERF_RECORD_LOST lost 12");
  EXPECT_EQ(e.runtime_ns, 12);
}

TEST(PerfLine, WhatIsNoEventIsToldWhy) {
  PerfEvent e;
  EXPECT_STREQ(parse_perf_line("some text", e), "no CPU and time stamp");
  EXPECT_STREQ(parse_perf_line("x 1 [000] soon: sched:sched_switch: y", e), "no CPU and time stamp");
  EXPECT_STREQ(parse_perf_line("x y [000] 1.0: sched:sched_switch: y", e), "no thread before the CPU");
  EXPECT_STREQ(parse_perf_line("x 1 [000] 1.0: nothing", e), "no event after the time");
  EXPECT_STREQ(parse_perf_line("x 1 [000] 1.0: sched:sched_switch: prev_comm=x prev_pid=1 prev_prio=120 prev_state=S", e), "sched_switch without prev and next");
  EXPECT_STREQ(parse_perf_line("x 1 [000] 1.0: sched:sched_stat_runtime: comm=x pid=1 runtime=-5 [ns]", e), "sched_stat_runtime without comm, pid and runtime");
  EXPECT_STREQ(parse_perf_line("x 1 [000] 1.0: sched:sched_waking: comm=x", e), "a wake-up without comm and pid");
  EXPECT_STREQ(parse_perf_line("x 1 [000] 1.0: sched:sched_process_fork: comm=x pid=1", e), "sched_process_fork without parent and child");
  EXPECT_STREQ(parse_perf_line("x 1 [000] 99999999999999999999.0: a: b", e), "no CPU and time stamp") << "more than a number can hold";
  EXPECT_STREQ(parse_perf_line("x 1 [000] 9999999999.0: a: b", e), "no CPU and time stamp") << "more ns than a number can hold";
  EXPECT_STREQ(parse_perf_line("x 1 [000] 1.0: sched:sched_stat_runtime: comm=x pid=1 runtime=9000000000000000000 [ns]", e), "sched_stat_runtime without comm, pid and runtime");
}

// A shell forks a child, which waits 2 ms, runs 3 ms, is preempted for 1 ms, runs 1 ms and ends; by hand.
constexpr const char* kStory =
    "sh 10 [000] 1.000000: sched:sched_process_fork: comm=sh pid=10 child_comm=sh child_pid=11\n"
    "sh 10 [000] 1.000010: sched:sched_wakeup_new: comm=sh pid=11 prio=120 target_cpu=000\n"
    "sh 10 [000] 1.002010: sched:sched_switch: prev_comm=sh prev_pid=10 prev_prio=120 prev_state=S ==> next_comm=sh next_pid=11 next_prio=120\n"
    "job 11 [000] 1.005010: sched:sched_stat_runtime: comm=job pid=11 runtime=3000000 [ns]\n"
    "job 11 [000] 1.005010: sched:sched_switch: prev_comm=job prev_pid=11 prev_prio=120 prev_state=R+ ==> next_comm=hog next_pid=5 next_prio=120\n"
    "hog 5 [000] 1.006010: sched:sched_switch: prev_comm=hog prev_pid=5 prev_prio=120 prev_state=R ==> next_comm=job next_pid=11 next_prio=120\n"
    "job 11 [000] 1.006900: sched:sched_waking: comm=sh pid=10 prio=120 target_cpu=000\n"
    "job 11 [000] 1.007010: sched:sched_stat_runtime: comm=job pid=11 runtime=1000000 [ns]\n"
    "job 11 [000] 1.007010: sched:sched_switch: prev_comm=job prev_pid=11 prev_prio=120 prev_state=Z ==> next_comm=sh next_pid=10 next_prio=120\n";

const ProcessRow* row(const std::vector<ProcessRow>& rows, int64_t pid) {
  for (const ProcessRow& one : rows) {
    if (one.pid == pid) return &one;
  }
  ADD_FAILURE() << "no row of " << pid;
  return nullptr;
}

TEST(PerfText, AStoryWithKnownTimes) {
  PerfText text;
  text.feed(kStory);
  const auto ended = text.take();
  ASSERT_EQ(ended.size(), 1u);
  const ProcessRow& job = ended.front();
  EXPECT_EQ(job.pid, 11);
  EXPECT_EQ(job.parent, 10);
  EXPECT_EQ(job.command, "job") << "its last name";
  EXPECT_NEAR(job.turnaround_s(), .007010, 1e-9);
  EXPECT_NEAR(job.response_s(), .002010, 1e-9);
  EXPECT_NEAR(job.cpu_s, .004, 1e-9);
  EXPECT_NEAR(job.run_delay_s, .003, 1e-9);
  EXPECT_EQ(job.involuntary, 1u);
  EXPECT_EQ(job.voluntary, 1u);
  text.finish();
  const auto others = text.take();
  ASSERT_EQ(others.size(), 2u);
  const ProcessRow* shell = row(others, 10);
  ASSERT_NE(shell, nullptr);
  EXPECT_TRUE(std::isnan(shell->arrival_s) && std::isnan(shell->completion_s) && std::isnan(shell->first_cpu_s)) << "it was there before, and it is still there";
  EXPECT_NEAR(shell->run_delay_s, .00011, 1e-9);
  EXPECT_NEAR(row(others, 5)->cpu_s, .001, 1e-9) << "without sched_stat_runtime the time between switches";
  EXPECT_EQ(text.counts().malformed, 0u);
  EXPECT_FALSE(text.counts().processes_known);
}

TEST(PerfText, WhereverItIsCut) {
  const std::string whole = kStory;
  for (size_t cut = 0; cut <= whole.size(); cut += 7) {
    PerfText text;
    text.feed(whole.substr(0, cut));
    text.feed("");
    text.feed(whole.substr(cut));
    text.finish();
    EXPECT_EQ(text.counts().events, 9u) << cut;
    EXPECT_EQ(text.counts().malformed, 0u) << cut;
    EXPECT_EQ(text.take().size(), 3u) << cut;
  }
  PerfText without_end;
  without_end.feed(whole.substr(0, whole.size() - 1));
  without_end.finish();
  EXPECT_EQ(without_end.counts().events, 9u);
}

TEST(PerfText, ThreadsAreOneProcessWhereTheTextTells) {
  PerfText text;
  text.feed(
      "p 20/20 [000] 1.000000: sched:sched_process_fork: comm=p pid=20 child_comm=p child_pid=21\n"
      "q 1/1 [001] 1.000000: sched:sched_process_fork: comm=q pid=1 child_comm=q child_pid=30\n"
      "p 20/20 [000] 1.001000: sched:sched_switch: prev_comm=p prev_pid=20 prev_prio=120 prev_state=S ==> next_comm=p next_pid=21 next_prio=120\n"
      "p 20/21 [000] 1.002000: sched:sched_switch: prev_comm=p prev_pid=21 prev_prio=120 prev_state=X ==> next_comm=p next_pid=20 next_prio=120\n"
      "p 20/20 [000] 1.004000: sched:sched_switch: prev_comm=p prev_pid=20 prev_prio=120 prev_state=Z ==> next_comm=swapper/0 next_pid=0 next_prio=120\n");
  const auto rows = text.take();
  ASSERT_EQ(rows.size(), 1u) << "both threads have ended, so the process has";
  EXPECT_EQ(rows[0].pid, 20);
  EXPECT_EQ(rows[0].threads, 2u);
  EXPECT_NEAR(rows[0].cpu_s, .003, 1e-9);
  EXPECT_EQ(rows[0].voluntary, 3u);
  EXPECT_NEAR(rows[0].completion_s, 1.004, 1e-9);
  EXPECT_TRUE(text.counts().processes_known);
}

TEST(PerfText, MalformedLinesAreToldByNumberAndTheRestCounts) {
  PerfText text;
  text.feed("# header\n");
  text.feed("nonsense\n");
  text.feed(kStory);
  text.feed(std::string(PerfText::kLongestLine + 5, 'x'));
  text.feed(std::string(100, 'y') + "\n");
  text.feed(std::string("x 1 [000] 0.5: sched:sched_switch: ") + std::string(3, '\0') + "\n");
  text.finish();
  EXPECT_THAT(text.complaints(), ElementsAre("line 2: no CPU and time stamp", "line 12: longer than 64 KiB", "line 13: sched_switch without prev and next"));
  EXPECT_EQ(text.counts().events, 9u);
}

TEST(PerfText, NumbersThatComeBackAndTimesThatGoBack) {
  PerfText text;
  text.feed(
      "a 1 [000] 10.0: sched:sched_process_fork: comm=a pid=1 child_comm=a child_pid=7\n"
      "a 1 [000] 11.0: sched:sched_process_fork: comm=a pid=1 child_comm=a child_pid=7\n"
      "a 1 [000] 10.9: sched:sched_waking: comm=a pid=7 prio=120 target_cpu=000\n"
      "a 1 [000] 2.0: sched:sched_waking: comm=a pid=7 prio=120 target_cpu=000\n");
  text.finish();
  const auto rows = text.take();
  ASSERT_EQ(rows.size(), 2u) << "the first 7 ended unseen";
  EXPECT_TRUE(std::isnan(rows[0].completion_s));
  EXPECT_EQ(text.counts().backwards, 1u);
  EXPECT_THAT(text.complaints(), ElementsAre(HasSubstr("line 4: time goes back")));
}

TEST(PerfText, MemoryIsThatOfTheLiving) {
  PerfText text;
  size_t ended = 0;
  for (int i = 0; i < 20000; ++i) {
    const int pid = 100 + i;
    text.feed(fmt::format("a 1 [000] {0}.0: sched:sched_process_fork: comm=a pid=1 child_comm=a child_pid={1}\n"
                          "a 1 [000] {0}.1: sched:sched_switch: prev_comm=a prev_pid=1 prev_prio=120 prev_state=S ==> next_comm=a next_pid={1} next_prio=120\n"
                          "a {1} [000] {0}.2: sched:sched_switch: prev_comm=a prev_pid={1} prev_prio=120 prev_state=Z ==> next_comm=a next_pid=1 next_prio=120\n",
                          i + 1, pid));
    ended += text.take().size();
  }
  EXPECT_EQ(ended, 20000u);
  text.finish();
  EXPECT_EQ(text.take().size(), 1u) << "only the parent was kept";
}

TEST(PerfText, AnyBytes) {
  Rng rng(21, "perf text");
  const std::string whole = kStory;
  for (int round = 0; round < 3000; ++round) {
    std::string text = whole;
    for (uint64_t n = rng.below(12); n > 0; --n) {
      const size_t at = rng.below(text.size());
      switch (rng.below(4)) {
        case 0: text[at] = static_cast<char>(rng.below(256)); break;
        case 1: text.erase(at, rng.below(40)); break;
        case 2: text.insert(at, text.substr(rng.below(text.size()), rng.below(40))); break;
        default: text.insert(at, std::to_string(rng.next())); break;
      }
      if (text.empty()) text = " ";
    }
    PerfText reader;
    reader.feed(text);
    reader.finish();
    const auto& counts = reader.counts();
    EXPECT_EQ(counts.events + counts.other + counts.malformed, counts.lines);
    for (const ProcessRow& one : reader.take()) EXPECT_GE(one.threads, 1u);
  }
}

}  // namespace
}  // namespace pointsman::report

#include "sched/kernel_log.h"

#include <gtest/gtest.h>

#include <fstream>

namespace pointsman {
namespace {

ExternalArm simple() {
  ExternalArm arm;
  arm.ops = "simple";
  return arm;
}

constexpr const char* kStall =
    "6,400,1000,-;sched_ext: BPF scheduler \"simple\" enabled\n"
    "3,410,9000,-;sched_ext: BPF scheduler \"simple\" disabled (runnable task stall)\n"
    "3,411,9001,-;sched_ext: simple: job[77] failed to run for 30.1s\n"
    "3,412,9002,-;   scx_watchdog_workfn+0x1\n";

TEST(KernelLog, ReadsWhyAndTheMessageBelow) {
  auto end = end_in_log(kStall, simple());
  ASSERT_TRUE(end);
  EXPECT_EQ(end->reason, "runnable task stall");
  EXPECT_EQ(end->kind, 1026);
  EXPECT_EQ(end->message, "job[77] failed to run for 30.1s");
  EXPECT_TRUE(end->by_error());
}

TEST(KernelLog, TakesTheLastEndOfThatSchedulerOnly) {
  const std::string more = std::string(kStall) + "6,1,1,-;sched_ext: BPF scheduler \"bpfland_1.1.4_x\" disabled (disabled by sysrq-S)\n6,2,2,-;sched_ext: BPF scheduler \"simple\" disabled (unregistered from user space)\n";
  EXPECT_EQ(end_in_log(more, simple())->kind, 64);
  EXPECT_EQ(end_in_log(more, simple())->message, "") << "the older end's message is not this one's";
  ExternalArm bpfland;
  bpfland.ops = "bpfland";
  EXPECT_TRUE(end_in_log(more, bpfland)->by_person());
  bpfland.ops = "bpf";
  EXPECT_FALSE(end_in_log(more, bpfland));
  EXPECT_FALSE(end_in_log("", simple()));
  EXPECT_FALSE(end_in_log("sched_ext: BPF scheduler \"simple\" disabled (", simple())) << "cut off";
}

TEST(KernelLog, WordsOfAnotherKernelAreOfNoKnownKind) { EXPECT_EQ(exit_kind_of("something new"), 0); }

TEST(KernelLog, ReadsOnlyWhatCameSince) {
  const std::string path = testing::TempDir() + "/kernel_log_test";
  std::ofstream(path) << kStall;
  KernelLog log(path);
  EXPECT_FALSE(log.end_of(simple()));
  std::ofstream(path, std::ios::app) << "6,9,9,-;sched_ext: BPF scheduler \"simple\" disabled (disabled by sysrq-S)\n";
  ASSERT_TRUE(log.end_of(simple()));
  EXPECT_EQ(log.end_of(simple())->kind, 67) << "asked again, it says the same";
  log.skip();
  EXPECT_FALSE(log.end_of(simple()));
  EXPECT_FALSE(KernelLog("/nowhere").end_of(simple())) << "no right to the log: silence";
}

}  // namespace
}  // namespace pointsman

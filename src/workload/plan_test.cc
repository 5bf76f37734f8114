#include "workload/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pointsman {
namespace {

// Two tasks: a parent that begins a job, spawns a child and waits for it.
Plan small_plan() {
  Plan plan;
  plan.kinds = {"test.job"};
  plan.jobs = {{.planned_ns = 1000, .service_ns = 500, .kind = 0, .phase = 0}};
  plan.semaphores = 1;
  plan.ops = {{OpCode::kBegin, 0, 0}, {OpCode::kBurn, 0, 300}, {OpCode::kSpawn, 1, 0}, {OpCode::kWait, 0, 1}, {OpCode::kEnd, 0, 0},
              {OpCode::kBurn, 0, 200}, {OpCode::kPost, 0, 1}};
  plan.tasks = {{.start_ns = 1000, .first_op = 0, .ops = 5}, {.start_ns = -1, .first_op = 5, .ops = 2}};
  return plan;
}

std::string complaint(const Plan& plan) {
  auto checked = check_plan(plan);
  if (checked) return "";
  EXPECT_EQ(checked.error().code, ErrorCode::kInvalidArgument);
  return checked.error().message;
}

TEST(Plan, a_sound_plan_passes) { EXPECT_EQ(complaint(small_plan()), ""); }

TEST(Plan, an_empty_plan_passes) { EXPECT_EQ(complaint(Plan{}), ""); }

TEST(Plan, every_field_changes_the_hash) {
  const uint64_t base = small_plan().hash();
  const std::vector<void (*)(Plan&)> changes = {
      [](Plan& p) { p.kinds[0] = "test.other"; },  [](Plan& p) { p.jobs[0].planned_ns++; }, [](Plan& p) { p.jobs[0].service_ns++; },
      [](Plan& p) { p.jobs[0].phase++; },          [](Plan& p) { p.jobs[0].kind++; },       [](Plan& p) { p.tasks[0].nice = -1; },
      [](Plan& p) { p.tasks[0].start_ns++; },      [](Plan& p) { p.tasks[1].refill_ns++; }, [](Plan& p) { p.tasks[1].cpu_mask = 2; },
      [](Plan& p) { p.tasks[0].ops--; },           [](Plan& p) { p.tasks[1].first_op--; },  [](Plan& p) { p.ops[1].value++; },
      [](Plan& p) { p.ops[2].arg++; },             [](Plan& p) { p.ops[1].code = OpCode::kNap; }, [](Plan& p) { p.semaphores++; },
      [](Plan& p) { p.jobs.push_back({}); },       [](Plan& p) { p.tasks.push_back({}); },  [](Plan& p) { p.ops.push_back({}); },
  };
  for (size_t i = 0; i < changes.size(); ++i) {
    Plan changed = small_plan();
    changes[i](changed);
    EXPECT_NE(changed.hash(), base) << "change " << i;
  }
  EXPECT_EQ(small_plan().hash(), base);
}

TEST(Plan, bad_plans_are_told_apart) {
  const std::vector<std::pair<std::string, void (*)(Plan&)>> cases = {
      {"plan: task 0, operation 0 (begin 7 0): no such job", [](Plan& p) { p.ops[0].arg = 7; }},
      {"plan: task 0, operation 2 (spawn 9 0): no such other task", [](Plan& p) { p.ops[2].arg = 9; }},
      {"plan: task 0, operation 2 (spawn 0 0): no such other task", [](Plan& p) { p.ops[2].arg = 0; }},
      {"plan: task 0, operation 3 (wait 1 1): no such semaphore", [](Plan& p) { p.ops[3].arg = 1; }},
      {"plan: task 0, operation 3 (wait 0 0): count outside 1..1000000", [](Plan& p) { p.ops[3].value = 0; }},
      {"plan: task 0, operation 1 (burn 0 -1): negative value", [](Plan& p) { p.ops[1].value = -1; }},
      {"plan: task 0, operation 1 (unknown 0 300): unknown operation", [](Plan& p) { p.ops[1].code = OpCode{77}; }},
      {"plan: task 1, operation 0 (read 0 200): not a multiple of 4096 bytes", [](Plan& p) { p.ops[5].code = OpCode::kRead; }},
      {"plan: task 0 has nice 20, allowed are -20..19", [](Plan& p) { p.tasks[0].nice = 20; }},
      {"plan: task 1 has a negative refill", [](Plan& p) { p.tasks[1].refill_ns = -1; }},
      {"plan: task 1 has operations beyond the list", [](Plan& p) { p.tasks[1].ops = 3; }},
      {"plan: task 1 starts at 10 ns, out of order", [](Plan& p) { p.tasks[1].start_ns = 10; }},
      {"plan: task 1 is started 2 times, not once", [](Plan& p) { p.tasks[1].start_ns = 2000; }},
      {"plan: task 1 is started 0 times, not once", [](Plan& p) { p.ops[2].code = OpCode::kBurn; }},
      {"plan: job 0 begins 2 times and ends 1 times, not once", [](Plan& p) { p.ops[1].code = OpCode::kBegin; }},
      {"plan: job 0 begins 1 times and ends 0 times, not once", [](Plan& p) { p.ops[4] = {OpCode::kNap, 0, 1}; }},
      {"plan: job 0 has no service time", [](Plan& p) { p.jobs[0].service_ns = 0; }},
      {"plan: job 0 is of a kind that does not exist", [](Plan& p) { p.jobs[0].kind = 1; }},
      {"plan: task 0 would wait for ever at semaphore 0 (1 of 2 tasks end)", [](Plan& p) { p.ops[3].value = 2; }},
      {"plan: task 0 would wait for ever at semaphore 0 (1 of 2 tasks end)", [](Plan& p) { p.ops[6].code = OpCode::kNap; }},
      {"plan: task 1, operation 1 (post 0 1): a semaphore and a barrier, or barriers of two sizes, in one",
       [](Plan& p) { p.ops[3] = {OpCode::kBarrier, 0, 2}; }},
      {"plan: semaphore 0 is left at 1, not at 0", [](Plan& p) { p.ops[6].value = 2; }},
      {"plan: task 0, operation 0 (end 0 0): the job ends before it begins",
       [](Plan& p) { std::swap(p.ops[0].code, p.ops[4].code); }},
  };
  for (const auto& [message, change] : cases) {
    Plan plan = small_plan();
    change(plan);
    EXPECT_EQ(complaint(plan), message);
  }
}

TEST(Plan, tasks_that_spawn_each_other_never_start) {
  Plan plan;
  plan.ops = {{OpCode::kSpawn, 1, 0}, {OpCode::kSpawn, 0, 0}};
  plan.tasks = {{.first_op = 0, .ops = 1}, {.first_op = 1, .ops = 1}};
  EXPECT_EQ(complaint(plan), "plan: only 0 of 2 tasks are ever started");
}

TEST(Plan, a_barrier_is_passed_again_and_again) {
  Plan plan;
  plan.semaphores = 1;
  for (int step = 0; step < 3; ++step) plan.ops.push_back({OpCode::kBarrier, 0, 2});
  plan.tasks = {{.start_ns = 0, .first_op = 0, .ops = 3}, {.start_ns = 0, .first_op = 0, .ops = 3}};
  EXPECT_EQ(complaint(plan), "");
  plan.tasks[1].ops = 2;
  EXPECT_EQ(complaint(plan), "plan: task 0 would wait for ever at semaphore 0 (1 of 2 tasks end)");
}

TEST(Plan, totals_count_work_memory_transfers_and_the_last_arrival) {
  Plan plan = small_plan();
  plan.ops.insert(plan.ops.end(), {{OpCode::kTouch, 0, 8 * kPageBytes}, {OpCode::kRewrite, 1, 2 * kPageBytes}, {OpCode::kUntil, 0, 9000}});
  PlanTotals totals = totals_of(plan);
  EXPECT_EQ(totals.work_ns, 500 + 10 * kPageCostNs + 2 * kSwapCostNs);
  EXPECT_EQ(totals.last_arrival_ns, 9000);
  EXPECT_FALSE(totals.needs_scratch_device);
  plan.ops.push_back({OpCode::kWrite, 0, 12288});
  totals = totals_of(plan);
  EXPECT_TRUE(totals.needs_scratch_device);
  EXPECT_EQ(totals.bytes_moved, 12288);
}

}  // namespace
}  // namespace pointsman

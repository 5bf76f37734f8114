#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <set>

#include "base/clock.h"
#include "base/file.h"
#include "workload/scenario.h"

namespace pointsman {
namespace {

using testing::AllOf;
using testing::Ge;
using testing::Le;

Scenario one_phase(std::string_view family, int64_t length_ns, bool jitter = true, Parameters parameters = {}) {
  return {.name = "test", .phases = {{std::string(family), length_ns, std::move(parameters)}}, .jitter = jitter};
}

Plan drawn(const Scenario& scenario, uint64_t seed, int cpus = 4) {
  auto plan = draw_plan(scenario, seed, cpus);
  EXPECT_TRUE(plan) << plan.error().message;
  return plan ? *std::move(plan) : Plan{};
}

double load(const Plan& plan, int64_t length_ns, int cpus = 4) {
  return static_cast<double>(totals_of(plan).work_ns) / static_cast<double>(length_ns) / cpus;
}

// An independent model of a plan without time: whichever task may go on is drawn at random, one operation a turn. Returns how many tasks end.
size_t tasks_that_end(const Plan& plan, uint64_t order_seed) {
  struct State {
    bool started = false, ended = false;
    uint32_t next = 0;
    int64_t taken = 0;    // of the wait it stands in
    int64_t passed = -1;  // barrier generation it waits for
  };
  std::vector<State> states(plan.tasks.size());
  std::vector<int64_t> tokens(plan.semaphores), arrived(plan.semaphores), generation(plan.semaphores);
  std::vector<uint32_t> going;
  for (uint32_t t = 0; t < plan.tasks.size(); ++t) {
    if (plan.tasks[t].start_ns < 0) continue;
    states[t].started = true;
    going.push_back(t);
  }
  Rng rng(order_seed, "order");
  size_t ended = 0, idle = 0;
  // A full round without progress is a deadlock; rounds are long because turns are drawn.
  while (!going.empty() && idle < going.size() * 50) {
    const size_t at = rng.below(going.size());
    const uint32_t t = going[at];
    State& state = states[t];
    bool moved = true;
    if (state.next == plan.tasks[t].ops) {
      ++ended;
      going[at] = going.back();
      going.pop_back();
    } else {
      const Op& op = plan.ops[plan.tasks[t].first_op + state.next];
      bool done = true;
      if (op.code == OpCode::kSpawn || op.code == OpCode::kThread) {
        if (!states[op.arg].started) going.push_back(op.arg);
        states[op.arg].started = true;
      } else if (op.code == OpCode::kPost) {
        tokens[op.arg] += op.value;
      } else if (op.code == OpCode::kWait) {
        moved = tokens[op.arg] > 0;
        if (moved) {
          --tokens[op.arg];
          ++state.taken;
        }
        done = state.taken == op.value;
        if (done) state.taken = 0;
      } else if (op.code == OpCode::kBarrier) {
        if (state.passed < 0) {
          state.passed = generation[op.arg];
          if (++arrived[op.arg] == op.value) {
            arrived[op.arg] = 0;
            ++generation[op.arg];
          }
          done = generation[op.arg] > state.passed;
        } else {
          moved = done = generation[op.arg] > state.passed;
        }
        if (done) state.passed = -1;
      }
      if (done) ++state.next;
    }
    idle = moved ? 0 : idle + 1;
  }
  return ended;
}

TEST(Families, are_described_in_full) {
  const std::set<std::string_view> regimes = {"batch", "tail", "interactive", "switching", "io", "control", "case"};
  std::set<std::string_view> names;
  for (const Family& family : families()) {
    EXPECT_TRUE(names.insert(family.name).second) << family.name;
    EXPECT_TRUE(regimes.contains(family.regime)) << family.name;
    EXPECT_FALSE(family.imitates.empty()) << family.name;
    std::set<std::string_view> parameters;
    for (const ParameterSpec& spec : family.parameters) {
      EXPECT_TRUE(parameters.insert(spec.name).second) << family.name << " " << spec.name;
      EXPECT_FALSE(spec.meaning.empty()) << family.name << " " << spec.name;
      EXPECT_TRUE(spec.low <= spec.value && spec.value <= spec.high) << family.name << " " << spec.name;
      EXPECT_EQ(spec.name.ends_with("_ms"), spec.unit == "ms") << family.name << " " << spec.name;
      EXPECT_EQ(spec.name.ends_with("_hz"), spec.unit == "1/s") << family.name << " " << spec.name;
    }
  }
  for (const char* name : {"batch", "batchio", "shards", "gang", "pareto", "bimodal", "named", "build", "forks", "inter", "desktop", "editor", "web", "nice",
                           "pipeline", "msgs", "hpc"}) {
    EXPECT_TRUE(names.contains(name)) << name;
  }
}

TEST(Families, an_unknown_one_is_named_with_those_that_exist) {
  auto family = find_family("bath");
  ASSERT_FALSE(family);
  EXPECT_EQ(family.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(family.error().message, testing::StartsWith("unknown family \"bath\"; there are batch, batchio, shards, "));
}

// The same bits on every machine: regenerate with POINTSMAN_REGENERATE=1 when a family is changed on purpose.
TEST(Families, plans_are_golden) {
  std::string text = "# family, hash of its plan (5 s, seed 1, 4 CPUs, jitter), jobs, tasks, operations. POINTSMAN_REGENERATE=1 makes the test rewrite this file.\n";
  for (const Family& family : families()) {
    const Plan plan = drawn(one_phase(family.name, 5 * kSecond), 1);
    text += fmt::format("{} {:016x} {} {} {}\n", family.name, plan.hash(), plan.jobs.size(), plan.tasks.size(), plan.ops.size());
  }
  for (const std::string_view kind : scenario_kinds()) {
    auto scenario = draw_scenario(kind, 1, 6, 5 * kSecond);
    ASSERT_TRUE(scenario) << scenario.error().message;
    text += fmt::format("scenario {} {:016x}", kind, drawn(*scenario, 1).hash());
    for (const Phase& phase : scenario->phases) text += " " + phase.family;
    text += "\n";
  }
  const std::string path = POINTSMAN_SOURCE_DIR "/tests/data/plan_hashes.txt";
  if (std::getenv("POINTSMAN_REGENERATE") != nullptr) {
    auto written = write_file(path, text);
    ASSERT_TRUE(written) << written.error().message;
  }
  auto golden = read_file(path);
  ASSERT_TRUE(golden) << golden.error().message;
  EXPECT_EQ(text, *golden);
}

TEST(Families, load_is_what_each_is_meant_to_offer) {
  for (const Family& family : families()) {
    for (uint64_t seed = 1; seed <= 6; ++seed) {
      const double offered = load(drawn(one_phase(family.name, 5 * kSecond), seed), 5 * kSecond);
      if (family.name == "underload") {
        EXPECT_THAT(offered, AllOf(Ge(0.04), Le(0.15))) << family.name << " " << seed;
      } else if (family.name == "single") {
        EXPECT_THAT(offered, AllOf(Ge(0.1), Le(0.9))) << family.name << " " << seed;
      } else {
        EXPECT_THAT(offered, AllOf(Ge(0.3), Le(1.6))) << family.name << " " << seed;
      }
    }
  }
}

TEST(Families, load_does_not_depend_on_the_number_of_cpus) {
  for (const Family& family : families()) {
    const double four = load(drawn(one_phase(family.name, 8 * kSecond, false), 3, 4), 8 * kSecond, 4);
    const double eight = load(drawn(one_phase(family.name, 8 * kSecond, false), 3, 8), 8 * kSecond, 8);
    EXPECT_NEAR(eight / four, 1, 0.35) << family.name << " " << four << " " << eight;
  }
}

TEST(Families, jitter_changes_length_and_number_of_jobs_together) {
  // Over many seeds the offered load stays where it is without jitter.
  for (const char* name : {"batch", "shards", "bimodal", "editor", "inter", "build"}) {
    double plain = 0, jittered = 0;
    std::set<int64_t> services;
    for (uint64_t seed = 1; seed <= 30; ++seed) {
      plain += load(drawn(one_phase(name, 3 * kSecond, false), seed), 3 * kSecond);
      const Plan plan = drawn(one_phase(name, 3 * kSecond), seed);
      jittered += load(plan, 3 * kSecond);
      services.insert(plan.jobs.front().service_ns);
    }
    EXPECT_NEAR(jittered / plain, 1, 0.12) << name;
    EXPECT_GT(services.size(), 25u) << name;
  }
}

TEST(Families, another_rate_leaves_the_jobs_services_alone) {
  const Plan slow = drawn(one_phase("pareto", 3 * kSecond, false, {{"rate_hz", 100}}), 7);
  const Plan fast = drawn(one_phase("pareto", 3 * kSecond, false, {{"rate_hz", 200}}), 7);
  ASSERT_GT(fast.jobs.size(), slow.jobs.size());
  for (size_t i = 0; i < slow.jobs.size(); ++i) EXPECT_EQ(slow.jobs[i].service_ns, fast.jobs[i].service_ns) << i;
}

TEST(Families, another_length_of_the_short_jobs_leaves_the_long_ones_alone) {
  const auto of_kind = [](const Plan& plan, const std::string& kind) {
    std::vector<std::pair<int64_t, int64_t>> jobs;
    for (const Job& job : plan.jobs) {
      if (plan.kinds[job.kind] == kind) jobs.emplace_back(job.planned_ns, job.service_ns);
    }
    return jobs;
  };
  const Plan a = drawn(one_phase("bimodal", 5 * kSecond, false, {{"short_ms", 4}}), 7);
  const Plan b = drawn(one_phase("bimodal", 5 * kSecond, false, {{"short_ms", 2}, {"short_rate_hz", 300}}), 7);
  EXPECT_EQ(of_kind(a, "bimodal.long"), of_kind(b, "bimodal.long"));
  EXPECT_NE(of_kind(a, "bimodal.short"), of_kind(b, "bimodal.short"));
}

TEST(Families, a_later_phase_does_not_depend_on_an_earlier_one) {
  Scenario first{.name = "a", .phases = {{"batch", kSecond, {}}, {"named", 2 * kSecond, {}}}, .jitter = true};
  Scenario second = first;
  second.phases[0].family = "gang";
  const auto services = [](const Plan& plan) {
    std::vector<std::pair<int64_t, int64_t>> jobs;
    for (const Job& job : plan.jobs) {
      if (job.phase == 1) jobs.emplace_back(job.planned_ns, job.service_ns);
    }
    return jobs;
  };
  EXPECT_EQ(services(drawn(first, 5)), services(drawn(second, 5)));
}

TEST(Families, controls_are_equal_jobs_that_do_not_meet) {
  const Plan under = drawn(one_phase("underload", 2 * kSecond), 4);
  for (const Job& job : under.jobs) EXPECT_EQ(job.service_ns, under.jobs.front().service_ns);
  const Plan single = drawn(one_phase("single", 2 * kSecond), 4, 3);
  std::set<uint64_t> masks;
  for (const Task& task : single.tasks) masks.insert(task.cpu_mask);
  EXPECT_EQ(masks, (std::set<uint64_t>{1, 2, 4}));
}

// All of them from the first case on, and as many of the generator's: by itself RapidCheck begins with small numbers.
const Family& any_family() {
  const auto i = *rc::gen::resize(rc::kNominalSize, rc::gen::inRange<size_t>(0, 2 * families().size()));
  if (i < families().size()) return families()[i];
  return **find_family(fmt::format("random:{}", *rc::gen::resize(rc::kNominalSize, rc::gen::inRange(1, 100'000))));
}

RC_GTEST_PROP(FamiliesProperty, every_plan_is_sound_whatever_the_seed_length_and_machine, ()) {
  const Family& family = any_family();
  const auto seed = *rc::gen::arbitrary<uint64_t>();
  const int64_t length = *rc::gen::inRange<int64_t>(kShortestPhaseNs, 3 * kSecond);
  const int cpus = *rc::gen::inRange(1, 17);
  // The family stands in a second phase, so that its times are not by chance relative to zero.
  const Scenario scenario{.name = "", .phases = {{"underload", kShortestPhaseNs, {}}, {std::string(family.name), length, {}}}, .jitter = true};
  auto plan = draw_plan(scenario, seed, cpus);
  RC_ASSERT(plan.has_value());
  RC_LOG() << family.name << " seed " << seed << " length " << length << " cpus " << cpus << std::endl;
  auto checked = check_plan(*plan);
  RC_ASSERT((checked ? "" : checked.error().message) == "");
  RC_ASSERT(plan->hash() == draw_plan(scenario, seed, cpus)->hash());
  RC_ASSERT(tasks_that_end(*plan, seed ^ 1) == plan->tasks.size());
  size_t jobs = 0;
  const int64_t from = kShortestPhaseNs, to = from + length;
  for (const Job& job : plan->jobs) {
    if (job.phase == 0) {
      RC_ASSERT(job.planned_ns >= 0 && job.planned_ns < from);
      continue;
    }
    ++jobs;
    RC_ASSERT(job.planned_ns == -1 || (job.planned_ns >= from && job.planned_ns < to));
    RC_ASSERT(plan->kinds[job.kind].starts_with(std::string(family.name) + "."));
  }
  RC_ASSERT(jobs > 0u);
  for (const Task& task : plan->tasks) RC_ASSERT(task.start_ns >= -1 && task.start_ns < to);
  for (const Op& op : plan->ops) {
    if (op.code == OpCode::kUntil) RC_ASSERT(op.value >= from && op.value < to);
  }
}

RC_GTEST_PROP(FamiliesProperty, any_parameters_within_their_limits_give_a_sound_plan, ()) {
  const Family& family = any_family();
  Parameters parameters;
  const size_t changed = *rc::gen::inRange<size_t>(0, family.parameters.size());
  for (size_t i = 0; i <= changed && i < family.parameters.size(); ++i) {
    // Half to twice the default: the limits themselves allow plans of millions of operations.
    const ParameterSpec& spec = family.parameters[*rc::gen::inRange<size_t>(0, family.parameters.size())];
    const double factor = *rc::gen::inRange(50, 200) / 100.0;
    parameters[std::string(spec.name)] = std::clamp(spec.value * factor, spec.low, spec.high);
  }
  auto plan = draw_plan(one_phase(family.name, kSecond, true, parameters), *rc::gen::arbitrary<uint64_t>(), 2);
  RC_ASSERT(plan.has_value());
  auto checked = check_plan(*plan);
  RC_ASSERT((checked ? "" : checked.error().message) == "");
}

}  // namespace
}  // namespace pointsman

// Runs tiny plans on this machine. Real time passes, but nothing depends on how much: the machine may be as busy as it likes.
#include "workload/runner.h"

#include <dirent.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <sstream>
#include <thread>

#include "base/clock.h"
#include "base/file.h"
#include "base/unique_fd.h"

namespace pointsman {
namespace {

// Builds plans by hand; children are added after the tasks of the dispatcher, as plans demand.
class Builder {
 public:
  uint32_t job(int64_t planned_ns) {
    plan_.kinds = {"test.job"};
    plan_.jobs.push_back({.planned_ns = planned_ns, .service_ns = kMillisecond, .kind = 0, .phase = 0});
    return static_cast<uint32_t>(plan_.jobs.size() - 1);
  }
  uint32_t semaphore() { return plan_.semaphores++; }
  uint32_t task(Task task, const std::vector<Op>& ops) {
    task.first_op = static_cast<uint32_t>(plan_.ops.size());
    task.ops = static_cast<uint32_t>(ops.size());
    plan_.ops.insert(plan_.ops.end(), ops.begin(), ops.end());
    plan_.tasks.push_back(task);
    return static_cast<uint32_t>(plan_.tasks.size() - 1);
  }
  [[nodiscard]] const Plan& plan() const { return plan_; }

 private:
  Plan plan_;
};

Op burn(int64_t ns) { return {OpCode::kBurn, 0, ns}; }
Op nap(int64_t ns) { return {OpCode::kNap, 0, ns}; }
Op until(int64_t ns) { return {OpCode::kUntil, 0, ns}; }
Op begin(uint32_t job) { return {OpCode::kBegin, job, 0}; }
Op end(uint32_t job) { return {OpCode::kEnd, job, 0}; }
Op post(uint32_t semaphore, int64_t n = 1) { return {OpCode::kPost, semaphore, n}; }
Op wait_for(uint32_t semaphore, int64_t n = 1) { return {OpCode::kWait, semaphore, n}; }
Op barrier(uint32_t semaphore, int64_t n) { return {OpCode::kBarrier, semaphore, n}; }
Op spawn(uint32_t task) { return {OpCode::kSpawn, task, 0}; }
Op start_thread(uint32_t task) { return {OpCode::kThread, task, 0}; }

constexpr int64_t kHold = 30 * kSecond;  // longer than any look takes; runs that are watched are cancelled long before

struct Seen {
  int parent = 0;
  char state = '?';
  int threads = 0;
};

// All processes of this machine by pid.
std::map<int, Seen> processes() {
  std::map<int, Seen> seen;
  DIR* proc = opendir("/proc");
  while (const dirent* entry = readdir(proc)) {
    const int pid = std::atoi(entry->d_name);
    if (pid <= 0) continue;
    std::ifstream file("/proc/" + std::string(entry->d_name) + "/stat");
    std::string line;
    if (!std::getline(file, line)) continue;
    // After the name, which may hold anything but ends at the last parenthesis: state, parent, and the number of threads as the 18th.
    std::istringstream rest(line.substr(line.rfind(')') + 1));
    Seen p;
    std::string skip;
    rest >> p.state >> p.parent;
    for (int i = 0; i < 15; ++i) rest >> skip;
    rest >> p.threads;
    seen[pid] = p;
  }
  closedir(proc);
  return seen;
}

std::vector<int> children_of(int parent, const std::map<int, Seen>& all) {
  std::vector<int> children;
  for (const auto& [pid, p] : all) {
    if (p.parent == parent && p.state != 'Z') children.push_back(pid);
  }
  return children;
}

struct Tree {
  int supervisor = 0, dispatcher = 0;
  std::vector<int> tasks;  // of the dispatcher
};

class Runner : public testing::Test {
 protected:
  void SetUp() override {
    sched_param parameters{};
    parameters.sched_priority = 1;
    const pid_t pid = fork();
    if (pid == 0) _exit(sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &parameters) == 0 ? 0 : 1);
    int status = 0;
    waitpid(pid, &status, 0);
    if (status != 0) GTEST_SKIP() << "no right to SCHED_FIFO: run as root or with CAP_SYS_NICE";
  }

  static RunRecord run(const Plan& plan, const RunOptions& options = {}) {
    auto record = run_plan(plan, 0, options);
    EXPECT_TRUE(record) << record.error().message;
    return record ? *std::move(record) : RunRecord{};
  }

  // Runs the plan in the background until `look` is content with the processes that it sees; then cancels it. False: the plan ended first.
  static bool watch(const Plan& plan, const std::function<bool(const Tree&, const std::map<int, Seen>&)>& look) {
    std::atomic<bool> over{false}, cancel{false};
    std::thread runner([&] {
      (void)run_plan(plan, 0, {.cancel = &cancel});
      over.store(true);
    });
    bool content = false;
    while (!content && !over.load()) content = find_tree(getpid(), look);
    cancel.store(true);
    runner.join();
    return content;
  }

  static bool find_tree(int caller, const std::function<bool(const Tree&, const std::map<int, Seen>&)>& look) {
    const auto all = processes();
    for (const int supervisor : children_of(caller, all)) {
      for (const int dispatcher : children_of(supervisor, all)) {
        const Tree tree{supervisor, dispatcher, children_of(dispatcher, all)};
        if (!tree.tasks.empty() && look(tree, all)) return true;
      }
    }
    return false;
  }
};

TEST_F(Runner, every_job_is_done_and_takes_at_least_its_cpu_time) {
  Builder b;
  for (int i = 0; i < 6; ++i) {
    const uint32_t job = b.job(i * kMillisecond);
    b.task({.start_ns = i * kMillisecond}, {begin(job), burn(2 * kMillisecond), end(job)});
  }
  const RunRecord record = run(b.plan());
  ASSERT_EQ(record.jobs.size(), 6u);
  for (size_t i = 0; i < 6; ++i) {
    const JobRecord& job = record.jobs[i];
    EXPECT_EQ(job.planned_ns, static_cast<int64_t>(i) * kMillisecond);
    EXPECT_GE(job.started_ns, job.planned_ns);
    EXPECT_GE(job.first_run_ns, job.started_ns);
    EXPECT_GE(job.cpu_ns, 2 * kMillisecond);
    // Two clocks: a little slack for their scales.
    EXPECT_GE(job.completed_ns - job.first_run_ns, job.cpu_ns * 99 / 100 - 50 * kMicrosecond);
    EXPECT_LE(job.completed_ns, record.makespan_ns);
  }
  EXPECT_EQ(record.dispatched, 6);
  EXPECT_GE(record.dispatch_lag_p99_ns, 0);
  EXPECT_GE(record.dispatch_lag_max_ns, record.dispatch_lag_p99_ns);
}

TEST_F(Runner, a_host_burns_calibrated_iterations) {
  const BurnRate rate = calibrate_burn();
  ASSERT_GT(rate.blocks_per_ns, 0);
  Builder b;
  const uint32_t small = b.job(0), large = b.job(0);
  b.task({.start_ns = 0}, {begin(small), burn(kMillisecond), end(small), begin(large), burn(20 * kMillisecond), end(large)});
  const RunRecord record = run(b.plan(), {.burn_by_cpu_clock = false, .burn_rate = rate});
  ASSERT_EQ(record.jobs.size(), 2u);
  EXPECT_GT(record.jobs[0].cpu_ns, 0);
  // Twenty times the iterations: noise of a busy machine may blur that, not turn it round.
  EXPECT_GT(record.jobs[1].cpu_ns, 4 * record.jobs[0].cpu_ns);
}

TEST_F(Runner, an_empty_plan_ends_at_once) { EXPECT_EQ(run(Plan{}).makespan_ns, 0); }

TEST_F(Runner, the_start_may_be_set) {
  Builder b;
  const uint32_t job = b.job(0);
  b.task({.start_ns = 0}, {begin(job), end(job)});
  const int64_t start = SystemClock().now_ns() + 30 * kMillisecond;
  auto record = run_plan(b.plan(), start, {});
  ASSERT_TRUE(record) << record.error().message;
  EXPECT_EQ(record->start_ns, start);
  EXPECT_GE(record->jobs[0].first_run_ns, 0);
}

TEST_F(Runner, a_wait_ends_after_the_post) {
  Builder b;
  const uint32_t poster = b.job(0), waiter = b.job(0);
  const uint32_t semaphore = b.semaphore();
  b.task({.start_ns = 0}, {begin(waiter), wait_for(semaphore, 3), end(waiter)});
  b.task({.start_ns = 0}, {begin(poster), nap(3 * kMillisecond), post(semaphore), burn(kMillisecond), end(poster), post(semaphore, 2)});
  const RunRecord record = run(b.plan());
  ASSERT_EQ(record.jobs.size(), 2u);
  EXPECT_GE(record.jobs[waiter].completed_ns, record.jobs[poster].completed_ns);
}

TEST_F(Runner, messages_go_back_and_forth) {
  Builder b;
  const uint32_t job = b.job(0), there = b.semaphore(), back = b.semaphore();
  std::vector<Op> left = {begin(job)}, right;
  for (int i = 0; i < 300; ++i) {
    left.insert(left.end(), {post(there), wait_for(back)});
    right.insert(right.end(), {wait_for(there), post(back)});
  }
  left.push_back(end(job));
  b.task({.start_ns = 0}, left);
  b.task({.start_ns = 0}, right);
  EXPECT_GT(run(b.plan()).jobs.at(0).completed_ns, 0);
}

TEST_F(Runner, nobody_passes_a_barrier_before_all_have_come) {
  Builder b;
  const uint32_t gate = b.semaphore();
  constexpr int kThreads = 3, kSteps = 4;
  std::vector<std::vector<uint32_t>> jobs(kThreads);
  std::vector<std::vector<Op>> scripts(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    for (int step = 0; step < kSteps; ++step) {
      const uint32_t job = b.job(0);
      jobs[static_cast<size_t>(t)].push_back(job);
      auto& script = scripts[static_cast<size_t>(t)];
      script.insert(script.end(), {begin(job), burn((t * 2 + 1) * kMillisecond / 2), end(job), barrier(gate, kThreads)});
    }
  }
  // The first thread is the process itself; its script begins with starting the others.
  scripts[0].insert(scripts[0].begin(), {start_thread(1), start_thread(2)});
  b.task({.start_ns = 0}, scripts[0]);
  b.task({}, scripts[1]);
  b.task({}, scripts[2]);
  const RunRecord record = run(b.plan());
  for (size_t step = 0; step + 1 < kSteps; ++step) {
    int64_t last_arrival = 0, first_pass = INT64_MAX;
    for (size_t t = 0; t < kThreads; ++t) {
      last_arrival = std::max(last_arrival, record.jobs.at(jobs[t][step]).completed_ns);
      first_pass = std::min(first_pass, record.jobs.at(jobs[t][step + 1]).first_run_ns);
    }
    EXPECT_GE(first_pass, last_arrival) << "step " << step;
  }
}

TEST_F(Runner, a_spawned_job_arrives_when_it_is_forked) {
  Builder b;
  const uint32_t job = b.job(-1), whole = b.job(0);
  b.task({.start_ns = 0}, {begin(whole), nap(4 * kMillisecond), spawn(1), end(whole)});
  b.task({}, {begin(job), burn(kMillisecond), end(job)});
  const RunRecord record = run(b.plan());
  EXPECT_EQ(record.jobs.at(job).planned_ns, record.jobs.at(job).started_ns);
  EXPECT_GE(record.jobs.at(job).planned_ns, record.jobs.at(whole).first_run_ns + 4 * kMillisecond);
  EXPECT_LE(record.jobs.at(job).planned_ns, record.jobs.at(job).first_run_ns);
}

TEST_F(Runner, a_server_in_time_starts_at_its_expiry_and_a_late_one_when_it_is_free) {
  Builder b;
  const uint32_t first = b.job(2 * kMillisecond), second = b.job(2 * kMillisecond + 1);
  b.task({.start_ns = 0}, {until(60 * kMillisecond), begin(first), burn(2 * kMillisecond), end(first), until(60 * kMillisecond + 1), begin(second), end(second)});
  const RunRecord record = run(b.plan());
  EXPECT_GE(record.jobs.at(first).started_ns, 60 * kMillisecond);
  EXPECT_GE(record.jobs.at(first).first_run_ns, record.jobs.at(first).started_ns);
  EXPECT_GE(record.jobs.at(second).started_ns, record.jobs.at(first).completed_ns);
}

TEST_F(Runner, threads_share_a_process_and_spawned_tasks_do_not) {
  Builder b;
  const uint32_t job = b.job(0);
  b.task({.start_ns = 0}, {begin(job), start_thread(1), start_thread(2), spawn(3), until(kHold), end(job)});
  for (int i = 0; i < 3; ++i) b.task({}, {until(kHold)});
  EXPECT_TRUE(watch(b.plan(), [](const Tree& tree, const std::map<int, Seen>& all) {
    if (tree.tasks.size() != 1 || all.at(tree.tasks[0]).threads != 3) return false;
    const auto children = children_of(tree.tasks[0], all);
    return children.size() == 1 && all.at(children[0]).threads == 1;
  }));
}

TEST_F(Runner, tasks_have_their_nice_value_and_cpus_and_the_dispatcher_is_real_time) {
  Builder b;
  b.task({.start_ns = 0, .nice = 7}, {spawn(2), until(kHold)});
  b.task({.start_ns = 0, .nice = -5, .cpu_mask = 1}, {spawn(3), until(kHold)});
  b.task({.nice = 0}, {until(kHold)});
  b.task({.nice = -5, .cpu_mask = 0}, {until(kHold)});
  const int all_cpus = static_cast<int>(std::thread::hardware_concurrency());
  EXPECT_TRUE(watch(b.plan(), [&](const Tree& tree, const std::map<int, Seen>& all) {
    if (tree.tasks.size() != 2) return false;
    int a = tree.tasks[0], c = tree.tasks[1];
    if (getpriority(PRIO_PROCESS, static_cast<id_t>(a)) != 7) std::swap(a, c);
    const auto of_a = children_of(a, all), of_c = children_of(c, all);
    if (of_a.size() != 1 || of_c.size() != 1) return false;
    const auto nice = [](int pid) { return getpriority(PRIO_PROCESS, static_cast<id_t>(pid)); };
    const auto cpus = [](int pid) {
      cpu_set_t set;
      CPU_ZERO(&set);
      sched_getaffinity(pid, sizeof set, &set);
      return CPU_COUNT(&set);
    };
    return nice(a) == 7 && nice(c) == -5 && nice(of_a[0]) == 0 && nice(of_c[0]) == -5 && cpus(c) == 1 && cpus(of_c[0]) == all_cpus && cpus(a) == all_cpus &&
           sched_getscheduler(a) == SCHED_OTHER && sched_getscheduler(tree.supervisor) == SCHED_OTHER &&
           sched_getscheduler(tree.dispatcher) == (SCHED_FIFO | SCHED_RESET_ON_FORK);
  }));
}

TEST_F(Runner, nothing_that_the_caller_has_open_stays_open_in_tasks) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const UniqueFd reading(ends[0]), writing(ends[1]);
  Builder b;
  b.task({.start_ns = 0}, {spawn(1), until(kHold)});
  b.task({}, {until(kHold)});
  const auto highest = [](int pid) {
    int most = -1;
    DIR* folder = opendir(("/proc/" + std::to_string(pid) + "/fd").c_str());
    while (const dirent* entry = folder != nullptr ? readdir(folder) : nullptr) most = std::max(most, std::atoi(entry->d_name));
    if (folder != nullptr) closedir(folder);
    return most;
  };
  EXPECT_TRUE(watch(b.plan(), [&](const Tree& tree, const std::map<int, Seen>& all) {
    const auto children = children_of(tree.tasks[0], all);
    // The supervisor has its handle on the dispatcher, because this run can be cancelled.
    return children.size() == 1 && highest(tree.supervisor) <= 3 && highest(tree.dispatcher) <= 2 && highest(tree.tasks[0]) <= 2 &&
           highest(children[0]) <= 2;
  }));
}

TEST_F(Runner, touched_memory_is_resident_until_the_task_ends) {
  constexpr int64_t kBytes = 24 * 1024 * 1024;
  Builder b;
  b.task({.start_ns = 0}, {{OpCode::kTouch, 0, kBytes / 2}, {OpCode::kTouch, 0, kBytes / 2}, {OpCode::kRewrite, 0, kBytes + kBytes / 2}, until(kHold)});
  EXPECT_TRUE(watch(b.plan(), [](const Tree& tree, const std::map<int, Seen>&) {
    std::ifstream file("/proc/" + std::to_string(tree.tasks[0]) + "/statm");
    int64_t size = 0, resident = 0;
    file >> size >> resident;
    return resident * 4096 >= kBytes;
  }));
}

TEST_F(Runner, paging_out_and_rewriting_goes_through) {
  Builder b;
  const uint32_t job = b.job(0);
  b.task({.start_ns = 0}, {begin(job), {OpCode::kTouch, 1, 1 << 20}, {OpCode::kRewrite, 1, 1 << 20}, {OpCode::kRewrite, 0, 1 << 20}, end(job)});
  EXPECT_GT(run(b.plan()).jobs.at(0).completed_ns, 0);
}

TEST_F(Runner, a_change_of_cpu_costs_the_refill) {
  if (std::thread::hardware_concurrency() < 2) GTEST_SKIP() << "one CPU: nowhere to go";
  Builder b;
  const uint32_t job = b.job(0);
  constexpr int64_t kWork = 120 * kMillisecond, kRefill = 30 * kMillisecond;
  b.task({.start_ns = 0, .refill_ns = kRefill}, {begin(job), burn(kWork), end(job)});
  std::optional<RunRecord> record;
  std::atomic<bool> over{false};
  std::thread runner([&] {
    record = run(b.plan());
    over.store(true);
  });
  const auto move_to = [](int pid, int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    return sched_setaffinity(pid, sizeof set, &set) == 0;
  };
  const auto cpu_of = [](int pid) {
    std::string line;
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::getline(file, line);
    std::istringstream rest(line.substr(line.rfind(')') + 1));
    std::string word;
    for (int i = 0; i < 37; ++i) rest >> word;
    return std::atoi(word.c_str());
  };
  bool moved = false;
  while (!moved && !over.load()) {
    moved = find_tree(getpid(), [&](const Tree& tree, const std::map<int, Seen>&) {
      const int pid = tree.tasks[0];
      const int here = cpu_of(pid);
      // After it has burnt something here, so that there is a change to notice.
      timespec used{};
      clockid_t clock{};
      if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0 || used.tv_sec * kSecond + used.tv_nsec < 5 * kMillisecond) return false;
      return move_to(pid, here == 0 ? 1 : 0);
    });
  }
  runner.join();
  ASSERT_TRUE(moved);
  EXPECT_GE(record->jobs.at(0).cpu_ns, kWork + kRefill);
}

TEST_F(Runner, blocks_are_written_to_the_scratch_device) {
  std::string path = testing::TempDir() + "/pointsman-scratch-XXXXXX";
  const UniqueFd made(mkstemp(path.data()));
  ASSERT_TRUE(made);
  const std::string full(1 << 20, '\xff');
  ASSERT_EQ(write(made.get(), full.data(), full.size()), static_cast<ssize_t>(full.size()));
  if (!UniqueFd(open(path.c_str(), O_RDWR | O_DIRECT))) GTEST_SKIP() << testing::TempDir() << " has no direct I/O";
  Builder b;
  const uint32_t job = b.job(0);
  b.task({.start_ns = 0}, {begin(job), {OpCode::kWrite, 5, 8192}, {OpCode::kWrite, 200, 65536 * 8}, {OpCode::kRead, 77, 65536}, end(job)});
  const RunRecord record = run(b.plan(), {.scratch_device = path});
  EXPECT_GT(record.jobs.at(0).completed_ns, 0);
  auto content = read_file(path);
  ASSERT_TRUE(content);
  // Place 5 of the 4 KB places that hold 8 KB; place 200 of those that hold 512 KB: 200 modulo 129.
  std::string expected = full;
  expected.replace(5 * 4096, 8192, std::string(8192, '\0'));
  expected.replace(71 * 4096, 65536 * 8, std::string(65536 * 8, '\0'));
  EXPECT_TRUE(*content == expected);

  auto too_small = run_plan(b.plan(), 0, {.scratch_device = "/nonexistent"});
  ASSERT_FALSE(too_small);
  EXPECT_EQ(too_small.error().message, "scratch device /nonexistent: No such file or directory");
  auto none = run_plan(b.plan(), 0, {});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(none.error().message, "the plan reads or writes a block device, and no scratch device is given");
  ASSERT_EQ(truncate(path.c_str(), 4096), 0);
  too_small = run_plan(b.plan(), 0, {.scratch_device = path});
  ASSERT_FALSE(too_small);
  EXPECT_EQ(too_small.error().message, "task 0 (nice 0) failed at operation 1 (write 8192): No space left on device");
  unlink(path.c_str());
}

TEST_F(Runner, an_unsound_plan_is_refused) {
  Builder b;
  b.task({.start_ns = 0}, {wait_for(b.semaphore())});
  auto record = run_plan(b.plan(), 0, {});
  ASSERT_FALSE(record);
  EXPECT_EQ(record.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(record.error().message, "plan: task 0 would wait for ever at semaphore 0 (0 of 1 tasks end)");
}

TEST_F(Runner, a_task_that_fails_ends_the_run_and_is_named) {
  if (sysconf(_SC_NPROCESSORS_CONF) >= 64) GTEST_SKIP() << "this machine has every CPU that a mask can name";
  Builder b;
  const uint32_t job = b.job(0);
  b.task({.start_ns = 0}, {begin(job), nap(3600 * kSecond), end(job)});
  b.task({.start_ns = 1, .nice = 3, .cpu_mask = uint64_t{1} << 63}, {burn(1000)});
  auto record = run_plan(b.plan(), 0, {});
  ASSERT_FALSE(record);
  EXPECT_EQ(record.error().code, ErrorCode::kIo);
  EXPECT_EQ(record.error().message, "task 1 (nice 3) failed at operation 0 (burn 1000): Invalid argument");
}

// A plan whose tasks of all kinds sleep for an hour.
Plan endless_plan() {
  Builder b;
  const uint32_t job = b.job(0), other = b.job(0);
  b.task({.start_ns = 0}, {begin(job), spawn(2), start_thread(3), nap(3600 * kSecond), end(job)});
  b.task({.start_ns = 0}, {begin(other), end(other)});
  b.task({}, {spawn(4), nap(3600 * kSecond)});
  b.task({}, {nap(3600 * kSecond)});
  b.task({}, {nap(3600 * kSecond)});
  return b.plan();
}

TEST_F(Runner, the_limit_is_an_error_that_counts_jobs_and_leaves_no_process) {
  auto record = run_plan(endless_plan(), 0, {.limit_ns = 50 * kMillisecond});
  ASSERT_FALSE(record);
  EXPECT_EQ(record.error().code, ErrorCode::kIo);
  // On a machine busy enough not even the short job gets its turn in time.
  EXPECT_THAT(record.error().message, testing::MatchesRegex("[12] of 2 jobs unfinished 0.05 s after the last arrival"));
  EXPECT_THAT(children_of(getpid(), processes()), testing::IsEmpty());
}

TEST_F(Runner, a_cancelled_run_leaves_no_process) {
  std::atomic<bool> cancel{false};
  std::thread canceller([&] {
    std::vector<int> pids;
    while (!find_tree(getpid(), [](const Tree&, const std::map<int, Seen>&) { return true; })) {
    }
    cancel.store(true);
  });
  auto record = run_plan(endless_plan(), 0, {.cancel = &cancel});
  canceller.join();
  ASSERT_FALSE(record);
  EXPECT_EQ(record.error().code, ErrorCode::kBusy);
  EXPECT_THAT(record.error().message, testing::MatchesRegex("cancelled with [12] of 2 jobs unfinished"));
  EXPECT_THAT(children_of(getpid(), processes()), testing::IsEmpty());
}

// Whoever is killed, the whole tree goes.
void kill_one_and_expect_all_gone(const std::function<int(int caller, const Tree&)>& victim) {
  const pid_t caller = fork();
  if (caller == 0) {
    auto record = run_plan(endless_plan(), 0, {});
    _exit(record ? 1 : 0);
  }
  std::vector<int> all_pids;
  Tree found;
  while (all_pids.empty()) {
    const auto all = processes();
    for (const int supervisor : children_of(caller, all)) {
      for (const int dispatcher : children_of(supervisor, all)) {
        // Wait for all of them: the sleeper, its child, and that one's child.
        for (const int task : children_of(dispatcher, all)) {
          for (const int child : children_of(task, all)) {
            const auto last = children_of(child, all);
            if (last.size() == 1) {
              found = {supervisor, dispatcher, {task}};
              all_pids = {supervisor, dispatcher, task, child, last[0]};
            }
          }
        }
      }
    }
  }
  ASSERT_EQ(kill(victim(caller, found), SIGKILL), 0);
  int status = 0;
  waitpid(caller, &status, 0);
  // They die on their own; there is no telling how soon on a busy machine, so the test's own time limit is the only bound.
  for (const int pid : all_pids) {
    for (;;) {
      const auto all = processes();
      const auto at = all.find(pid);
      if (at == all.end() || at->second.state == 'Z' || at->second.state == 'X') break;
      usleep(1000);
    }
  }
  SUCCEED();
}

TEST_F(Runner, when_the_caller_is_killed_everything_goes) {
  kill_one_and_expect_all_gone([](int caller, const Tree&) { return caller; });
}
TEST_F(Runner, when_the_supervisor_is_killed_everything_goes) {
  kill_one_and_expect_all_gone([](int, const Tree& tree) { return tree.supervisor; });
}
TEST_F(Runner, when_the_dispatcher_is_killed_everything_goes) {
  kill_one_and_expect_all_gone([](int, const Tree& tree) { return tree.dispatcher; });
}

TEST_F(Runner, a_killed_dispatcher_is_an_error_not_a_result) {
  std::thread killer([] {
    while (!find_tree(getpid(), [](const Tree& tree, const std::map<int, Seen>&) { return kill(tree.dispatcher, SIGKILL) == 0; })) {
    }
  });
  auto record = run_plan(endless_plan(), 0, {});
  killer.join();
  ASSERT_FALSE(record);
  EXPECT_THAT(record.error().message, testing::MatchesRegex("the dispatcher was killed with [12] of 2 jobs unfinished"));
}

}  // namespace
}  // namespace pointsman

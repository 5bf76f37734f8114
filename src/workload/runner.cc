#include "workload/runner.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "workload/stage.h"

namespace pointsman {

namespace {

constexpr int kDispatcherPriority = 10;               // above what else is real time on most machines' user side, below the kernel's threads
constexpr int64_t kHeadStartNs = 20 * kMillisecond;   // to fork supervisor and dispatcher in
constexpr int64_t kKillGraceNs = 30 * kSecond;        // processes that do not die by then are stuck in the kernel
constexpr int kCancelPollMs = 100;

// Processes: the caller forks the supervisor, that forks the dispatcher, that starts the tasks, as strands in its own memory. Each dies with its parent, so the death of the dispatcher ends
// every task and the death of the caller ends everything. What loses its parent comes to the supervisor, which ends only when nothing is left.

[[noreturn]] void dispatch(const Stage& stage, int supervisor) {
  StageHeader& header = stage.header();
  die_with(supervisor);
  header.dispatcher.store(getpid());
  setpriority(PRIO_PROCESS, 0, 0);
  sched_param parameters{};
  parameters.sched_priority = kDispatcherPriority;
  if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &parameters) != 0) {
    stage.end(Ending::kNoFifo, errno);
    _exit(1);
  }
  const auto strands = Strands::open(stage.tasks(), static_cast<size_t>(header.room_bytes));
  if (!strands) {
    stage.end(Ending::kNoFork, ENOMEM);
    _exit(1);
  }
  SystemClock clock;
  const Inherited inherited{.parent = getpid(), .nice = 0, .cpu_mask = 0};
  for (uint32_t t = 0; t < stage.tasks() && stage.task(t).start_ns >= 0; ++t) {
    const int64_t moment = header.start_ns + stage.task(t).start_ns;
    int64_t now = clock.now_ns();
    for (; now < moment; now = clock.now_ns()) clock.sleep_until_ns(moment);
    stage.forked(t).store(now);
    if (const long pid = start_task_process(stage, *strands, t, inherited); pid < 0) {
      stage.end(Ending::kNoFork, static_cast<int>(-pid), t);
      _exit(1);
    }
  }
  for (uint32_t live = header.live.load(); live > 0; live = header.live.load()) {
    if (clock.now_ns() >= header.give_up_ns) {
      stage.end(Ending::kLimit);
      _exit(1);
    }
    futex_wait(header.live, live, header.give_up_ns);
  }
  while (waitpid(-1, nullptr, 0) > 0 || errno == EINTR) {
  }
  stage.end(Ending::kDone);
  _exit(0);
}

bool open_scratch(const Stage& stage, const char* path) {
  StageHeader& header = stage.header();
  header.scratch_fd = open(path, O_RDWR | O_DIRECT);
  struct stat status {};
  if (header.scratch_fd < 0 || fstat(header.scratch_fd, &status) != 0) return false;
  header.scratch_bytes = status.st_size;
  uint64_t bytes = 0;
  if (S_ISBLK(status.st_mode)) {
    if (ioctl(header.scratch_fd, BLKGETSIZE64, &bytes) != 0) return false;
    header.scratch_bytes = static_cast<int64_t>(bytes);
  }
  return true;
}

[[noreturn]] void supervise(const Stage& stage, int caller, const char* scratch, bool cancellable) {
  die_with(caller);
  // Nothing of the caller's is held open: a scheduler's link, for one, must go when the caller closes it.
  close_range(3, ~0u, 0);
  setpgid(0, 0);  // Ctrl-C is the caller's to handle
  for (int signal_number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) signal(signal_number, SIG_DFL);
  signal(SIGCHLD, SIG_IGN);  // children vanish when they end, waitpid returns when the last one has
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  if (*scratch != '\0' && !open_scratch(stage, scratch)) {
    stage.end(Ending::kNoScratch, errno);
    _exit(1);
  }
  const int self = getpid();
  const pid_t dispatcher = fork();
  if (dispatcher == 0) dispatch(stage, self);
  if (dispatcher < 0) {
    stage.end(Ending::kNoFork, errno);
    _exit(1);
  }
  if (cancellable) {
    const auto handle = static_cast<int>(syscall(SYS_pidfd_open, dispatcher, 0));
    pollfd wait{handle, POLLIN, 0};
    while (handle >= 0 && poll(&wait, 1, kCancelPollMs) <= 0) {
      if (stage.header().ending.load() == static_cast<int32_t>(Ending::kCancelled)) syscall(SYS_pidfd_send_signal, handle, SIGKILL, nullptr, 0);
    }
  }
  while (waitpid(-1, nullptr, 0) > 0 || errno == EINTR) {
  }
  _exit(0);
}

// Waits for the supervisor's end. False: it had to be killed.
bool await(const Stage& stage, pid_t supervisor, const RunOptions& options) {
  SystemClock clock;
  const UniqueFd handle(static_cast<int>(syscall(SYS_pidfd_open, supervisor, 0)));
  const int64_t latest = stage.header().give_up_ns + kKillGraceNs;
  bool ended = false;
  while (!ended && clock.now_ns() < latest) {
    if (options.cancel != nullptr && options.cancel->load()) stage.end(Ending::kCancelled);
    pollfd wait{handle.get(), POLLIN, 0};
    const int64_t left_ms = (latest - clock.now_ns()) / kMillisecond + 1;
    const int64_t wait_ms = options.cancel != nullptr ? std::min<int64_t>(left_ms, kCancelPollMs) : std::min<int64_t>(left_ms, 1'000'000'000);
    ended = poll(&wait, 1, static_cast<int>(std::max<int64_t>(1, wait_ms))) > 0;
  }
  if (!ended) kill(supervisor, SIGKILL);
  while (waitpid(supervisor, nullptr, 0) < 0 && errno == EINTR) {
  }
  return ended;
}

Unexpected explain(const Stage& stage, const Plan& plan, const RunOptions& options, bool ended) {
  const StageHeader& header = stage.header();
  const auto ending = static_cast<Ending>(header.ending.load());
  size_t unfinished = 0;
  for (uint32_t j = 0; j < stage.jobs(); ++j) unfinished += stage.job(j).completed.load() < 0 ? 1 : 0;
  const char* why = std::strerror(header.error.load());
  const uint32_t t = header.failed_task.load(), i = header.failed_op.load();
  switch (ending) {
    case Ending::kNoFifo:
      return fail(header.error.load() == EPERM ? ErrorCode::kPermissionDenied : ErrorCode::kIo,
                  "the dispatcher cannot be SCHED_FIFO: {}; run as root or with CAP_SYS_NICE", why);
    case Ending::kNoScratch:
      return fail(ErrorCode::kIo, "scratch device {}: {}", options.scratch_device, why);
    case Ending::kNoFork:
      return fail(ErrorCode::kIo, "cannot fork task {}: {}", t, why);
    case Ending::kTaskFailed: {
      const Task& task = plan.tasks[t];
      const std::string what = i < task.ops ? fmt::format("{} {}", name_of(plan.ops[task.first_op + i].code), plan.ops[task.first_op + i].value) : "";
      return fail(ErrorCode::kIo, "task {} (nice {}) failed at operation {} ({}): {}", t, task.nice, i, what, why);
    }
    case Ending::kCancelled:
      return fail(ErrorCode::kBusy, "cancelled with {} of {} jobs unfinished", unfinished, plan.jobs.size());
    case Ending::kLimit:
      return fail(ErrorCode::kIo, "{} of {} jobs unfinished {} s after the last arrival", unfinished, plan.jobs.size(),
                  static_cast<double>(options.limit_ns) * 1e-9);
    case Ending::kRunning:
    case Ending::kDone:
      break;
  }
  return fail(ErrorCode::kIo, "the dispatcher was {} with {} of {} jobs unfinished", ended ? "killed" : "stuck", unfinished, plan.jobs.size());
}

RunRecord collect(const Stage& stage, const Plan& plan) {
  RunRecord record;
  record.start_ns = stage.header().start_ns;
  for (uint32_t j = 0; j < stage.jobs(); ++j) {
    const JobCell& cell = stage.job(j);
    const int64_t planned = plan.jobs[j].planned_ns;
    record.jobs.push_back({.planned_ns = planned >= 0 ? planned : cell.started.load(),
                           .started_ns = cell.started.load(),
                           .first_run_ns = cell.first_run.load(),
                           .completed_ns = cell.completed.load(),
                           .cpu_ns = cell.cpu.load()});
    record.makespan_ns = std::max(record.makespan_ns, cell.completed.load());
  }
  std::vector<int64_t> lags;
  for (uint32_t t = 0; t < stage.tasks() && stage.task(t).start_ns >= 0; ++t) {
    lags.push_back(stage.forked(t).load() - record.start_ns - stage.task(t).start_ns);
  }
  std::sort(lags.begin(), lags.end());
  record.dispatched = static_cast<int>(lags.size());
  if (!lags.empty()) {
    record.dispatch_lag_max_ns = lags.back();
    record.dispatch_lag_p99_ns = lags[(lags.size() * 99 + 99) / 100 - 1];
  }
  return record;
}

}  // namespace

BurnRate calibrate_burn() {
  // The fastest of several short rounds: the one that was disturbed least.
  constexpr int kBlocks = 500, kRounds = 12;
  const auto cpu_ns = [] {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * kSecond + t.tv_nsec;
  };
  int64_t best = 0;
  for (int round = 0; round < kRounds; ++round) {
    const int64_t before = cpu_ns();
    for (int i = 0; i < kBlocks; ++i) burn_block();
    const int64_t took = std::max<int64_t>(1, cpu_ns() - before);
    if (round == 0 || took < best) best = took;
  }
  return {static_cast<double>(kBlocks) / static_cast<double>(best)};
}

Result<RunRecord> run_plan(const Plan& plan, int64_t start_ns, const RunOptions& options) {
  if (auto checked = check_plan(plan); !checked) return fail(checked.error());
  const PlanTotals totals = totals_of(plan);
  if (totals.needs_scratch_device && options.scratch_device.empty()) {
    return fail(ErrorCode::kInvalidArgument, "the plan reads or writes a block device, and no scratch device is given");
  }
  RunOptions settled = options;
  if (!settled.burn_by_cpu_clock && settled.burn_rate.blocks_per_ns <= 0) settled.burn_rate = calibrate_burn();
  auto stage = Stage::open(plan, settled);
  if (!stage) return fail(stage.error());
  StageHeader& header = stage->header();
  header.start_ns = start_ns > 0 ? start_ns : SystemClock().now_ns() + kHeadStartNs;
  header.give_up_ns = header.start_ns + totals.last_arrival_ns + settled.limit_ns;

  const int self = getpid();
  const pid_t supervisor = fork();
  if (supervisor < 0) return fail_errno("fork the supervisor of the plan");
  if (supervisor == 0) supervise(*stage, self, totals.needs_scratch_device ? settled.scratch_device.c_str() : "", settled.cancel != nullptr);
  const bool ended = await(*stage, supervisor, settled);
  if (static_cast<Ending>(header.ending.load()) != Ending::kDone) return explain(*stage, plan, settled, ended);
  return collect(*stage, plan);
}

}  // namespace pointsman

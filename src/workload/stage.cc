#include "workload/stage.h"

#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include <algorithm>
#include <csignal>
#include <ctime>
#include <new>
#include <utility>

#include "base/clock.h"

namespace pointsman {

Result<Stage> Stage::open(const Plan& plan, const RunOptions& options) {
  Stage stage;
  stage.task_count_ = static_cast<uint32_t>(plan.tasks.size());
  stage.job_count_ = static_cast<uint32_t>(plan.jobs.size());
  size_t bytes = 0;
  const auto reserve = [&bytes](size_t size, size_t number) {
    const size_t at = bytes;
    bytes += (size * number + 63) / 64 * 64;
    return at;
  };
  const size_t header = reserve(sizeof(StageHeader), 1), gates = reserve(sizeof(Gate), plan.semaphores + 1), jobs = reserve(sizeof(JobCell), plan.jobs.size() + 1);
  const size_t forked = reserve(sizeof(std::atomic<int64_t>), plan.tasks.size() + 1), tasks = reserve(sizeof(Task), plan.tasks.size() + 1);
  const size_t ops = reserve(sizeof(Op), plan.ops.size() + 1);
  // Populated now, so that no task is held up by the first touch of a page.
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED) return fail_errno("shared memory of the plan");
  stage.memory_ = static_cast<std::byte*>(memory);
  stage.bytes_ = bytes;
  stage.header_ = new (stage.memory_ + header) StageHeader{};
  stage.gates_ = new (stage.memory_ + gates) Gate[plan.semaphores + 1]{};
  stage.jobs_ = new (stage.memory_ + jobs) JobCell[plan.jobs.size() + 1]{};
  stage.forked_ = new (stage.memory_ + forked) std::atomic<int64_t>[plan.tasks.size() + 1]{};
  stage.tasks_ = new (stage.memory_ + tasks) Task[plan.tasks.size() + 1]{};
  stage.ops_ = new (stage.memory_ + ops) Op[plan.ops.size() + 1]{};
  std::copy(plan.tasks.begin(), plan.tasks.end(), stage.tasks_);
  std::copy(plan.ops.begin(), plan.ops.end(), stage.ops_);
  stage.header_->live.store(stage.task_count_);
  stage.header_->burn_by_cpu_clock = options.burn_by_cpu_clock;
  stage.header_->room_bytes = room_for(plan);
  stage.header_->blocks_per_ns = options.burn_rate.blocks_per_ns;
  return stage;
}

Stage::Stage(Stage&& other) noexcept
    : header_(other.header_),
      tasks_(other.tasks_),
      ops_(other.ops_),
      jobs_(other.jobs_),
      gates_(other.gates_),
      forked_(other.forked_),
      task_count_(other.task_count_),
      job_count_(other.job_count_),
      memory_(std::exchange(other.memory_, nullptr)),
      bytes_(other.bytes_) {}

Stage::~Stage() {
  if (memory_ != nullptr) munmap(memory_, bytes_);
}

void Stage::end(Ending ending, int error, uint32_t task, uint32_t op) const {
  int32_t running = 0;
  if (!header_->ending.compare_exchange_strong(running, static_cast<int32_t>(ending))) return;
  header_->error.store(error);
  header_->failed_task.store(task);
  header_->failed_op.store(op);
}

void futex_wait(std::atomic<uint32_t>& word, uint32_t seen, int64_t deadline_ns) {
  const timespec deadline{deadline_ns / kSecond, deadline_ns % kSecond};
  raw_syscall(SYS_futex, &word, FUTEX_WAIT_BITSET, seen, deadline_ns >= 0 ? &deadline : nullptr, nullptr, FUTEX_BITSET_MATCH_ANY);
}

void futex_wake(std::atomic<uint32_t>& word, int most) { raw_syscall(SYS_futex, &word, FUTEX_WAKE, most, nullptr, nullptr, 0); }

void die_with(int parent) {
  raw_syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (raw_syscall(SYS_getppid) != parent) end_process(1);
}

}  // namespace pointsman

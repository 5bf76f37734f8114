#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <ctime>

#include "base/clock.h"
#include "workload/stage.h"
#include "workload/strand.h"

namespace pointsman {

namespace {

constexpr int64_t kLookNs = 110 * kMicrosecond;  // a block takes 13 us of a CPU of the lab, 102 when eight of them are busy
constexpr int64_t kIoChunkBytes = 256 * 1024;
constexpr int64_t kIoAlignBytes = 4096;

int64_t now_ns() { return SystemClock().now_ns(); }

void post(Gate& gate, uint32_t count) {
  gate.value.fetch_add(count);
  if (gate.waiting.load() > 0) futex_wake(gate.value, static_cast<int>(std::min<uint32_t>(count, INT_MAX)));
}

void take_one(Gate& gate) {
  for (;;) {
    uint32_t seen = gate.value.load();
    while (seen > 0) {
      if (gate.value.compare_exchange_weak(seen, seen - 1)) return;
    }
    gate.waiting.fetch_add(1);
    futex_wait(gate.value, 0);
    gate.waiting.fetch_sub(1);
  }
}

void meet(Gate& barrier, uint32_t tasks) {
  const uint32_t generation = barrier.generation.load();
  if (barrier.value.fetch_add(1) + 1 == tasks) {
    barrier.value.store(0);
    barrier.generation.fetch_add(1);
    futex_wake(barrier.generation, INT_MAX);
    return;
  }
  while (barrier.generation.load() == generation) futex_wait(barrier.generation, generation);
}

// Uses CPU time; more of it after each change of CPU.
class Burner {
 public:
  Burner(const StageHeader& header, int64_t refill_ns) : header_(header), refill_ns_(refill_ns) {}

  void burn(int64_t ns) {
    if (header_.burn_by_cpu_clock) {
      int64_t left = ns, end = thread_cpu_ns() + ns;
      do {
        // Looking at the clock costs the emulator as much as a block: far from the end, look at every eighth.
        for (int64_t blocks = std::clamp<int64_t>(left / kLookNs, 1, 8); blocks > 0; --blocks) burn_block();
        if (moved()) end += refill_ns_;
        left = end - thread_cpu_ns();
      } while (left > 0);
    } else {
      int64_t blocks = blocks_of(ns);
      for (int64_t i = 0; i < blocks; ++i) {
        burn_block();
        if (moved()) blocks += blocks_of(refill_ns_);
      }
    }
  }

 private:
  [[nodiscard]] int64_t blocks_of(int64_t ns) const { return static_cast<int64_t>(static_cast<double>(ns) * header_.blocks_per_ns + 0.5); }
  bool moved() {
    if (refill_ns_ == 0) return false;
    unsigned now = 0;
    getcpu(&now, nullptr);  // not sched_getcpu(): that one asks libc's state of the thread
    const int cpu = static_cast<int>(now);
    const bool changed = cpu_ >= 0 && cpu != cpu_;
    cpu_ = cpu;
    return changed;
  }

  const StageHeader& header_;
  int64_t refill_ns_;
  int cpu_ = -1;
};

int64_t touched_by(const Op& op) { return std::max(op.value, kPageBytes) / kPageBytes * kPageBytes; }

// What the threads of one process share; on the stack of its first thread, which outlives the others.
struct Process {
  const Stage& stage;
  const Strands& strands;
  std::atomic<uint32_t> threads{0};  // others that still run
};

class TaskRun {
 public:
  TaskRun(Process& process, uint32_t t, const Inherited& inherited, std::byte* room)
      : process_(process),
        room_(room),
        stage_(process.stage),
        index_(t),
        task_(stage_.task(t)),
        inherited_(inherited),
        burner_(stage_.header(), task_.refill_ns),
        woke_ns_(stage_.forked(t).load()) {}

  void run() {
    if (task_.nice != inherited_.nice) check(raw_syscall(SYS_setpriority, int{PRIO_PROCESS}, 0, task_.nice), 0);
    if (task_.cpu_mask != inherited_.cpu_mask) pin();
    for (uint32_t i = 0; i < task_.ops; ++i) execute(stage_.op(task_.first_op + i), i);
    release_memory();
    // A parent waits for its children, as make and shells do.
    if (spawned_) wait_for_children();
    std::atomic<uint32_t>& live = stage_.header().live;
    if (live.fetch_sub(1) == 1) futex_wake(live, 1);
  }

 private:
  struct ThreadStart {
    Process* process;
    uint32_t task;
    Inherited inherited;
  };

  // The dispatcher's death takes everything else with it.
  [[noreturn]] void fail(long error, uint32_t op) const {
    stage_.end(Ending::kTaskFailed, static_cast<int>(error), index_, op);
    raw_syscall(SYS_kill, stage_.header().dispatcher.load(), SIGKILL);
    end_process(1);
  }
  // The result of a system call.
  long check(long result, uint32_t op) const {
    if (result < 0) fail(-result, op);
    return result;
  }

  void pin() const {
    cpu_set_t set;
    CPU_ZERO(&set);
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (task_.cpu_mask == 0 || (cpu < 64 && (task_.cpu_mask >> cpu & 1) != 0)) CPU_SET(cpu, &set);
    }
    check(raw_syscall(SYS_sched_setaffinity, 0, sizeof set, &set), 0);
  }

  void execute(const Op& op, uint32_t i) {
    switch (op.code) {
      case OpCode::kBurn: burner_.burn(op.value); break;
      case OpCode::kNap: nap(op.value); break;
      case OpCode::kUntil: until(stage_.header().start_ns + op.value); break;
      case OpCode::kBegin: begin(op.arg); break;
      case OpCode::kEnd: end(op.arg); break;
      case OpCode::kPost: post(stage_.gate(op.arg), static_cast<uint32_t>(op.value)); break;
      case OpCode::kWait:
        for (int64_t k = 0; k < op.value; ++k) take_one(stage_.gate(op.arg));
        woke_ns_ = now_ns();
        break;
      case OpCode::kBarrier: meet(stage_.gate(op.arg), static_cast<uint32_t>(op.value)); break;
      case OpCode::kSpawn: spawn(op.arg, i); break;
      case OpCode::kThread: start_thread(op.arg, i); break;
      case OpCode::kTouch: touch(op); break;
      case OpCode::kRewrite: rewrite(op); break;
      case OpCode::kRead:
      case OpCode::kWrite: transfer(op, i); break;
    }
  }

  void nap(int64_t ns) {
    timespec left{ns / kSecond, ns % kSecond};
    while (raw_syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &left, &left) == -EINTR) {
    }
    woke_ns_ = now_ns();
  }

  // A server in time becomes runnable when its timer expires; a late one takes up the request now.
  void until(int64_t moment_ns) {
    const int64_t now = now_ns();
    woke_ns_ = std::max(now, moment_ns);
    if (now >= moment_ns) return;
    const timespec t{moment_ns / kSecond, moment_ns % kSecond};
    while (raw_syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &t, nullptr) == -EINTR) {
    }
  }

  void begin(uint32_t j) {
    JobCell& job = stage_.job(j);
    const int64_t start = stage_.header().start_ns;
    job.started.store(woke_ns_ - start);
    job.first_run.store(now_ns() - start);
    begun_cpu_ = thread_cpu_ns();
  }

  void end(uint32_t j) {
    JobCell& job = stage_.job(j);
    // Of a job that another task began: all CPU time since this one's last begin or end.
    const int64_t cpu = thread_cpu_ns();
    job.cpu.store(cpu - begun_cpu_);
    begun_cpu_ = cpu;
    job.completed.store(now_ns() - stage_.header().start_ns);
  }

  [[nodiscard]] Inherited to_inherit() const { return {.parent = static_cast<int>(raw_syscall(SYS_getpid)), .nice = task_.nice, .cpu_mask = task_.cpu_mask}; }

  void spawn(uint32_t t, uint32_t i) {
    const Inherited inherited = to_inherit();
    stage_.forked(t).store(now_ns());
    check(start_task_process(stage_, process_.strands, t, inherited), i);
    spawned_ = true;
  }

  void start_thread(uint32_t t, uint32_t i) {
    process_.threads.fetch_add(1);
    stage_.forked(t).store(now_ns());
    check(process_.strands.start(Strands::Kind::kThread, thread_body, ThreadStart{&process_, t, to_inherit()}), i);
  }

  static void thread_body(const ThreadStart& start, std::byte* room) {
    Process& process = *start.process;
    TaskRun(process, start.task, start.inherited, room).run();
    if (process.threads.fetch_sub(1) == 1) futex_wake(process.threads, 1);
    end_thread();
  }

  // SIGCHLD is ignored, so this returns when none is left.
  static void wait_for_children() {
    for (;;) {
      const long ended = raw_syscall(SYS_wait4, -1, nullptr, 0, nullptr);
      if (ended < 0 && ended != -EINTR) return;
    }
  }

  // Half of the page gets numbers that do not compress, so that swap in memory has to work for its living.
  void dirty(std::byte* page) {
    auto* words = reinterpret_cast<uint64_t*>(page);
    for (size_t w = 0; w < kPageBytes / sizeof(uint64_t) / 2; ++w) {
      noise_ ^= noise_ << 13;
      noise_ ^= noise_ >> 7;
      noise_ ^= noise_ << 17;
      words[w] = noise_;
    }
    __builtin_ia32_pause();
  }

  void touch(const Op& op) {
    const int64_t bytes = touched_by(op);
    for (int64_t at = 0; at < bytes; at += kPageBytes) dirty(room_ + touched_ + at);
    touched_ += bytes;
    if (op.arg == 1) page_out();
  }

  void rewrite(const Op& op) {
    for (int64_t left = touched_ > 0 ? op.value : 0; left > 0; left -= kPageBytes) {
      dirty(room_ + rewritten_ % touched_);
      rewritten_ += kPageBytes;
    }
    if (op.arg == 1) page_out();
  }

  // Without swap, or when the kernel declines, the pages just stay: the plan asks for pressure, it does not depend on it.
  void page_out() const { raw_syscall(SYS_madvise, room_, touched_, MADV_PAGEOUT); }

  void release_memory() const {
    if (touched_ > 0) raw_syscall(SYS_madvise, room_, touched_, MADV_DONTNEED);
    if (transferred_) raw_syscall(SYS_madvise, buffer(), kIoChunkBytes, MADV_DONTNEED);
  }

  [[nodiscard]] std::byte* buffer() const { return room_ + stage_.header().room_bytes - kIoChunkBytes; }

  void transfer(const Op& op, uint32_t i) {
    const StageHeader& header = stage_.header();
    transferred_ = true;
    const int64_t places = (header.scratch_bytes - op.value) / kIoAlignBytes + 1;
    if (header.scratch_bytes < op.value) fail(ENOSPC, i);
    int64_t at = int64_t{op.arg} % places * kIoAlignBytes;
    for (int64_t left = op.value; left > 0;) {
      const auto size = static_cast<size_t>(std::min(left, kIoChunkBytes));
      const long moved = raw_syscall(op.code == OpCode::kRead ? SYS_pread64 : SYS_pwrite64, header.scratch_fd, buffer(), size, at);
      if (moved == -EINTR) continue;
      if (moved == 0) fail(EIO, i);
      check(moved, i);
      at += moved;
      left -= moved;
    }
    woke_ns_ = now_ns();
  }

  Process& process_;
  std::byte* room_;  // what it touches from the front, the buffer of its transfers at the end
  const Stage& stage_;
  uint32_t index_;
  const Task& task_;
  Inherited inherited_;
  Burner burner_;
  int64_t woke_ns_;  // when it last became able to run: forked, timer, end of a wait
  int64_t begun_cpu_ = 0;
  bool spawned_ = false;
  int64_t touched_ = 0, rewritten_ = 0;  // bytes from the room's start
  bool transferred_ = false;
  uint64_t noise_ = 0x9E3779B97F4A7C15ull;
};

}  // namespace

// 6,400 instructions that do nothing, in straight runs: time in the lab is their number, and its emulator has nothing to do for a NOP but to count it, so
// that a burn costs the host next to nothing. A host sees a CPU that is busy, which is all that a scheduler sees.
void burn_block() {
  for (int i = 0; i < 10; ++i) asm volatile(".rept 640\n\tnop\n\t.endr");
  __builtin_ia32_pause();
}

int64_t room_for(const Plan& plan) {
  int64_t most = 0;
  bool transfers = false;
  for (const Task& task : plan.tasks) {
    int64_t touched = 0;
    for (uint32_t i = 0; i < task.ops; ++i) {
      const Op& op = plan.ops[task.first_op + i];
      if (op.code == OpCode::kTouch) touched += touched_by(op);
      transfers = transfers || op.code == OpCode::kRead || op.code == OpCode::kWrite;
    }
    most = std::max(most, touched);
  }
  return most + (transfers ? kIoChunkBytes : 0);
}

long start_task_process(const Stage& stage, const Strands& strands, uint32_t t, const Inherited& inherited) {
  struct ProcessStart {
    const Stage* stage;
    const Strands* strands;
    uint32_t task;
    Inherited inherited;
  };
  const auto body = [](const ProcessStart& start, std::byte* room) {
    die_with(start.inherited.parent);
    Process process{*start.stage, *start.strands};
    TaskRun(process, start.task, start.inherited, room).run();
    for (uint32_t left = process.threads.load(); left > 0; left = process.threads.load()) futex_wait(process.threads, left);
    end_process(0);
  };
  return strands.start(Strands::Kind::kProcess, +body, ProcessStart{&stage, &strands, t, inherited});
}

}  // namespace pointsman

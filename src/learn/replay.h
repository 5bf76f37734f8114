// Replay: what would the recorded bursts have cost under every arm? A small machine in which what was seen for a second or two runs again
// under each policy, so that arms can be compared without trying them.
// Shapes: costs [kChoosable], ln ratios of the geometric-mean turnaround of jobs to the default arm's.
// Source: the keys, slices and margins of src/bpf/portfolio/policy_*.h in the same integers; the kernel's own by Stoica and Abdel-Wahab
// 1995 as kernel/sched/fair.c has it (run to parity, lag kept over sleep), one queue a CPU, an idle CPU takes from the longest. Blind
// spots: caches, migration, locks that do not sleep, and whatever no recorded waker explains: those wake-ups keep their recorded time
// (after a long sleep) or their recorded distance (after a nap).
// Errors: kInvalidArgument (no bursts, options out of range), kCorrupt (bursts of one task that overlap, times that run backwards).
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/result.h"
#include "bpf/bursts/bursts.intf.h"
#include "learn/dataset.h"
#include "sched/arm.h"

namespace pointsman {

// What one thread did between a wake-up (or its fork) and the sleep (or exit) that followed. Times of one clock.
struct RecordedBurst {
  int64_t wake_ns = 0, end_ns = 0;  // runnable from .. to; of one that is under way: to the end of the recording
  int64_t cpu_ns = 0;               // used in between
  uint32_t task = 0;                // thread
  uint32_t waker = 0;               // the thread that woke or forked it; 0: an interrupt, a timer, not known
  int64_t waker_ran_ns = 0;         // what that thread had used of its own burst at that moment
  int64_t process_start_ns = 0;
  int64_t attained_ns = 0;  // CPU time of its life before this burst
  int64_t usual_ns = 0;     // moving average of its bursts before this one
  int nice = 0;
  bool newborn = false;     // it began with the fork
  bool unfinished = false;  // it was under way when the recording ended: cpu_ns is only what it has used
};

// From what the kernel recorded: the bursts that had not ended before `from_ns`. Of one that was under way then, only what lay after
// counts, its CPU time in proportion.
std::vector<RecordedBurst> recorded_bursts(std::span<const pm_burst> bursts, int64_t from_ns);
// Gives each unfinished burst the CPU time that it can be expected to need in all: a thread's usual burst, and where it has none or has used that up, what
// others of its kind needed that needed more than it has used. Without it whoever waits in a queue has a burst of nothing, and a queue that grows costs nothing
// under any arm. Others of its kind are the finished ones that the same thread woke or forked, five of them at least; else all that were born, or were not,
// like it. Those that are alike get different lengths, spread evenly over what is known: the mean alone would hide how unequal they will be.
void expect_rest(std::vector<RecordedBurst>& bursts);

struct ReplayOptions {
  int cpus = 4;
  int64_t tick_ns = 4'000'000;  // slices end on the kernel's tick
  int64_t nap_ns = 2'000'000;   // a shorter sleep belongs to the episode
  int64_t floor_ns = 50'000;    // of a turnaround's logarithm
  bool edges = true;            // a recorded waker wakes in the replay too
  // A process that was born in the recording is one job, from its fork to its last burst, and all its sleeps keep their length: who has just been started
  // works its way through to an end. Older ones serve: each of their episodes is a job of its own.
  bool newborn_is_one_job = true;
  // Whom a thread wakes (not: forks) works on the waker's job, which ends with the last of them: a request that a server answers, an item that goes through a
  // pipeline. Otherwise every wake-up would be a job, and what a make of fifty microseconds waits would weigh as much as what its compilers wait.
  bool wakers_share_jobs = true;
};

// One stay of a task on a CPU.
struct ReplayStint {
  int cpu = 0;
  uint32_t task = 0;
  int64_t from_ns = 0, to_ns = 0;
};
struct ReplayRun {
  double mean_log_turnaround = 0;  // of jobs
  int jobs = 0;
  int64_t makespan_ns = 0;  // from the first wake-up to the last end
};

// Every arm against the default arm, job by job: few jobs, or jobs that disagree, are little to go by.
struct Comparison {
  ArmCosts gain{};       // ln ratio of turnarounds, mean over the jobs that both arms end; negative: shorter
  ArmCosts deviation{};  // of that mean; 0 of the default arm, kUnknown with fewer than two jobs
  int jobs = 0;
  static constexpr double kUnknown = 10;
};

class Replay {
 public:
  static Result<Replay> of(std::span<const RecordedBurst> bursts, const ReplayOptions& options = {});

  // Stints are collected where asked for.
  ReplayRun run(ArmId arm, std::vector<ReplayStint>* stints = nullptr) const;
  // All choosable arms.
  [[nodiscard]] ArmCosts costs() const;
  // `between` is called after each arm but the last.
  [[nodiscard]] Comparison compare(const std::function<void()>& between = nullptr) const;
  [[nodiscard]] int episodes() const { return episodes_; }
  [[nodiscard]] int edges() const { return edges_; }  // wake-ups that follow a waker

  struct Wake {
    int64_t after_ns = 0;  // when the waking burst has used so much
    uint32_t burst = 0;    // which is woken
  };
  struct Burst {
    int64_t cpu_ns = 0;
    int64_t wake_ns = 0;                // as recorded
    int64_t nap_ns = -1;                // since the end of the one before; -1: it begins an episode
    bool by_waker = false;              // waits for a Wake
    uint32_t wakes = 0, wakes_end = 0;  // its own, in `wakes`
  };
  struct Task {
    uint32_t id = 0;
    uint32_t first = 0, last = 0;  // bursts [first, last)
    int64_t process_start_ns = 0, attained_ns = 0, usual_ns = 0;
    int64_t weight = 100;
    bool newborn = false;
  };

 private:
  ReplayOptions options_{};
  std::vector<Task> tasks_{};
  std::vector<Burst> bursts_{};
  std::vector<Wake> wakes_{};
  std::vector<uint32_t> task_of_{};  // by burst
  int episodes_ = 0, edges_ = 0;

  ReplayRun run_jobs(ArmId arm, std::vector<ReplayStint>* stints, std::vector<double>* log_turnarounds) const;

  friend class ReplayMachine;
};

}  // namespace pointsman

// ReplayMachine: the small machine in which recorded bursts run again. Private to this module; what replays are for is told in replay.h.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <queue>
#include <vector>

#include "base/exact_math.h"
#include "learn/replay.h"

namespace pointsman {

// What the policies have in common: tasks that wake, run and sleep, CPUs, wakers. A scheduler decides who runs.
class ReplayMachine {
 public:
  static constexpr int64_t kMs = 1'000'000;
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

  ReplayMachine(const Replay& replay, std::vector<ReplayStint>* stints)
      : replay_(replay),
        options_(replay.options_),
        stints_(stints),
        tasks_(replay.tasks_.size()),
        fired_(replay.bursts_.size(), kNever),
        passed_on_(replay.bursts_.size(), kNoJob),
        cpus_(static_cast<size_t>(replay.options_.cpus)),
        stops_(cpus_.size(), kNever) {}
  virtual ~ReplayMachine() = default;
  ReplayMachine(const ReplayMachine&) = delete;
  ReplayMachine& operator=(const ReplayMachine&) = delete;

  // Where asked for: each job's ln turnaround, at the burst that began it.
  ReplayRun run(std::vector<double>* log_turnarounds) {
    jobs_seen_ = log_turnarounds;
    int64_t first = kNever;
    for (size_t i = 0; i < tasks_.size(); ++i) {
      const Replay::Task& from = replay_.tasks_[i];
      Task& t = tasks_[i];
      t.burst = from.first;
      t.attained = from.attained_ns;
      t.usual = from.usual_ns;
      t.weight = from.weight;
      t.start = from.process_start_ns;
      t.newborn = from.newborn;
      const Replay::Burst& b = replay_.bursts_[t.burst];
      first = std::min(first, b.wake_ns);
      if (!b.by_waker) wake_later(i, b.wake_ns, b.wake_ns);
    }
    now_ = first;
    for (;;) {
      int64_t next = wakes_.empty() ? kNever : wakes_.top().at;
      for (const int64_t stop : stops_) next = std::min(next, stop);
      if (next == kNever) break;
      now_ = std::max(now_, next);
      for (size_t c = 0; c < stops_.size(); ++c)
        if (stops_[c] <= now_) reach(c);
      while (!wakes_.empty() && wakes_.top().at <= now_) {
        const Waking w = wakes_.top();
        wakes_.pop();
        wake(w.task, tasks_[w.task].next_arrival);
      }
    }
    out_.makespan_ns = now_ - first;
    if (out_.jobs > 0) out_.mean_log_turnaround = (sum_ + exact_log(product_)) / out_.jobs;
    return out_;
  }

 protected:
  static constexpr uint32_t kNoJob = std::numeric_limits<uint32_t>::max();
  struct Task {
    uint32_t burst = 0;
    int64_t done = 0;          // of the burst
    uint32_t next_wake = 0;    // of its wakes
    uint32_t job = kNoJob;     // that its episode belongs to
    int64_t next_arrival = 0;  // of the burst that it sleeps before
    int64_t attained = 0, usual = 0, weight = 100, start = 0;
    int64_t run_since_wake = 0;
    int64_t vruntime = 0, awake = 0, woke_at = -kNever / 2, wake_rate = 0, used = 0, quantum = 0, slice = 0;
    int64_t key = 0, growth = 0;
    int64_t lag = 0, deadline = 0;  // eevdf
    int cpu = -1;
    bool returning = false, newborn = false, asleep = true;
    bool seen = false;  // by the scheduler
  };
  struct Cpu {
    int task = -1;
    int64_t since = 0;      // charged up to here
    int64_t began = 0;      // of the stint, for whoever watches
    int64_t slice_at = 0;   // when it must ask again
    int64_t key_since = 0;  // when the task's key was that
  };

  virtual void enqueue_woken(size_t task) = 0;  // no CPU is idle, or the scheduler wants to look first
  virtual void slice_ends(size_t cpu) = 0;
  virtual int next_for(size_t cpu) = 0;  // who runs on a CPU that has nobody; -1: nobody waits
  virtual int64_t slice_of(size_t cpu) = 0;
  virtual void about_to_sleep(size_t /*task*/) {}
  virtual void charged(Task& /*t*/, int64_t /*ran*/) {}

  // At weight 100, without a division where there is nothing to divide by.
  static int64_t weighed(int64_t ns, const Task& t) { return t.weight == 100 ? ns : ns * 100 / t.weight; }
  static int64_t growth_of(const Task& t) { return t.weight == 100 ? 1000 : 100'000 / t.weight; }

  Task& task_on(size_t cpu) { return tasks_[static_cast<size_t>(cpus_[cpu].task)]; }

  int idle_cpu(int preferred) const {
    if (preferred >= 0 && cpus_[static_cast<size_t>(preferred)].task < 0) return preferred;
    for (size_t c = 0; c < cpus_.size(); ++c)
      if (cpus_[c].task < 0) return static_cast<int>(c);
    return -1;
  }

  void put_on(size_t cpu, size_t task) {
    Cpu& c = cpus_[cpu];
    c.task = static_cast<int>(task);
    c.since = c.began = c.key_since = now_;
    tasks_[task].cpu = static_cast<int>(cpu);
    set_slice(cpu, slice_of(cpu));
  }
  // A slice ends on the first tick on which all of it is used.
  void set_slice(size_t cpu, int64_t slice) {
    cpus_[cpu].slice_at = (now_ + slice + options_.tick_ns - 1) / options_.tick_ns * options_.tick_ns;
    plan(cpu);
  }
  void charge(size_t cpu) {
    Cpu& c = cpus_[cpu];
    const int64_t ran = now_ - c.since;
    if (ran <= 0) return;
    c.since = now_;
    Task& t = task_on(cpu);
    t.done += ran;
    t.attained += ran;
    t.run_since_wake += ran;
    charged(t, ran);
  }
  // Takes the task from the CPU; it is nowhere then.
  size_t take_off(size_t cpu) {
    Cpu& c = cpus_[cpu];
    const auto task = static_cast<size_t>(c.task);
    if (stints_ != nullptr && now_ > c.began)
      stints_->push_back({.cpu = static_cast<int>(cpu), .task = replay_.tasks_[task].id, .from_ns = c.began, .to_ns = now_});
    c.task = -1;
    stops_[cpu] = kNever;
    return task;
  }
  void fill(size_t cpu) {
    const int next = next_for(cpu);
    if (next >= 0) put_on(cpu, static_cast<size_t>(next));
  }

  const Replay& replay_;
  const ReplayOptions& options_;
  std::vector<ReplayStint>* stints_;
  std::vector<Task> tasks_;
  std::vector<int64_t> fired_;       // when a waker woke the burst
  std::vector<uint32_t> passed_on_;  // the job that it brought along
  std::vector<Cpu> cpus_;
  std::vector<int64_t> stops_;  // the next moment at which anything happens on a CPU by itself
  int64_t now_ = 0;

 private:
  struct Waking {
    int64_t at = 0;
    uint32_t task = 0;
    bool operator>(const Waking& other) const { return at != other.at ? at > other.at : task > other.task; }
  };

  // A task waits for one moment at a time.
  void wake_later(size_t task, int64_t at, int64_t arrival) {
    tasks_[task].next_arrival = arrival;
    wakes_.push({at, static_cast<uint32_t>(task)});
  }

  void plan(size_t cpu) {
    Cpu& c = cpus_[cpu];
    const Task& t = task_on(cpu);
    const Replay::Burst& b = replay_.bursts_[t.burst];
    const uint32_t next = b.wakes + t.next_wake;
    const int64_t goal = next < b.wakes_end ? std::min(replay_.wakes_[next].after_ns, b.cpu_ns) : b.cpu_ns;
    stops_[cpu] = std::min(c.since + std::max<int64_t>(goal - t.done, 0), c.slice_at);
  }

  // Something that the running task was bound for has come: a wake-up of another, its sleep, or the end of its slice.
  void reach(size_t cpu) {
    charge(cpu);
    const auto self = static_cast<size_t>(cpus_[cpu].task);
    for (;;) {
      const Replay::Burst& b = replay_.bursts_[tasks_[self].burst];
      const uint32_t next = b.wakes + tasks_[self].next_wake;
      if (next >= b.wakes_end || std::min(replay_.wakes_[next].after_ns, b.cpu_ns) > tasks_[self].done) break;
      ++tasks_[self].next_wake;
      fire(replay_.wakes_[next].burst, tasks_[self].job);
      if (cpus_[cpu].task != static_cast<int>(self)) return;  // whom it woke took the CPU
    }
    Task& t = tasks_[self];
    if (t.done >= replay_.bursts_[t.burst].cpu_ns) {
      end_burst(cpu);
    } else if (cpus_[cpu].slice_at <= now_) {
      slice_ends(cpu);
    } else {
      plan(cpu);
    }
  }

  void fire(uint32_t burst, uint32_t job) {
    fired_[burst] = now_;
    const uint32_t task = replay_.task_of_[burst];
    const bool forked = replay_.tasks_[task].newborn && burst == replay_.tasks_[task].first;
    if (options_.wakers_share_jobs && replay_.bursts_[burst].nap_ns < 0 && !forked) {
      passed_on_[burst] = job;
      ++jobs_[job].open;
    }
    if (tasks_[task].asleep && tasks_[task].burst == burst) wake(task, now_);
  }

  void end_burst(size_t cpu) {
    const auto self = static_cast<size_t>(cpus_[cpu].task);
    Task& t = tasks_[self];
    const bool last = t.burst + 1 == replay_.tasks_[self].last;
    if (last) {
      episode_ends(t);
      about_to_sleep(self);
      take_off(cpu);
      t.asleep = true;
      fill(cpu);
      return;
    }
    const uint32_t next = t.burst + 1;
    const Replay::Burst& b = replay_.bursts_[next];
    if (b.nap_ns < 0) episode_ends(t);
    t.burst = next;
    t.done = 0;
    t.next_wake = 0;
    int64_t at = kNever, arrival = kNever;
    if (b.by_waker) {
      at = arrival = fired_[next];
    } else if (b.nap_ns >= 0) {
      at = arrival = now_ + b.nap_ns;
    } else {
      at = arrival = b.wake_ns;
    }
    // What it waits for is there already: it does not sleep at all.
    if (at <= now_) {
      if (b.nap_ns < 0) episode_begins(t, arrival);
      if (cpus_[cpu].slice_at <= now_)
        slice_ends(cpu);
      else
        plan(cpu);
      return;
    }
    about_to_sleep(self);
    take_off(cpu);
    t.asleep = true;
    t.usual = (t.usual * 3 + t.run_since_wake) / 4;
    if (at != kNever) wake_later(self, at, arrival);
    fill(cpu);
  }

  void episode_begins(Task& t, int64_t arrival) {
    t.job = passed_on_[t.burst];
    if (t.job != kNoJob) return;
    t.job = static_cast<uint32_t>(jobs_.size());
    jobs_.push_back({arrival, 1, t.burst});
  }

  void episode_ends(const Task& t) {
    Job& job = jobs_[t.job];
    if (--job.open > 0) return;
    const auto turnaround = static_cast<double>(std::max(options_.floor_ns, now_ - job.arrival));
    if (jobs_seen_ != nullptr) (*jobs_seen_)[job.root] = exact_log(turnaround);
    // One logarithm for many: of the product.
    product_ *= turnaround;
    if (product_ > 1e280) {
      sum_ += exact_log(product_);
      product_ = 1;
    }
    ++out_.jobs;
  }

  void wake(size_t task, int64_t arrival) {
    Task& t = tasks_[task];
    t.asleep = false;
    if (replay_.bursts_[t.burst].nap_ns < 0) episode_begins(t, arrival);
    t.awake = 0;
    t.run_since_wake = 0;
    t.returning = false;
    t.used = 0;
    if (!t.newborn) {
      const int64_t gap = std::max(now_ - t.woke_at, kMs);
      t.wake_rate = std::clamp<int64_t>((t.wake_rate * 3 + 100 * kMs / gap) / 4, 0, 64);
      t.woke_at = now_;
    }
    t.newborn = false;
    enqueue_woken(task);
  }

  struct Job {
    int64_t arrival = 0;
    int open = 0;       // episodes that belong to it and have not ended
    uint32_t root = 0;  // the burst that began it
  };
  std::vector<double>* jobs_seen_ = nullptr;
  std::vector<Job> jobs_;
  std::priority_queue<Waking, std::vector<Waking>, std::greater<>> wakes_;
  ReplayRun out_;
  double sum_ = 0, product_ = 1;
};

// With the scheduler of a policy of the portfolio (PM_HYB, ...), or the kernel's own (below 0).
std::unique_ptr<ReplayMachine> replay_machine(const Replay& replay, std::vector<ReplayStint>* stints, int policy);

}  // namespace pointsman

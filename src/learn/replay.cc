#include "learn/replay.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <queue>

#include "base/exact_math.h"
#include "bpf/portfolio/portfolio.intf.h"

namespace pointsman {

namespace {

constexpr double kNoJobHere = -1;  // no ln turnaround: those are of 50 us at least
constexpr int64_t kMs = 1'000'000;
constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

// The kernel's weights fall by a quarter for each nice level; nice 0 is 100.
int64_t weight_of(int nice) {
  const double weight = 100 * exact_exp(-nice * 0.22314355131420976);
  return std::clamp<int64_t>(std::llround(weight), 1, 10'000);
}

}  // namespace

// What the policies have in common: tasks that wake, run and sleep, CPUs, wakers. A scheduler decides who runs.
class ReplayMachine {
 public:
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

namespace {

// The portfolio: one queue ordered by a key that is made when a task is put in; see src/bpf/portfolio/portfolio.bpf.c.
class PortfolioMachine : public ReplayMachine {
 public:
  PortfolioMachine(const Replay& replay, std::vector<ReplayStint>* stints, int policy) : ReplayMachine(replay, stints), policy_(policy) {}

 private:
  struct Rank {
    int64_t key = 0, slice = 0, growth = 0;
  };
  struct Waiting {
    int64_t key = 0;
    uint64_t order = 0;
    size_t task = 0;
    bool operator>(const Waiting& other) const { return key != other.key ? key > other.key : order > other.order; }
  };

  static int64_t expected(const Task& t) { return std::max(t.run_since_wake, t.usual); }
  static int64_t age_key(const Task& t) { return t.start + (t.weight < 100 ? int64_t{1} << 50 : 0); }

  Rank rank_by_policy(Task& t) {
    switch (policy_) {
      case PM_LAS:
        return {.key = weighed(t.attained, t), .slice = std::clamp(t.attained / 4, 3 * kMs, 50 * kMs), .growth = growth_of(t)};
      case PM_AGE:
        return {.key = age_key(t), .slice = 20 * kMs};
      case PM_SJF:
        return {.key = weighed(expected(t), t), .slice = 4 * kMs, .growth = growth_of(t)};
      case PM_IPRE: {
        const int64_t rate = std::max<int64_t>(t.wake_rate, 1);
        const auto queued = static_cast<int64_t>(queue_.size());
        const int64_t credit = std::max<int64_t>(queued > 500 ? 1 : rate * 500 / (500 + queued), 1);
        const int64_t lag = credit * 40 * kMs * t.weight / 100, most = 40 * kMs * 100 / t.weight;
        t.vruntime = std::max(t.vruntime, front_ - lag);
        return {.key = t.vruntime + std::min(t.awake, most), .slice = 3 * kMs, .growth = 1000};
      }
      default: {
        const int64_t burst = expected(t);
        if (burst <= 5 * kMs) return {.key = weighed(burst, t), .slice = 5 * kMs, .growth = growth_of(t)};
        return {.key = (int64_t{1} << 45) + age_key(t), .slice = 20 * kMs};
      }
    }
  }
  [[nodiscard]] int64_t margin() const { return policy_ == PM_AGE ? 0 : kMs; }

  void rank(Task& t) {
    if (!t.seen) {
      t.seen = true;
      t.vruntime = std::max(t.vruntime, front_);
    }
    if (!(t.returning && t.used < t.quantum)) t.used = 0;
    const Rank r = rank_by_policy(t);
    t.key = r.key;
    t.growth = r.growth;
    t.quantum = r.slice;
    // Who was pushed aside gets the rest of its slice.
    t.slice = t.used < r.slice ? std::max(r.slice - t.used, kMs) : r.slice;
  }

  void charged(Task& t, int64_t ran) override {
    const int64_t weighted = weighed(ran, t);
    t.vruntime += weighted;
    t.awake += weighted;
    t.used += ran;
  }

  int64_t slice_of(size_t cpu) override {
    const Task& t = task_on(cpu);
    front_ = std::max(front_, t.vruntime);
    return t.slice;
  }

  void wait(size_t task) {
    rank(tasks_[task]);
    queue_.push({tasks_[task].key, order_++, task});
  }

  void enqueue_woken(size_t task) override {
    const int idle = idle_cpu(tasks_[task].cpu);
    if (idle >= 0) {
      rank(tasks_[task]);
      put_on(static_cast<size_t>(idle), task);
      return;
    }
    wait(task);
    // The CPU whose task has the worst key gives way, when the woken one's is better by more than the margin.
    int victim = -1;
    int64_t worst = 0;
    for (size_t c = 0; c < cpus_.size(); ++c) {
      const Task& t = task_on(c);
      const int64_t theirs = t.key + (now_ - cpus_[c].key_since) * t.growth / 1000;
      if (victim < 0 || theirs > worst) {
        victim = static_cast<int>(c);
        worst = theirs;
      }
    }
    if (tasks_[task].key + margin() < worst) ask_again(static_cast<size_t>(victim));
  }

  void slice_ends(size_t cpu) override { ask_again(cpu); }

  // What `dispatch` does: the running task goes on unless a better key waits.
  void ask_again(size_t cpu) {
    charge(cpu);
    Task& t = task_on(cpu);
    t.returning = true;
    rank(t);
    if (queue_.empty() || queue_.top().key >= t.key) {
      cpus_[cpu].key_since = now_;
      set_slice(cpu, t.slice);
      return;
    }
    const size_t next = queue_.top().task;
    queue_.pop();
    const size_t pushed = take_off(cpu);
    put_on(cpu, next);
    wait(pushed);
  }

  int next_for(size_t /*cpu*/) override {
    if (queue_.empty()) return -1;
    const size_t next = queue_.top().task;
    queue_.pop();
    return static_cast<int>(next);
  }

  int policy_;
  int64_t front_ = 0;
  uint64_t order_ = 0;
  std::priority_queue<Waiting, std::vector<Waiting>, std::greater<>> queue_;
};

// The kernel's own: on each CPU the earliest virtual deadline among those that are owed time. Virtual times are ns at weight 100.
class EevdfMachine : public ReplayMachine {
 public:
  EevdfMachine(const Replay& replay, std::vector<ReplayStint>* stints) : ReplayMachine(replay, stints), queues_(cpus_.size()) {
    int doublings = 0;
    for (int c = options_.cpus; c > 1; c /= 2) ++doublings;
    slice_ = 700'000 * int64_t{1 + std::min(doublings, 3)};
  }

 private:
  struct Load {
    int64_t weight = 0, average = 0;
  };
  Load load_of(size_t cpu) {
    int64_t weight = 0, base = 0;
    __int128 sum = 0;
    const auto add = [&](const Task& t) {
      if (weight == 0) base = t.vruntime;
      weight += t.weight;
      sum += static_cast<__int128>(t.vruntime - base) * t.weight;
    };
    if (cpus_[cpu].task >= 0) add(task_on(cpu));
    for (const size_t task : queues_[cpu]) add(tasks_[task]);
    return {weight, weight > 0 ? base + static_cast<int64_t>(sum / weight) : floor_of(cpu)};
  }
  // What an empty queue goes on from.
  int64_t floor_of(size_t cpu) const { return floors_.size() > cpu ? floors_[cpu] : 0; }

  void place(size_t task, size_t cpu) {
    if (cpus_[cpu].task >= 0) charge(cpu);
    Task& t = tasks_[task];
    const Load load = load_of(cpu);
    const int64_t most = std::max(2 * slice_, options_.tick_ns) * 100 / t.weight;
    int64_t lag = t.seen ? std::clamp(t.lag, -most, most) : 0;
    if (load.weight > 0) lag = lag * (load.weight + t.weight) / load.weight;
    t.vruntime = load.average - lag;
    t.deadline = t.vruntime + slice_ * 100 / t.weight / (t.seen ? 1 : 2);
    t.seen = true;
    t.cpu = static_cast<int>(cpu);
  }

  void charged(Task& t, int64_t ran) override {
    t.vruntime += weighed(ran, t);
    t.used += ran;
  }
  int64_t slice_of(size_t cpu) override {
    task_on(cpu).used = 0;
    return slice_;
  }

  void enqueue_woken(size_t task) override {
    const Task& t = tasks_[task];
    const int idle = idle_cpu(t.cpu);
    if (idle >= 0) {
      place(task, static_cast<size_t>(idle));
      put_on(static_cast<size_t>(idle), task);
      return;
    }
    size_t cpu = t.cpu >= 0 ? static_cast<size_t>(t.cpu) : 0;
    // A new one goes where fewest wait; an old one too, when its own CPU has more than one more.
    for (size_t c = 0; c < cpus_.size(); ++c)
      if (queues_[c].size() + (t.cpu >= 0 ? 1 : 0) < queues_[cpu].size()) cpu = c;
    place(task, cpu);
    queues_[cpu].push_back(task);
    // Run to parity: who runs is left alone until it has had its slice.
    if (task_on(cpu).used >= slice_) ask_again(cpu);
  }

  void slice_ends(size_t cpu) override { ask_again(cpu); }

  void ask_again(size_t cpu) {
    charge(cpu);
    Task& running = task_on(cpu);
    if (running.vruntime >= running.deadline) running.deadline = running.vruntime + slice_ * 100 / running.weight;
    const size_t best = pick(cpu, true);
    if (best == kRunning) {
      set_slice(cpu, slice_of(cpu));
      return;
    }
    const size_t next = take(cpu, best);
    queues_[cpu].push_back(take_off(cpu));
    put_on(cpu, next);
  }

  static constexpr size_t kRunning = std::numeric_limits<size_t>::max();

  // The place in the queue of the one that is to run, or kRunning.
  size_t pick(size_t cpu, bool with_running) {
    const int64_t average = load_of(cpu).average;
    size_t best = kRunning;
    bool found = false, eligible = false;
    int64_t deadline = 0;
    const auto consider = [&](const Task& t, size_t place) {
      const bool owed = t.vruntime <= average;
      if (found && (eligible > owed || (eligible == owed && t.deadline >= deadline))) return;
      found = true;
      eligible = owed;
      deadline = t.deadline;
      best = place;
    };
    if (with_running) consider(task_on(cpu), kRunning);
    for (size_t i = 0; i < queues_[cpu].size(); ++i) consider(tasks_[queues_[cpu][i]], i);
    return best;
  }
  size_t take(size_t cpu, size_t place) {
    const size_t task = queues_[cpu][place];
    queues_[cpu].erase(queues_[cpu].begin() + static_cast<ptrdiff_t>(place));
    return task;
  }

  void about_to_sleep(size_t task) override {
    Task& t = tasks_[task];
    const auto cpu = static_cast<size_t>(t.cpu);
    const int64_t average = load_of(cpu).average;
    t.lag = average - t.vruntime;
    floors_.resize(cpus_.size());
    floors_[cpu] = average;
  }

  int next_for(size_t cpu) override {
    if (!queues_[cpu].empty()) return static_cast<int>(take(cpu, pick(cpu, false)));
    // An idle CPU takes from the longest queue.
    size_t longest = cpu;
    for (size_t c = 0; c < queues_.size(); ++c)
      if (queues_[c].size() > queues_[longest].size()) longest = c;
    if (longest == cpu) return -1;
    if (cpus_[longest].task >= 0) charge(longest);
    const int64_t average = load_of(longest).average;
    const size_t task = take(longest, 0);
    tasks_[task].lag = average - tasks_[task].vruntime;
    place(task, cpu);
    return static_cast<int>(task);
  }

  int64_t slice_ = 0;
  std::vector<std::vector<size_t>> queues_;
  std::vector<int64_t> floors_;
};

}  // namespace

std::vector<RecordedBurst> recorded_bursts(std::span<const pm_burst> bursts, int64_t from_ns) {
  std::vector<RecordedBurst> out;
  for (const pm_burst& b : bursts) {
    RecordedBurst r{.wake_ns = static_cast<int64_t>(b.wake_ns),
                    .end_ns = static_cast<int64_t>(b.end_ns),
                    .cpu_ns = static_cast<int64_t>(b.cpu_ns),
                    .task = b.task,
                    .waker = b.waker,
                    .waker_ran_ns = static_cast<int64_t>(b.waker_ran_ns),
                    .process_start_ns = static_cast<int64_t>(b.process_start_ns),
                    .attained_ns = static_cast<int64_t>(b.attained_ns),
                    .usual_ns = static_cast<int64_t>(b.usual_ns),
                    .nice = b.nice,
                    .newborn = b.newborn != 0};
    if (r.end_ns <= from_ns) continue;
    if (r.wake_ns < from_ns) {
      const double left = static_cast<double>(r.end_ns - from_ns) / static_cast<double>(r.end_ns - r.wake_ns);
      const auto kept = static_cast<int64_t>(static_cast<double>(r.cpu_ns) * left);
      r.attained_ns += r.cpu_ns - kept;
      r.cpu_ns = kept;
      r.wake_ns = from_ns;
      r.waker = 0;
      r.newborn = false;
    }
    out.push_back(r);
  }
  return out;
}

Result<Replay> Replay::of(std::span<const RecordedBurst> recorded, const ReplayOptions& options) {
  if (recorded.empty()) return fail(ErrorCode::kInvalidArgument, "replay: no bursts were recorded");
  if (options.cpus < 1 || options.cpus > PM_MAX_CPUS) return fail(ErrorCode::kInvalidArgument, "replay: {} CPUs", options.cpus);
  if (options.tick_ns < 1 || options.nap_ns < 0 || options.floor_ns < 1)
    return fail(ErrorCode::kInvalidArgument, "replay: a tick of {} ns, a nap of {} ns, a floor of {} ns", options.tick_ns, options.nap_ns,
                options.floor_ns);
  std::vector<uint32_t> order(recorded.size());
  for (uint32_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    const RecordedBurst &x = recorded[a], &y = recorded[b];
    if (x.task != y.task) return x.task < y.task;
    return x.wake_ns != y.wake_ns ? x.wake_ns < y.wake_ns : a < b;
  });
  Replay out;
  out.options_ = options;
  std::map<uint32_t, uint32_t> place;  // task id -> index
  std::vector<uint32_t> recorded_as;   // burst -> in `recorded`
  for (const uint32_t i : order) {
    const RecordedBurst& r = recorded[i];
    if (r.end_ns < r.wake_ns || r.cpu_ns < 0 || r.attained_ns < 0 || r.usual_ns < 0 || r.nice < -20 || r.nice > 19)
      return fail(ErrorCode::kCorrupt, "replay: a burst of task {} from {} to {} ns with {} ns of CPU time contradicts itself", r.task,
                  r.wake_ns, r.end_ns, r.cpu_ns);
    const bool fresh = place.try_emplace(r.task, static_cast<uint32_t>(out.tasks_.size())).second;
    Burst burst{.cpu_ns = std::max<int64_t>(r.cpu_ns, 1), .wake_ns = r.wake_ns};
    if (fresh) {
      out.tasks_.push_back({.id = r.task,
                            .first = static_cast<uint32_t>(out.bursts_.size()),
                            .process_start_ns = r.process_start_ns,
                            .attained_ns = r.attained_ns,
                            .usual_ns = r.usual_ns,
                            .weight = weight_of(r.nice),
                            .newborn = r.newborn});
    } else {
      const int64_t gap = r.wake_ns - recorded[recorded_as.back()].end_ns;
      if (gap < 0)
        return fail(ErrorCode::kCorrupt, "replay: bursts of task {} overlap at {} ns: the recording has holes", r.task, r.wake_ns);
      const bool one_job = options.newborn_is_one_job && out.tasks_.back().newborn;
      if (gap <= options.nap_ns || one_job) burst.nap_ns = gap;
    }
    if (burst.nap_ns < 0) ++out.episodes_;
    out.bursts_.push_back(burst);
    out.task_of_.push_back(static_cast<uint32_t>(out.tasks_.size() - 1));
    out.tasks_.back().last = static_cast<uint32_t>(out.bursts_.size());
    recorded_as.push_back(i);
  }
  if (!options.edges) return out;

  // Who woke whom: by the waker's burst under way at that moment. Without one in the recording a wake-up stays where it was.
  std::vector<std::pair<uint32_t, Wake>> found;  // by waking burst
  for (uint32_t b = 0; b < out.bursts_.size(); ++b) {
    const RecordedBurst& r = recorded[recorded_as[b]];
    const auto waker = place.find(r.waker);
    if (r.waker == 0 || r.waker == r.task || waker == place.end()) continue;
    const Task& t = out.tasks_[waker->second];
    const auto begin = recorded_as.begin() + t.first, end = recorded_as.begin() + t.last;
    auto later = std::upper_bound(begin, end, r.wake_ns, [&](int64_t at, uint32_t i) { return at < recorded[i].wake_ns; });
    if (later == begin) continue;
    const auto burst = static_cast<uint32_t>(later - 1 - recorded_as.begin());
    const RecordedBurst& w = recorded[recorded_as[burst]];
    // Strictly earlier, so that wakers make no circles.
    if (w.wake_ns >= r.wake_ns || r.wake_ns > w.end_ns || r.waker_ran_ns < 0 || r.waker_ran_ns > w.cpu_ns) continue;
    out.bursts_[b].by_waker = true;
    ++out.edges_;
    found.push_back({burst, {.after_ns = r.waker_ran_ns, .burst = b}});
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    if (a.first != b.first) return a.first < b.first;
    return a.second.after_ns != b.second.after_ns ? a.second.after_ns < b.second.after_ns : a.second.burst < b.second.burst;
  });
  for (const auto& [burst, wake] : found) {
    Burst& from = out.bursts_[burst];
    if (from.wakes_end == 0) from.wakes = static_cast<uint32_t>(out.wakes_.size());
    out.wakes_.push_back(wake);
    from.wakes_end = static_cast<uint32_t>(out.wakes_.size());
  }
  return out;
}

ReplayRun Replay::run_jobs(ArmId arm, std::vector<ReplayStint>* stints, std::vector<double>* log_turnarounds) const {
  const int policy = arms()[static_cast<size_t>(arm)].policy;
  if (policy < 0) return EevdfMachine(*this, stints).run(log_turnarounds);
  return PortfolioMachine(*this, stints, policy).run(log_turnarounds);
}

ReplayRun Replay::run(ArmId arm, std::vector<ReplayStint>* stints) const { return run_jobs(arm, stints, nullptr); }

ArmCosts Replay::costs() const {
  ArmCosts out{};
  for (ArmId arm = 0; arm < kChoosable; ++arm) out[static_cast<size_t>(arm)] = run(arm).mean_log_turnaround;
  const double reference = out[kDefaultArm];
  for (double& v : out) v -= reference;
  return out;
}

Comparison Replay::compare() const {
  Comparison out;
  std::array<std::vector<double>, kChoosable> logs;
  for (ArmId arm = 0; arm < kChoosable; ++arm) {
    auto& of_arm = logs[static_cast<size_t>(arm)];
    of_arm.assign(bursts_.size(), kNoJobHere);
    out.jobs = run_jobs(arm, nullptr, &of_arm).jobs;
  }
  const auto& reference = logs[kDefaultArm];
  for (size_t a = 0; a < kChoosable; ++a) {
    if (a == kDefaultArm) continue;
    double sum = 0, squares = 0;
    int n = 0;
    for (size_t b = 0; b < reference.size(); ++b) {
      if (logs[a][b] == kNoJobHere || reference[b] == kNoJobHere) continue;
      const double difference = logs[a][b] - reference[b];
      sum += difference;
      squares += difference * difference;
      ++n;
    }
    if (n > 0) out.gain[a] = sum / n;
    out.deviation[a] = n > 1 ? exact_sqrt(std::max(0.0, squares - sum * sum / n) / (static_cast<double>(n) * (n - 1))) : Comparison::kUnknown;
  }
  return out;
}

}  // namespace pointsman

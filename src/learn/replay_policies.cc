// The schedulers of a replay: the portfolio's policies and the kernel's own, as they decide in src/bpf/portfolio/policy_*.h and kernel/sched/fair.c.
#include <algorithm>
#include <limits>

#include "bpf/portfolio/portfolio.intf.h"
#include "learn/replay_machine.h"

namespace pointsman {

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
  EevdfMachine(const Replay& replay, std::vector<ReplayStint>* stints) : ReplayMachine(replay, stints), queues_(cpus_.size()), floors_(cpus_.size()) {
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
    return {weight, weight > 0 ? base + static_cast<int64_t>(sum / weight) : floors_[cpu]};
  }

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
  std::vector<int64_t> floors_;  // of each CPU: what its empty queue goes on from
};

}  // namespace

std::unique_ptr<ReplayMachine> replay_machine(const Replay& replay, std::vector<ReplayStint>* stints, int policy) {
  if (policy < 0) return std::make_unique<EevdfMachine>(replay, stints);
  return std::make_unique<PortfolioMachine>(replay, stints, policy);
}

}  // namespace pointsman

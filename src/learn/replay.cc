#include "learn/replay.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/exact_math.h"
#include "bpf/portfolio/portfolio.intf.h"
#include "learn/replay_machine.h"

namespace pointsman {

namespace {

constexpr int64_t kLeastRest = 1'000'000;  // ns, of what nothing at all is known
constexpr double kNoJobHere = -1;  // no ln turnaround: those are of 50 us at least

// The kernel's weights fall by a quarter for each nice level; nice 0 is 100.
int64_t weight_of(int nice) {
  const double weight = 100 * exact_exp(-nice * 0.22314355131420976);
  return std::clamp<int64_t>(std::llround(weight), 1, 10'000);
}

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
                    .newborn = b.newborn != 0,
                    .unfinished = b.unfinished != 0};
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

void expect_rest(std::vector<RecordedBurst>& bursts) {
  constexpr size_t kEnough = 5;
  std::map<std::pair<bool, uint32_t>, std::vector<int64_t>> by_waker;
  std::array<std::vector<int64_t>, 2> by_birth;
  for (const RecordedBurst& b : bursts) {
    if (b.unfinished) continue;
    if (b.waker != 0) by_waker[{b.newborn, b.waker}].push_back(b.cpu_ns);
    by_birth[b.newborn ? 1 : 0].push_back(b.cpu_ns);
  }
  for (auto& [kind, lengths] : by_waker) std::sort(lengths.begin(), lengths.end());
  for (auto& lengths : by_birth) std::sort(lengths.begin(), lengths.end());

  const auto longer_than = [](const std::vector<int64_t>& lengths, int64_t used) {
    return std::span<const int64_t>(std::upper_bound(lengths.begin(), lengths.end(), used), lengths.end());
  };
  uint64_t alike = 0;
  for (RecordedBurst& b : bursts) {
    if (!b.unfinished) continue;
    const int64_t used = b.cpu_ns;
    if (!b.newborn && b.usual_ns > used) {
      b.cpu_ns = b.usual_ns;
      continue;
    }
    std::span<const int64_t> known;
    if (const auto own = by_waker.find({b.newborn, b.waker}); b.waker != 0 && own != by_waker.end()) known = longer_than(own->second, used);
    if (known.size() < kEnough) known = longer_than(by_birth[b.newborn ? 1 : 0], used);
    // Nobody needed so much: what has run for long goes on for as long again (the best guess where lengths have a heavy tail).
    if (known.empty()) {
      b.cpu_ns = std::max(2 * used, kLeastRest);
      continue;
    }
    // Golden steps through what is known: each next one falls into the largest gap.
    const double place = static_cast<double>(alike++) * .6180339887498949;
    b.cpu_ns = known[static_cast<size_t>((place - std::floor(place)) * static_cast<double>(known.size()))];
  }
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
  return replay_machine(*this, stints, arms()[static_cast<size_t>(arm)].policy)->run(log_turnarounds);
}

ReplayRun Replay::run(ArmId arm, std::vector<ReplayStint>* stints) const { return run_jobs(arm, stints, nullptr); }

ArmCosts Replay::costs() const {
  ArmCosts out{};
  for (ArmId arm = 0; arm < kChoosable; ++arm) out[static_cast<size_t>(arm)] = run(arm).mean_log_turnaround;
  const double reference = out[kDefaultArm];
  for (double& v : out) v -= reference;
  return out;
}

Comparison Replay::compare(const std::function<void()>& between) const {
  Comparison out;
  std::array<std::vector<double>, kChoosable> logs;
  for (ArmId arm = 0; arm < kChoosable; ++arm) {
    auto& of_arm = logs[static_cast<size_t>(arm)];
    of_arm.assign(bursts_.size(), kNoJobHere);
    out.jobs = run_jobs(arm, nullptr, &of_arm).jobs;
    if (between && arm + 1 < kChoosable) between();
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

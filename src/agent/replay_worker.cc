#include "agent/replay_worker.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

#include "base/clock.h"

namespace pointsman {
namespace {

struct Work {
  std::vector<RecordedBurst> bursts;
  int cpus = 0;
  int64_t recorded_to_ns = 0;
};

// What is replayed at a stretch is as short as the short jobs that wait meanwhile; in between they get the CPU.
void breathe() {
  SystemClock clock;
  clock.sleep_until_ns(clock.now_ns() + 10 * kMillisecond);
}

Result<Comparison> compare(Work& work, size_t most_bursts, const std::function<void()>& between) {
  std::vector<RecordedBurst>& bursts = work.bursts;
  if (bursts.size() > most_bursts) {
    const auto begin = bursts.end() - static_cast<ptrdiff_t>(most_bursts);
    std::nth_element(bursts.begin(), begin, bursts.end(), [](const RecordedBurst& a, const RecordedBurst& b) { return a.end_ns < b.end_ns; });
    bursts.erase(bursts.begin(), begin);
  }
  expect_rest(bursts);
  auto replay = Replay::of(bursts, {.cpus = work.cpus});
  if (!replay) return fail(replay.error());
  if (between) between();
  return replay->compare(between);
}

}  // namespace

struct ReplayWorker::Shared {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::optional<Work> work;
  std::optional<Answer> answer;
  bool busy = false;
  std::atomic<int64_t> cpu_ns{0};
  std::jthread thread;  // last: it is joined before the rest goes

  void serve(const std::stop_token& stop, size_t most_bursts) {
    std::unique_lock lock(mutex);
    while (changed.wait(lock, stop, [&] { return work.has_value(); })) {
      Work mine = std::move(*work);
      work.reset();
      lock.unlock();
      Answer answered{.recorded_to_ns = mine.recorded_to_ns, .comparison = compare(mine, most_bursts, breathe)};
      cpu_ns.store(thread_cpu_ns());
      lock.lock();
      answer = std::move(answered);
      busy = false;
    }
  }
};

ReplayWorker::ReplayWorker(const Options& options) : options_(options), shared_(std::make_unique<Shared>()) {}
ReplayWorker::~ReplayWorker() = default;

bool ReplayWorker::submit(std::vector<RecordedBurst> bursts, int cpus, int64_t recorded_to_ns) {
  Work work{.bursts = std::move(bursts), .cpus = cpus, .recorded_to_ns = recorded_to_ns};
  if (!options_.background) {
    shared_->answer = Answer{.recorded_to_ns = recorded_to_ns, .comparison = compare(work, options_.most_bursts, nullptr)};
    return true;
  }
  // A thread begun by a real-time one that resets its class on fork is of ordinary class.
  if (!shared_->thread.joinable())
    shared_->thread = std::jthread([this, most = options_.most_bursts](const std::stop_token& stop) { shared_->serve(stop, most); });
  {
    const std::lock_guard lock(shared_->mutex);
    if (shared_->busy) return false;
    shared_->busy = true;
    shared_->work = std::move(work);
  }
  shared_->changed.notify_one();
  return true;
}

std::optional<ReplayWorker::Answer> ReplayWorker::take() {
  const std::lock_guard lock(shared_->mutex);
  return std::exchange(shared_->answer, std::nullopt);
}

int64_t ReplayWorker::cpu_ns() const { return shared_->cpu_ns.load(); }

}  // namespace pointsman

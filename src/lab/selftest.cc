#include "lab/selftest.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "base/clock.h"
#include "base/pipe.h"

namespace pointsman {

namespace {

constexpr int kPriority = 90;
constexpr int64_t kSettle_ns = 100 * kMillisecond;

Result<Unit> pin(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<size_t>(cpu), &set);
  if (::sched_setaffinity(0, sizeof set, &set) != 0) return fail_errno("sched_setaffinity");
  return Unit{};
}

Result<Unit> become_fifo() {
  sched_param param{};
  param.sched_priority = kPriority;
  if (::sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &param) != 0) return fail_errno("SCHED_FIFO");
  return Unit{};
}

Result<PingPongResult> trips_until(int most, int64_t pause_ns, const std::atomic<bool>* stopping) {
  auto there = Pipe::open();
  if (!there) return fail(there.error());
  auto back = Pipe::open();
  if (!back) return fail(back.error());
  const int last_cpu = static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN)) - 1;
  PingPongResult result;
  std::thread echo([&] {
    char byte = 0;
    if (!pin(last_cpu) || !become_fifo()) byte = 1;
    while (::read(there->in.get(), &byte, 1) == 1 && ::write(back->out.get(), &byte, 1) == 1) {
    }
  });
  Result<Unit> status = Unit{};
  // On a thread of its own: the caller keeps its class and its CPUs.
  std::thread ping([&] {
    if (status = pin(0); !status) return;
    if (status = become_fifo(); !status) return;
    SystemClock clock;
    double sum_us = 0;
    for (int i = 0; i < most && !(stopping != nullptr && stopping->load()); ++i) {
      if (pause_ns > 0) clock.sleep_until_ns(clock.now_ns() + pause_ns);
      const int64_t from_ns = clock.now_ns();
      char byte = 0;
      if (::write(there->out.get(), &byte, 1) != 1 || ::read(back->in.get(), &byte, 1) != 1) {
        status = fail_errno("ping-pong");
        return;
      }
      const double us = static_cast<double>(clock.now_ns() - from_ns) * 1e-3;
      sum_us += us;
      result.longest_us = std::max(result.longest_us, us);
      ++result.trips;
    }
    result.mean_us = result.trips > 0 ? sum_us / result.trips : 0;
  });
  ping.join();
  there->out.reset();
  echo.join();
  if (!status) return fail(status.error());
  return result;
}

}  // namespace

nlohmann::json PingPongResult::json() const { return {{"trips", trips}, {"mean_us", mean_us}, {"longest_us", longest_us}, {"good", good()}}; }

Result<PingPongResult> ping_pong(int trips, int64_t pause_ns) { return trips_until(trips, pause_ns, nullptr); }

Result<PingPongResult> self_test(int cpus) {
  std::atomic<bool> stop{false};
  std::vector<std::thread> busy;
  for (int cpu = 0; cpu < cpus; ++cpu) {
    busy.emplace_back([&stop, cpu] {
      if (!pin(cpu)) return;
      while (!stop.load(std::memory_order_relaxed)) {
        for (int i = 0; i < 1000; ++i) asm volatile("" ::: "memory");
        __builtin_ia32_pause();
      }
    });
  }
  SystemClock clock;
  clock.sleep_until_ns(clock.now_ns() + kSettle_ns);
  auto result = ping_pong(200, 0);
  stop = true;
  for (auto& thread : busy) thread.join();
  return result;
}

Result<std::unique_ptr<PingPongBeside>> PingPongBeside::start() {
  std::unique_ptr<PingPongBeside> beside(new PingPongBeside);
  beside->thread_ = std::thread([self = beside.get()] { self->result_ = trips_until(1'000'000, 20 * kMillisecond, &self->stopping_); });
  return beside;
}

PingPongBeside::~PingPongBeside() {
  if (thread_.joinable()) static_cast<void>(stop());
}

Result<PingPongResult> PingPongBeside::stop() {
  stopping_ = true;
  thread_.join();
  return result_;
}

}  // namespace pointsman

#include "base/clock.h"

#include <ctime>

namespace pointsman {

namespace {

int64_t read_clock(clockid_t clock) {
  timespec t{};
  clock_gettime(clock, &t);
  return t.tv_sec * kSecond + t.tv_nsec;
}

}  // namespace

int64_t thread_cpu_ns() { return read_clock(CLOCK_THREAD_CPUTIME_ID); }

int64_t SystemClock::now_ns() const { return read_clock(CLOCK_MONOTONIC); }

void SystemClock::sleep_until_ns(int64_t moment_ns) {
  const timespec t{moment_ns / kSecond, moment_ns % kSecond};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, nullptr);
}

}  // namespace pointsman

#include "base/clock.h"

#include <ctime>

namespace pointsman {

int64_t SystemClock::now_ns() const {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * kSecond + t.tv_nsec;
}

void SystemClock::sleep_until_ns(int64_t moment_ns) {
  const timespec t{moment_ns / kSecond, moment_ns % kSecond};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, nullptr);
}

}  // namespace pointsman

// Clock: the one seam through which time enters. Times are nanoseconds of CLOCK_MONOTONIC; only differences mean anything.
#pragma once

#include <cstdint>

namespace pointsman {

inline constexpr int64_t kMicrosecond = 1'000;
inline constexpr int64_t kMillisecond = 1'000'000;
inline constexpr int64_t kSecond = 1'000'000'000;

int64_t thread_cpu_ns();  // CPU time that the calling thread has used in its life

class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual int64_t now_ns() const = 0;
  // Returns at once when the moment has passed. A signal may end it early.
  virtual void sleep_until_ns(int64_t moment_ns) = 0;
};

class SystemClock : public Clock {
 public:
  [[nodiscard]] int64_t now_ns() const override;
  void sleep_until_ns(int64_t moment_ns) override;
};

// For tests: time stands still until someone advances it or sleeps.
class FakeClock : public Clock {
 public:
  [[nodiscard]] int64_t now_ns() const override { return now_ns_; }
  void sleep_until_ns(int64_t moment_ns) override {
    if (moment_ns > now_ns_) now_ns_ = moment_ns;
  }
  void advance(int64_t ns) { now_ns_ += ns; }

 private:
  int64_t now_ns_ = 1 * kSecond;
};

}  // namespace pointsman

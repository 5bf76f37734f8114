// What the tests on the running kernel are made of: children that burn, nap and end.
#pragma once

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <functional>

#include "base/clock.h"
#include "bpf/object.h"

namespace pointsman {

inline void nap(int64_t ns) {
  const timespec t{.tv_sec = ns / kSecond, .tv_nsec = ns % kSecond};
  ::nanosleep(&t, nullptr);
}

inline int64_t cpu_used_ns() {
  timespec t{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return t.tv_sec * kSecond + t.tv_nsec;
}

// Until this thread has used so much more CPU time.
inline void burn(int64_t ns) {
  for (const int64_t end = cpu_used_ns() + ns; cpu_used_ns() < end;) {
    for (int i = 0; i < 200; ++i) __builtin_ia32_pause();
  }
}

inline pid_t start(const std::function<void()>& body) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  body();
  ::_exit(0);
}

inline rusage finish(pid_t child, int wanted_status = 0) {
  rusage usage{};
  int status = 0;
  EXPECT_EQ(::wait4(child, &status, 0, &usage), child);
  EXPECT_EQ(status, wanted_status);
  return usage;
}

inline int64_t used_ns(const rusage& u) {
  return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * kSecond + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) * kMicrosecond;
}

inline void pin_to(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  ::sched_setaffinity(0, sizeof(set), &set);
}

inline void expect_verified_and_small(const BpfObject& object) {
  const auto counts = object.verified_instructions();
  ASSERT_TRUE(counts) << counts.error().message;
  EXPECT_FALSE(counts->empty());
  for (const auto& [program, count] : *counts) {
    EXPECT_GT(count, 0u) << program;
    EXPECT_LT(count, 20'000u) << program << " has grown dear for the verifier";
  }
}

}  // namespace pointsman

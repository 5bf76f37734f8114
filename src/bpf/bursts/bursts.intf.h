// The recorder of bursts, shared by bursts.bpf.c and its reader: on each CPU a ring of the last bursts that ended there, overwritten when
// it is full. A burst is what a thread does between a wake-up (or its fork) and the sleep (or exit) that follows. Times in ns of
// CLOCK_MONOTONIC. Threads of the kernel and real-time tasks are not recorded.
#pragma once

#ifdef __BPF__
typedef unsigned long long pm_u64;
typedef unsigned int pm_u32;
#else
#include <cstdint>
using pm_u64 = uint64_t;
using pm_u32 = uint32_t;
#endif

enum {
  PM_BURST_SLOTS = 4096,       // of a CPU's ring: two seconds at 2000 bursts a second and CPU
  PM_UNFINISHED_SLOTS = 2048,  // bursts under way when the rings are read
};

struct pm_burst {
  pm_u64 wake_ns, end_ns;  // runnable from .. to; of one under way: to the moment of reading
  pm_u64 cpu_ns;           // used in between
  pm_u64 process_start_ns;
  pm_u64 attained_ns;   // CPU time of the thread's life before this burst
  pm_u64 usual_ns;      // moving average of its bursts before this one, a quarter new
  pm_u64 waker_ran_ns;  // what the waker had used of its own burst when it woke this one
  pm_u32 task;          // thread id
  pm_u32 waker;         // thread id of who woke or forked it; 0: an interrupt, a timer, a thread of the kernel, or not known
  signed char nice;
  unsigned char newborn;  // it began with the fork
  unsigned char unfinished;
  unsigned char pad[5];
};

struct pm_burst_ring {
  pm_u64 written;  // bursts ever; the next goes to slot written % PM_BURST_SLOTS
  pm_u64 lost;     // events without task storage
  struct pm_burst slots[PM_BURST_SLOTS];
} __attribute__((aligned(64)));

// Filled by the program `collect`.
struct pm_unfinished {
  pm_u64 count, dropped;
  struct pm_burst slots[PM_UNFINISHED_SLOTS];
};

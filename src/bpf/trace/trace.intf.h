// What a trace keeps, shared by trace.bpf.c and its reader: one pm_process for each process that was seen, and, when asked for, one pm_event for each switch and
// wake-up. Times in ns of CLOCK_MONOTONIC. Kernel threads are none of it.
// Source: kernel/fork.c: start_time is taken in copy_process(), and a thread that execs takes over its leader's (fs/exec.c, de_thread()): so (tgid, start) names a
// process for all its life.
#pragma once

#ifdef __BPF__
typedef unsigned long long pm_u64;
typedef unsigned int pm_u32;
typedef int pm_s32;
#else
#include <cstdint>
using pm_u64 = uint64_t;
using pm_u32 = uint32_t;
using pm_s32 = int32_t;
#endif

#define PM_COMM 16

struct pm_process_key {
  pm_u64 start_ns;
  pm_u32 tgid, pad;
};

struct pm_process {
  pm_u64 arrival_ns;     // its fork
  pm_u64 first_cpu_ns;   // 0: not yet, or before the trace
  pm_u64 completion_ns;  // the last switch of the last of its threads; 0: still alive
  pm_u64 cpu_ns;         // of all its threads, also before the trace, up to each one's last switch
  pm_u64 voluntary, involuntary;  // during the trace
  pm_u64 wait_ns, waits;          // run delay, during the trace
  pm_u32 threads;                 // that it had at one time or another; of a process from before the trace those alive then, and later ones
  pm_u32 parent;
  pm_u32 before;  // it was alive when the trace began
  pm_u32 ending;  // its last thread is in do_exit()
  pm_s32 exit_code;  // as wait(2) tells it; 0 while alive
  pm_u32 pad;
  char comm[PM_COMM];
};

enum { PM_SWITCH = 1, PM_WAKE = 2, PM_NEW = 3 };
#define PM_PREEMPTED 0x80000000u /* in prev_state: it would have gone on */
struct pm_event {
  pm_u64 at_ns;
  pm_u32 kind, cpu;
  // PM_SWITCH: from prev to next. PM_WAKE (sched_waking: before it is queued), PM_NEW: `next` is woken by `prev`, last seen on or put on CPU `target`.
  pm_s32 prev, next, prev_prio, next_prio;
  pm_u32 prev_state, target;
  pm_u32 prev_tgid, next_tgid;
  char prev_comm[PM_COMM], next_comm[PM_COMM];
};

// What the trace could not keep. Nothing is lost silently.
struct pm_trace_losses {
  pm_u64 processes;  // the map was full, or a thread had no storage
  pm_u64 events;     // the ring was full
};

// Which processes: all; those below a process, itself included; those in a cgroup or below.
enum { PM_ALL = 0, PM_TREE = 1, PM_CGROUP = 2 };

// The argument of the program `seed_trace`.
struct pm_trace_seed {
  pm_u32 processes, threads;
};

// SPDX-License-Identifier: GPL-2.0-only
// The probe: accounts every switch, wake-up, fork and exit of tasks into per-CPU sums and histograms (probe.intf.h). Nothing is streamed, nothing is atomic:
// each CPU writes its own element, with interrupts off or, in a wake-up of oneself, where no second program can write (the kernel refuses nesting of one program).
//
// An exit is taken at the task's last switch (TASK_DEAD), not at sched_process_exit: there its CPU time is final, and each task passes exactly once.
// exec needs no hook: it changes neither a task's start nor its CPU time, and a thread that execs takes over its leader's start.
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/probe/probe.intf.h"

char _license[] SEC("license") = "GPL";

#define PF_KTHREAD 0x00200000
#define TASK_UNINTERRUPTIBLE 0x00000002
#define TASK_DEAD 0x00000080
#define TASK_NOLOAD 0x00000400
#define FIRST_FAIR_PRIO 100
#define NICE_0_PRIO 120
#define MOST_US (1ull << 30) /* 18 minutes: keeps sums of squares from overflowing */

// Whether to keep the levels of threads alive and asleep too. Constant when loaded: without it the kernel drops that code.
const volatile bool count_states = false;

// One element a CPU, mapped into the reader: it costs no system call and lets the reader tell a disturbed copy. The loader sets the size.
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, 1);
  __type(key, u32);
  __type(value, struct pm_cpu);
} cpus SEC(".maps");

struct task_state {
  u64 group_start_ns;  // start of its process
  u64 ready_at_ns;     // waits for a CPU since then; 0: does not wait
  u64 first_wait_ns;   // the wait between wake-up and CPU of the burst under way
  u64 burst_from_ns;   // its CPU time when the burst under way began
  u64 piece_from_ns;   // its CPU time when the piece of work under way began: bursts merged over sleeps < PM_PIECE_GAP_NS
  u64 piece_ns;        // what that had used when it went to sleep last; ~0: it has not slept yet
  u64 slept_at_ns;
  u32 last_cpu;        // + 1; 0: not known
  u8 runnable;         // counted in `runnable`
  u8 woken;            // the wait under way began with a wake-up or fork
  u8 in_burst;         // the beginning of the burst under way was seen
  u8 newborn;          // has not run yet
  u32 life;            // LIFE_*
  u32 sleep;           // SLEEP_*: how it is counted as asleep
};
enum { LIFE_UNKNOWN = 0, LIFE_COUNTED = 1, LIFE_OVER = 2 };
enum { SLEEP_UNINTERRUPTIBLE = 1, SLEEP_IO = 2 };

struct {
  __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct task_state);
} tasks SEC(".maps");

static __always_inline struct pm_cpu *begin(u32 id) {
  struct pm_cpu *cpu = bpf_map_lookup_elem(&cpus, &id);
  if (cpu) {
    cpu->started++;
    barrier();  // enough where stores become visible in order, as on x86
  }
  return cpu;
}

static __always_inline void end(struct pm_cpu *cpu) {
  barrier();
  cpu->completed++;
}

static __always_inline bool of_kernel(struct task_struct *p) { return p->pid == 0 || (p->flags & PF_KTHREAD); }

// By its policy: a priority lent through a mutex does not change what a task is.
static __always_inline bool fair(struct task_struct *p) { return p->normal_prio >= FIRST_FAIR_PRIO; }

// Its lowest byte: on_cpu is an int up to Linux 6, a u8 from 7 on. The offset goes through a register, or the relocation would insist on one size.
static __always_inline bool on_a_cpu(struct task_struct *p) {
  u64 offset = bpf_core_field_offset(struct task_struct, on_cpu);
  barrier_var(offset);
  return *((u8 *)p + offset);
}

// Tasks outside the fair class get no storage, but keep what they had before they left it.
static __always_inline struct task_state *state_of(struct task_struct *p, bool create) {
  struct task_state *s = bpf_task_storage_get(&tasks, p, 0, create ? BPF_LOCAL_STORAGE_GET_F_CREATE : 0);
  if (s && !s->group_start_ns) {
    s->group_start_ns = p->group_leader->start_time;
    s->piece_ns = ~0ull;
  }
  return s;
}

static __always_inline void enter_hist(u64 *hist, u64 ns) {
  u32 bucket = pm_hist_bucket(ns);
  if (bucket < PM_HIST_BUCKETS) hist[bucket]++;
}

static __always_inline void becomes_runnable(struct pm_probe *sums, struct task_state *s, u64 now) {
  if (s->runnable) return;
  s->runnable = 1;
  sums->runnable++;
  sums->runnable_moment_ns += now;
}

static __always_inline void stops_runnable(struct pm_probe *sums, struct task_state *s, u64 now) {
  if (!s->runnable) return;
  s->runnable = 0;
  sums->runnable--;
  sums->runnable_moment_ns -= now;
}

static __always_inline void lives(struct pm_probe *sums, struct task_state *s, u64 now) {
  if (__sync_val_compare_and_swap(&s->life, LIFE_UNKNOWN, LIFE_COUNTED) != LIFE_UNKNOWN) return;
  sums->alive++;
  sums->alive_moment_ns += now;
}

static __always_inline void dies(struct pm_probe *sums, struct task_state *s, u64 now) {
  if (__sync_lock_test_and_set(&s->life, LIFE_OVER) != LIFE_COUNTED) return;
  sums->alive--;
  sums->alive_moment_ns -= now;
}

static __always_inline u32 sleep_of(struct task_struct *task, u32 state, bool kernel) {
  u32 sleep = BPF_CORE_READ_BITFIELD(task, in_iowait) ? SLEEP_IO : 0;
  if (!kernel && (state & TASK_UNINTERRUPTIBLE) && !(state & TASK_NOLOAD)) sleep |= SLEEP_UNINTERRUPTIBLE;
  return sleep;
}

static __always_inline void sleeps_as(struct pm_probe *sums, struct task_state *s, u32 sleep, u64 now) {
  u32 before = __sync_lock_test_and_set(&s->sleep, sleep);
  if (before == sleep) return;
  s64 disk = !!(sleep & SLEEP_UNINTERRUPTIBLE) - !!(before & SLEEP_UNINTERRUPTIBLE), io = !!(sleep & SLEEP_IO) - !!(before & SLEEP_IO);
  sums->uninterruptible += disk;
  sums->uninterruptible_moment_ns += disk * now;
  sums->io_blocked += io;
  sums->io_blocked_moment_ns += io * now;
}

static __always_inline void ends_burst(struct pm_probe *sums, struct task_state *s, u64 cpu_ns, u64 now) {
  if (!s->in_burst) return;
  s->in_burst = 0;
  u64 ns = cpu_ns - s->burst_from_ns;
  u64 us = pm_least(ns / 1000, MOST_US);
  s->piece_ns = cpu_ns - s->piece_from_ns;
  s->slept_at_ns = now;
  sums->bursts++;
  sums->burst_us += us;
  sums->burst_us2 += us * us;
  if (ns < 1000000) sums->bursts_1ms++;
  if (ns < PM_SHORT_NS) sums->bursts_5ms++;
  enter_hist(sums->burst_hist, ns);
  if (s->piece_ns <= PM_SHORT_NS) enter_hist(sums->short_wait_hist, s->first_wait_ns);
}

static __always_inline void exits(struct pm_probe *sums, struct task_struct *p, u64 cpu_ns, u64 now) {
  u64 us = pm_least(cpu_ns / 1000, MOST_US);
  u64 tat = now - p->start_time;
  sums->exits++;
  sums->exit_us += us;
  sums->exit_us2 += us * us;
  sums->tat_ns += tat;
  enter_hist(sums->tat_hist, tat);
}

static __always_inline void leaves_cpu(struct pm_probe *sums, struct task_struct *p, bool sleeps, u32 state, u64 now) {
  if (p->pid == 0) return;
  bool dead = sleeps && (state & TASK_DEAD);
  bool counted = !of_kernel(p) && fair(p);
  if (counted) {
    if (sleeps)
      sums->voluntary++;
    else
      sums->involuntary++;
  } else {
    if (sleeps)
      sums->other_voluntary++;
    else
      sums->other_involuntary++;
    if (p->flags & PF_KTHREAD) {
      u32 sleep = count_states && sleeps ? sleep_of(p, state, true) : 0;
      struct task_state *s = sleep ? state_of(p, true) : NULL;
      if (s) sleeps_as(sums, s, sleep, now);
      return;
    }
  }
  struct task_state *s = state_of(p, counted);
  if (!s) {
    if (counted) sums->lost++;
    return;
  }
  if (!sleeps) {
    if (counted) {
      becomes_runnable(sums, s, now);
      s->ready_at_ns = now;
      s->woken = 0;
    }
    return;
  }
  stops_runnable(sums, s, now);
  s->ready_at_ns = 0;
  if (count_states) {
    if (dead)
      dies(sums, s, now);
    else
      sleeps_as(sums, s, sleep_of(p, state, false), now);
  }
  if (!counted) {
    s->in_burst = 0;
    return;
  }
  u64 cpu_ns = p->se.sum_exec_runtime;
  ends_burst(sums, s, cpu_ns, now);
  if (dead) exits(sums, p, cpu_ns, now);
}

static __always_inline void takes_cpu(struct pm_cpu *cpu, u32 id, struct task_struct *p, u64 now) {
  struct pm_probe *sums = &cpu->sums;
  struct pm_running *running = &cpu->running;
  running->since_ns = now;
  running->pid = p->pid;
  running->young_until_ns = 0;
  running->small_until_ns = 0;
  running->nice = 0;
  if (of_kernel(p)) {
    running->kind = p->pid ? PM_OTHER : PM_IDLE;
    return;
  }
  bool counted = fair(p);
  struct task_state *s = state_of(p, counted);
  if (!counted) {
    running->kind = PM_OTHER;
    if (s) {  // it was fair when it became runnable
      stops_runnable(sums, s, now);
      s->ready_at_ns = 0;
    }
    return;
  }
  running->kind = PM_COUNTED;
  running->nice = p->static_prio > NICE_0_PRIO;
  u64 cpu_ns = p->se.sum_exec_runtime;
  if (cpu_ns < PM_SHORT_NS) running->small_until_ns = now + PM_SHORT_NS - cpu_ns;
  if (!s) {
    sums->lost++;
    return;
  }
  running->young_until_ns = s->group_start_ns + PM_YOUNG_NS;
  if (s->last_cpu && s->last_cpu != id + 1) sums->migrations++;
  s->last_cpu = id + 1;
  becomes_runnable(sums, s, now);
  if (count_states) {
    lives(sums, s, now);
    sleeps_as(sums, s, 0, now);  // only of one whose wake-up nobody was told of
  }
  if (s->ready_at_ns) {
    u64 wait = now - s->ready_at_ns;
    s->ready_at_ns = 0;
    sums->waits++;
    sums->wait_ns += wait;
    if (s->woken) {
      s->first_wait_ns = wait;
      enter_hist(sums->wait_hist, wait);
    }
  }
  if (s->newborn) {
    s->newborn = 0;
    sums->first_runs++;
    sums->rt_ns += now - p->start_time;
  }
}

static __always_inline void waits_from(struct pm_probe *sums, struct task_state *s, u64 cpu_ns, u64 now) {
  becomes_runnable(sums, s, now);
  s->ready_at_ns = now;
  s->first_wait_ns = 0;
  s->burst_from_ns = cpu_ns;
  if (now - s->slept_at_ns >= PM_PIECE_GAP_NS) s->piece_from_ns = cpu_ns;
  s->woken = 1;
  s->in_burst = 1;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next, unsigned int prev_state) {
  u32 id = bpf_get_smp_processor_id();
  struct pm_cpu *cpu = begin(id);
  if (!cpu) return 0;
  u64 now = bpf_ktime_get_ns();
  cpu->sums.switches++;
  if (cpu->running.pid == prev->pid)
    cpu->running.nice = prev->static_prio > NICE_0_PRIO;  // it may have changed since it took the CPU: the whole stint goes by how it ended
  else if (cpu->running.kind != PM_UNKNOWN)
    cpu->sums.unseen++;
  pm_accrue(&cpu->sums, &cpu->running, now);
  leaves_cpu(&cpu->sums, prev, !preempt && prev_state, prev_state, now);
  takes_cpu(cpu, id, next, now);
  end(cpu);
  return 0;
}

SEC("tp_btf/sched_wakeup")
int BPF_PROG(on_wakeup, struct task_struct *p) {
  if (of_kernel(p) || !fair(p)) {
    struct task_state *s = count_states ? state_of(p, false) : NULL;
    if (!s || !s->sleep) return 0;
    struct pm_cpu *cpu = begin(bpf_get_smp_processor_id());
    if (!cpu) return 0;
    sleeps_as(&cpu->sums, s, 0, bpf_ktime_get_ns());
    end(cpu);
    return 0;
  }
  struct task_state *s = state_of(p, true);
  bool slept_unseen = false;
  if (s && s->runnable) {
    slept_unseen = !s->ready_at_ns && !on_a_cpu(p);
    if (!slept_unseen) return 0;  // it had not gone to sleep yet
  }
  struct pm_cpu *cpu = begin(bpf_get_smp_processor_id());
  if (!cpu) return 0;
  cpu->sums.wakeups++;
  if (s) {
    u64 now = bpf_ktime_get_ns();
    if (slept_unseen) stops_runnable(&cpu->sums, s, now);
    if (count_states) sleeps_as(&cpu->sums, s, 0, now);
    waits_from(&cpu->sums, s, p->se.sum_exec_runtime, now);
  } else {
    cpu->sums.lost++;
  }
  end(cpu);
  return 0;
}

SEC("tp_btf/sched_wakeup_new")
int BPF_PROG(on_fork, struct task_struct *p) {
  if (of_kernel(p) || !fair(p)) return 0;
  struct task_state *s = state_of(p, true);
  struct pm_cpu *cpu = begin(bpf_get_smp_processor_id());
  if (!cpu) return 0;
  cpu->sums.forks++;
  if (s) {
    u64 now = bpf_ktime_get_ns();
    s->newborn = 1;
    if (count_states) lives(&cpu->sums, s, now);
    waits_from(&cpu->sums, s, 0, now);
  } else {
    cpu->sums.lost++;
  }
  end(cpu);
  return 0;
}

// Run once on each CPU after the attachment, from an interrupt, before anyone reads: what runs there now was switched to before we looked.
// It may interrupt on_wakeup, so it leaves `started` and `completed` alone.
SEC("raw_tp")
int seed(void *ctx) {
  u32 id = bpf_get_smp_processor_id();
  struct pm_cpu *cpu = bpf_map_lookup_elem(&cpus, &id);
  if (cpu && cpu->running.kind == PM_UNKNOWN) takes_cpu(cpu, id, bpf_get_current_task_btf(), bpf_ktime_get_ns());
  return 0;
}

extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;

// Run once after the attachment, before anyone reads. What it counts goes to the reader, not into the sums of a CPU whose programs may interrupt it. A thread that
// wakes up between our look and our mark is counted as asleep until it runs, which it is about to.
SEC("syscall")
int seed_states(struct pm_states *out) {
  struct task_struct *p;
  u64 now = bpf_ktime_get_ns();
  s64 alive = 0, uninterruptible = 0, io = 0;
  bpf_rcu_read_lock();
  bpf_for_each(task, p, NULL, BPF_TASK_ITER_ALL_THREADS) {
    if (!p->pid || p->exit_state || (p->__state & TASK_DEAD)) continue;
    bool kernel = of_kernel(p);
    if (!kernel && !fair(p)) continue;
    u32 state = p->__state, sleep = state ? sleep_of(p, state, kernel) : 0;
    if (kernel && !sleep) continue;
    struct task_state *s = state_of(p, true);
    if (!s) continue;
    if (!kernel && __sync_val_compare_and_swap(&s->life, LIFE_UNKNOWN, LIFE_COUNTED) == LIFE_UNKNOWN) alive++;
    if (!sleep || __sync_val_compare_and_swap(&s->sleep, 0, sleep)) continue;
    if (sleep & SLEEP_UNINTERRUPTIBLE) uninterruptible++;
    if (sleep & SLEEP_IO) io++;
  }
  bpf_rcu_read_unlock();
  out->moment_ns = now;
  out->alive = alive;
  out->uninterruptible = uninterruptible;
  out->io_blocked = io;
  return 0;
}

// Walks all threads for the oldest wait under way: sums learn of a wait when it ends, and a task that starves has none.
SEC("syscall")
int oldest_wait(struct pm_oldest *out) {
  u64 now = bpf_ktime_get_ns(), any = 0, brief = 0;
  struct task_struct *p;
  bpf_rcu_read_lock();
  bpf_for_each(task, p, NULL, BPF_TASK_ITER_ALL_THREADS) {
    struct task_state *s = bpf_task_storage_get(&tasks, p, 0, 0);
    if (!s) continue;
    u64 since = s->ready_at_ns;
    if (!since || since >= now) continue;
    if (now - since > any) any = now - since;
    if (s->piece_ns <= PM_SHORT_NS && now - since > brief) brief = now - since;
  }
  bpf_rcu_read_unlock();
  out->wait_ns = any;
  out->short_wait_ns = brief;
  return 0;
}

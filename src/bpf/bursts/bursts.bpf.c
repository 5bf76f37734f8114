// SPDX-License-Identifier: GPL-2.0-only
// Records bursts into per-CPU rings (bursts.intf.h) for the what-if replay. Nothing is streamed: user space reads the rings when it asks, and sets
// `recording_since` to zero while it does not: then every program leaves at its first line.
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/bursts/bursts.intf.h"

char _license[] SEC("license") = "GPL";

#define PF_KTHREAD 0x00200000
#define FIRST_FAIR_PRIO 100
#define NICE_0_PRIO 120

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, 1);
  __type(key, u32);
  __type(value, struct pm_burst_ring);
} rings SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, 1);
  __type(key, u32);
  __type(value, struct pm_unfinished);
} unfinished SEC(".maps");

volatile u64 recording_since SEC(".data.since") = 0;  // CLOCK_MONOTONIC; 0: asleep

struct burst_state {
  u64 since;     // the `recording_since` of the recording in which it is in a burst; of an earlier one, or 0: it is in none
  u64 slept_ns;  // when its last burst ended
  u64 wake_ns;
  u64 from_ns;       // its CPU time when the burst began
  u64 usual_ns;
  u64 waker_ran_ns;
  u64 on_cpu_at_ns;  // since when it runs; 0: it does not
  u64 ran_ns;        // of this burst, up to then
  u32 waker;
  u8 newborn;
};

struct {
  __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct burst_state);
} states SEC(".maps");

// How deep in interrupts each CPU is: whoever is woken from there was woken by no task. Counted by ourselves, since not every kernel tells a
// program where its own count is.
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, u32);
  __type(value, u32);
} depth SEC(".maps");

static __always_inline u32 *depth_here(void) {
  u32 zero = 0;
  return bpf_map_lookup_elem(&depth, &zero);
}
static __always_inline void enters(void) {
  if (!recording_since) return;
  u32 *d = depth_here();
  if (d) ++*d;
}
static __always_inline void leaves(void) {
  if (!recording_since) return;
  u32 *d = depth_here();
  if (d && *d) --*d;
}
static __always_inline bool by_a_task(void) {
  u32 *d = depth_here();
  return d && !*d;
}

SEC("tp_btf/irq_handler_entry")
int BPF_PROG(on_irq) { enters(); return 0; }
SEC("tp_btf/irq_handler_exit")
int BPF_PROG(on_irq_end) { leaves(); return 0; }
SEC("tp_btf/softirq_entry")
int BPF_PROG(on_softirq) { enters(); return 0; }
SEC("tp_btf/softirq_exit")
int BPF_PROG(on_softirq_end) { leaves(); return 0; }
SEC("tp_btf/hrtimer_expire_entry")
int BPF_PROG(on_timer) { enters(); return 0; }
SEC("tp_btf/hrtimer_expire_exit")
int BPF_PROG(on_timer_end) { leaves(); return 0; }

static __always_inline bool recorded(struct task_struct *p) { return p->pid && !(p->flags & PF_KTHREAD) && p->normal_prio >= FIRST_FAIR_PRIO; }

static __always_inline struct burst_state *state_of(struct task_struct *p, bool create) {
  return bpf_task_storage_get(&states, p, 0, create ? BPF_LOCAL_STORAGE_GET_F_CREATE : 0);
}

static __always_inline void lost(void) {
  u32 id = bpf_get_smp_processor_id();
  struct pm_burst_ring *ring = bpf_map_lookup_elem(&rings, &id);
  if (ring) ring->lost++;
}

static __always_inline void begin_burst(struct burst_state *s, struct task_struct *p, u64 since, u64 now) {
  s->since = since;
  s->wake_ns = now;
  s->from_ns = p->se.sum_exec_runtime;
  s->newborn = 0;
  s->on_cpu_at_ns = 0;
  s->ran_ns = 0;
}

static __always_inline u64 ran_before(struct task_struct *p, u64 ns) {
  u64 ran = p->se.sum_exec_runtime;
  return ran > ns ? ran - ns : 0;
}

// Who runs or waits, and has neither slept nor been born since the recording began, has done so from before: it counts from there. Else its wake-up was not
// told (some kernels' timers wake who has not quite gone to sleep), and this says no.
static __always_inline bool adopt(struct burst_state *s, struct task_struct *p, u64 since, u64 now, bool runs) {
  if (s->slept_ns >= since || p->start_time >= since) return false;
  begin_burst(s, p, since, since);
  s->waker = 0;
  s->waker_ran_ns = 0;
  if (runs) {
    s->on_cpu_at_ns = since;
    s->from_ns = ran_before(p, now - since);
  }
  return true;
}

// Who wakes, and how far its own burst had come.
static __always_inline void note_waker(struct burst_state *s, struct task_struct *woken, u64 since) {
  struct task_struct *waker = bpf_get_current_task_btf();
  s->waker = 0;
  s->waker_ran_ns = 0;
  if (!by_a_task() || waker == woken || !recorded(waker)) return;
  struct burst_state *w = state_of(waker, true);
  if (!w) return;
  u64 now = bpf_ktime_get_ns();
  if (w->since != since && !adopt(w, waker, since, now, true)) return;
  if (!w->on_cpu_at_ns) return;
  s->waker = waker->pid;
  s->waker_ran_ns = w->ran_ns + (now - w->on_cpu_at_ns);
}

static __always_inline void fill(struct pm_burst *b, struct task_struct *p, struct burst_state *s, u64 cpu_ns, u64 end_ns, bool under_way) {
  b->wake_ns = s->wake_ns;
  b->end_ns = end_ns;
  b->cpu_ns = cpu_ns;
  b->process_start_ns = p->group_leader->start_time;
  b->attained_ns = s->from_ns;
  b->usual_ns = s->usual_ns;
  b->waker_ran_ns = s->waker_ran_ns;
  b->task = p->pid;
  b->waker = s->waker;
  b->nice = p->static_prio - NICE_0_PRIO;
  b->newborn = s->newborn;
  b->unfinished = under_way;
}

// On the waker's CPU, before the wake-up itself, which may come from an interrupt on another.
SEC("tp_btf/sched_waking")
int BPF_PROG(on_waking, struct task_struct *p) {
  u64 since = recording_since;
  if (!since || !recorded(p)) return 0;
  struct burst_state *s = state_of(p, true);
  if (!s) {
    lost();
    return 0;
  }
  if (s->since != since) note_waker(s, p, since);
  return 0;
}

SEC("tp_btf/sched_wakeup")
int BPF_PROG(on_wakeup, struct task_struct *p) {
  u64 since = recording_since;
  if (!since || !recorded(p)) return 0;
  struct burst_state *s = state_of(p, true);
  if (!s) {
    lost();
    return 0;
  }
  if (s->since != since) begin_burst(s, p, since, bpf_ktime_get_ns());
  return 0;
}

SEC("tp_btf/sched_wakeup_new")
int BPF_PROG(on_fork, struct task_struct *p) {
  u64 since = recording_since;
  if (!since || !recorded(p)) return 0;
  struct burst_state *s = state_of(p, true);
  if (!s) {
    lost();
    return 0;
  }
  begin_burst(s, p, since, bpf_ktime_get_ns());
  s->newborn = 1;
  note_waker(s, p, since);
  return 0;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next, unsigned int prev_state) {
  u64 since = recording_since;
  if (!since) return 0;
  u64 now = bpf_ktime_get_ns();
  u32 *d = depth_here();
  if (d) *d = 0;  // no switch happens in an interrupt: a count that went wrong does not stay wrong
  if (recorded(prev)) {
    struct burst_state *s = state_of(prev, true);
    if (!s) {
      lost();
    } else if (s->since == since || adopt(s, prev, since, now, true)) {
      if (s->on_cpu_at_ns == since) s->from_ns = ran_before(prev, now - since);  // adopted; what it had run then is known exactly only now
      u64 cpu_ns = prev->se.sum_exec_runtime - s->from_ns;
      s->ran_ns = cpu_ns;
      s->on_cpu_at_ns = 0;
      if (!preempt && prev_state) {
        u32 id = bpf_get_smp_processor_id();
        struct pm_burst_ring *ring = bpf_map_lookup_elem(&rings, &id);
        if (ring) {
          fill(&ring->slots[ring->written % PM_BURST_SLOTS], prev, s, cpu_ns, now, false);
          barrier();  // enough where stores become visible in order, as on x86
          ring->written++;
        }
        s->since = 0;
        s->slept_ns = now;
        s->usual_ns = (s->usual_ns * 3 + cpu_ns) / 4;
      }
    }
  }
  if (recorded(next)) {
    struct burst_state *s = state_of(next, true);
    if (!s) {
      lost();
    } else {
      if (s->since != since && !adopt(s, next, since, now, false)) {
        begin_burst(s, next, since, now);
        s->waker = 0;
        s->waker_ran_ns = 0;
      }
      s->on_cpu_at_ns = now;
    }
  }
  return 0;
}

extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;

// Walks all threads for bursts under way: what is running or waiting now is in no ring yet. Who has not been met since the recording began is as `adopt` has it.
SEC("syscall")
int collect(void *ctx) {
  u32 zero = 0;
  struct pm_unfinished *out = bpf_map_lookup_elem(&unfinished, &zero);
  if (!out) return -2;
  u64 since = recording_since, now = bpf_ktime_get_ns();
  struct task_struct *p;
  out->count = out->dropped = 0;
  bpf_rcu_read_lock();
  bpf_for_each(task, p, NULL, BPF_TASK_ITER_ALL_THREADS) {
    if (!recorded(p)) continue;
    struct burst_state *s = bpf_task_storage_get(&states, p, 0, 0), unmet = {};
    if (!s || s->since != since) {
      if (p->__state) continue;
      if (s) unmet = *s;
      if (!adopt(&unmet, p, since, now, BPF_CORE_READ_BITFIELD_PROBED(p, on_cpu))) continue;  // its type differs between kernels
      s = &unmet;
    }
    u64 at = out->count;
    if (at >= PM_UNFINISHED_SLOTS) {
      out->dropped++;
      continue;
    }
    u64 since = s->on_cpu_at_ns, ran = s->ran_ns;
    fill(&out->slots[at % PM_UNFINISHED_SLOTS], p, s, ran + (since && now > since ? now - since : 0), now, true);
    out->count = at + 1;
  }
  bpf_rcu_read_unlock();
  return 0;
}

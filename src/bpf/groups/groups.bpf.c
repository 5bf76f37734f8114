// SPDX-License-Identifier: GPL-2.0-only
// The groups: turnaround, response, run delay, slowdown and fairness by cgroup, command name or job tag (groups.intf.h). Nothing is streamed. Each CPU writes its own
// element; the three programs that may interrupt one another write different fields.
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/groups/groups.intf.h"

char _license[] SEC("license") = "GPL";

#define PF_KTHREAD 0x00200000
#define TASK_DEAD 0x00000080
#define FIRST_FAIR_PRIO 100
#define MOST_GENERATIONS 64

const volatile u32 by = PM_BY_ALL;

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 4096);
  __type(key, struct pm_group_key);
  __type(value, struct pm_group);
} groups SEC(".maps");

// What a new group begins with: too large for the stack.
const struct pm_group nothing = {};

struct thread_state {
  u64 ready_at_ns;    // waits for a CPU since then; 0: does not wait
  u64 waited_ns;      // all its waits
  u64 counted_ns;     // of its CPU time, how much is in its group's sum
  u64 walked_cpu_ns;  // at the last walk
  u64 walked_wait_ns;
  u64 tag;
  u8 newborn;  // has not run yet
  u8 born;     // its fork was seen
  u8 known;
};

struct {
  __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct thread_state);
} threads SEC(".maps");

struct pm_group_losses losses SEC(".data.losses") = {0};

// Source: kernel/sched/core.c, sched_prio_to_weight: each step of nice is a factor of 1.25.
const u32 weights[40] = {88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916, 9548, 7620, 6100, 4904, 3906, 3121, 2501, 1991, 1586, 1277,
                         1024,  820,   655,   526,   423,   335,   272,   215,   172,   137,   110,  87,   70,   56,   45,   36,   29,   23,   18,   15};

static __always_inline bool counted(struct task_struct *p) { return p->pid && !(p->flags & PF_KTHREAD) && p->normal_prio >= FIRST_FAIR_PRIO; }

static __always_inline struct thread_state *state_of(struct task_struct *p, bool create) {
  struct thread_state *s = bpf_task_storage_get(&threads, p, 0, create ? BPF_LOCAL_STORAGE_GET_F_CREATE : 0);
  if (!s && create) __sync_fetch_and_add(&losses.threads, 1);
  if (s && !s->known) {
    s->known = 1;
    s->counted_ns = p->se.sum_exec_runtime;  // what it used before is no part of this
    s->walked_cpu_ns = s->counted_ns;
  }
  return s;
}

static __always_inline struct pm_group *group_of(struct task_struct *p, struct thread_state *s) {
  struct pm_group_key key = {};
  if (by == PM_BY_CGROUP)
    key.id = BPF_CORE_READ(p, cgroups, dfl_cgrp, kn, id);
  else if (by == PM_BY_COMMAND)
    BPF_CORE_READ_STR_INTO(&key.name, p, comm);
  else if (by == PM_BY_JOB)
    key.id = s->tag;
  struct pm_group *group = bpf_map_lookup_elem(&groups, &key);
  if (group) return group;
  bpf_map_update_elem(&groups, &key, &nothing, BPF_NOEXIST);
  group = bpf_map_lookup_elem(&groups, &key);
  if (!group) __sync_fetch_and_add(&losses.groups, 1);
  return group;
}

static __always_inline void enter_hist(u64 *hist, u64 ns) {
  u32 bucket = pm_hist_bucket(ns);
  if (bucket < PM_HIST_BUCKETS) hist[bucket]++;
}

// a / b in units of 2^-20, at most `most`; b > 0. Shifted so that nothing overflows: times are below 2^63.
static __always_inline u64 ratio(u64 a, u64 b, u64 most) {
  if (a >> 43) a >>= 20, b >>= 20;
  if (!b) return most;
  u64 r = (a << 20) / b;
  return r < most ? r : most;
}

static __always_inline void leaves(struct task_struct *p, bool sleeps, u32 state, u64 now) {
  if (!counted(p)) return;
  struct thread_state *s = state_of(p, true);
  struct pm_group *g = s ? group_of(p, s) : NULL;
  if (!g) return;
  u64 cpu_ns = p->se.sum_exec_runtime;
  g->cpu_ns += cpu_ns - s->counted_ns;
  s->counted_ns = cpu_ns;
  if (!sleeps) {
    g->involuntary++;
    s->ready_at_ns = now;
    return;
  }
  g->voluntary++;
  s->ready_at_ns = 0;
  if (!(state & TASK_DEAD)) return;
  u64 tat = now - p->start_time;
  g->exits++;
  g->tat_ns += tat;
  enter_hist(g->tat_hist, tat);
  if (!s->born || !tat) return;
  u64 fairness = ratio(cpu_ns, tat, PM_UNIT);
  g->ended++;
  g->fairness += fairness;
  g->fairness2 += fairness * fairness >> 20;
  g->slowdown += ratio(tat, cpu_ns ? cpu_ns : 1, PM_UNIT << 20);
}

static __always_inline void takes(struct task_struct *p, u64 now) {
  if (!counted(p)) return;
  struct thread_state *s = state_of(p, true);
  if (!s || (!s->ready_at_ns && !s->newborn)) return;
  struct pm_group *g = group_of(p, s);
  if (!g) return;
  if (s->ready_at_ns) {
    u64 wait = now - s->ready_at_ns;
    s->ready_at_ns = 0;
    s->waited_ns += wait;
    g->waits++;
    g->wait_ns += wait;
    enter_hist(g->wait_hist, wait);
  }
  if (s->newborn) {
    s->newborn = 0;
    u64 rt = now - p->start_time;
    g->first_runs++;
    g->rt_ns += rt;
    enter_hist(g->rt_hist, rt);
  }
}

SEC("tp_btf/sched_switch")
int BPF_PROG(groups_switch, bool preempt, struct task_struct *prev, struct task_struct *next, unsigned int prev_state) {
  u64 now = bpf_ktime_get_ns();
  leaves(prev, !preempt && prev_state, prev_state, now);
  takes(next, now);
  return 0;
}

SEC("tp_btf/sched_wakeup")
int BPF_PROG(groups_wakeup, struct task_struct *p) {
  if (!counted(p)) return 0;
  struct thread_state *s = state_of(p, true);
  // Its lowest byte: on_cpu is an int up to Linux 6, a u8 from 7 on.
  u64 offset = bpf_core_field_offset(struct task_struct, on_cpu);
  barrier_var(offset);
  if (!s || s->ready_at_ns || *((u8 *)p + offset)) return 0;  // it had not gone to sleep yet
  s->ready_at_ns = bpf_ktime_get_ns();
  struct pm_group *g = group_of(p, s);
  if (g) g->wakeups++;
  return 0;
}

// In the context of the parent, whose tag the child inherits.
SEC("tp_btf/sched_wakeup_new")
int BPF_PROG(groups_fork, struct task_struct *p) {
  if (!counted(p)) return 0;
  struct thread_state *s = state_of(p, true);
  if (!s) return 0;
  struct thread_state *parent = bpf_task_storage_get(&threads, bpf_get_current_task_btf(), 0, 0);
  if (parent) s->tag = parent->tag;
  s->counted_ns = 0;
  s->walked_cpu_ns = 0;
  s->born = 1;
  s->newborn = 1;
  s->ready_at_ns = bpf_ktime_get_ns();
  struct pm_group *g = group_of(p, s);
  if (g) g->forks++;
  return 0;
}

extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;

// A thread that never sleeps ends no burst and exits late: only a look at all of them tells whether they share a CPU fairly.
SEC("syscall")
int walk(struct pm_group_walk *out) {
  u64 now = bpf_ktime_get_ns(), span = out->span_ns, seen = 0;
  struct task_struct *p;
  bpf_rcu_read_lock();
  bpf_for_each(task, p, NULL, BPF_TASK_ITER_ALL_THREADS) {
    if (p->exit_state || !counted(p)) continue;
    struct thread_state *s = state_of(p, true);
    struct pm_group *g = s ? group_of(p, s) : NULL;
    if (!g) continue;
    seen++;
    g->alive++;
    u64 cpu_ns = p->se.sum_exec_runtime, since = s->ready_at_ns, waited = s->waited_ns + (since && since < now ? now - since : 0);
    u64 cpu = cpu_ns - s->walked_cpu_ns, wanted = cpu + waited - s->walked_wait_ns;
    s->walked_cpu_ns = cpu_ns;
    s->walked_wait_ns = waited;
    u32 nice = p->static_prio - FIRST_FAIR_PRIO;
    if (!span || 2 * wanted < span || nice >= 40) continue;
    u64 share = ratio(cpu, wanted, PM_UNIT) * 1024 / weights[nice];
    g->sharers++;
    g->share += share;
    g->share2 += share * share >> 20;
  }
  bpf_rcu_read_unlock();
  out->threads = seen;
  return 0;
}

static __always_inline bool descends(struct task_struct *p, u32 from) {
  struct task_struct *at = p;
  for (int i = 0; i < MOST_GENERATIONS && at; i++) {
    u32 tgid = BPF_CORE_READ(at, tgid);
    if (tgid == from) return true;
    if (tgid <= 1) return false;
    at = BPF_CORE_READ(at, group_leader, real_parent);
  }
  return false;
}

SEC("syscall")
int tag(struct pm_group_tag *out) {
  struct task_struct *p;
  u32 n = 0;
  bpf_rcu_read_lock();
  bpf_for_each(task, p, NULL, BPF_TASK_ITER_ALL_THREADS) {
    if (p->exit_state || !p->pid || (p->flags & PF_KTHREAD) || !descends(p, out->tgid)) continue;
    struct thread_state *s = state_of(p, true);
    if (!s) continue;
    s->tag = out->tag;
    n++;
  }
  bpf_rcu_read_unlock();
  out->threads = n;
  return 0;
}

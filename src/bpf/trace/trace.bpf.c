// SPDX-License-Identifier: GPL-2.0-only
// The trace: who arrived when, first ran when, ended when, with how much CPU time (trace.intf.h). Sums are kept in the kernel, one element a process; single events
// are handed over only when the reader asked for them.
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/trace/trace.intf.h"

char _license[] SEC("license") = "GPL";

#define PF_KTHREAD 0x00200000
#define TASK_DEAD 0x00000080
#define MOST_GENERATIONS 64

const volatile u32 scope = PM_ALL;
const volatile u32 root_tgid = 0;    // of PM_TREE
const volatile u64 cgroup_id = 0;    // of PM_CGROUP
const volatile bool events = false;
const volatile u32 reader_tgid = 0;  // the tracer itself is no part of a trace of the whole system

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 131072);
  __type(key, struct pm_process_key);
  __type(value, struct pm_process);
} processes SEC(".maps");

struct thread_state {
  struct pm_process_key key;
  u64 counted_ns;   // of its CPU time, how much is in its process's sum
  u64 ready_at_ns;  // waits for a CPU since then; 0: does not wait
  u32 known;        // 1: in `threads` of its process
  u32 pad;
};

struct {
  __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct thread_state);
} threads SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 4096); /* the loader sets the size */
} ring SEC(".maps");

struct pm_trace_losses losses SEC(".data.losses") = {0};

static __always_inline bool of_kernel(struct task_struct *p) { return p->pid == 0 || (p->flags & PF_KTHREAD); }

// Any of its ancestors: levels differ between cgroup namespaces, so only the identity counts.
static __always_inline bool in_cgroup(struct task_struct *p) {
  struct cgroup *group = BPF_CORE_READ(p, cgroups, dfl_cgrp);
  for (int i = 0; i < MOST_GENERATIONS && group; i++) {
    if (BPF_CORE_READ(group, kn, id) == cgroup_id) return true;
    struct cgroup_subsys_state *parent = BPF_CORE_READ(group, self.parent);
    if (!parent) return false;
    group = (void *)parent - bpf_core_field_offset(struct cgroup, self);
  }
  return false;
}

static __always_inline bool in_tree(struct task_struct *p) {
  struct task_struct *at = p;
  for (int i = 0; i < MOST_GENERATIONS; i++) {
    u32 tgid = BPF_CORE_READ(at, tgid);
    if (tgid == root_tgid) return true;
    if (tgid <= 1) return false;
    at = BPF_CORE_READ(at, group_leader, real_parent);
    if (!at) return false;
  }
  return false;
}

static __always_inline bool wanted(struct task_struct *p) {
  if (of_kernel(p)) return false;
  if (scope == PM_CGROUP) return in_cgroup(p);
  if (scope == PM_TREE) return in_tree(p);
  return p->tgid != reader_tgid;
}

static __always_inline struct thread_state *traced(struct task_struct *p) {
  struct thread_state *s = bpf_task_storage_get(&threads, p, 0, 0);
  return s && s->known ? s : NULL;
}

static __always_inline void name(struct pm_process *process, struct task_struct *leader) {
  BPF_CORE_READ_STR_INTO(&process->comm, leader, comm);
}

// The element of the process of `p`; made when it is not there yet.
static __always_inline struct pm_process *process_of(struct task_struct *p, struct pm_process_key *key, bool before) {
  struct pm_process *process = bpf_map_lookup_elem(&processes, key);
  if (process) return process;
  struct task_struct *leader = p->group_leader;
  struct pm_process fresh = {.arrival_ns = key->start_ns, .before = before};
  fresh.parent = BPF_CORE_READ(leader, real_parent, tgid);
  name(&fresh, leader);
  // CPU time of its threads that have ended already.
  if (before) fresh.cpu_ns = BPF_CORE_READ(p, signal, sum_sched_runtime);
  bpf_map_update_elem(&processes, key, &fresh, BPF_NOEXIST);
  process = bpf_map_lookup_elem(&processes, key);
  if (!process) __sync_fetch_and_add(&losses.processes, 1);
  return process;
}

// Of two that meet the same thread, a fork and the walk over all threads, one adds it.
static __always_inline bool add_thread(struct task_struct *p, bool before) {
  struct thread_state *s = bpf_task_storage_get(&threads, p, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
  if (!s) {
    __sync_fetch_and_add(&losses.processes, 1);
    return false;
  }
  struct pm_process_key key = {.start_ns = p->group_leader->start_time, .tgid = p->tgid};
  struct pm_process *process = process_of(p, &key, before);
  if (!process) return false;
  s->key = key;
  if (__sync_val_compare_and_swap(&s->known, 0, 1)) return false;
  u64 cpu_ns = p->se.sum_exec_runtime;
  s->counted_ns = cpu_ns;
  __sync_fetch_and_add(&process->cpu_ns, cpu_ns);
  __sync_fetch_and_add(&process->threads, 1);
  return true;
}

static __always_inline struct pm_event *new_event(u32 kind, u64 now) {
  struct pm_event *e = bpf_ringbuf_reserve(&ring, sizeof(*e), 0);
  if (!e) {
    __sync_fetch_and_add(&losses.events, 1);
    return NULL;
  }
  e->at_ns = now;
  e->kind = kind;
  e->cpu = bpf_get_smp_processor_id();
  return e;
}

static __always_inline void fill_next(struct pm_event *e, struct task_struct *next) {
  e->next = next->pid;
  e->next_tgid = next->tgid;
  e->next_prio = next->prio;
  BPF_CORE_READ_STR_INTO(&e->next_comm, next, comm);
}
static __always_inline void fill_prev(struct pm_event *e, struct task_struct *prev, u32 state) {
  e->prev = prev->pid;
  e->prev_tgid = prev->tgid;
  e->prev_prio = prev->prio;
  e->prev_state = state;
  BPF_CORE_READ_STR_INTO(&e->prev_comm, prev, comm);
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(trace_fork, struct task_struct *parent, struct task_struct *child) {
  bool want = scope == PM_TREE ? traced(parent) || (child->tgid == root_tgid) : wanted(child);
  if (want && !of_kernel(child)) add_thread(child, false);
  return 0;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(trace_switch, bool preempt, struct task_struct *prev, struct task_struct *next, unsigned int prev_state) {
  u64 now = bpf_ktime_get_ns();
  struct thread_state *from = traced(prev), *to = traced(next);
  if (from) {
    struct pm_process *process = bpf_map_lookup_elem(&processes, &from->key);
    if (process) {
      bool sleeps = !preempt && prev_state;
      u64 cpu_ns = prev->se.sum_exec_runtime, before = from->counted_ns;
      from->counted_ns = cpu_ns;
      __sync_fetch_and_add(&process->cpu_ns, cpu_ns - before);
      if (sleeps)
        __sync_fetch_and_add(&process->voluntary, 1);
      else
        __sync_fetch_and_add(&process->involuntary, 1);
      from->ready_at_ns = sleeps ? 0 : now;
      if (sleeps && (prev_state & TASK_DEAD) && process->ending) process->completion_ns = now;
    }
  }
  if (to) {
    struct pm_process *process = bpf_map_lookup_elem(&processes, &to->key);
    if (process) {
      if (!process->first_cpu_ns && !process->before) process->first_cpu_ns = now;
      if (to->ready_at_ns) {
        __sync_fetch_and_add(&process->wait_ns, now - to->ready_at_ns);
        __sync_fetch_and_add(&process->waits, 1);
        to->ready_at_ns = 0;
      }
    }
  }
  if (events && (scope == PM_ALL || from || to)) {
    struct pm_event *e = new_event(PM_SWITCH, now);
    if (e) {
      fill_prev(e, prev, prev_state | (preempt ? PM_PREEMPTED : 0));
      fill_next(e, next);
      e->target = e->cpu;
      bpf_ringbuf_submit(e, 0);
    }
  }
  return 0;
}

static __always_inline void tell_wake(struct task_struct *p, struct thread_state *s, u32 kind) {
  if (!events || (scope != PM_ALL && !s)) return;
  struct pm_event *e = new_event(kind, bpf_ktime_get_ns());
  if (!e) return;
  fill_prev(e, bpf_get_current_task_btf(), 0);
  fill_next(e, p);
  e->target = BPF_CORE_READ(p, wake_cpu);
  bpf_ringbuf_submit(e, 0);
}

SEC("tp_btf/sched_wakeup")
int BPF_PROG(trace_wakeup, struct task_struct *p) {
  struct thread_state *s = traced(p);
  // One that has not left its CPU yet does not wait: it goes on.
  u64 offset = bpf_core_field_offset(struct task_struct, on_cpu);
  barrier_var(offset);
  if (s && !s->ready_at_ns && !*((u8 *)p + offset)) s->ready_at_ns = bpf_ktime_get_ns();
  return 0;
}

// Attached only for events.
SEC("tp_btf/sched_waking")
int BPF_PROG(trace_waking, struct task_struct *p) {
  tell_wake(p, traced(p), PM_WAKE);
  return 0;
}

SEC("tp_btf/sched_wakeup_new")
int BPF_PROG(trace_new, struct task_struct *p) {
  struct thread_state *s = traced(p);
  if (s) s->ready_at_ns = bpf_ktime_get_ns();
  tell_wake(p, s, PM_NEW);
  return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(trace_exec, struct task_struct *p) {
  struct thread_state *s = traced(p);
  struct pm_process *process = s ? bpf_map_lookup_elem(&processes, &s->key) : NULL;
  if (process) name(process, p);
  return 0;
}

// Per thread, early in do_exit(). Two threads that end at once may both see no one left; saying it twice does no harm.
SEC("tp_btf/sched_process_exit")
int BPF_PROG(trace_exit, struct task_struct *p) {
  struct thread_state *s = traced(p);
  struct pm_process *process = s ? bpf_map_lookup_elem(&processes, &s->key) : NULL;
  if (!process) return 0;
  name(process, p->group_leader);
  if (BPF_CORE_READ(p, signal, live.counter) > 0) return 0;
  process->exit_code = p->exit_code;
  process->ending = 1;
  return 0;
}

extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;

// Run once after the attachment: what is alive already.
SEC("syscall")
int seed_trace(struct pm_trace_seed *out) {
  struct task_struct *p;
  u32 found = 0, leaders = 0;
  bpf_rcu_read_lock();
  bpf_for_each(task, p, NULL, BPF_TASK_ITER_ALL_THREADS) {
    if (p->exit_state || (p->__state & TASK_DEAD) || !wanted(p)) continue;
    if (!add_thread(p, true)) continue;
    found++;
    if (p->pid == p->tgid) leaders++;
  }
  bpf_rcu_read_unlock();
  out->processes = leaders;
  out->threads = found;
  return 0;
}

// SPDX-License-Identifier: GPL-2.0
// The portfolio: several scheduling policies in one sched_ext scheduler, of which one is active. A policy is a key, a slice, a margin for
// preemption (policies.h); everything else is the same for all: one ordered queue a policy, filled only while it is active, and a flip that
// moves what waits to the next one's.
//
// No task is ever lost to a flip, however it happens: `dispatch` empties every other queue when it sees a policy that it has not seen
// before, looks again every 250 ms and before a CPU goes idle (an insertion that began before a flip may end after it), and what has waited
// 3 s goes into the urgent queue, which is served first. -DPM_WITHOUT_DRAIN leaves the emptying out: with it the tests show that the danger
// is real.
#include "bpf/portfolio/policies.h"

char _license[] SEC("license") = "GPL";

enum : u64 {
  PM_PF_KTHREAD = 0x00200000,
  PM_RECHECK = 250 * PM_MS,
  PM_AGED_AFTER = 3000 * PM_MS,
  PM_ROUND = 4000 * PM_MS,  // the urgent queue is served once around in about this time
  PM_ALL_QUEUES = (1ull << PM_POLICIES) - 1,
};

#ifdef PM_WITHOUT_DRAIN
enum { PM_DRAINS = 0 };
#else
enum { PM_DRAINS = 1 };
#endif
enum { PM_LOOK_AHEAD = 64 };  // tasks of other CPUs' that are passed over in search of the first that may run here

const volatile u32 pm_nr_cpu = 4;  // possible CPUs, set before load

struct {
  __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct pm_task);
} tasks SEC(".maps");

struct pm_state S SEC(".data.st") = {0};
struct pm_watch W SEC(".data.watch") = {0};

// A group is a level above the policies: its own active policy, its own queues, its own front. There is one so far.
struct pm_group {
  u64 front;  // the largest virtual runtime that has run
  u64 seen;   // the policy that dispatch saw last
  u64 dirty;  // bit a policy: its queue may hold tasks though it is not active
  u64 checked_at;
} G;

static __always_inline u64 queue_of(u32 group, u32 policy) { return 0x1000ull + group * 16 + policy; }
static __always_inline u64 urgent_queue_of(u32 group) { return 0x2000ull + group; }
static __always_inline u32 active_policy(u32 group) {
  u64 policy = *(volatile u64*)&S.active;  // user space may have stored anything
  return policy < PM_POLICIES ? policy : 0;
}

static __always_inline struct pm_task* task_of(struct task_struct* p) { return bpf_task_storage_get(&tasks, p, 0, 0); }
static __always_inline bool is_kthread(struct task_struct* p) { return p->flags & PM_PF_KTHREAD; }
static __always_inline struct pm_on_cpu* cpu_of(s32 cpu) { return &S.cpu[cpu & (PM_MAX_CPUS - 1)]; }

static __always_inline struct pm_rank rank(u32 policy, struct task_struct* p, struct pm_task* t) {
  u64 queued = policy == PM_DL || policy == PM_IPRE ? scx_bpf_dsq_nr_queued(queue_of(0, policy)) : 0;
  struct pm_rank r = pm_rank_by(policy, p, t, G.front, queued);
  t->key = r.key;
  t->growth = r.growth;
  t->policy = policy;
  t->quantum = r.quantum ? r.quantum : r.slice;
  // Who was pushed aside gets the rest of its slice, not a new one.
  if (!r.quantum && t->used < r.slice) r.slice = pm_clamp(r.slice - t->used, 1 * PM_MS, r.slice);
  return r;
}

static __always_inline void charge(struct task_struct* p, struct pm_task* t, u64 now) {
  if (!t->on_cpu_at || !pm_before(t->on_cpu_at, now)) return;
  u64 ran = now - t->on_cpu_at, weighted = ran * 100 / pm_weight(p);
  t->on_cpu_at = now;
  t->used += ran;
  t->burst += ran;
  t->vruntime += weighted;
  t->awake += weighted;
}

// A new place at the end of the line, unless it was pushed aside within its quantum.
static __always_inline void take_place(struct pm_task* t, u64 now) {
  if (t->returning && !t->yielded && t->used < t->quantum) return;
  t->place_at = now;
  t->used = 0;
}

static __always_inline void note_running(s32 cpu, struct task_struct* p, struct pm_task* t, u64 now) {
  struct pm_on_cpu* c = cpu_of(cpu);
  c->key = t->key;
  c->growth = t->growth;
  c->policy = t->policy;
  c->since = now;
  c->takeable = !is_kthread(p);
}

// Pushed aside inside an RCU read-side critical section: every grace period of the kernel waits until it has run on.
static __always_inline bool holds_up_rcu(struct task_struct* p) {
  if (!bpf_core_field_exists(p->rcu_read_lock_nesting)) return false;
  // A task that is being switched out still is `current`, and this very program runs inside a read-side section of its own.
  int own = p == bpf_get_current_task_btf() ? 1 : 0;
  return p->rcu_read_lock_nesting > own;
}

static __always_inline bool is_online(s32 cpu) { return S.online & (1ull << (cpu & 63)); }

// Sends an idle CPU to look for work that `p` may be.
static __always_inline bool wake_idle_for(struct task_struct* p) {
  s32 cpu = scx_bpf_pick_idle_cpu(p->cpus_ptr, 0);
  // A CPU that went away counts as idle until it is picked.
  if (cpu >= 0 && !is_online(cpu)) cpu = scx_bpf_pick_idle_cpu(p->cpus_ptr, 0);
  if (cpu < 0) return false;
  scx_bpf_kick_cpu(cpu, SCX_KICK_IDLE);
  return true;
}

// Takes the CPU whose task has the worst key from it, when the woken task's is better by more than the margin.
static __always_inline void preempt_worst(struct task_struct* p, u32 policy, u64 key, u64 now) {
  u64 margin = pm_manners_of(policy).margin, worst = 0;
  s32 victim = -1;
  int i;
  if (margin == PM_NEVER) return;
  bpf_for(i, 0, PM_MAX_CPUS) {
    if (i >= pm_nr_cpu) break;
    struct pm_on_cpu* c = cpu_of(i);
    if (!c->takeable || c->policy != policy || !bpf_cpumask_test_cpu(i, p->cpus_ptr)) continue;
    u64 theirs = c->key;
    if (pm_before(c->since, now)) theirs += (now - c->since) * c->growth / 1000;
    if (victim < 0 || pm_before(worst, theirs)) {
      worst = theirs;
      victim = i;
    }
  }
  if (victim < 0 || !pm_before(key + margin, worst)) return;
  // Two wake-ups before the CPU reacts take two victims.
  cpu_of(victim)->takeable = 0;
  cpu_of(victim)->preempts++;
  scx_bpf_kick_cpu(victim, SCX_KICK_PREEMPT);
}

SEC("struct_ops/pm_select_cpu")
s32 BPF_PROG(pm_select_cpu, struct task_struct* p, s32 prev_cpu, u64 wake_flags) {
  bool idle = false;
  s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);
  struct pm_task* t;
  if (!idle || !(t = task_of(p))) return cpu;
  u64 now = scx_bpf_now();
  t->waiting_since = now;
  take_place(t, now);
  struct pm_rank r = rank(active_policy(0), p, t);
  scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, r.slice, 0);
  return cpu;
}

SEC("struct_ops/pm_enqueue")
void BPF_PROG(pm_enqueue, struct task_struct* p, u64 enq_flags) {
  struct pm_task* t = task_of(p);
  if (!t) {
    scx_bpf_dsq_insert(p, SCX_DSQ_GLOBAL, SCX_SLICE_DFL, enq_flags);
    return;
  }
  u64 now = scx_bpf_now();
  t->waiting_since = now;
  if (is_kthread(p)) {
    // At once, in every policy: RCU, workqueues and migration hang on them. One that has used up its slice shares the CPU.
    scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, 20 * PM_MS, t->returning ? enq_flags : enq_flags | SCX_ENQ_PREEMPT);
    return;
  }
  u32 policy = active_policy(0);
  take_place(t, now);
  struct pm_rank r = rank(policy, p, t);
  if (holds_up_rcu(p)) {
    scx_bpf_dsq_insert(p, urgent_queue_of(0), 1 * PM_MS, enq_flags);
  } else {
    scx_bpf_dsq_insert_vtime(p, queue_of(0, policy), r.slice, r.key, enq_flags);
    if (active_policy(0) != policy) __sync_fetch_and_or(&G.dirty, 1ull << policy);
  }
  if (!(enq_flags & SCX_ENQ_CPU_SELECTED)) {
    if (wake_idle_for(p)) return;
  }
  if (!t->returning) preempt_worst(p, policy, r.key, now);
}

// Moves what waits in the dirty queues to that of `policy`. A bit is cleared before its queue is walked: what comes in meanwhile sets it
// again.
static __always_inline void drain(u32 policy) {
  struct task_struct* p;
  int from;
  bpf_for(from, 0, PM_POLICIES) {
    if (!(G.dirty & (1ull << from))) continue;
    __sync_fetch_and_and(&G.dirty, ~(1ull << from));
    if (from == policy || !scx_bpf_dsq_nr_queued(queue_of(0, from))) continue;
    bpf_for_each(scx_dsq, p, queue_of(0, from), 0) {
      struct pm_task* t = task_of(p);
      if (!t) continue;
      t->used = 0;
      struct pm_rank r = rank(policy, p, t);
      scx_bpf_dsq_move_set_vtime(&___it, r.key);
      scx_bpf_dsq_move_set_slice(&___it, r.slice);
      if (scx_bpf_dsq_move_vtime(&___it, p, queue_of(0, policy), 0)) S.swap_moved++;
    }
    if (scx_bpf_dsq_nr_queued(queue_of(0, from))) __sync_fetch_and_or(&G.dirty, 1ull << from);
  }
}

// True when some queue that is not the active one's holds tasks.
static __always_inline bool look_behind(u32 policy) {
  bool found = false;
  int q;
  bpf_for(q, 0, PM_POLICIES) {
    if (q == policy || !scx_bpf_dsq_nr_queued(queue_of(0, q))) continue;
    __sync_fetch_and_or(&G.dirty, 1ull << q);
    found = true;
  }
  return found;
}

static __always_inline void recheck(u32 policy, u64 now) {
  struct task_struct* p;
  u64 last = G.checked_at;
  if (now - last < PM_RECHECK || __sync_val_compare_and_swap(&G.checked_at, last, now) != last) return;
  if (PM_DRAINS && look_behind(policy)) {
    S.rescues++;
    drain(policy);
  }
  u64 slice = PM_ROUND * pm_nr_cpu / (1 + scx_bpf_dsq_nr_queued(urgent_queue_of(0)));
  slice = pm_clamp(slice, 1 * PM_MS, 20 * PM_MS);
  bpf_for_each(scx_dsq, p, queue_of(0, policy), 0) {
    struct pm_task* t = task_of(p);
    if (!t || (s64)(now - t->waiting_since) < (s64)PM_AGED_AFTER) continue;
    scx_bpf_dsq_move_set_slice(&___it, slice);
    if (scx_bpf_dsq_move(&___it, p, urgent_queue_of(0), 0)) S.aged++;
  }
}

// The CPU has something to run by the active policy.
static __always_inline void took(u64 now) {
  if (!S.first_dispatch_at) S.first_dispatch_at = now;
}

// Whether a task that may run on `cpu` waits with a better key than `key`.
static __always_inline bool better_waits(u64 queue, s32 cpu, u64 key) {
  struct task_struct* p = scx_bpf_dsq_peek(queue);
  struct pm_task* t;
  int looked = 0;
  if (!p || !(t = task_of(p)) || !pm_before(t->key, key)) return false;
  if (bpf_cpumask_test_cpu(cpu, p->cpus_ptr)) return true;
  bpf_for_each(scx_dsq, p, queue, 0) {
    if (++looked > PM_LOOK_AHEAD) return true;
    if (!(t = task_of(p))) continue;
    if (!pm_before(t->key, key)) return false;
    if (bpf_cpumask_test_cpu(cpu, p->cpus_ptr)) return true;
  }
  return false;
}

SEC("struct_ops/pm_dispatch")
void BPF_PROG(pm_dispatch, s32 cpu, struct task_struct* prev) {
  u32 policy = active_policy(0);
  u64 now = scx_bpf_now(), queue = queue_of(0, policy);
  if (!S.all_cpus_at) {
    u64 asked = __sync_fetch_and_or(&S.cpus, 1ull << (cpu & 63)) | 1ull << (cpu & 63);
    if ((asked & S.online) == S.online) S.all_cpus_at = now;
  }
  if (policy != G.seen) {
    // Also after plain stores to `active`, A to B to C between two dispatches: B's queue must not be forgotten.
    G.seen = policy;
    __sync_fetch_and_or(&G.dirty, PM_ALL_QUEUES);
  }
  if (PM_DRAINS && G.dirty) drain(policy);
  recheck(policy, now);
  if (scx_bpf_dsq_move_to_local(urgent_queue_of(0))) {
    took(now);
    return;
  }
  bool runs_on = prev && (prev->scx.flags & SCX_TASK_QUEUED);
  struct pm_task* t = runs_on && !is_kthread(prev) ? task_of(prev) : NULL;
  if (t && !t->yielded && pm_manners_of(policy).strict) {
    charge(prev, t, now);
    t->returning = 1;
    take_place(t, now);
    struct pm_rank r = rank(policy, prev, t);
    if (!better_waits(queue, cpu, r.key)) {
      scx_bpf_task_set_slice(prev, r.slice);
      note_running(cpu, prev, t, now);
      took(now);
      return;
    }
  }
  if (scx_bpf_dsq_move_to_local(queue)) {
    took(now);
    return;
  }
  if (PM_DRAINS && !runs_on && look_behind(policy)) {
    drain(policy);
    if (scx_bpf_dsq_move_to_local(queue)) took(now);
  }
}

// A task inserted just while a CPU went idle would wait for that CPU's next wake-up: look once more after it has been marked idle, and on
// every tick of the busy ones.
static __always_inline void wake_idle_for_waiting(void) {
  struct task_struct* p = scx_bpf_dsq_peek(urgent_queue_of(0));
  if (!p) p = scx_bpf_dsq_peek(queue_of(0, active_policy(0)));
  if (p) wake_idle_for(p);
}

SEC("struct_ops/pm_update_idle")
void BPF_PROG(pm_update_idle, s32 cpu, bool idle) {
  // Not on a CPU that goes away: the interrupt that carries a kick would stay pending there, every later kick from it would be lost, and
  // our end would wait for it for ever.
  if (idle && is_online(cpu)) wake_idle_for_waiting();
}

SEC("struct_ops/pm_tick")
void BPF_PROG(pm_tick, struct task_struct* p) { wake_idle_for_waiting(); }

SEC("struct_ops/pm_runnable")
void BPF_PROG(pm_runnable, struct task_struct* p, u64 enq_flags) {
  struct pm_task* t = task_of(p);
  if (!t) return;
  t->awake = 0;
  t->burst = 0;
  t->returning = 0;
  t->yielded = 0;
  if (!(enq_flags & SCX_ENQ_WAKEUP)) return;
  u64 now = scx_bpf_now(), gap = now - t->woke_at;
  u64 rate = 100 * PM_MS / (gap < PM_MS ? PM_MS : gap);
  t->wake_rate = pm_clamp((t->wake_rate * 3 + rate) / 4, 0, 64);
  t->woke_at = now;
}

SEC("struct_ops/pm_running")
void BPF_PROG(pm_running, struct task_struct* p) {
  struct pm_task* t = task_of(p);
  if (!t) return;
  u64 now = scx_bpf_now();
  s32 cpu = scx_bpf_task_cpu(p);
  if (t->waiting_since && S.swap_at && (!S.swap_done || pm_before(t->waiting_since, S.swap_done))) {
    s64 waited = now - t->waiting_since;
    struct pm_on_cpu* c = cpu_of(cpu);
    if (waited > (s64)c->longest_wait) c->longest_wait = waited;
  }
  t->waiting_since = 0;
  t->on_cpu_at = now;
  t->yielded = 0;
  if (pm_before(G.front, t->vruntime)) G.front = t->vruntime;
  note_running(cpu, p, t, now);
}

SEC("struct_ops/pm_stopping")
void BPF_PROG(pm_stopping, struct task_struct* p, bool runnable) {
  struct pm_task* t = task_of(p);
  cpu_of(scx_bpf_task_cpu(p))->takeable = 0;
  if (!t) return;
  charge(p, t, scx_bpf_now());
  t->on_cpu_at = 0;
  t->returning = runnable;
}

SEC("struct_ops/pm_quiescent")
void BPF_PROG(pm_quiescent, struct task_struct* p, u64 deq_flags) {
  struct pm_task* t = task_of(p);
  if (!t) return;
  t->waiting_since = 0;
  if (deq_flags & SCX_DEQ_SLEEP) t->usual_burst = (t->usual_burst * 3 + t->burst) / 4;
}

// sched_yield() gives way also under a strict policy: programs that spin on it would otherwise wait until they have aged.
SEC("struct_ops/pm_yield")
bool BPF_PROG(pm_yield, struct task_struct* from, struct task_struct* to) {
  struct pm_task* t = task_of(from);
  if (t) t->yielded = 1;
  scx_bpf_task_set_slice(from, 0);
  return false;
}

SEC("struct_ops/pm_init_task")
s32 BPF_PROG(pm_init_task, struct task_struct* p, struct scx_init_task_args* args) {
  struct pm_task* t = bpf_task_storage_get(&tasks, p, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
  return t ? 0 : -12;
}

SEC("struct_ops/pm_enable")
void BPF_PROG(pm_enable, struct task_struct* p) {
  struct pm_task* t = task_of(p);
  if (!t) return;
  // What was waiting or running when we were last detached is no longer so.
  t->waiting_since = 0;
  t->on_cpu_at = 0;
  if (pm_before(t->vruntime, G.front)) t->vruntime = G.front;
}

// Present so that the kernel does not end us when a CPU comes or goes; the tasks of a CPU that goes are the kernel's to move.
SEC("struct_ops/pm_cpu_online")
void BPF_PROG(pm_cpu_online, s32 cpu) { __sync_fetch_and_or(&S.online, 1ull << (cpu & 63)); }

SEC("struct_ops/pm_cpu_offline")
void BPF_PROG(pm_cpu_offline, s32 cpu) {
  __sync_fetch_and_and(&S.online, ~(1ull << (cpu & 63)));
  cpu_of(cpu)->takeable = 0;
}

SEC("struct_ops.s/pm_init")
s32 BPF_PROG(pm_init) {
  const struct cpumask* online = scx_bpf_get_online_cpumask();
  int i, error;
  S.online = 0;
  bpf_for(i, 0, PM_MAX_CPUS) {
    if (i >= pm_nr_cpu) break;
    if (bpf_cpumask_test_cpu(i, online)) S.online |= 1ull << (i & 63);
    cpu_of(i)->takeable = 0;
    cpu_of(i)->longest_wait = 0;
  }
  scx_bpf_put_cpumask(online);
  bpf_for(i, 0, PM_POLICIES) {
    error = scx_bpf_create_dsq(queue_of(0, i), -1);
    if (error) return error;
  }
  G.dirty = 0;
  G.seen = active_policy(0);
  S.first_dispatch_at = S.all_cpus_at = S.cpus = S.swap_moved = 0;
  S.swap_at = S.swap_done = scx_bpf_now();
  return scx_bpf_create_dsq(urgent_queue_of(0), -1);
}

SEC("struct_ops/pm_exit")
void BPF_PROG(pm_exit, struct scx_exit_info* info) {
  S.exit.exit_code = info->exit_code;
  bpf_probe_read_kernel_str(S.exit.reason, sizeof(S.exit.reason), info->reason);
  bpf_probe_read_kernel_str(S.exit.message, sizeof(S.exit.message), info->msg);
  S.exit.kind = info->kind;
}

SEC("syscall")
int flip(struct pm_flip_args* args) {
  u32 old = active_policy(0), policy = args->policy;
  int i;
  if (policy >= PM_POLICIES) return -22;
  S.swap_done = S.first_dispatch_at = S.all_cpus_at = S.cpus = S.swap_moved = 0;
  bpf_for(i, 0, PM_MAX_CPUS) {
    if (i >= pm_nr_cpu) break;
    cpu_of(i)->longest_wait = 0;
  }
  S.swap_at = scx_bpf_now();
  S.active = policy;
  if (old != policy) __sync_fetch_and_or(&G.dirty, 1ull << old);
  bpf_rcu_read_lock();
  drain(policy);
  bpf_rcu_read_unlock();
  // A slice given by the old policy may be long: every CPU asks the new one now. Where a real-time task runs, as here, the one that it
  // pushed aside waits in the CPU's own queue with the rest of its slice, out of the kick's reach.
  bpf_for(i, 0, PM_MAX_CPUS) {
    if (i >= pm_nr_cpu) break;
    if (!is_online(i)) continue;
    u64 local = SCX_DSQ_LOCAL_ON | i;
    if (bpf_ksym_exists(scx_bpf_dsq_reenq) && scx_bpf_dsq_nr_queued(local) > 0) scx_bpf_dsq_reenq(local, SCX_REENQ_ANY);
    scx_bpf_kick_cpu(i, SCX_KICK_PREEMPT);
  }
  S.moved += S.swap_moved;
  S.swap_done = scx_bpf_now();
  return 0;
}

SEC("syscall")
int watch(struct pm_watch_args* args) {
  u64 now = scx_bpf_now();
  if (args->begin) {
    W.longest_wait = 0;
    W.done = 0;
    W.began = now;
  } else {
    W.done = now;
  }
  return 0;
}

// Across a warm swap a task waits in two classes; sched_info.last_queued is the kernel's own record of since when.
SEC("tp_btf/sched_switch")
int BPF_PROG(watch_switch, bool preempt, struct task_struct* prev, struct task_struct* next) {
  u64 since = next->sched_info.last_queued;
  if (!W.began || !since || !next->pid) return 0;
  if (W.done && !pm_before(since, W.done)) return 0;
  u64 waited = scx_bpf_now() - since;
  if ((s64)waited > (s64)W.longest_wait) W.longest_wait = waited;
  return 0;
}

SEC(".struct_ops.link")
struct sched_ext_ops portfolio = {
    .select_cpu = (void*)pm_select_cpu,
    .enqueue = (void*)pm_enqueue,
    .dispatch = (void*)pm_dispatch,
    .tick = (void*)pm_tick,
    .runnable = (void*)pm_runnable,
    .running = (void*)pm_running,
    .stopping = (void*)pm_stopping,
    .quiescent = (void*)pm_quiescent,
    .yield = (void*)pm_yield,
    .update_idle = (void*)pm_update_idle,
    .init_task = (void*)pm_init_task,
    .enable = (void*)pm_enable,
    .cpu_online = (void*)pm_cpu_online,
    .cpu_offline = (void*)pm_cpu_offline,
    .init = (void*)pm_init,
    .exit = (void*)pm_exit,
    .flags = SCX_OPS_KEEP_BUILTIN_IDLE,
    .timeout_ms = 16000,
    .name = "pointsman",
};

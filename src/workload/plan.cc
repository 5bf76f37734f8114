#include "workload/plan.h"

#include <algorithm>
#include <deque>

#include "base/hash.h"

namespace pointsman {

const char* name_of(OpCode code) {
  static constexpr const char* kNames[kOpCodes] = {"burn",   "nap",   "until",   "begin", "end",   "post",   "wait",
                                                   "spawn", "thread", "touch", "rewrite", "read", "write", "barrier"};
  const auto i = static_cast<size_t>(code);
  return i < kOpCodes ? kNames[i] : "unknown";
}

uint64_t Plan::hash() const {
  Hash64 h;
  h.add(kinds.size());
  for (const auto& kind : kinds) h.add(kind);
  h.add(jobs.size());
  for (const auto& job : jobs) {
    h.add(static_cast<uint64_t>(job.planned_ns)).add(static_cast<uint64_t>(job.service_ns)).add(job.kind).add(job.phase);
  }
  h.add(tasks.size());
  for (const auto& task : tasks) {
    h.add(static_cast<uint64_t>(task.start_ns)).add(static_cast<uint64_t>(int64_t{task.nice})).add(task.first_op).add(task.ops);
    h.add(static_cast<uint64_t>(task.refill_ns)).add(task.cpu_mask);
  }
  h.add(ops.size());
  for (const auto& op : ops) h.add(static_cast<uint64_t>(op.code)).add(op.arg).add(static_cast<uint64_t>(op.value));
  return h.add(semaphores).value();
}

namespace {

Unexpected bad_op(size_t task, size_t at, const Op& op, const std::string& what) {
  return fail(ErrorCode::kInvalidArgument, "plan: task {}, operation {} ({} {} {}): {}", task, at, name_of(op.code), op.arg, op.value, what);
}

// References, ranges and counts; fills in how often each job begins and ends and each task is started.
Result<Unit> check_references(const Plan& plan) {
  std::vector<int> begins(plan.jobs.size()), ends(plan.jobs.size()), starts(plan.tasks.size());
  std::vector<int64_t> meeting(plan.semaphores, -1);  // how many meet at this barrier; 0: a semaphore; -1: not used yet
  int64_t last_start = 0;
  bool spawned_seen = false;
  for (size_t t = 0; t < plan.tasks.size(); ++t) {
    const Task& task = plan.tasks[t];
    if (task.start_ns >= 0) {
      ++starts[t];
      if (spawned_seen || task.start_ns < last_start) {
        return fail(ErrorCode::kInvalidArgument, "plan: task {} starts at {} ns, out of order", t, task.start_ns);
      }
      last_start = task.start_ns;
    } else {
      spawned_seen = true;
    }
    if (task.nice < -20 || task.nice > 19) return fail(ErrorCode::kInvalidArgument, "plan: task {} has nice {}, allowed are -20..19", t, task.nice);
    if (task.refill_ns < 0) return fail(ErrorCode::kInvalidArgument, "plan: task {} has a negative refill", t);
    if (uint64_t{task.first_op} + task.ops > plan.ops.size()) return fail(ErrorCode::kInvalidArgument, "plan: task {} has operations beyond the list", t);
    for (size_t i = 0; i < task.ops; ++i) {
      const Op& op = plan.ops[task.first_op + i];
      if (op.value < 0) return bad_op(t, i, op, "negative value");
      switch (op.code) {
        case OpCode::kBegin:
        case OpCode::kEnd:
          if (op.arg >= plan.jobs.size()) return bad_op(t, i, op, "no such job");
          ++(op.code == OpCode::kBegin ? begins : ends)[op.arg];
          break;
        case OpCode::kPost:
        case OpCode::kWait:
        case OpCode::kBarrier:
          if (op.arg >= plan.semaphores) return bad_op(t, i, op, "no such semaphore");
          if (op.value < 1 || op.value > 1'000'000) return bad_op(t, i, op, "count outside 1..1000000");
          if (const int64_t meet = op.code == OpCode::kBarrier ? op.value : 0; meeting[op.arg] != meet) {
            if (meeting[op.arg] >= 0) return bad_op(t, i, op, "a semaphore and a barrier, or barriers of two sizes, in one");
            meeting[op.arg] = meet;
          }
          break;
        case OpCode::kSpawn:
        case OpCode::kThread:
          if (op.arg >= plan.tasks.size() || op.arg == t) return bad_op(t, i, op, "no such other task");
          ++starts[op.arg];
          break;
        case OpCode::kRead:
        case OpCode::kWrite:
          if (op.value == 0 || op.value % kPageBytes != 0) return bad_op(t, i, op, "not a multiple of 4096 bytes");
          break;
        case OpCode::kBurn:
        case OpCode::kNap:
        case OpCode::kUntil:
        case OpCode::kTouch:
        case OpCode::kRewrite:
          break;
        default:
          return bad_op(t, i, op, "unknown operation");
      }
    }
  }
  for (size_t j = 0; j < plan.jobs.size(); ++j) {
    if (begins[j] != 1 || ends[j] != 1) {
      return fail(ErrorCode::kInvalidArgument, "plan: job {} begins {} times and ends {} times, not once", j, begins[j], ends[j]);
    }
    if (plan.jobs[j].kind >= plan.kinds.size()) return fail(ErrorCode::kInvalidArgument, "plan: job {} is of a kind that does not exist", j);
    if (plan.jobs[j].service_ns <= 0) return fail(ErrorCode::kInvalidArgument, "plan: job {} has no service time", j);
  }
  for (size_t t = 0; t < starts.size(); ++t) {
    if (starts[t] != 1) return fail(ErrorCode::kInvalidArgument, "plan: task {} is started {} times, not once", t, starts[t]);
  }
  return Unit{};
}

// Runs all tasks without time, first come first served. One order only: it finds missing and left-over posts, which do not depend on the order.
Result<Unit> rehearse(const Plan& plan) {
  struct Gate {
    int64_t value = 0;
    std::deque<uint32_t> waiting;
  };
  std::vector<Gate> gates(plan.semaphores);
  std::vector<uint32_t> next(plan.tasks.size());
  std::vector<int64_t> missing(plan.tasks.size());  // tokens still to come for the wait that the task stands in
  std::vector<char> ended(plan.jobs.size()), begun(plan.jobs.size());
  std::deque<uint32_t> ready;
  size_t finished = 0;
  for (uint32_t t = 0; t < plan.tasks.size(); ++t) {
    if (plan.tasks[t].start_ns >= 0) ready.push_back(t);
  }
  while (!ready.empty()) {
    const uint32_t t = ready.front();
    ready.pop_front();
    const Task& task = plan.tasks[t];
    bool blocked = false;
    while (!blocked && next[t] < task.ops) {
      const Op& op = plan.ops[task.first_op + next[t]++];
      if (op.code == OpCode::kSpawn || op.code == OpCode::kThread) {
        ready.push_back(op.arg);
      } else if (op.code == OpCode::kBegin) {
        begun[op.arg] = 1;
      } else if (op.code == OpCode::kEnd) {
        if (!begun[op.arg]) return bad_op(t, next[t] - 1, op, "the job ends before it begins");
        ended[op.arg] = 1;
      } else if (op.code == OpCode::kPost) {
        Gate& gate = gates[op.arg];
        gate.value += op.value;
        while (gate.value > 0 && !gate.waiting.empty()) {
          const uint32_t other = gate.waiting.front();
          const int64_t taken = std::min(gate.value, missing[other]);
          gate.value -= taken;
          missing[other] -= taken;
          if (missing[other] > 0) break;
          gate.waiting.pop_front();
          ready.push_back(other);
        }
      } else if (op.code == OpCode::kWait) {
        Gate& gate = gates[op.arg];
        const int64_t taken = gate.waiting.empty() ? std::min(gate.value, op.value) : 0;
        gate.value -= taken;
        missing[t] = op.value - taken;
        if (missing[t] > 0) {
          gate.waiting.push_back(t);
          blocked = true;
        }
      } else if (op.code == OpCode::kBarrier) {
        Gate& gate = gates[op.arg];
        if (static_cast<int64_t>(gate.waiting.size()) + 1 < op.value) {
          gate.waiting.push_back(t);
          blocked = true;
        } else {
          ready.insert(ready.end(), gate.waiting.begin(), gate.waiting.end());
          gate.waiting.clear();
        }
      }
    }
    if (!blocked) ++finished;
  }
  if (finished < plan.tasks.size()) {
    for (size_t s = 0; s < gates.size(); ++s) {
      if (!gates[s].waiting.empty()) {
        return fail(ErrorCode::kInvalidArgument, "plan: task {} would wait for ever at semaphore {} ({} of {} tasks end)", gates[s].waiting.front(), s,
                    finished, plan.tasks.size());
      }
    }
    return fail(ErrorCode::kInvalidArgument, "plan: only {} of {} tasks are ever started", finished, plan.tasks.size());
  }
  for (size_t s = 0; s < gates.size(); ++s) {
    if (gates[s].value != 0) return fail(ErrorCode::kInvalidArgument, "plan: semaphore {} is left at {}, not at 0", s, gates[s].value);
  }
  return Unit{};
}

}  // namespace

Result<Unit> check_plan(const Plan& plan) {
  if (auto references = check_references(plan); !references) return references;
  return rehearse(plan);
}

PlanTotals totals_of(const Plan& plan) {
  PlanTotals totals;
  for (const auto& op : plan.ops) {
    if (op.code == OpCode::kBurn) totals.work_ns += op.value;
    if (op.code == OpCode::kTouch || op.code == OpCode::kRewrite) totals.work_ns += op.value / kPageBytes * (kPageCostNs + (op.arg == 1 ? kSwapCostNs : 0));
    if (op.code == OpCode::kUntil) totals.last_arrival_ns = std::max(totals.last_arrival_ns, op.value);
    if (op.code == OpCode::kRead || op.code == OpCode::kWrite) {
      totals.bytes_moved += op.value;
      totals.needs_scratch_device = true;
    }
  }
  for (const auto& task : plan.tasks) totals.last_arrival_ns = std::max(totals.last_arrival_ns, task.start_ns);
  for (const auto& job : plan.jobs) totals.last_arrival_ns = std::max(totals.last_arrival_ns, job.planned_ns);
  return totals;
}

}  // namespace pointsman

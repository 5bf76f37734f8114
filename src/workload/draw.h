// What the families share when they draw a plan: scripts of operations, arrivals, waves, background work. Private to this module.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "workload/scenario.h"

namespace pointsman {

class Script {
 public:
  Script& burn(int64_t ns) { return ns > 0 ? add(OpCode::kBurn, 0, ns) : *this; }
  Script& nap(int64_t ns) { return ns > 0 ? add(OpCode::kNap, 0, ns) : *this; }
  Script& until(int64_t moment_ns) { return add(OpCode::kUntil, 0, moment_ns); }
  Script& begin(uint32_t job) { return add(OpCode::kBegin, job, 0); }
  Script& end(uint32_t job) { return add(OpCode::kEnd, job, 0); }
  Script& post(uint32_t semaphore, int64_t count = 1) { return add(OpCode::kPost, semaphore, count); }
  Script& wait(uint32_t semaphore, int64_t count = 1) { return add(OpCode::kWait, semaphore, count); }
  Script& barrier(uint32_t semaphore, int64_t tasks) { return add(OpCode::kBarrier, semaphore, tasks); }
  Script& spawn(uint32_t task) { return add(OpCode::kSpawn, task, 0); }
  Script& thread(uint32_t task) { return add(OpCode::kThread, task, 0); }
  Script& touch(int64_t bytes, bool page_out) { return add(OpCode::kTouch, page_out ? 1 : 0, bytes); }
  Script& rewrite(int64_t bytes, bool page_out) { return add(OpCode::kRewrite, page_out ? 1 : 0, bytes); }
  Script& read(int64_t bytes, uint64_t where) { return add(OpCode::kRead, static_cast<uint32_t>(where), bytes); }
  Script& write(int64_t bytes, uint64_t where) { return add(OpCode::kWrite, static_cast<uint32_t>(where), bytes); }
  // Work in bursts of `burst_ns` with naps between: a program that does I/O.
  Script& burn_in_bursts(int64_t work_ns, int64_t burst_ns, int64_t nap_ns);

  Script& append(const Script& other) {
    ops_.insert(ops_.end(), other.ops_.begin(), other.ops_.end());
    return *this;
  }
  [[nodiscard]] const std::vector<Op>& ops() const { return ops_; }

 private:
  Script& add(OpCode code, uint32_t arg, int64_t value) {
    ops_.push_back({code, arg, value});
    return *this;
  }
  std::vector<Op> ops_;
};

struct TaskOptions {
  int64_t start_ns = -1;  // -1: spawned by another task
  int nice = 0;
  int64_t refill_ns = 0;
  uint64_t cpu_mask = 0;
};

struct Wave {
  uint64_t number = 0;
  int64_t at_ns = 0;
  double share = 1;  // of a full wave's jobs: less when the phase is too short for whole waves
};

// One phase being drawn: the context's parameters in the units of plans, and the plan that grows.
class Drawing {
 public:
  Drawing(const DrawContext& context, Plan& plan) : context_(context), plan_(plan) {}

  [[nodiscard]] double at(const std::string& parameter) const { return context_.at(parameter); }
  [[nodiscard]] int64_t ns(const std::string& parameter_ms) const;          // a parameter in ms
  [[nodiscard]] int count(const std::string& parameter, double share = 1) const;  // a number, rounded, at least 1
  [[nodiscard]] int scaled(const std::string& parameter, double share = 1) const;  // the same, for this machine's number of CPUs
  [[nodiscard]] double rate(const std::string& parameter_hz) const { return at(parameter_hz) * context_.cpus / 4; }
  [[nodiscard]] int cpus() const { return context_.cpus; }
  [[nodiscard]] int64_t from_ns() const { return context_.from_ns; }
  [[nodiscard]] int64_t to_ns() const { return context_.to_ns; }
  [[nodiscard]] int64_t length_ns() const { return context_.to_ns - context_.from_ns; }
  [[nodiscard]] Rng rng(std::string_view purpose, uint64_t index = 0) const { return context_.rng(purpose, index); }
  // A time with this mean; sigma 0: the mean itself. Never below 20 us.
  [[nodiscard]] int64_t lognormal_ns(std::string_view purpose, uint64_t index, double mean_ns, double sigma) const;

  // Moments of a Poisson process in [from, to), at least one.
  [[nodiscard]] std::vector<int64_t> poisson(std::string_view purpose, double rate_hz) const;
  // Expiries of timer `index`, first at a random point of its period, each late by up to `jitter` of it; all in [from, to).
  [[nodiscard]] std::vector<int64_t> periodic(std::string_view purpose, uint64_t index, int64_t period_ns, double jitter) const;
  // Waves about "wave_ms" apart that fill the phase evenly.
  [[nodiscard]] std::vector<Wave> waves() const;
  // An index for rng() that keeps the draws of one wave apart from the next one's.
  static uint64_t in_wave(const Wave& wave, uint64_t index) { return wave.number << 32 | index; }

  uint32_t add_job(std::string_view kind, int64_t planned_ns, int64_t service_ns);
  uint32_t add_semaphore() { return plan_.semaphores++; }
  uint32_t add_task(const TaskOptions& options, const Script& script);
  // A process that is one job.
  void add_process(std::string_view kind, int64_t planned_ns, int64_t service_ns, int nice = 0);
  // A daemon with a timer: each expiry is a job of one burst.
  uint32_t add_timer_server(std::string_view kind, const std::vector<int64_t>& expiries, const std::string& burst_ms, double sigma, uint64_t index,
                            const TaskOptions& options);
  // `number` processes that together use what `fill` of the machine leaves beside `other_cpus` CPUs of demand, for as long as the phase lasts. Each is a job.
  void add_hogs(std::string_view kind, const std::vector<int>& nices, double fill, double other_cpus);

 private:
  const DrawContext& context_;
  Plan& plan_;
};

// Parameters that several families have.
ParameterSpec wave_parameter(double ms = 1200);

// One regime's families each; families.cc joins them.
std::vector<Family> batch_families();
std::vector<Family> tail_families();
std::vector<Family> interactive_families();
std::vector<Family> switching_families();
std::vector<Family> io_families();
std::vector<Family> control_families();
std::vector<Family> case_families();

// random:SEED; kNotFound when SEED is no number. Lives for ever.
Result<const Family*> random_family(std::string_view name);

}  // namespace pointsman

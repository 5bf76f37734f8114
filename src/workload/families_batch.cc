// Families of the regime "batch": much equal work at once, nobody waits for a single answer. Finishing jobs one after another beats sharing the CPUs.
#include <algorithm>

#include "base/clock.h"
#include "workload/draw.h"

namespace pointsman {

namespace {

// Jobs handed in together still arrive one after another, no faster than the dispatcher can fork on a slow machine.
constexpr int64_t kTogetherNs = 400 * kMicrosecond;

void draw_batch(const DrawContext& context, Plan& plan) {
  Drawing d(context, plan);
  for (const Wave& wave : d.waves()) {
    const int jobs = d.scaled("jobs", wave.share);
    for (int i = 0; i < jobs; ++i) {
      const int64_t work = d.lognormal_ns("service", Drawing::in_wave(wave, static_cast<uint64_t>(i)), static_cast<double>(d.ns("service_ms")), d.at("sigma"));
      d.add_process("job", wave.at_ns + i * kTogetherNs, work);
    }
  }
}

void draw_batchio(const DrawContext& context, Plan& plan) {
  Drawing d(context, plan);
  for (const Wave& wave : d.waves()) {
    const int jobs = d.scaled("jobs", wave.share);
    for (int i = 0; i < jobs; ++i) {
      const int64_t planned = wave.at_ns + i * kTogetherNs;
      const uint32_t job = d.add_job("job", planned, d.ns("service_ms"));
      d.add_task({.start_ns = planned}, Script().begin(job).burn_in_bursts(d.ns("service_ms"), d.ns("burst_ms"), d.ns("io_ms")).end(job));
    }
  }
}

void draw_shards(const DrawContext& context, Plan& plan) {
  Drawing d(context, plan);
  for (const Wave& wave : d.waves()) {
    const int jobs = d.scaled("jobs", wave.share);
    const double interval = static_cast<double>(d.ns("interval_ms")) * 4 / d.cpus();
    int64_t t = wave.at_ns;
    for (int i = 0; i < jobs; ++i) {
      const uint64_t index = Drawing::in_wave(wave, static_cast<uint64_t>(i));
      const int64_t work = d.lognormal_ns("service", index, static_cast<double>(d.ns("service_ms")), d.at("sigma"));
      d.add_process("shard", std::min(t, d.to_ns() - 1), work);
      t += static_cast<int64_t>(d.rng("interval", index).exponential(interval));
    }
  }
}

void draw_gang(const DrawContext& context, Plan& plan) {
  Drawing d(context, plan);
  const int threads = d.scaled("threads");
  for (const Wave& wave : d.waves()) {
    const int steps = d.count("steps", wave.share);
    for (int app = 0; app < d.count("apps"); ++app) {
      const uint64_t key = wave.number << 8 | static_cast<uint64_t>(app);
      const uint32_t barrier = d.add_semaphore();
      std::vector<Script> scripts(static_cast<size_t>(threads));
      int64_t critical = 0;
      for (int step = 0; step < steps; ++step) {
        int64_t slowest = 0;
        for (size_t t = 0; t < scripts.size(); ++t) {
          const uint64_t index = (key << 8 | t) << 20 | static_cast<uint64_t>(step);
          const int64_t burst = d.lognormal_ns("burst", index, static_cast<double>(d.ns("burst_ms")), d.at("sigma"));
          scripts[t].burn(burst).barrier(barrier, threads);
          slowest = std::max(slowest, burst);
        }
        critical += slowest;
      }
      const int64_t planned = wave.at_ns + app * kMillisecond + d.rng("start", key).between(0, kMillisecond);
      const uint32_t job = d.add_job("app", planned, critical);
      Script leader;
      leader.begin(job);
      for (size_t t = 1; t < scripts.size(); ++t) leader.thread(d.add_task({}, scripts[t]));
      for (const Op& op : scripts[0].ops()) op.code == OpCode::kBurn ? leader.burn(op.value) : leader.barrier(op.arg, op.value);
      d.add_task({.start_ns = planned}, leader.end(job));
    }
  }
}

void draw_mapreduce(const DrawContext& context, Plan& plan) {
  Drawing d(context, plan);
  const auto planned = d.poisson("arrival", d.rate("rate_hz"));
  for (size_t q = 0; q < planned.size(); ++q) {
    const uint32_t done = d.add_semaphore();
    Script driver;
    std::vector<uint32_t> workers[2];
    int64_t service = 2 * d.ns("driver_ms");
    for (int stage = 0; stage < 2; ++stage) {
      const std::string mean = stage == 0 ? "map_ms" : "reduce_ms";
      const int tasks = d.count(stage == 0 ? "maps" : "reduces");
      int64_t longest = 0, sum = 0;
      for (int i = 0; i < tasks; ++i) {
        const uint64_t index = (q << 1 | static_cast<uint64_t>(stage)) << 16 | static_cast<uint64_t>(i);
        int64_t work = d.lognormal_ns("work", index, static_cast<double>(d.ns(mean)), d.at("sigma"));
        if (d.rng("straggler", index).uniform() < d.at("stragglers_ratio")) work = static_cast<int64_t>(static_cast<double>(work) * d.at("straggler_factor"));
        longest = std::max(longest, work);
        sum += work;
        workers[stage].push_back(d.add_task({}, Script().burn(work).post(done)));
      }
      service += std::max(longest, sum / d.cpus());
    }
    const uint32_t job = d.add_job("query", planned[q], service);
    driver.begin(job).burn(d.ns("driver_ms"));
    for (uint32_t task : workers[0]) driver.spawn(task);
    driver.wait(done, static_cast<int64_t>(workers[0].size())).burn(d.ns("driver_ms"));
    for (uint32_t task : workers[1]) driver.spawn(task);
    driver.wait(done, static_cast<int64_t>(workers[1].size())).end(job);
    d.add_task({.start_ns = planned[q]}, driver);
  }
}

}  // namespace

std::vector<Family> batch_families() {
  return {
      {"batch",
       "a queue of equal simulation or rendering jobs handed in at once",
       "batch",
       {{"jobs", "", "jobs a wave", 16, 1, 1000, Role::kRate},
        {"service_ms", "ms", "CPU time of a job", 220, 1, 10000, Role::kService},
        {"sigma", "", "spread of it (deviation of its logarithm)", 0, 0, 2},
        wave_parameter()},
       draw_batch},
      {"batchio",
       "equal batch jobs that pause for input every few milliseconds (converters, indexers)",
       "batch",
       {{"jobs", "", "jobs a wave", 16, 1, 1000, Role::kRate},
        {"service_ms", "ms", "CPU time of a job", 200, 1, 10000, Role::kService},
        {"burst_ms", "ms", "CPU time between two waits", 4, 0.1, 1000},
        {"io_ms", "ms", "a wait", 0.8, 0.01, 1000},
        wave_parameter()},
       draw_batchio},
      {"shards",
       "map tasks of one analysis, nearly equal, arriving faster than they can be done",
       "batch",
       {{"jobs", "", "shards a wave", 44, 1, 5000, Role::kRate},
        {"service_ms", "ms", "mean CPU time of a shard", 90, 1, 10000, Role::kService},
        {"sigma", "", "spread of it", 0.12, 0, 2},
        {"interval_ms", "ms", "mean time between two shards of a wave (exponential)", 16, 0.1, 1000, Role::kPeriod},
        wave_parameter()},
       draw_shards},
      {"gang",
       "parallel solvers whose threads meet at a barrier after each step (OpenMP)",
       "batch",
       {{"apps", "", "applications a wave", 4, 1, 64},
        {"threads", "", "threads of each", 4, 1, 64},
        {"steps", "", "steps, each ended by a barrier", 60, 1, 10000, Role::kRate},
        {"burst_ms", "ms", "mean CPU time of a thread in a step", 3.5, 0.1, 1000, Role::kService},
        {"sigma", "", "spread of it", 0.1, 0, 2},
        wave_parameter()},
       draw_gang},
      {"mapreduce",
       "an analytics cluster node: queries of a map and a reduce stage, some tasks straggle",
       "batch",
       {{"rate_hz", "1/s", "queries a second", 9, 0.1, 1000, Role::kRate},
        {"maps", "", "map tasks of a query", 12, 1, 1000},
        {"map_ms", "ms", "mean CPU time of one", 20, 0.1, 10000, Role::kService},
        {"reduces", "", "reduce tasks of a query", 2, 1, 1000},
        {"reduce_ms", "ms", "mean CPU time of one", 30, 0.1, 10000, Role::kService},
        {"driver_ms", "ms", "CPU time of the driver before each stage", 1, 0.02, 1000},
        {"sigma", "", "spread of a task's CPU time", 0.25, 0, 2},
        {"stragglers_ratio", "", "share of tasks that straggle", 0.06, 0, 1},
        {"straggler_factor", "", "how much longer these take", 5, 1, 100}},
       draw_mapreduce},
  };
}

}  // namespace pointsman

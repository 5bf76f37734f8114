// Families of the regime "switching": the scheduler's own work counts. Messages, forks, naps, migrations; who runs first matters less than how often and where.
#include <algorithm>

#include "base/clock.h"
#include "workload/draw.h"

namespace pointsman {

namespace {

// One `make -jN`: compile units through N slots, then the link.
void add_make(Drawing& d, uint64_t key, int64_t planned_ns, int units) {
  const int parallel = d.count("parallel");
  const uint32_t slots = d.add_semaphore();
  Script make;
  int64_t sum = 0, longest = 0;
  std::vector<uint32_t> spawned;
  for (int u = 0; u < units; ++u) {
    const uint64_t index = key << 16 | static_cast<uint64_t>(u);
    const int64_t work = d.lognormal_ns("unit", index, static_cast<double>(d.ns("unit_ms")), d.at("sigma"));
    sum += work;
    longest = std::max(longest, work);
    const uint32_t job = d.add_job("unit", -1, work);
    spawned.push_back(d.add_task({}, Script().begin(job).burn_in_bursts(work, d.ns("burst_ms"), d.ns("io_ms")).end(job).post(slots)));
  }
  const uint32_t whole = d.add_job("make", planned_ns, std::max(longest, sum / std::min(parallel, d.cpus())) + d.ns("link_ms"));
  make.begin(whole).post(slots, parallel);
  for (uint32_t unit : spawned) make.wait(slots).spawn(unit);
  d.add_task({.start_ns = planned_ns}, make.wait(slots, parallel).burn(d.ns("link_ms")).end(whole));
}

void draw_build(const DrawContext& context, Plan& plan) {
  Drawing d(context, plan);
  for (const Wave& wave : d.waves()) {
    for (int m = 0; m < d.scaled("makes"); ++m) {
      const uint64_t key = wave.number << 8 | static_cast<uint64_t>(m);
      const int64_t planned = wave.at_ns + m * kMillisecond;
      add_make(d, key, planned, d.count("units", wave.share));
    }
  }
}

void draw_forks(const DrawContext& context, Plan& plan) {
  Drawing d(context, plan);
  for (const Wave& wave : d.waves()) {
    for (int s = 0; s < d.scaled("shells"); ++s) {
      const uint64_t key = wave.number << 8 | static_cast<uint64_t>(s);
      const uint32_t done = d.add_semaphore();
      const int commands = d.count("commands", wave.share);
      const int64_t planned = wave.at_ns + d.rng("start", key).between(0, 5 * kMillisecond);
      std::vector<uint32_t> children;
      int64_t sum = 0;
      for (int c = 0; c < commands; ++c) {
        const int64_t work = d.lognormal_ns("command", key << 20 | static_cast<uint64_t>(c), static_cast<double>(d.ns("command_ms")), d.at("sigma"));
        sum += work;
        const uint32_t job = d.add_job("command", -1, work);
        children.push_back(d.add_task({}, Script().begin(job).burn(work).end(job).post(done)));
      }
      const uint32_t whole = d.add_job("script", planned, sum);
      Script shell;
      shell.begin(whole);
      for (uint32_t child : children) shell.spawn(child).wait(done);
      d.add_task({.start_ns = planned}, shell.end(whole));
    }
  }
}

void draw_msgs(const DrawContext& context, Plan& plan) {
  Drawing d(context, plan);
  const int pairs = d.scaled("pairs"), trips = d.count("trips");
  for (const int64_t planned : d.periodic("set", 0, d.ns("interval_ms"), 0.1)) {
    const uint32_t done = d.add_semaphore();
    Script root;
    const int64_t one = int64_t{trips} * 2 * d.ns("message_ms");
    const uint32_t job = d.add_job("set", planned, std::max(one, one * pairs / d.cpus()));
    root.begin(job);
    for (int p = 0; p < pairs; ++p) {
      const uint32_t there = d.add_semaphore(), back = d.add_semaphore();
      Script sender, receiver;
      for (int t = 0; t < trips; ++t) {
        sender.burn(d.ns("message_ms")).post(there).wait(back);
        receiver.wait(there).burn(d.ns("message_ms")).post(back);
      }
      root.spawn(d.add_task({}, receiver)).spawn(d.add_task({}, sender.post(done)));
    }
    d.add_task({.start_ns = planned}, root.wait(done, pairs).end(job));
  }
}

void draw_hpc(const DrawContext& context, Plan& plan) {
  Drawing d(context, plan);
  const int ranks = d.scaled("ranks");
  for (const Wave& wave : d.waves()) {
    const int steps = d.count("steps", wave.share);
    const uint32_t done = d.add_semaphore();
    const int64_t one = steps * d.ns("burst_ms");
    const uint32_t job = d.add_job("app", wave.at_ns, std::max(one, one * ranks / d.cpus()));
    Script mine;
    mine.begin(job);
    for (int r = 1; r < ranks; ++r) {
      const int64_t work = steps * d.ns("burst_ms");
      mine.spawn(d.add_task({.refill_ns = d.ns("refill_ms")}, Script().burn_in_bursts(work, d.ns("burst_ms"), d.ns("nap_ms")).post(done)));
    }
    mine.burn_in_bursts(steps * d.ns("burst_ms"), d.ns("burst_ms"), d.ns("nap_ms"));
    if (ranks > 1) mine.wait(done, ranks - 1);
    d.add_task({.start_ns = wave.at_ns, .refill_ns = d.ns("refill_ms")}, mine.end(job));
  }
}

// A pipeline of continuous integration: check out, compile, then a tree of tests: a runner forks suites, each forks its tests one after another.
void draw_ci(const DrawContext& context, Plan& plan) {
  Drawing d(context, plan);
  const auto planned = d.poisson("arrival", d.rate("rate_hz"));
  for (size_t i = 0; i < planned.size(); ++i) {
    const uint32_t compiled = d.add_semaphore(), tested = d.add_semaphore();
    Script pipeline;
    int64_t longest = 0, sum = 0;
    std::vector<uint32_t> units, suites;
    for (int u = 0; u < d.count("units"); ++u) {
      const int64_t work = d.lognormal_ns("unit", i << 16 | static_cast<uint64_t>(u), static_cast<double>(d.ns("unit_ms")), d.at("sigma"));
      longest = std::max(longest, work);
      sum += work;
      units.push_back(d.add_task({}, Script().burn(work).post(compiled)));
    }
    const int64_t compile = std::max(longest, sum / d.cpus());
    longest = sum = 0;
    for (int s = 0; s < d.count("suites"); ++s) {
      const uint32_t done = d.add_semaphore();
      Script suite;
      int64_t own = 0;
      for (int t = 0; t < d.count("tests"); ++t) {
        const uint64_t index = i << 24 | static_cast<uint64_t>(s) << 12 | static_cast<uint64_t>(t);
        const int64_t work = d.lognormal_ns("test", index, static_cast<double>(d.ns("test_ms")), d.at("test_sigma"));
        const uint32_t job = d.add_job("test", -1, work);
        suite.spawn(d.add_task({}, Script().begin(job).burn(work).end(job).post(done))).wait(done);
        own += work;
      }
      longest = std::max(longest, own);
      sum += own;
      suites.push_back(d.add_task({}, suite.post(tested)));
    }
    const uint32_t job = d.add_job("pipeline", planned[i], d.ns("checkout_ms") + compile + std::max(longest, sum / d.cpus()));
    pipeline.begin(job).burn_in_bursts(d.ns("checkout_ms"), kMillisecond, d.ns("checkout_io_ms"));
    for (uint32_t unit : units) pipeline.spawn(unit);
    pipeline.wait(compiled, static_cast<int64_t>(units.size()));
    for (uint32_t suite : suites) pipeline.spawn(suite);
    d.add_task({.start_ns = planned[i]}, pipeline.wait(tested, static_cast<int64_t>(suites.size())).end(job));
  }
}

}  // namespace

std::vector<Family> switching_families() {
  return {
      {"build",
       "two builds with make -j6: compile units that wait for files, then a link",
       "switching",
       {{"makes", "", "builds a wave", 2, 1, 32},
        {"parallel", "", "units of a build at a time", 6, 1, 64},
        {"units", "", "units of a build", 40, 1, 5000, Role::kRate},
        {"unit_ms", "ms", "mean CPU time of a unit", 45, 0.1, 10000, Role::kService},
        {"sigma", "", "spread of it", 0.8, 0, 2},
        {"burst_ms", "ms", "CPU time between two waits for files", 8, 0.1, 1000},
        {"io_ms", "ms", "such a wait", 0.8, 0.01, 1000},
        {"link_ms", "ms", "CPU time of the link", 100, 0.1, 10000, Role::kService},
        wave_parameter()},
       draw_build},
      {"forks",
       "shell scripts that run one short command after another",
       "switching",
       {{"shells", "", "scripts at a time", 7, 1, 200},
        {"commands", "", "commands of a script", 110, 1, 10000, Role::kRate},
        {"command_ms", "ms", "mean CPU time of a command, its fork apart", 2.5, 0.05, 1000, Role::kService},
        {"sigma", "", "spread of it", 0.4, 0, 2},
        wave_parameter()},
       draw_forks},
      {"msgs",
       "message passing between pairs of processes (hackbench); a job is the exchange of a whole set",
       "switching",
       {{"pairs", "", "pairs of a set", 10, 1, 200},
        {"trips", "", "round trips of a pair", 110, 1, 10000, Role::kRate},
        {"message_ms", "ms", "CPU time for a message on either side", 0.2, 0.02, 100, Role::kService},
        {"interval_ms", "ms", "time between two sets", 250, 10, 10000}},
       draw_msgs},
      {"hpc",
       "a parallel application with more ranks than CPUs and warm caches; a migration costs it a refill (modelled)",
       "switching",
       {{"ranks", "", "ranks", 12, 1, 500},
        {"steps", "", "bursts of a rank", 72, 1, 10000, Role::kRate},
        {"burst_ms", "ms", "CPU time of a burst", 4, 0.05, 1000, Role::kService},
        {"nap_ms", "ms", "wait after it", 0.2, 0.01, 1000},
        {"refill_ms", "ms", "extra CPU time after each change of CPU", 1.2, 0.001, 100},
        wave_parameter()},
       draw_hpc},
      {"ci",
       "continuous integration: pipelines that compile in parallel, then fork a tree of tests",
       "switching",
       {{"rate_hz", "1/s", "pipelines a second", 13, 0.1, 1000, Role::kRate},
        {"checkout_ms", "ms", "CPU time of the checkout", 8, 0.1, 1000, Role::kService},
        {"checkout_io_ms", "ms", "waits in it, one after each ms of CPU time", 1, 0.01, 1000},
        {"units", "", "compile units", 6, 1, 1000},
        {"unit_ms", "ms", "mean CPU time of one", 25, 0.1, 10000, Role::kService},
        {"sigma", "", "spread of it", 0.4, 0, 2},
        {"suites", "", "test suites, in parallel", 4, 1, 1000},
        {"tests", "", "tests of a suite, one after another", 5, 1, 1000},
        {"test_ms", "ms", "mean CPU time of a test", 4, 0.05, 10000, Role::kService},
        {"test_sigma", "", "spread of it", 0.9, 0, 2}},
       draw_ci},
  };
}

}  // namespace pointsman

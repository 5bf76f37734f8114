// Families of the regime "case": one situation rebuilt to answer one question. They take part in no drawn scenario and in no training.
#include <algorithm>
#include <cmath>

#include "base/clock.h"
#include "workload/draw.h"

namespace pointsman {

namespace {

// Who is logged in at the machine under test.
enum Session { kNobody = 0, kSsh = 1, kEditor = 2 };

// As stress-ng forks its stressors: all within a few ms, then fixed work. One in three computes, one in three computes and waits in turn, one in three mostly waits.
void add_stressors(Drawing& d) {
  const int number = d.scaled("stressors");
  for (int i = 0; i < number; ++i) {
    const auto index = static_cast<uint64_t>(i);
    const int64_t start = d.from_ns() + d.rng("stress start", index).between(0, 20 * kMillisecond);
    const int64_t work = d.lognormal_ns("stress work", index, static_cast<double>(d.ns("stress_ms")), d.at("stress_sigma"));
    const uint32_t job = d.add_job("stress", start, work);
    Script script;
    script.begin(job);
    if (i % 3 == 0)
      script.burn(work);
    else
      script.burn_in_bursts(work, d.ns("stress_burst_ms"), i % 3 == 1 ? d.ns("stress_burst_ms") : 2 * d.ns("stress_burst_ms"));
    d.add_task({.start_ns = start}, script.end(job));
  }
}

// A message that goes through processes one after another, each woken by the one before: a key stroke on its way through sshd, the editor's server and back.
void add_chain(Drawing& d, std::string_view kind, const std::vector<int64_t>& moments, const std::vector<double>& stages_ms) {
  std::vector<Script> scripts(stages_ms.size());
  std::vector<uint32_t> woken(stages_ms.size());
  for (size_t s = 1; s < stages_ms.size(); ++s) woken[s] = d.add_semaphore();
  for (size_t i = 0; i < moments.size(); ++i) {
    std::vector<int64_t> work;
    int64_t sum = 0;
    for (size_t s = 0; s < stages_ms.size(); ++s) {
      work.push_back(d.lognormal_ns(kind, s << 32 | i, stages_ms[s] * 1e6, 0.4));
      sum += work.back();
    }
    const uint32_t job = d.add_job(kind, moments[i], sum);
    for (size_t s = 0; s < scripts.size(); ++s) {
      if (s == 0)
        scripts[s].until(moments[i]).begin(job);
      else
        scripts[s].wait(woken[s]);
      scripts[s].burn(work[s]);
      if (s + 1 < scripts.size())
        scripts[s].post(woken[s + 1]);
      else
        scripts[s].end(job);
    }
  }
  for (const Script& script : scripts) d.add_task({.start_ns = d.from_ns()}, script);
}

// What an editor's server starts again and again to learn about the machine: one short process after the other, the next a moment after the last has ended.
// How many there are in a given time therefore hangs on the scheduler.
void add_helpers(Drawing& d) {
  const uint32_t done = d.add_semaphore();
  const int64_t gap = d.ns("helper_gap_ms");
  const auto number = static_cast<uint64_t>(d.length_ns() / (gap + d.ns("helper_ms")) + 1);
  Script server;
  for (uint64_t i = 0; i < number; ++i) {
    const int64_t work = d.lognormal_ns("helper", i, static_cast<double>(d.ns("helper_ms")), 0.6);
    const uint32_t job = d.add_job("helper", -1, work);
    const uint32_t task = d.add_task({}, Script().begin(job).burn(work / 2).nap(500 * kMicrosecond).burn(work - work / 2).end(job).post(done));
    server.spawn(task).wait(done).nap(std::max(kMillisecond, d.lognormal_ns("helper gap", i, static_cast<double>(gap), 0.3)));
  }
  d.add_task({.start_ns = d.from_ns()}, server);
}

void draw_remote(const DrawContext& context, Plan& plan) {
  Drawing d(context, plan);
  const int session = static_cast<int>(std::lround(d.at("session")));
  add_stressors(d);
  if (session == kNobody) return;
  // Lines that the experiment prints, on their way out; and a person who looks at them.
  add_chain(d, "pty", d.poisson("pty", d.at("pty_rate_hz")), {0.1, 0.15});
  if (session == kSsh) {
    add_chain(d, "key", d.poisson("key", 1), {0.15, 0.3, 0.15});
    return;
  }
  add_chain(d, "key", d.periodic("key", 0, d.ns("key_period_ms"), 0.6), {0.15, 1, d.at("key_ms"), 0.15});
  d.add_timer_server("frame", d.periodic("frame", 0, d.ns("frame_period_ms"), 0.02), "frame_ms", 0.2, 0, {.start_ns = d.from_ns()});
  d.add_timer_server("watch", d.periodic("watch", 0, d.ns("watch_period_ms"), 0.1), "watch_ms", 0.3, 0, {.start_ns = d.from_ns()});
  Script language;
  const auto asked = d.poisson("language", d.at("language_rate_hz"));
  for (size_t i = 0; i < asked.size(); ++i) {
    const int64_t work = d.lognormal_ns("language work", i, static_cast<double>(d.ns("language_ms")), 0.8);
    const uint32_t job = d.add_job("language", asked[i], work);
    language.until(asked[i]).begin(job).burn(work).end(job);
  }
  d.add_task({.start_ns = d.from_ns()}, language);
  add_helpers(d);
}

}  // namespace

std::vector<Family> case_families() {
  return {
      {"remote",
       "an experiment of stressors on a machine where nobody, somebody by ssh, or an editor over ssh is logged in",
       "case",
       {{"session", "", "who is logged in: 0 nobody, 1 a plain ssh, 2 an editor", 2, 0, 2},
        {"stressors", "", "processes of the experiment", 20, 1, 500},
        {"stress_ms", "ms", "mean CPU time of one", 800, 1, 100000, Role::kLoad},
        {"stress_sigma", "", "spread of it", 0.3, 0, 2},
        {"stress_burst_ms", "ms", "CPU time between two waits of those that wait", 3, 0.05, 1000},
        {"pty_rate_hz", "1/s", "lines to the terminal a second", 12, 0.1, 1000},
        {"key_period_ms", "ms", "time between two key strokes in the editor", 160, 1, 10000},
        {"key_ms", "ms", "CPU time of one in the editor's extensions", 3, 0.05, 100},
        {"frame_period_ms", "ms", "time between two frames", 16.7, 1, 1000},
        {"frame_ms", "ms", "CPU time of a frame", 1.5, 0.05, 100},
        {"watch_period_ms", "ms", "time between two looks at the files", 100, 1, 10000},
        {"watch_ms", "ms", "CPU time of one", 0.4, 0.05, 100},
        {"language_rate_hz", "1/s", "questions to the language server a second", 1.5, 0.1, 100},
        {"language_ms", "ms", "mean CPU time of one", 45, 0.1, 10000},
        {"helper_gap_ms", "ms", "from the end of one short process to the start of the next", 45, 1, 10000},
        {"helper_ms", "ms", "mean CPU time of one", 3, 0.05, 1000}},
       draw_remote},
  };
}

}  // namespace pointsman

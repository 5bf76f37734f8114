// Families of the regime "interactive": short bursts on a timer that somebody waits for, beside work that could wait. Their jobs are the bursts.
#include <algorithm>

#include "base/clock.h"
#include "workload/draw.h"

namespace pointsman {

namespace {

// CPUs that `number` servers of one burst a period ask for.
double demand(const Drawing& d, int number, const std::string& burst_ms, const std::string& period_ms) {
  return number * d.at(burst_ms) / d.at(period_ms);
}

std::vector<int> same_nice(int number, int nice) { return std::vector<int>(static_cast<size_t>(number), nice); }

// `number` processes, each with a timer of its own.
void add_servers(Drawing& d, std::string_view kind, int number, const std::string& burst_ms, const std::string& period_ms, double jitter, double sigma) {
  for (int i = 0; i < number; ++i) {
    const auto index = static_cast<uint64_t>(i);
    const auto expiries = d.periodic(kind, index, d.ns(period_ms), jitter);
    if (!expiries.empty()) d.add_timer_server(kind, expiries, burst_ms, sigma, index, {.start_ns = d.from_ns()});
  }
}

void draw_inter(const DrawContext& context, Plan& plan) {
  Drawing d(context, plan);
  const int servers = d.scaled("servers");
  add_servers(d, "ui", servers, "burst_ms", "period_ms", 0.1, d.at("sigma"));
  d.add_hogs("hog", same_nice(d.scaled("hogs"), 0), d.at("fill_ratio"), demand(d, servers, "burst_ms", "period_ms"));
}

void draw_desktop(const DrawContext& context, Plan& plan) {
  Drawing d(context, plan);
  const int frames = d.scaled("frame_threads");
  Script compositor;
  for (int i = 0; i < frames; ++i) {
    const auto expiries = d.periodic("frame", static_cast<uint64_t>(i), d.ns("frame_period_ms"), 0.02);
    if (!expiries.empty()) compositor.thread(d.add_timer_server("frame", expiries, "frame_ms", d.at("sigma"), static_cast<uint64_t>(i), {}));
  }
  d.add_task({.start_ns = d.from_ns()}, compositor);
  add_servers(d, "audio", 1, "audio_ms", "audio_period_ms", 0.02, 0);
  d.add_hogs("encoder", same_nice(d.scaled("encoders"), 0), d.at("fill_ratio"),
             demand(d, frames, "frame_ms", "frame_period_ms") + demand(d, 1, "audio_ms", "audio_period_ms"));
}

void draw_editor(const DrawContext& context, Plan& plan) {
  Drawing d(context, plan);
  add_servers(d, "key", 1, "key_ms", "key_period_ms", 0.4, d.at("sigma"));
  const auto planned = d.poisson("compile", d.rate("compile_rate_hz"));
  for (size_t i = 0; i < planned.size(); ++i) {
    const int64_t work = d.lognormal_ns("compile work", i, static_cast<double>(d.ns("compile_ms")), d.at("compile_sigma"));
    const uint32_t job = d.add_job("compile", planned[i], work);
    d.add_task({.start_ns = planned[i]}, Script().begin(job).burn_in_bursts(work, d.ns("compile_burst_ms"), d.ns("compile_io_ms")).end(job));
  }
}

void draw_web(const DrawContext& context, Plan& plan) {
  Drawing d(context, plan);
  const int workers = d.scaled("workers");
  add_servers(d, "request", workers, "burst_ms", "period_ms", 0.8, d.at("sigma"));
  d.add_hogs("hog", same_nice(d.scaled("hogs"), static_cast<int>(d.at("hog_nice"))), d.at("fill_ratio"), demand(d, workers, "burst_ms", "period_ms"));
}

void draw_nice(const DrawContext& context, Plan& plan) {
  Drawing d(context, plan);
  const int sleepers = d.scaled("sleepers");
  add_servers(d, "wake", sleepers, "burst_ms", "period_ms", 0.1, d.at("sigma"));
  std::vector<int> nices;
  for (int i = 0; i < d.scaled("hogs_a_level"); ++i) nices.insert(nices.end(), {-10, 0, 10});
  d.add_hogs("hog", nices, d.at("fill_ratio"), demand(d, sleepers, "burst_ms", "period_ms"));
}

void draw_pipeline(const DrawContext& context, Plan& plan) {
  Drawing d(context, plan);
  const int pipes = d.scaled("pipes");
  for (int p = 0; p < pipes; ++p) {
    const auto expiries = d.periodic("item", static_cast<uint64_t>(p), d.ns("period_ms"), 0.2);
    if (expiries.empty()) continue;
    const uint32_t mapped = d.add_semaphore(), sunk = d.add_semaphore();
    Script source, map, sink;
    for (size_t i = 0; i < expiries.size(); ++i) {
      int64_t stage[3];
      for (uint64_t k = 0; k < 3; ++k) {
        const uint64_t index = static_cast<uint64_t>(p) << 34 | k << 32 | i;
        stage[k] = d.lognormal_ns("stage", index, static_cast<double>(d.ns("stage_ms")), d.at("sigma"));
      }
      const uint32_t job = d.add_job("item", expiries[i], stage[0] + stage[1] + stage[2]);
      source.until(expiries[i]).begin(job).burn(stage[0]).post(mapped);
      map.wait(mapped).burn(stage[1]).post(sunk);
      sink.wait(sunk).burn(stage[2]).end(job);
    }
    for (const Script* script : {&source, &map, &sink}) d.add_task({.start_ns = d.from_ns()}, *script);
  }
  d.add_hogs("hog", same_nice(d.scaled("hogs"), 0), d.at("fill_ratio"), 3 * demand(d, pipes, "stage_ms", "period_ms"));
}

// Each front end asks several leaves for every request and answers when all have replied. A leaf has a thread for each front end, so that replies find back.
void draw_logserver(const DrawContext& context, Plan& plan) {
  Drawing d(context, plan);
  const int fronts = d.scaled("fronts"), leaves = d.scaled("leaves");
  const int fan = std::min(leaves, d.count("fan"));
  std::vector<std::vector<Script>> serving(static_cast<size_t>(leaves), std::vector<Script>(static_cast<size_t>(fronts)));
  std::vector<std::vector<uint32_t>> ask(static_cast<size_t>(leaves));
  for (auto& row : ask) {
    for (int f = 0; f < fronts; ++f) row.push_back(d.add_semaphore());
  }
  std::vector<Script> front_scripts;
  for (int f = 0; f < fronts; ++f) {
    const uint32_t replies = d.add_semaphore();
    Script front;
    const auto expiries = d.periodic("query", static_cast<uint64_t>(f), d.ns("period_ms"), 0.8);
    for (size_t i = 0; i < expiries.size(); ++i) {
      const uint64_t index = static_cast<uint64_t>(f) << 32 | i;
      Rng pick = d.rng("leaves", index);
      std::vector<size_t> order(static_cast<size_t>(leaves));
      for (size_t k = 0; k < order.size(); ++k) order[k] = k;
      int64_t longest = 0, sum = 0;
      Script asking;
      for (size_t k = 0; k < static_cast<size_t>(fan); ++k) {
        std::swap(order[k], order[k + pick.below(order.size() - k)]);
        const int64_t work = d.lognormal_ns("leaf", index << 8 | k, static_cast<double>(d.ns("leaf_ms")), d.at("sigma"));
        longest = std::max(longest, work);
        sum += work;
        serving[order[k]][static_cast<size_t>(f)].wait(ask[order[k]][static_cast<size_t>(f)]).burn(work).post(replies);
        asking.post(ask[order[k]][static_cast<size_t>(f)]);
      }
      const uint32_t job = d.add_job("query", expiries[i], d.ns("front_ms") + std::max(longest, sum / d.cpus()));
      front.until(expiries[i]).begin(job).burn(d.ns("front_ms") / 2);
      for (const Op& op : asking.ops()) front.post(op.arg);
      front.wait(replies, fan).burn(d.ns("front_ms") - d.ns("front_ms") / 2).end(job);
    }
    front_scripts.push_back(front);
  }
  for (size_t leaf = 0; leaf < serving.size(); ++leaf) {
    Script process;
    for (const Script& thread : serving[leaf]) {
      if (!thread.ops().empty()) process.thread(d.add_task({}, thread));
    }
    d.add_task({.start_ns = d.from_ns()}, process);
  }
  for (const Script& front : front_scripts) d.add_task({.start_ns = d.from_ns()}, front);
  const double busy = demand(d, fronts, "front_ms", "period_ms") + fan * demand(d, fronts, "leaf_ms", "period_ms");
  d.add_hogs("indexer", same_nice(d.scaled("indexers"), 5), d.at("fill_ratio"), busy);
}

void draw_gamehost(const DrawContext& context, Plan& plan) {
  Drawing d(context, plan);
  const int worlds = d.scaled("worlds");
  add_servers(d, "tick", worlds, "tick_ms", "tick_period_ms", 0.02, d.at("sigma"));
  const auto chat = d.poisson("chat", d.rate("chat_rate_hz"));
  d.add_timer_server("chat", chat, "chat_ms", d.at("sigma"), 0, {.start_ns = d.from_ns()});
  const auto matches = d.poisson("match", d.rate("match_rate_hz"));
  for (size_t i = 0; i < matches.size(); ++i) {
    d.add_process("match", matches[i], d.lognormal_ns("match work", i, static_cast<double>(d.ns("match_ms")), d.at("sigma")));
  }
}

void draw_backup(const DrawContext& context, Plan& plan) {
  Drawing d(context, plan);
  const int users = d.scaled("users");
  add_servers(d, "keystroke", users, "burst_ms", "period_ms", 0.8, d.at("sigma"));
  const auto chunks = d.poisson("chunk", d.rate("chunk_rate_hz"));
  for (size_t i = 0; i < chunks.size(); ++i) {
    const int64_t work = d.lognormal_ns("chunk work", i, static_cast<double>(d.ns("chunk_ms")), d.at("sigma"));
    const uint32_t job = d.add_job("chunk", chunks[i], work);
    d.add_task({.start_ns = chunks[i], .nice = static_cast<int>(d.at("chunk_nice"))},
               Script().begin(job).burn_in_bursts(work, d.ns("chunk_burst_ms"), d.ns("chunk_io_ms")).end(job));
  }
}

ParameterSpec fill_parameter(double value = 0.95) {
  return {"fill_ratio", "", "share of the machine that all together use, the background taking the rest", value, 0.1, 1.5, Role::kLoad};
}
ParameterSpec sigma_parameter(double value) { return {"sigma", "", "spread of the bursts", value, 0, 2}; }

}  // namespace

std::vector<Family> interactive_families() {
  return {
      {"inter",
       "programs with a user in front of them, beside number crunchers",
       "interactive",
       {{"servers", "", "programs with a user", 8, 1, 500},
        {"burst_ms", "ms", "CPU time of a reaction", 1.5, 0.05, 100, Role::kService},
        {"period_ms", "ms", "time between two", 30, 1, 10000, Role::kPeriod},
        {"hogs", "", "number crunchers", 8, 1, 200},
        sigma_parameter(0),
        fill_parameter()},
       draw_inter},
      {"desktop",
       "a game or compositor and its sound, beside video encoders",
       "interactive",
       {{"frame_threads", "", "threads that draw frames", 2, 1, 64},
        {"frame_ms", "ms", "CPU time of a frame", 5, 0.05, 100, Role::kService},
        {"frame_period_ms", "ms", "time between two frames", 16.7, 1, 1000, Role::kPeriod},
        {"audio_ms", "ms", "CPU time of an audio buffer", 0.4, 0.02, 100, Role::kService},
        {"audio_period_ms", "ms", "time between two buffers", 5, 0.5, 1000, Role::kPeriod},
        {"encoders", "", "encoders", 8, 1, 200},
        sigma_parameter(0),
        fill_parameter()},
       draw_desktop},
      {"editor",
       "a programmer types while a build server's compile jobs keep coming",
       "interactive",
       {{"key_ms", "ms", "CPU time of a keystroke (completion, highlighting)", 6, 0.05, 100, Role::kService},
        {"key_period_ms", "ms", "time between two", 80, 1, 10000, Role::kPeriod},
        {"compile_rate_hz", "1/s", "compile jobs a second", 36, 0.1, 10000, Role::kRate},
        {"compile_ms", "ms", "mean CPU time of one", 110, 0.1, 10000, Role::kService},
        {"compile_sigma", "", "spread of it", 0.5, 0, 2},
        {"compile_burst_ms", "ms", "CPU time between two waits for files", 12, 0.1, 1000},
        {"compile_io_ms", "ms", "such a wait", 0.5, 0.01, 1000},
        sigma_parameter(0)},
       draw_editor},
      {"web",
       "a web server's workers, beside reports at nice 10",
       "interactive",
       {{"workers", "", "workers", 12, 1, 500},
        {"burst_ms", "ms", "mean CPU time of a request", 4, 0.05, 100, Role::kService},
        {"period_ms", "ms", "time between two requests to a worker", 55, 1, 10000, Role::kPeriod},
        {"hogs", "", "reports", 6, 1, 200},
        {"hog_nice", "", "their nice value", 10, -20, 19},
        sigma_parameter(0.2),
        fill_parameter()},
       draw_web},
      {"nice",
       "monitoring daemons beside work of three priorities",
       "interactive",
       {{"sleepers", "", "daemons", 8, 1, 500},
        {"burst_ms", "ms", "CPU time of a wake-up", 1, 0.05, 100, Role::kService},
        {"period_ms", "ms", "time between two", 25, 1, 10000, Role::kPeriod},
        {"hogs_a_level", "", "processes at each of nice -10, 0, 10", 2, 1, 100},
        sigma_parameter(0),
        fill_parameter()},
       draw_nice},
      {"pipeline",
       "media pipelines of three processes, beside number crunchers; a job is an item from end to end",
       "interactive",
       {{"pipes", "", "pipelines", 3, 1, 100},
        {"stage_ms", "ms", "CPU time of each of the three stages", 2, 0.05, 100, Role::kService},
        {"period_ms", "ms", "time between two items", 11, 1, 10000, Role::kPeriod},
        {"hogs", "", "number crunchers", 4, 1, 200},
        sigma_parameter(0),
        fill_parameter()},
       draw_pipeline},
      {"logserver",
       "a log search: each query fans out to leaf servers, the slowest decides; indexers at nice 5 behind it",
       "interactive",
       {{"fronts", "", "front ends", 6, 1, 100},
        {"period_ms", "ms", "time between two queries to a front end", 25, 1, 10000, Role::kPeriod},
        {"front_ms", "ms", "CPU time of a query in the front end", 1, 0.05, 100, Role::kService},
        {"leaves", "", "leaf servers", 8, 1, 100},
        {"fan", "", "leaves that a query asks", 4, 1, 100},
        {"leaf_ms", "ms", "mean CPU time in each", 1.5, 0.05, 100, Role::kService},
        {"indexers", "", "indexers", 4, 1, 200},
        sigma_parameter(0.5),
        fill_parameter()},
       draw_logserver},
      {"gamehost",
       "game servers with a fixed tick, chat, and matchmaking jobs",
       "interactive",
       {{"worlds", "", "game worlds", 12, 1, 500},
        {"tick_ms", "ms", "mean CPU time of a tick", 6, 0.05, 100, Role::kService},
        {"tick_period_ms", "ms", "time between two", 33, 1, 10000, Role::kPeriod},
        {"chat_rate_hz", "1/s", "chat messages a second", 60, 0.1, 10000, Role::kRate},
        {"chat_ms", "ms", "mean CPU time of one", 1, 0.05, 100, Role::kService},
        {"match_rate_hz", "1/s", "matchmaking jobs a second", 10, 0.1, 1000, Role::kRate},
        {"match_ms", "ms", "mean CPU time of one", 130, 0.1, 10000, Role::kService},
        sigma_parameter(0.3)},
       draw_gamehost},
      {"backup",
       "the nightly backup compresses at nice 10 while people still work in terminals",
       "interactive",
       {{"users", "", "terminals", 10, 1, 500},
        {"burst_ms", "ms", "mean CPU time of a keystroke", 2, 0.05, 100, Role::kService},
        {"period_ms", "ms", "time between two", 40, 1, 10000, Role::kPeriod},
        {"chunk_rate_hz", "1/s", "chunks to compress a second", 44, 0.1, 10000, Role::kRate},
        {"chunk_ms", "ms", "mean CPU time of one", 75, 0.1, 10000, Role::kService},
        {"chunk_nice", "", "nice value of the compressors", 10, -20, 19},
        {"chunk_burst_ms", "ms", "CPU time between two waits for the disk", 3, 0.1, 1000},
        {"chunk_io_ms", "ms", "such a wait", 1, 0.01, 1000},
        sigma_parameter(0.4)},
       draw_backup},
  };
}

}  // namespace pointsman

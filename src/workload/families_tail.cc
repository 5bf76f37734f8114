// Families of the regime "tail": many short jobs and few long ones that hold most of the work. Serving the short ones first wins, first come first served ruins them.
#include <algorithm>

#include "base/clock.h"
#include "workload/draw.h"

namespace pointsman {

namespace {

void draw_pareto(const DrawContext& context, Plan& plan) {
  Drawing d(context, plan);
  const auto planned = d.poisson("arrival", d.rate("rate_hz"));
  for (size_t i = 0; i < planned.size(); ++i) {
    const double low = static_cast<double>(d.ns("low_ms"));
    const double high = std::max(low * 1.01, static_cast<double>(d.ns("high_ms")));
    d.add_process("job", planned[i], static_cast<int64_t>(d.rng("service", i).pareto(d.at("alpha"), low, high)));
  }
}

// Streams of processes of one length each.
void draw_streams(const DrawContext& context, Plan& plan, const std::vector<std::string>& names) {
  Drawing d(context, plan);
  for (const std::string& name : names) {
    const auto planned = d.poisson(name + " arrival", d.rate(name + "_rate_hz"));
    for (size_t i = 0; i < planned.size(); ++i) {
      d.add_process(name, planned[i], d.lognormal_ns(name + " service", i, static_cast<double>(d.ns(name + "_ms")), d.at("sigma")));
    }
  }
}
void draw_bimodal(const DrawContext& context, Plan& plan) { draw_streams(context, plan, {"short", "long"}); }
void draw_named(const DrawContext& context, Plan& plan) { draw_streams(context, plan, {"short", "medium", "long"}); }

// Old daemons under a stream of young jobs: each request forks a script, which asks a long-lived database through one of its few connections.
void draw_cgi(const DrawContext& context, Plan& plan) {
  Drawing d(context, plan);
  const auto planned = d.poisson("arrival", d.rate("rate_hz"));
  const int connections = d.scaled("connections");
  struct Connection {
    uint32_t free, ask, reply;
    std::vector<int64_t> queries;
  };
  std::vector<Connection> pool;
  for (int c = 0; c < connections; ++c) pool.push_back({d.add_semaphore(), d.add_semaphore(), d.add_semaphore(), {}});
  for (size_t i = 0; i < planned.size(); ++i) {
    Connection& connection = pool[i % pool.size()];
    const int64_t script = d.lognormal_ns("script", i, static_cast<double>(d.ns("script_ms")), d.at("sigma"));
    const int64_t query = d.lognormal_ns("query", i, static_cast<double>(d.ns("query_ms")), d.at("sigma"));
    const uint32_t job = d.add_job("request", planned[i], script + query);
    connection.queries.push_back(query);
    d.add_task({.start_ns = planned[i]}, Script()
                                             .begin(job)
                                             .burn(script / 2)
                                             .wait(connection.free)
                                             .post(connection.ask)
                                             .wait(connection.reply)
                                             .post(connection.free)
                                             .burn(script - script / 2)
                                             .end(job));
  }
  Script database;
  for (Connection& connection : pool) {
    Script server;
    server.post(connection.free);
    for (const int64_t query : connection.queries) server.wait(connection.ask).burn(query).post(connection.reply);
    database.thread(d.add_task({}, server.wait(connection.free)));
  }
  d.add_task({.start_ns = d.from_ns()}, database);
}

// Bursty hogs that look interactive by their bursts, beside honest requests of one longer burst.
void draw_crawler(const DrawContext& context, Plan& plan) {
  Drawing d(context, plan);
  for (const Wave& wave : d.waves()) {
    const int crawlers = d.scaled("crawlers", wave.share);
    for (int i = 0; i < crawlers; ++i) {
      const uint64_t index = Drawing::in_wave(wave, static_cast<uint64_t>(i));
      const int64_t planned = wave.at_ns + d.rng("start", index).between(0, 20 * kMillisecond);
      const int64_t work = d.lognormal_ns("crawl", index, static_cast<double>(d.ns("crawl_ms")), d.at("sigma"));
      const uint32_t job = d.add_job("crawl", planned, work);
      d.add_task({.start_ns = planned}, Script().begin(job).burn_in_bursts(work, d.ns("parse_ms"), d.ns("fetch_ms")).end(job));
    }
  }
  const auto planned = d.poisson("arrival", d.rate("request_rate_hz"));
  for (size_t i = 0; i < planned.size(); ++i) {
    d.add_process("request", planned[i], d.lognormal_ns("request", i, static_cast<double>(d.ns("request_ms")), d.at("sigma")));
  }
}

}  // namespace

std::vector<Family> tail_families() {
  return {
      {"pareto",
       "jobs of a shared server, sizes as measured on real ones: most are small, few hold the load",
       "tail",
       {{"rate_hz", "1/s", "jobs a second", 185, 0.1, 20000, Role::kRate},
        {"alpha", "", "exponent of the bounded Pareto distribution of CPU time", 1.1, 0.3, 5},
        {"low_ms", "ms", "its lower bound", 4, 0.05, 10000, Role::kService},
        {"high_ms", "ms", "its upper bound", 1000, 1, 100000, Role::kService}},
       draw_pareto},
      {"bimodal",
       "short look-ups beside long reports",
       "tail",
       {{"short_rate_hz", "1/s", "short jobs a second", 110, 0.1, 20000, Role::kRate},
        {"short_ms", "ms", "CPU time of a short job", 4, 0.05, 1000, Role::kService},
        {"long_rate_hz", "1/s", "long jobs a second", 9, 0.1, 1000, Role::kRate},
        {"long_ms", "ms", "CPU time of a long job", 400, 1, 100000, Role::kService},
        {"sigma", "", "spread within a kind", 0, 0, 2}},
       draw_bimodal},
      {"named",
       "three programs called again and again, each with its own usual length",
       "tail",
       {{"short_rate_hz", "1/s", "short jobs a second", 90, 0.1, 20000, Role::kRate},
        {"short_ms", "ms", "CPU time of a short job", 4, 0.05, 1000, Role::kService},
        {"medium_rate_hz", "1/s", "medium jobs a second", 30, 0.1, 10000, Role::kRate},
        {"medium_ms", "ms", "CPU time of a medium job", 50, 0.1, 10000, Role::kService},
        {"long_rate_hz", "1/s", "long jobs a second", 5, 0.1, 1000, Role::kRate},
        {"long_ms", "ms", "CPU time of a long job", 400, 1, 100000, Role::kService},
        {"sigma", "", "spread within a kind", 0, 0, 2}},
       draw_named},
      {"cgi",
       "a web server that forks a script for each request; the scripts ask an old database daemon",
       "tail",
       {{"rate_hz", "1/s", "requests a second", 215, 0.1, 20000, Role::kRate},
        {"script_ms", "ms", "mean CPU time of a script", 10, 0.05, 1000, Role::kService},
        {"query_ms", "ms", "mean CPU time of its query in the database", 5, 0.05, 1000, Role::kService},
        {"connections", "", "threads of the database, each serves one script at a time", 8, 1, 64},
        {"sigma", "", "spread of both times", 0.6, 0, 2}},
       draw_cgi},
      {"crawler",
       "web crawlers that parse in short bursts between fetches, beside requests of one longer burst",
       "tail",
       {{"crawlers", "", "crawls a wave", 16, 1, 1000, Role::kRate},
        {"crawl_ms", "ms", "mean CPU time of a crawl", 180, 1, 10000, Role::kService},
        {"parse_ms", "ms", "CPU time between two fetches", 3, 0.05, 1000},
        {"fetch_ms", "ms", "a fetch", 0.4, 0.01, 1000},
        {"request_rate_hz", "1/s", "requests a second", 50, 0.1, 10000, Role::kRate},
        {"request_ms", "ms", "mean CPU time of a request", 20, 0.1, 10000, Role::kService},
        {"sigma", "", "spread of crawls and requests", 0.3, 0, 2},
        wave_parameter()},
       draw_crawler},
  };
}

}  // namespace pointsman

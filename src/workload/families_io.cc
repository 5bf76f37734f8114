// Families of the regime "io": memory pressure and a block device take part. Those that read or write need a scratch device (RunOptions::scratch_device).
#include <algorithm>

#include "base/clock.h"
#include "workload/draw.h"

namespace pointsman {

namespace {

int64_t pages(double bytes) { return std::max<int64_t>(1, static_cast<int64_t>(bytes) / kPageBytes) * kPageBytes; }

void draw_memory(const DrawContext& context, Plan& plan) {
  Drawing d(context, plan);
  const auto planned = d.poisson("arrival", d.rate("rate_hz"));
  const int64_t bytes = pages(d.at("megabytes") * 1048576);
  for (size_t i = 0; i < planned.size(); ++i) {
    const int rounds = d.count("rounds");
    const int64_t burst = d.lognormal_ns("work", i, static_cast<double>(d.ns("work_ms")), d.at("sigma")) / rounds;
    const uint32_t job = d.add_job("job", planned[i], burst * rounds + bytes / kPageBytes * (rounds * kPageCostNs + (rounds - 1) * kSwapCostNs));
    Script script;
    script.begin(job);
    for (int r = 0; r < rounds; ++r) {
      const bool page_out = r + 1 < rounds;  // what is never used again need not be swapped
      if (r == 0) script.touch(bytes, page_out);
      if (r > 0) script.rewrite(bytes, page_out);
      script.burn(burst);
    }
    d.add_task({.start_ns = planned[i]}, script.end(job));
  }
  const auto small = d.poisson("small", d.rate("small_rate_hz"));
  for (size_t i = 0; i < small.size(); ++i) d.add_process("small", small[i], d.ns("small_ms"));
}

void draw_blockio(const DrawContext& context, Plan& plan) {
  Drawing d(context, plan);
  const auto planned = d.poisson("arrival", d.rate("rate_hz"));
  const int64_t bytes = pages(d.at("kilobytes") * 1024);
  for (size_t i = 0; i < planned.size(); ++i) {
    const int blocks = d.count("blocks");
    const int64_t burst = d.lognormal_ns("work", i, static_cast<double>(d.ns("work_ms")), d.at("sigma")) / blocks;
    Rng where = d.rng("where", i);
    const uint32_t job = d.add_job("scan", planned[i], burst * blocks);
    Script script;
    script.begin(job);
    for (int b = 0; b < blocks; ++b) {
      const bool writes = where.uniform() < d.at("writes_ratio");
      const uint64_t block = where.below(1u << 31);
      writes ? script.write(bytes, block) : script.read(bytes, block);
      script.burn(burst);
    }
    d.add_task({.start_ns = planned[i]}, script.end(job));
  }
  d.add_hogs("hog", std::vector<int>(static_cast<size_t>(d.scaled("hogs")), 0), d.at("fill_ratio"), d.rate("rate_hz") * d.at("work_ms") / 1000);
}

void draw_mail(const DrawContext& context, Plan& plan) {
  Drawing d(context, plan);
  const auto planned = d.poisson("arrival", d.rate("rate_hz"));
  for (size_t i = 0; i < planned.size(); ++i) {
    const int64_t scan = d.lognormal_ns("scan", i, static_cast<double>(d.ns("scan_ms")), d.at("sigma"));
    const int64_t bytes = pages(d.rng("size", i).exponential(d.at("kilobytes") * 1024));
    Rng where = d.rng("where", i);
    const uint32_t scanned = d.add_semaphore();
    const uint32_t job = d.add_job("delivery", planned[i], d.ns("receive_ms") + scan);
    const uint32_t filter = d.add_task({}, Script().burn(scan).post(scanned));
    d.add_task({.start_ns = planned[i]}, Script()
                                             .begin(job)
                                             .burn(d.ns("receive_ms"))
                                             .write(bytes, where.below(1u << 31))
                                             .spawn(filter)
                                             .wait(scanned)
                                             .write(bytes, where.below(1u << 31))
                                             .end(job));
  }
  for (int r = 0; r < d.scaled("readers"); ++r) {
    const auto index = static_cast<uint64_t>(r);
    const auto expiries = d.periodic("fetch", index, d.ns("fetch_period_ms"), 0.8);
    Rng where = d.rng("fetch where", index);
    Script reader;
    for (const int64_t t : expiries) {
      const uint32_t job = d.add_job("fetch", t, d.ns("fetch_ms"));
      reader.until(t).begin(job).read(16384, where.below(1u << 31)).burn(d.ns("fetch_ms")).end(job);
    }
    d.add_task({.start_ns = d.from_ns()}, reader);
  }
}

}  // namespace

std::vector<Family> io_families() {
  return {
      {"memory",
       "analyses that touch more memory than is good for them and have it swapped out and in, beside small jobs",
       "io",
       {{"rate_hz", "1/s", "analyses a second", 9, 0.1, 1000, Role::kRate},
        {"megabytes", "MB", "memory of one", 1, 0.1, 1000},
        {"rounds", "", "times that all of it is used; between them it is paged out", 3, 1, 100},
        {"work_ms", "ms", "mean CPU time of an analysis, memory apart", 150, 0.1, 10000, Role::kService},
        {"sigma", "", "spread of it", 0.4, 0, 2},
        {"small_rate_hz", "1/s", "small jobs a second", 80, 0.1, 10000, Role::kRate},
        {"small_ms", "ms", "CPU time of a small job", 3, 0.05, 1000, Role::kService}},
       draw_memory},
      {"blockio",
       "scans of a block device past the page cache, beside number crunchers",
       "io",
       {{"rate_hz", "1/s", "scans a second", 40, 0.1, 10000, Role::kRate},
        {"blocks", "", "blocks of a scan", 16, 1, 10000},
        {"kilobytes", "KB", "size of a block", 32, 4, 1024},
        {"writes_ratio", "", "share of blocks written, not read", 0.3, 0, 1},
        {"work_ms", "ms", "mean CPU time of a scan", 20, 0.1, 10000, Role::kService},
        {"sigma", "", "spread of it", 0.5, 0, 2},
        {"hogs", "", "number crunchers", 6, 1, 200},
        {"fill_ratio", "", "share of the machine that all together use", 0.9, 0.1, 1.5, Role::kLoad}},
       draw_blockio},
      {"mail",
       "a mail server: a process for each delivery, a filter process for each message, readers that fetch",
       "io",
       {{"rate_hz", "1/s", "deliveries a second", 190, 0.1, 10000, Role::kRate},
        {"receive_ms", "ms", "CPU time to receive one", 2, 0.05, 1000, Role::kService},
        {"scan_ms", "ms", "mean CPU time of the filter", 14, 0.05, 1000, Role::kService},
        {"sigma", "", "spread of it", 0.9, 0, 2},
        {"kilobytes", "KB", "mean size of a message (exponential), written twice", 24, 1, 10000},
        {"readers", "", "readers", 8, 1, 500},
        {"fetch_ms", "ms", "CPU time of a fetch", 1, 0.05, 1000, Role::kService},
        {"fetch_period_ms", "ms", "time between two fetches of a reader", 60, 1, 10000, Role::kPeriod}},
       draw_mail},
  };
}

}  // namespace pointsman

// pointsman lab swap-bench: what swaps cost, idle and under two hundred busy tasks.
#include "cli/lab_options.h"
#include "cli/verb.h"

namespace pointsman {

namespace {

struct Options {
  LabOptions lab;
  int work_ms = 20000;
  JsonOption json;
};

Result<Unit> run(const Options& options) {
  auto bench = open_bench(options.lab);
  if (!bench) return fail(bench.error());
  using report::Quantity;
  report::Table table("Swaps under 200 tasks (100 hogs, 60 nappers, 40 with I/O), random policies; idle: no task but the swapper",
                      {{"swap", "swap"}, {"every", "every", Quantity::kSeconds}, {"load", "load"}, {"swaps", "swaps", Quantity::kCount}, {"done", "jobs done"}, {"makespan", "makespan", Quantity::kSeconds},
                       {"call_p50", "call p50", Quantity::kSeconds}, {"call_p99", "p99", Quantity::kSeconds}, {"first_p50", "first dispatch p50", Quantity::kSeconds}, {"all_p50", "all CPUs p50", Quantity::kSeconds},
                       {"detach_p50", "detach p50", Quantity::kSeconds}, {"detach_max", "max", Quantity::kSeconds}, {"attach_p50", "attach p50", Quantity::kSeconds}, {"attach_max", "max", Quantity::kSeconds},
                       {"wait_max", "longest wait", Quantity::kSeconds}});
  struct Row {
    const char* swap;
    int period_us;
    bool busy;
  };
  nlohmann::json all = nlohmann::json::array();
  for (const Row& row : {Row{"none", 1000, true}, Row{"flip", 100000, true}, Row{"flip", 10000, true}, Row{"flip", 1000, true}, Row{"cross", 100000, true}, Row{"cross", 100000, false}}) {
    nlohmann::json storm = {{"swap", row.swap}, {"period_us", row.period_us}, {"work_ms", options.work_ms}};
    if (!row.busy) storm.update({{"hogs", 0}, {"nappers", 1}, {"io", 0}, {"work_ms", 200}});
    auto result = bench->snapshot.run({{"kind", "storm"}, {"storm", storm}}, {}, {.virtual_ns = 300'000'000'000, .host_seconds = 600});
    if (!result) return fail(result.error());
    auto found = result->json("storm");
    if (!found) return fail(found.error());
    const auto at = [&](const char* key, const char* part, double scale) -> report::Cell {
      const auto it = found->find(key);
      if (it == found->end() || !it->is_object() || !it->contains(part) || !it->at(part).is_number()) return {};
      return it->at(part).get<double>() * scale;
    };
    table.add({row.swap, row.swap == std::string_view("none") ? report::Cell{} : report::Cell(row.period_us / 1e6), row.busy ? "200 tasks" : "idle", found->value("swaps", 0),
               fmt::format("{}/{}", found->value("done", 0), found->value("jobs", 0)), found->value("makespan_s", 0.0), at("call_us", "p50", 1e-6), at("call_us", "p99", 1e-6), at("first_dispatch_us", "p50", 1e-6),
               at("all_cpus_us", "p50", 1e-6), at("detach_ms", "p50", 1e-3), at("detach_ms", "max", 1e-3), at("attach_ms", "p50", 1e-3), at("attach_ms", "max", 1e-3), at("longest_wait_ms", "max", 1e-3)});
    all.push_back(std::move(*found));
  }
  table.notes.push_back("virtual time of the guest, whose kernel work is about ten times as dear as hardware's");
  return report::emit(table.text(), all, options.json.emit());
}

}  // namespace

void add_lab_swap_bench(CommandLine& app, int& exit_code) {
  auto options = std::make_shared<Options>();
  options->lab.add(app);
  app.add_option("--work-ms", options->work_ms, "CPU time of all tasks together").capture_default_str().between(100, 1000000);
  options->json.add(app);
  app.footer(examples({{"pointsman lab swap-bench", "hot and warm swaps, measured"}}));
  app.callback([options, &exit_code] {
    if (auto done = run(*options); !done) exit_code = report_error(done.error());
  });
}

}  // namespace pointsman

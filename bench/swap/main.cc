// What does changing the scheduler cost while 200 tasks want the CPUs? Hot flips within the portfolio against crossings through eevdf, and both against no change at all, in
// the exact lab's virtual time: the same numbers at every run.
#include <cstdio>
#include <string>
#include <vector>

#include "lab/image.h"
#include "lab/snapshot.h"

namespace {

using namespace pointsman;

struct Row {
  const char *name, *swap;
  int period_us;
  nlohmann::json result;
};

double at(const nlohmann::json& result, const char* key, const char* part) {
  const auto found = result.find(key);
  return found != result.end() && found->is_object() && found->contains(part) ? found->at(part).get<double>() : 0;
}

Result<Unit> run(std::vector<Row>& rows) {
  MachineOptions machine;
  auto kernel = Kernel::open(POINTSMAN_KERNEL);
  if (!kernel) return fail(kernel.error());
  machine.kernel = std::move(*kernel);
  ImageOptions contents;
  contents.kernel = machine.kernel;
  contents.binary = POINTSMAN_BINARY;
  auto image = Image::build(contents);
  if (!image) return fail(image.error());
  auto snapshot = GuestSnapshot::take(machine, *image, {.boot = {{"stage", true}}});
  if (!snapshot) return fail(snapshot.error());
  for (Row& row : rows) {
    auto ran = snapshot->run({{"kind", "storm"}, {"storm", {{"swap", row.swap}, {"period_us", row.period_us}}}}, {}, {});
    if (!ran) return fail(ran.error().at(row.name));
    auto result = ran->json("storm");
    if (!result) return fail(result.error());
    row.result = std::move(*result);
    // Equal answers first: all the work of all jobs is done, and the portfolio is still there.
    if (row.result.at("done") != row.result.at("jobs") || row.result.contains("ejection")) return fail(ErrorCode::kIo, "{}: {}", row.name, row.result.dump());
  }
  return Unit{};
}

}  // namespace

int main() {
  std::vector<Row> rows = {{"no swap", "none", 1000, {}}, {"flip every 10 ms", "flip", 10'000, {}}, {"flip every 1 ms", "flip", 1000, {}}, {"crossing every 100 ms", "cross", 100'000, {}}};
  if (auto done = run(rows); !done) {
    std::fprintf(stderr, "bench_swap: %s\n", done.error().message.c_str());
    return 1;
  }
  const double makespan = rows[0].result.at("makespan_s"), flip_us = at(rows[1].result, "call_us", "p50");
  std::printf("%-24s %8s %12s %12s %12s %12s %14s\n", "", "swaps", "call p50", "call p99", "call/flip", "makespan", "/ no swap");
  for (const Row& row : rows)
    std::printf("%-24s %8d %9.0f us %9.0f us %12.1f %10.2f s %14.3f\n", row.name, row.result.value("swaps", 0), at(row.result, "call_us", "p50"), at(row.result, "call_us", "p99"),
                at(row.result, "call_us", "p50") / flip_us, row.result.value("makespan_s", 0.0), row.result.value("makespan_s", 0.0) / makespan);
  return 0;
}

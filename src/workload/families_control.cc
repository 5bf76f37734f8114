// Families of the regime "control": no scheduler can do better than another here. A difference between arms on these is a fault of the measurement.
#include <algorithm>

#include "base/clock.h"
#include "workload/draw.h"

namespace pointsman {

namespace {

void draw_underload(const DrawContext& context, Plan& plan) {
  Drawing d(context, plan);
  int64_t i = 0;
  const auto period = static_cast<int64_t>(1e9 / d.rate("rate_hz"));
  for (int64_t t = d.from_ns(); t < d.to_ns(); t += period, ++i) d.add_process("job", t, d.ns("service_ms"));
}

void draw_single(const DrawContext& context, Plan& plan) {
  Drawing d(context, plan);
  for (const Wave& wave : d.waves()) {
    const auto work = static_cast<int64_t>(static_cast<double>(d.ns("service_ms")) * std::min(1.0, wave.share));
    for (int cpu = 0; cpu < d.cpus(); ++cpu) {
      const uint32_t job = d.add_job("job", wave.at_ns, work);
      d.add_task({.start_ns = wave.at_ns, .cpu_mask = uint64_t{1} << cpu}, Script().begin(job).burn(work).end(job));
    }
  }
}

}  // namespace

std::vector<Family> control_families() {
  return {
      {"underload",
       "equal small jobs on a machine with idle CPUs to spare",
       "control",
       {{"rate_hz", "1/s", "jobs a second, evenly spaced", 40, 0.1, 10000, Role::kRate},
        {"service_ms", "ms", "CPU time of a job", 8, 0.05, 1000, Role::kService}},
       draw_underload},
      {"single",
       "one job pinned to each CPU, none waits for another",
       "control",
       {{"service_ms", "ms", "CPU time of a job", 500, 1, 10000, Role::kService}, wave_parameter()},
       draw_single},
  };
}

}  // namespace pointsman

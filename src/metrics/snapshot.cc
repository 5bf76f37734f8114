#include "metrics/snapshot.h"

#include <algorithm>

namespace pointsman {

std::string_view name_of(Topic topic) {
  switch (topic) {
    case Topic::kCpu: return "cpu";
    case Topic::kLoad: return "load";
    case Topic::kMemory: return "memory";
    case Topic::kPaging: return "paging";
    case Topic::kDisks: return "disks";
    case Topic::kPressure: return "pressure";
    case Topic::kSchedstat: return "schedstat";
    case Topic::kProbe: return "probe";
    case Topic::kWalk: return "walk";
  }
  return "?";
}

CpuShares shares_between(const CpuTicks& a, const CpuTicks& b) {
  const auto grown = [](uint64_t before, uint64_t after) { return after > before ? static_cast<double>(after - before) : 0.0; };
  const double idle = grown(a.idle, b.idle), iowait = grown(a.iowait, b.iowait);
  const double irq = grown(a.irq, b.irq), softirq = grown(a.softirq, b.softirq), steal = grown(a.steal, b.steal);
  // Guest time is in user and nice already.
  const double busy = grown(a.user, b.user) + grown(a.nice, b.nice) + grown(a.system, b.system) + irq + softirq + steal;
  const double total = busy + idle + iowait;
  if (!(total > 0)) return {};
  return {.busy = busy / total, .iowait = iowait / total, .irq = irq / total, .softirq = softirq / total, .steal = steal / total};
}

double busiest_cpu_ratio(const CpuTopic& before, const CpuTopic& after) {
  double most = 0;
  auto at = before.each.begin();
  for (const OneCpu& cpu : after.each) {
    at = std::find_if(at, before.each.end(), [&](const OneCpu& c) { return c.id >= cpu.id; });
    if (at == before.each.end()) break;
    if (at->id == cpu.id) most = std::max(most, shares_between(at->ticks, cpu.ticks).busy);
  }
  return most;
}

}  // namespace pointsman

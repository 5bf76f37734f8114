#include "learn/live_cost.h"

#include <algorithm>
#include <vector>

#include "base/exact_math.h"

namespace pointsman {

std::optional<LiveCost> live_cost(std::span<const RecordedBurst> bursts, int64_t from_ns, int64_t to_ns, const LiveCostOptions& options) {
  std::vector<const RecordedBurst*> order;
  for (const RecordedBurst& b : bursts) order.push_back(&b);
  std::sort(order.begin(), order.end(), [](const RecordedBurst* a, const RecordedBurst* b) {
    return a->task != b->task ? a->task < b->task : a->wake_ns < b->wake_ns;
  });
  LiveCost out;
  double grown = 0;
  bool any = false;
  // The ln turnaround of an episode, as it stood at a moment.
  const auto level = [&](int64_t begin, int64_t end, int64_t at) {
    return begin > at ? 0.0 : exact_log(static_cast<double>(std::max(std::min(at, end) - begin, options.floor_ns)));
  };
  for (size_t i = 0; i < order.size();) {
    size_t last = i;
    while (last + 1 < order.size() && order[last + 1]->task == order[i]->task &&
           order[last + 1]->wake_ns - order[last]->end_ns <= options.nap_ns)
      ++last;
    const int64_t begin = order[i]->wake_ns, end = order[last]->end_ns;
    if (begin <= to_ns && end > from_ns) {
      any = true;
      grown += level(begin, end, to_ns) - level(begin, end, from_ns);
      out.arrivals += begin > from_ns;
    }
    i = last + 1;
  }
  if (!any) return std::nullopt;
  out.log_turnaround = grown / std::max(out.arrivals, 1);
  return out;
}

}  // namespace pointsman

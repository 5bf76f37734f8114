#include "metrics/sampler.h"

#include <unistd.h>

namespace pointsman {

std::span<const MakeCollector> collectors() {
  static constexpr MakeCollector kCollectors[] = {
      make_cpu_collector,   make_load_collector,     make_memory_collector,    make_paging_collector,
      make_disks_collector, make_pressure_collector, make_schedstat_collector,
  };
  return kCollectors;
}

Result<Sampler> Sampler::open(const SamplerOptions& options) {
  const std::string stat = options.roots.procfs + "/stat";
  if (::access(stat.c_str(), R_OK) != 0) return fail_errno(stat + " (is --procfs right?)");
  Sampler sampler(options.clock);
  if (options.clock == nullptr) {
    sampler.own_clock_ = std::make_unique<SystemClock>();
    sampler.clock_ = sampler.own_clock_.get();
  }
  for (const MakeCollector make : collectors()) sampler.collectors_.push_back(make(options.roots));
  sampler.collectors_.push_back(make_probe_collector(options.probe, options.probe_absent));
  if (options.walk) {
    sampler.collectors_.push_back(make_walk_collector(options.roots));
  } else {
    sampler.snapshot_.of(Topic::kWalk) = {.ok = false, .skipped = true, .duration_ns = 0, .trouble = "no walk over the threads was asked for"};
  }
  return sampler;
}

const Snapshot& Sampler::tick(const TickOptions& options) {
  snapshot_.taken_ns = clock_->now_ns();
  int64_t before_ns = snapshot_.taken_ns;
  for (const auto& collector : collectors_) {
    const Topic topic = collector->topic();
    TopicStatus& status = snapshot_.of(topic);
    status.skipped = topic == Topic::kWalk && !options.walk;
    int64_t& absent_until_ns = absent_until_ns_[static_cast<size_t>(topic)];
    if (status.skipped || before_ns < absent_until_ns) continue;
    auto done = collector->collect(snapshot_);
    const int64_t after_ns = clock_->now_ns();
    status.duration_ns = after_ns - before_ns;
    status.ok = done.has_value();
    if (status.ok) {
      status.trouble.clear();
    } else {
      status.trouble = done.error().message;
      const ErrorCode code = done.error().code;
      if (code == ErrorCode::kNotFound || code == ErrorCode::kUnsupported) absent_until_ns = after_ns + kAbsentNs;
    }
    before_ns = after_ns;
  }
  snapshot_.duration_ns = before_ns - snapshot_.taken_ns;
  return snapshot_;
}

}  // namespace pointsman

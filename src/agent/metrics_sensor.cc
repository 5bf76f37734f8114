#include "agent/metrics_sensor.h"

namespace pointsman {

Result<std::unique_ptr<MetricsSensor>> MetricsSensor::open(Options options) {
  auto probe = Probe::open();
  if (!probe) return fail(probe.error());
  auto sensor = std::unique_ptr<MetricsSensor>(new MetricsSensor(std::move(*probe), make_cpu_collector({.procfs = options.procfs})));
  // The first reading has nothing to compare with; a /proc/stat that cannot be read is told now, not in the loop.
  if (auto first = sensor->busiest_ratio(SystemClock().now_ns()); !first) return fail(first.error());
  if (options.bursts) {
    // Whoever records none still sees: only live costs and replays are missing then.
    auto recorder = BurstRecorder::open();
    if (recorder)
      sensor->recorder_.emplace(std::move(*recorder));
    else
      sensor->no_recorder_ = recorder.error().message;
  }
  return sensor;
}

Result<Unit> MetricsSensor::record_bursts() {
  if (!recorder_) return fail(ErrorCode::kUnsupported, "no bursts are recorded: {}", no_recorder_);
  return recorder_->start();
}

void MetricsSensor::ignore_bursts() {
  if (recorder_) recorder_->sleep();
}

Result<std::vector<pm_burst>> MetricsSensor::recent_bursts(int64_t span_ns) {
  if (!recorder_) return fail(ErrorCode::kUnsupported, "no bursts are recorded: {}", no_recorder_);
  auto recording = recorder_->read(span_ns);
  if (!recording) return fail(recording.error());
  return std::move(recording->bursts);
}

Result<Reading> MetricsSensor::read() {
  auto probe = probe_.read();
  if (!probe) return fail(probe.error());
  // A tick without it goes by the ratio before: only one rule looks at it, over seconds.
  const auto busiest = busiest_ratio(probe->moment_ns);
  Reading reading{.moment_ns = probe->moment_ns, .probe = probe->sums, .busiest_cpu_ratio = busiest ? *busiest : busiest_, .oldest_short_wait_ns = 0};
  // Worth a walk over the tasks only now and then: starvation is a matter of seconds.
  if (reading.moment_ns - oldest_read_ns_ >= 200 * kMillisecond) {
    auto oldest = probe_.oldest_wait();
    if (!oldest) return fail(oldest.error());
    oldest_read_ns_ = reading.moment_ns;
    oldest_short_wait_ns_ = static_cast<int64_t>(oldest->short_wait_ns);
  }
  reading.oldest_short_wait_ns = oldest_short_wait_ns_;
  return reading;
}

// /proc/stat counts in ticks of 10 ms, so the ratio is taken over at least 200 ms.
Result<double> MetricsSensor::busiest_ratio(int64_t now_ns) {
  if (before_ns_ != 0 && now_ns - before_ns_ < 200 * kMillisecond) return busiest_;
  if (auto read = cpu_->collect(now_); !read) return fail(read.error());
  if (before_ns_ != 0) busiest_ = busiest_cpu_ratio(before_, now_.cpu);
  before_ns_ = now_ns;
  std::swap(before_, now_.cpu);
  return busiest_;
}

}  // namespace pointsman

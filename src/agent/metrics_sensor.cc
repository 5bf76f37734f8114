#include "agent/metrics_sensor.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace pointsman {

Result<std::unique_ptr<MetricsSensor>> MetricsSensor::open(Options options) {
  auto probe = Probe::open();
  if (!probe) return fail(probe.error());
  UniqueFd stat(::open((options.procfs + "/stat").c_str(), O_RDONLY | O_CLOEXEC));
  if (!stat) return fail_errno("open " + options.procfs + "/stat");
  auto sensor = std::unique_ptr<MetricsSensor>(new MetricsSensor(std::move(*probe), std::move(stat)));
  sensor->busiest_cpu_ratio();  // the first reading has nothing to compare with
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

Result<std::vector<pm_burst>> MetricsSensor::recent_bursts(int64_t span_ns) {
  if (!recorder_) return fail(ErrorCode::kUnsupported, "no bursts are recorded: {}", no_recorder_);
  auto recording = recorder_->read(span_ns);
  if (!recording) return fail(recording.error());
  return std::move(recording->bursts);
}

Result<Reading> MetricsSensor::read() {
  auto probe = probe_.read();
  if (!probe) return fail(probe.error());
  Reading reading{.moment_ns = probe->moment_ns, .probe = probe->sums, .busiest_cpu_ratio = busiest_cpu_ratio(), .oldest_short_wait_ns = 0};
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
double MetricsSensor::busiest_cpu_ratio() {
  text_.resize(16384);
  const ssize_t n = ::pread(stat_.get(), text_.data(), text_.size() - 1, 0);
  if (n <= 0) return busiest_;
  text_[static_cast<size_t>(n)] = '\0';
  size_t cpu = 0;
  double busiest = 0;
  bool enough = true;
  std::vector<Ticks> now;
  for (const char* line = text_.c_str(); line; line = std::strchr(line, '\n') ? std::strchr(line, '\n') + 1 : nullptr) {
    if (std::strncmp(line, "cpu", 3) != 0 || line[3] == ' ') continue;
    const char* field = std::strchr(line, ' ');
    int64_t value[8] = {};
    for (int64_t& v : value) {
      char* end = nullptr;
      v = std::strtoll(field, &end, 10);
      field = end;
    }
    int64_t total = 0;
    for (const int64_t v : value) total += v;
    now.push_back({.busy = total - value[3] - value[4], .total = total});
    if (cpu < before_.size()) {
      const int64_t span = total - before_[cpu].total;
      enough = enough && span >= 20;
      if (span > 0) busiest = std::max(busiest, static_cast<double>(now.back().busy - before_[cpu].busy) / static_cast<double>(span));
    }
    ++cpu;
  }
  if (before_.size() != now.size()) {
    before_ = std::move(now);
  } else if (enough) {
    busiest_ = std::clamp(busiest, 0.0, 1.0);
    before_ = std::move(now);
  }
  return busiest_;
}

}  // namespace pointsman

// MetricsSensor: the agent's eyes on a real machine: the probe, and /proc/stat for the busiest CPU.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/sensor.h"
#include "base/clock.h"
#include "base/unique_fd.h"
#include "metrics/bursts.h"
#include "metrics/probe.h"

namespace pointsman {

class MetricsSensor : public Sensor {
 public:
  struct Options {
    std::string procfs = "/proc";
    bool bursts = false;  // load the recorder of bursts too; record_bursts() starts it
  };
  // Errors: those of Probe::open.
  static Result<std::unique_ptr<MetricsSensor>> open(Options options);
  Result<Reading> read() override;
  [[nodiscard]] int cpus() const override { return probe_.cpus(); }
  Result<Unit> record_bursts() override;
  Result<std::vector<pm_burst>> recent_bursts(int64_t span_ns) override;

 private:
  struct Ticks {
    int64_t busy = 0, total = 0;
  };
  MetricsSensor(Probe probe, UniqueFd stat) : probe_(std::move(probe)), stat_(std::move(stat)) {}
  double busiest_cpu_ratio();

  Probe probe_;
  std::optional<BurstRecorder> recorder_;
  std::string no_recorder_ = "the recorder of bursts was not asked for";
  UniqueFd stat_;
  std::string text_;
  std::vector<Ticks> before_;
  double busiest_ = 0;
  int64_t oldest_read_ns_ = 0, oldest_short_wait_ns_ = 0;
};

}  // namespace pointsman

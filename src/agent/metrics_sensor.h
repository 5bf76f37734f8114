// MetricsSensor: the agent's eyes on a real machine: the probe, and /proc/stat for the busiest CPU.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "agent/sensor.h"
#include "base/clock.h"
#include "metrics/bursts.h"
#include "metrics/collector.h"
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
  void ignore_bursts() override;
  Result<std::vector<pm_burst>> recent_bursts(int64_t span_ns) override;
  [[nodiscard]] const Probe& probe() const { return probe_; }

 private:
  MetricsSensor(Probe probe, std::unique_ptr<Collector> cpu) : probe_(std::move(probe)), cpu_(std::move(cpu)) {}
  Result<double> busiest_ratio(int64_t now_ns);

  Probe probe_;
  std::optional<BurstRecorder> recorder_;
  std::string no_recorder_ = "the recorder of bursts was not asked for";
  std::unique_ptr<Collector> cpu_;
  Snapshot now_;     // only its topic of CPUs is filled
  CpuTopic before_;  // at before_ns_
  int64_t before_ns_ = 0;
  double busiest_ = 0;
  int64_t oldest_read_ns_ = 0, oldest_short_wait_ns_ = 0;
};

}  // namespace pointsman

// MetricsSensor: the agent's eyes on a real machine: the probe, and /proc/stat for the busiest CPU.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/sensor.h"
#include "base/clock.h"
#include "base/unique_fd.h"
#include "metrics/probe.h"

namespace pointsman {

class MetricsSensor : public Sensor {
 public:
  struct Options {
    std::string procfs = "/proc";
  };
  // Errors: those of Probe::open.
  static Result<std::unique_ptr<MetricsSensor>> open(Options options);
  Result<Reading> read() override;
  [[nodiscard]] int cpus() const override { return probe_.cpus(); }
  [[nodiscard]] const Probe& probe() const { return probe_; }

 private:
  struct Ticks {
    int64_t busy = 0, total = 0;
  };
  MetricsSensor(Probe probe, UniqueFd stat) : probe_(std::move(probe)), stat_(std::move(stat)) {}
  double busiest_cpu_ratio();

  Probe probe_;
  UniqueFd stat_;
  std::string text_;
  std::vector<Ticks> before_;
  double busiest_ = 0;
  int64_t oldest_read_ns_ = 0, oldest_short_wait_ns_ = 0;
};

}  // namespace pointsman

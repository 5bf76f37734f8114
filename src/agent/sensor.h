// Sensor: the port through which the agent sees the machine. The real one (metrics_sensor.h) reads the probe and /proc; tests script theirs.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "bpf/bursts/bursts.intf.h"
#include "bpf/probe/probe.intf.h"

namespace pointsman {

struct Reading {
  int64_t moment_ns = 0;           // the probe's clock, CLOCK_MONOTONIC
  pm_probe probe{};                // summed over the CPUs
  double busiest_cpu_ratio = 0;    // 0..1, over the last tick
  int64_t oldest_short_wait_ns = 0;  // how long the longest waiting short task has been waiting now; 0 where it is not known
};

class Sensor {
 public:
  virtual ~Sensor() = default;
  virtual Result<Reading> read() = 0;
  [[nodiscard]] virtual int cpus() const = 0;
  // From then on bursts are recorded; again: does nothing. kUnsupported where nobody can.
  virtual Result<Unit> record_bursts() { return fail(ErrorCode::kUnsupported, "this sensor records no bursts"); }
  // From then on none are, and what was recorded is forgotten.
  virtual void ignore_bursts() {}
  // Those recorded that ended in the last `span_ns`, and those under way, at CLOCK_MONOTONIC.
  virtual Result<std::vector<pm_burst>> recent_bursts(int64_t /*span_ns*/) { return fail(ErrorCode::kUnsupported, "this sensor records no bursts"); }
};

}  // namespace pointsman

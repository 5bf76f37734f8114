// BurstRecorder: the recorder of bursts (bpf/bursts), loaded, attached once it is started, asleep while nobody asks, and what its rings hold as one recording.
// Threads: one reader at a time. Owns: the programs; destroying it detaches them.
// Errors: open: as Probe. read: kBusy when a ring is written faster than it can be copied, kIo.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "bpf/bursts/bursts.intf.h"
#include "bpf/object.h"

namespace pointsman {

struct BurstRecording {
  int64_t moment_ns = 0;           // CLOCK_MONOTONIC
  int64_t complete_from_ns = 0;    // no burst that ended after this is missing
  uint64_t lost = 0;               // events without task storage since it was opened
  uint64_t dropped = 0;            // bursts under way beyond what is kept of them
  std::vector<pm_burst> bursts{};  // ended, and under way; in no order
};

class BurstRecorder {
 public:
  static Result<BurstRecorder> open();
  BurstRecorder(BurstRecorder&& other) noexcept;
  BurstRecorder& operator=(BurstRecorder&& other) noexcept;
  ~BurstRecorder();

  // Maps the rings, attaches it and begins a recording; begins another one if it slept; else does nothing. A burst that is under way then is as if it had begun then.
  Result<Unit> start();
  // Ends the recording. The programs stay attached, since a kernel takes its time over that, and leave at their first line.
  void sleep();
  // Bursts of the recording under way that ended in the last `span_ns`, and those under way. kUnsupported before start() and asleep.
  Result<BurstRecording> read(int64_t span_ns) const;
  [[nodiscard]] const BpfObject& object() const { return object_; }

 private:
  explicit BurstRecorder(BpfObject object) : object_(std::move(object)) {}
  Result<Unit> map_rings();
  void set_since(int64_t since_ns);
  [[nodiscard]] size_t rings_size() const;

  BpfObject object_;
  std::vector<BpfLink> links_;
  const pm_burst_ring* rings_ = nullptr;
  const pm_unfinished* unfinished_ = nullptr;
  MappedSection since_;
  int64_t recording_since_ns_ = 0;  // 0: asleep
  size_t possible_ = 0;
};

}  // namespace pointsman

// BurstRecorder: the recorder of bursts (bpf/bursts), loaded, attached once it is started, and what its rings hold as one recording.
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

  // Maps the rings and attaches it; again: does nothing. Bursts that are under way then are not recorded.
  Result<Unit> start();
  // Bursts that ended in the last `span_ns`, and those under way. kUnsupported before start().
  Result<BurstRecording> read(int64_t span_ns) const;
  [[nodiscard]] const BpfObject& object() const { return object_; }

 private:
  explicit BurstRecorder(BpfObject object) : object_(std::move(object)) {}
  Result<Unit> map_rings();
  [[nodiscard]] size_t rings_size() const;

  BpfObject object_;
  std::vector<BpfLink> links_;
  const pm_burst_ring* rings_ = nullptr;
  const pm_unfinished* unfinished_ = nullptr;
  size_t possible_ = 0;
};

}  // namespace pointsman

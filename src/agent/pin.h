// Pin: a person's word, which outranks the model. `pointsman pin ARM` writes a file; a running agent reads it at every window.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "sched/arm.h"

namespace pointsman {

struct Pin {
  std::optional<ArmId> arm;  // hold this one
  uint64_t releases = 0;     // counts `pin --release`: also lifts a SysRq-S veto
};

class PinSource {
 public:
  virtual ~PinSource() = default;
  virtual Pin read() = 0;
};

class NoPin : public PinSource {
 public:
  Pin read() override { return {}; }
};

inline constexpr const char* kPinPath = "/run/pointsman/pin";

class PinFile : public PinSource {
 public:
  explicit PinFile(std::string path) : path_(std::move(path)) {}
  // An unreadable or malformed file counts as no pin; the first such reading is logged.
  Pin read() override;

 private:
  std::string path_;
  bool complained_ = false;
};

// Errors: kPermissionDenied, kIo.
Result<Unit> write_pin(const std::string& path, const Pin& pin);
// Errors: kNotFound (no file: nothing pinned yet), kCorrupt.
Result<Pin> read_pin(const std::string& path);

}  // namespace pointsman

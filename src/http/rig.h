// Rig: where experiments run: this machine itself (host_rig.h) or forks of the exact lab (lab_rig.h). It lives in a process of its own, the worker, so that
// neither its memory nor its end is the server's.
#pragma once

#include <atomic>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/result.h"
#include "http/experiment.h"

namespace pointsman {

struct RigArm {
  std::string name{}, kind{}, summary{};
  std::string unavailable{};  // why it cannot be had here; empty: it can
};

struct RigInfo {
  std::string backend{};  // host, vm, lab
  std::string kernel{};   // release
  int cpus = 0;
  std::vector<RigArm> arms{};
  std::vector<std::string> notes{};  // what this machine lacks, each in a line
  [[nodiscard]] const RigArm* find(std::string_view arm) const;
};
nlohmann::json to_json(const RigInfo& info);
// Errors: kCorrupt.
Result<RigInfo> rig_info_from_json(const nlohmann::json& json);

struct RepeatRequest {
  int64_t experiment = 0;
  int repeat = 0;
  ExperimentSpec spec{};
  std::string trace_file{};  // empty: no trace of this repeat
};
nlohmann::json to_json(const RepeatRequest& request);
Result<RepeatRequest> repeat_request_from_json(const nlohmann::json& json);

struct RepeatResult {
  std::string costs{};   // JSON object, small: what lists and summaries need
  std::string result{};  // JSON object: everything
};

class Rig {
 public:
  virtual ~Rig() = default;
  [[nodiscard]] virtual const RigInfo& info() const = 0;
  // One repeat, from the arm's attachment to its end; eevdf is in charge when it returns. `cancel` ends it with kInterrupted.
  virtual Result<RepeatResult> run(const RepeatRequest& request, const std::atomic<bool>& cancel) = 0;
};

}  // namespace pointsman

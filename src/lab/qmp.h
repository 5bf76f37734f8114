// Qmp: a client for QEMU's control protocol, one JSON object a line. Every wait has a bound.
// Source: docs/interop/qmp-spec.txt of QEMU
#pragma once

#include <deque>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"

namespace pointsman {

// Cuts a byte stream into JSON lines. Errors of take(): kCorrupt (not a JSON object).
class QmpLines {
 public:
  void feed(std::string_view bytes) { pending_ += bytes; }
  // nullopt: no whole line yet
  Result<std::optional<nlohmann::json>> take();

 private:
  std::string pending_;
};

// Owns: its end of the connection. Threads: one.
// Errors of all calls: kIo (QEMU has closed the connection), kBusy (the bound has passed), kInterrupted (see open), kCorrupt (not QMP).
class Qmp {
 public:
  // Reads the greeting and leaves negotiation mode. `deadline_ns` is CLOCK_MONOTONIC, as everywhere below. `cancel_fd`, when there is one, is not owned; every wait ends
  // with kInterrupted as soon as it is readable.
  static Result<Qmp> open(UniqueFd connection, int64_t deadline_ns, int cancel_fd = -1);

  // The "return" of one command; QEMU's own error is kInvalidArgument with its text.
  Result<nlohmann::json> execute(const std::string& command, const nlohmann::json& arguments, int64_t deadline_ns);
  // As execute, and hands PASSED_FD over beside the command (getfd).
  Result<nlohmann::json> execute_with_fd(const std::string& command, const nlohmann::json& arguments, int passed_fd, int64_t deadline_ns);
  // The oldest event that has one of these names, past ones first; others stay for later.
  Result<nlohmann::json> wait_event(std::initializer_list<std::string_view> names, int64_t deadline_ns);

  [[nodiscard]] const std::string& version() const { return version_; }  // "7.2.22 (Debian ...)"

 private:
  Qmp(UniqueFd connection, int cancel_fd) : connection_(std::move(connection)), cancel_fd_(cancel_fd) {}
  Result<nlohmann::json> next(int64_t deadline_ns);
  UniqueFd connection_;
  int cancel_fd_ = -1;
  QmpLines lines_;
  std::deque<nlohmann::json> events_;
  std::string version_;
};

}  // namespace pointsman

// Progress: one line at the foot of a terminal: done of total, rate, time left. Silent when its stream is no terminal.
// Threads: every method may be called from any thread. Owns: the last line of the terminal from its first update until finish() or its end.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>

#include "base/clock.h"

namespace pointsman::report {

struct ProgressOptions {
  std::string label = "";
  int64_t total = 0;                          // 0: not known; then only done, rate and time so far
  int64_t already_done = 0;                   // of an earlier run: counts as done, not in the rate
  int64_t least_gap_ns = 100 * kMillisecond;  // between two redraws
};

// Where the line goes. For tests, and so that nothing else needs to know what a terminal is.
struct ProgressSink {
  bool terminal = false;
  std::function<void(const std::string&)> write = {};
  std::function<int()> columns = {};

  static ProgressSink standard_error();
};

class Progress {
 public:
  Progress(ProgressOptions options, const Clock& clock, ProgressSink sink = ProgressSink::standard_error());
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `note` says what is under way; it stays until the next one.
  void advance(int64_t steps = 1, const std::string& note = "");
  void note(const std::string& note);
  // A whole line above the progress line. Written in any case, terminal or not: it is a message, not decoration.
  void say(const std::string& line);
  // Takes the line away. Calls after it still count but draw nothing.
  void finish();

 private:
  void draw(bool force);  // mutex_ held
  void erase();           // mutex_ held
  [[nodiscard]] std::string line() const;

  const ProgressOptions options_;
  const Clock& clock_;
  const ProgressSink sink_;
  std::mutex mutex_;
  const int64_t start_ns_;
  int64_t drawn_ns_ = 0;
  int64_t done_ = 0;
  bool drawn_ = false, finished_ = false;
  std::string note_;
};

}  // namespace pointsman::report

// LedgerRecorder: keeps what a live agent saw, decided and swapped in a ledger, with the tables of the lab's. A live agent has no end, so it is written in pieces, each of
// which is there whole or not at all.
// Threads: on_window is the agent's; a thread of its own writes, so that no disk ever holds up a tick.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "agent/agent.h"
#include "store/ledger.h"

namespace pointsman {

inline constexpr const char* kLiveScenario = "live";  // also the split: no training takes it by accident

class LedgerRecorder : public Recorder {
 public:
  struct Options {
    std::string path;
    std::string controller;       // as make_controller reads it
    std::string kernel, binary;   // identities
    std::string details = "{}";   // JSON, with every piece
    uint64_t started = 0;         // tells runs of the agent apart: milliseconds since 1970
    int64_t start_ns = 0;         // Clock; times in the ledger count from here
    int64_t piece_ns = 60 * kSecond;
    int64_t max_bytes = 0;        // of the ledger; 0: no limit
  };
  // Borrows the host, which completes the times of a swap at the next window. Errors: those of Ledger::open.
  static Result<std::unique_ptr<LedgerRecorder>> open(Options options, SchedulerHost& host);
  // Hands over the last piece and waits until it is written.
  ~LedgerRecorder() override;

  void on_window(const WindowRecord& window) override;
  // Pieces that could not be written; the first is logged.
  [[nodiscard]] int lost_pieces() const;
  // Waits until all that was handed over is written or lost. For tests and for the end.
  void flush();

 private:
  LedgerRecorder(Options options, SchedulerHost& host, Ledger ledger);
  void complete_swap();
  void hand_over();
  void write(const std::stop_token& stop);

  const Options options_;
  SchedulerHost& host_;
  LedgerRun piece_;
  std::optional<size_t> open_swap_;
  int64_t piece_until_ns_ = 0;
  uint64_t pieces_ = 0;

  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<LedgerRun> waiting_;  // mutex_
  bool writing_ = false;           // mutex_
  int lost_ = 0;                   // mutex_
  Ledger ledger_;                  // the writer's
  std::jthread writer_;            // last: it ends first
};

}  // namespace pointsman

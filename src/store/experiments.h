// ExperimentStore: the experiment server's queue and results, in two tables of their own inside a ledger's file. What it has said is there
// is there, also after the process or the machine was killed.
// Threads: one. Processes: one store a file (the server's own lock sees to it); others may read and append runs meanwhile.
// Errors: those of Ledger; of the calls besides: kNotFound (no such experiment), kBusy (another process writes), kIo (disk or limit full).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "store/ledger.h"

namespace pointsman {

struct StoredExperiment {
  int64_t id = 0;                 // from 1, never used again
  std::string state{};            // queued, running, done, failed, cancelled, aborted
  std::string spec{};             // JSON: what was asked for, complete
  std::string idempotency_key{};  // empty: none was given
  int64_t created_ms = 0, started_ms = 0, ended_ms = 0;  // since 1970; 0: not yet
  int repeats_done = 0;
  std::string error_code{}, error{};  // of failed and aborted ones

  [[nodiscard]] bool ended() const { return ended_ms != 0; }
};

class ExperimentStore {
 public:
  // Makes the file and the tables when they are not there.
  static Result<ExperimentStore> open(const std::string& path, const LedgerOptions& options = {});

  // Queued; or, when it starts at once, running. Errors besides: kInvalidArgument (the key is taken).
  struct Added {
    std::string spec{}, idempotency_key{};
    bool starts = false;
  };
  Result<StoredExperiment> add(const Added& added, int64_t now_ms);
  Result<Unit> start(int64_t id, int64_t now_ms);
  // Both are JSON objects; `costs` is small: what summaries need. The repeats of an experiment are stored in order.
  // The last one may end its experiment in the same step.
  struct Repeat {
    std::string costs{}, result{};
  };
  struct End {
    std::string state{}, error_code{}, error{};
  };
  Result<Unit> add_repeat(int64_t id, const Repeat& repeat, const std::optional<End>& end, int64_t now_ms);
  Result<Unit> end(int64_t id, const End& end, int64_t now_ms);
  // What was running when the last process ended is aborted now. Returns how many.
  Result<int> abort_running(const std::string& why, int64_t now_ms);

  Result<StoredExperiment> find(int64_t id);
  Result<std::optional<StoredExperiment>> find_by_key(const std::string& idempotency_key);
  struct Page {
    std::string state{};    // empty: all
    int64_t before_id = 0;  // 0: from the newest on
    int limit = 100;
  };
  Result<std::vector<StoredExperiment>> list(const Page& page);  // newest first
  Result<std::vector<int64_t>> queued();                         // in order of arrival
  Result<std::vector<Repeat>> repeats(int64_t id);
  Result<int64_t> count();

 private:
  struct Close {
    void operator()(sqlite3* db) const;
  };
  ExperimentStore(std::unique_ptr<sqlite3, Close> db, std::string path) : db_(std::move(db)), path_(std::move(path)) {}
  [[nodiscard]] Unexpected failure(const std::string& what) const;
  Result<Unit> run(const std::string& sql, const std::string& what);
  Result<Unit> change(const char* what, int64_t id);

  std::unique_ptr<sqlite3, Close> db_;
  std::string path_;
};

}  // namespace pointsman

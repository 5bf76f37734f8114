// Ledger: the store of runs, windows, decisions and swaps, in one SQLite file. A run is appended whole or not at all, also when the
// process is killed or the disk is full.
// Threads: one at a time. Processes: any number may read, one writes.
// Errors: kNotFound (no such file), kCorrupt (damaged), kInvalidArgument (not a ledger), kUnsupported (of a newer version), kBusy (another
// writer holds it), kPermissionDenied, kIo (full disk).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "store/run.h"

struct sqlite3;

namespace pointsman {

struct LedgerOptions {
  enum class Access { kRead, kWrite, kCreate };  // kCreate: write, and make it when it is not there
  Access access = Access::kCreate;
  int busy_wait_ms = 5000;  // how long to wait for another writer
  int64_t max_bytes = 0;    // 0: no limit of its own
};

// What to read; an unset field does not restrict.
struct RunFilter {
  std::optional<std::string> scenario{}, controller{}, split{};
  std::optional<uint64_t> seed{};
  bool only_sound = false;  // self-test passed and not rejected
  bool windows = true, decisions = true, swaps = true;
};

class Ledger {
 public:
  static Result<Ledger> open(const std::string& path, const LedgerOptions& options = {});
  Ledger(Ledger&&) noexcept;
  Ledger& operator=(Ledger&&) noexcept;
  ~Ledger();

  [[nodiscard]] Result<bool> has(const RunKey& key);
  // Errors besides the above: kInvalidArgument (a run of this key is there already).
  Result<Unit> append(const LedgerRun& run);
  // All in one transaction. Runs that are there already with the same results_hash are skipped, with another one refused (kCorrupt: one of
  // them is wrong). Returns how many were added.
  Result<int> merge(std::span<const LedgerRun> runs);
  // In the order of reads_before.
  Result<std::vector<LedgerRun>> read(const RunFilter& filter = {});
  Result<int64_t> count();

 private:
  struct Close {
    void operator()(sqlite3* db) const;
  };
  Ledger(std::unique_ptr<sqlite3, Close> db, std::string path);
  Result<Unit> insert(const LedgerRun& run);
  Result<Unit> in_transaction(const std::function<Result<Unit>()>& body);
  [[nodiscard]] Unexpected failure(const std::string& what) const;

  std::unique_ptr<sqlite3, Close> db_;
  std::string path_;
};

}  // namespace pointsman

#include "store/experiments.h"

#include <sqlite3.h>

#include <algorithm>

#include "store/statement.h"

namespace pointsman {

namespace {

// No part of the ledger's version: older builds read a ledger with these tables as if they were not there.
constexpr const char* kTables = R"sql(
CREATE TABLE IF NOT EXISTS experiments(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  state TEXT NOT NULL, spec TEXT NOT NULL, idempotency_key TEXT UNIQUE,
  created_ms INTEGER NOT NULL, started_ms INTEGER NOT NULL DEFAULT 0, ended_ms INTEGER NOT NULL DEFAULT 0,
  repeats_done INTEGER NOT NULL DEFAULT 0, error_code TEXT NOT NULL DEFAULT '', error TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS experiments_by_state ON experiments(state, id);
CREATE TABLE IF NOT EXISTS experiment_repeats(
  experiment INTEGER NOT NULL REFERENCES experiments(id) ON DELETE CASCADE, seq INTEGER NOT NULL, costs TEXT NOT NULL, result TEXT NOT NULL,
  PRIMARY KEY(experiment, seq)) WITHOUT ROWID;
)sql";

std::string select(const char* which) {
  return fmt::format(
      "SELECT id, state, spec, ifnull(idempotency_key, ''), created_ms, started_ms, ended_ms, repeats_done, error_code, error FROM experiments {}",
      which);
}

StoredExperiment row_of(Statement& s) {
  StoredExperiment e;
  e.id = s.whole();
  e.state = s.text();
  e.spec = s.text();
  e.idempotency_key = s.text();
  e.created_ms = s.whole();
  e.started_ms = s.whole();
  e.ended_ms = s.whole();
  e.repeats_done = s.small();
  e.error_code = s.text();
  e.error = s.text();
  return e;
}

}  // namespace

void ExperimentStore::Close::operator()(sqlite3* db) const { sqlite3_close_v2(db); }

Unexpected ExperimentStore::failure(const std::string& what) const { return sqlite_failure(db_.get(), path_, what); }

Result<Unit> ExperimentStore::run(const std::string& sql, const std::string& what) {
  if (sqlite3_exec(db_.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) return failure(what);
  return Unit{};
}

Result<ExperimentStore> ExperimentStore::open(const std::string& path, const LedgerOptions& options) {
  // Makes the file where there is none, and refuses what is no ledger of ours.
  if (auto ledger = Ledger::open(path, options); !ledger) return fail(ledger.error());
  const bool reads = options.access == LedgerOptions::Access::kRead;
  sqlite3* raw = nullptr;
  const int opened = sqlite3_open_v2(path.c_str(), &raw, (reads ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE) | SQLITE_OPEN_EXRESCODE, nullptr);
  ExperimentStore store(std::unique_ptr<sqlite3, Close>(raw), path);
  if (raw == nullptr) return fail(ErrorCode::kIo, "ledger {}: out of memory", path);
  if (opened != SQLITE_OK) return store.failure("open");
  sqlite3_busy_timeout(raw, options.busy_wait_ms);
  if (reads) return store;
  if (options.max_bytes > 0) {
    int64_t page_bytes = 4096;
    if (Statement s(raw, "PRAGMA page_size"); s.step() == SQLITE_ROW) page_bytes = s.whole();
    if (auto set = store.run(fmt::format("PRAGMA max_page_count={}", std::max<int64_t>(1, options.max_bytes / page_bytes)), "limit"); !set) return fail(set.error());
  }
  // What was said must be on the disk. With a log ahead of the file that takes one wait for the disk a step, with a journal beside it four.
  if (auto set = store.run("PRAGMA journal_mode=WAL; PRAGMA foreign_keys=ON; PRAGMA synchronous=FULL", "open"); !set) return fail(set.error());
  if (auto made = store.run(kTables, "make the tables of experiments"); !made) return fail(made.error());
  return store;
}

Result<StoredExperiment> ExperimentStore::add(const Added& added, int64_t now_ms) {
  int64_t id = 0;
  {
    Statement s(db_.get(), "INSERT INTO experiments(state, spec, idempotency_key, created_ms, started_ms) VALUES(?, ?, nullif(?, ''), ?, ?)");
    s.bind(std::string(added.starts ? "running" : "queued")).bind(added.spec).bind(added.idempotency_key).bind(now_ms).bind(added.starts ? now_ms : int64_t{0});
    if (!s.done()) return failure("queue an experiment");
    id = sqlite3_last_insert_rowid(db_.get());
  }
  return find(id);
}

Result<Unit> ExperimentStore::change(const char* what, int64_t id) {
  if (sqlite3_changes(db_.get()) == 0) return fail(ErrorCode::kNotFound, "ledger {}: {}: experiment {} is not there, or in another state", path_, what, id);
  return Unit{};
}

Result<Unit> ExperimentStore::start(int64_t id, int64_t now_ms) {
  Statement s(db_.get(), "UPDATE experiments SET state='running', started_ms=? WHERE id=? AND state='queued'");
  s.bind(now_ms).bind(id);
  if (!s.done()) return failure("start an experiment");
  return change("start", id);
}

Result<Unit> ExperimentStore::add_repeat(int64_t id, const Repeat& repeat, const std::optional<End>& how, int64_t now_ms) {
  if (auto begun = run("BEGIN IMMEDIATE", "begin"); !begun) return begun;
  auto kept = [&]() -> Result<Unit> {
    Statement s(db_.get(), "INSERT INTO experiment_repeats SELECT id, repeats_done, ?2, ?3 FROM experiments WHERE id=?1 AND state='running'");
    s.bind(id).bind(repeat.costs).bind(repeat.result);
    if (!s.done()) return failure("keep a result");
    if (auto there = change("keep a result", id); !there) return there;
    Statement counted(db_.get(), "UPDATE experiments SET repeats_done=repeats_done+1 WHERE id=?");
    counted.bind(id);
    if (!counted.done()) return failure("keep a result");
    return how ? end(id, *how, now_ms) : Result<Unit>(Unit{});
  }();
  if (kept) kept = run("COMMIT", "commit");
  // A full disk may have rolled back by itself.
  if (!kept && sqlite3_get_autocommit(db_.get()) == 0) static_cast<void>(run("ROLLBACK", "roll back"));
  return kept;
}

Result<Unit> ExperimentStore::end(int64_t id, const End& end, int64_t now_ms) {
  Statement s(db_.get(), "UPDATE experiments SET state=?, error_code=?, error=?, ended_ms=? WHERE id=? AND ended_ms=0");
  s.bind(end.state).bind(end.error_code).bind(end.error).bind(now_ms).bind(id);
  if (!s.done()) return failure("end an experiment");
  return change("end", id);
}

Result<int> ExperimentStore::abort_running(const std::string& why, int64_t now_ms) {
  Statement s(db_.get(), "UPDATE experiments SET state='aborted', error_code='interrupted', error=?, ended_ms=? WHERE state='running'");
  s.bind(why).bind(now_ms);
  if (!s.done()) return failure("abort what was running");
  return sqlite3_changes(db_.get());
}

Result<StoredExperiment> ExperimentStore::find(int64_t id) {
  Statement s(db_.get(), select("WHERE id=?").c_str());
  s.bind(id);
  const int step = s.step();
  if (step == SQLITE_DONE) return fail(ErrorCode::kNotFound, "there is no experiment {}", id);
  if (step != SQLITE_ROW) return failure("look up an experiment");
  return row_of(s);
}

Result<std::optional<StoredExperiment>> ExperimentStore::find_by_key(const std::string& idempotency_key) {
  Statement s(db_.get(), select("WHERE idempotency_key=?").c_str());
  s.bind(idempotency_key);
  const int step = s.step();
  if (step == SQLITE_DONE) return std::optional<StoredExperiment>();
  if (step != SQLITE_ROW) return failure("look up an experiment");
  return std::optional(row_of(s));
}

Result<std::vector<StoredExperiment>> ExperimentStore::list(const Page& page) {
  Statement s(db_.get(), select("WHERE (?1='' OR state=?1) AND (?2=0 OR id<?2) ORDER BY id DESC LIMIT ?3").c_str());
  s.bind(page.state).bind(page.before_id).bind(page.limit);
  std::vector<StoredExperiment> out;
  int step = s.step();
  for (; step == SQLITE_ROW; step = s.step()) out.push_back(row_of(s));
  if (step != SQLITE_DONE) return failure("list experiments");
  return out;
}

Result<std::vector<int64_t>> ExperimentStore::queued() {
  Statement s(db_.get(), "SELECT id FROM experiments WHERE state='queued' ORDER BY id");
  std::vector<int64_t> out;
  int step = s.step();
  for (; step == SQLITE_ROW; step = s.step()) out.push_back(s.whole());
  if (step != SQLITE_DONE) return failure("list the queue");
  return out;
}

Result<std::vector<ExperimentStore::Repeat>> ExperimentStore::repeats(int64_t id) {
  Statement s(db_.get(), "SELECT costs, result FROM experiment_repeats WHERE experiment=? ORDER BY seq");
  s.bind(id);
  std::vector<Repeat> out;
  int step = s.step();
  for (; step == SQLITE_ROW; step = s.step()) {
    Repeat& repeat = out.emplace_back();
    repeat.costs = s.text();
    repeat.result = s.text();
  }
  if (step != SQLITE_DONE) return failure("read results");
  return out;
}

Result<int64_t> ExperimentStore::count() {
  Statement s(db_.get(), "SELECT count(*) FROM experiments");
  if (s.step() != SQLITE_ROW) return failure("count experiments");
  return s.whole();
}

}  // namespace pointsman

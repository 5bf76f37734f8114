#include "store/ledger.h"

#include <sqlite3.h>

#include <algorithm>
#include <cerrno>
#include <cmath>

#include "store/statement.h"

namespace pointsman {

namespace {

constexpr int kApplicationId = 0x504D4C47;  // "PMLG"
constexpr int kVersion = 2, kOldestVersion = 1;  // 1 had no reasons

constexpr const char* kSchema = R"sql(
CREATE TABLE runs(
  id INTEGER PRIMARY KEY,
  scenario TEXT NOT NULL, controller TEXT NOT NULL, seed INTEGER NOT NULL, draw INTEGER NOT NULL,
  kernel TEXT NOT NULL, binary TEXT NOT NULL, plan TEXT NOT NULL, qemu TEXT NOT NULL, snapshot TEXT NOT NULL,
  split TEXT NOT NULL, selftest_ok INTEGER NOT NULL, rejected TEXT NOT NULL,
  features_schema TEXT NOT NULL, results_hash TEXT NOT NULL, details TEXT NOT NULL,
  UNIQUE(scenario, seed, draw, controller, kernel, binary, plan, qemu, snapshot));
CREATE TABLE costs(
  run INTEGER NOT NULL REFERENCES runs(id) ON DELETE CASCADE, seq INTEGER NOT NULL,
  phase INTEGER NOT NULL, kind INTEGER NOT NULL, family TEXT NOT NULL, jobs INTEGER NOT NULL, unscored INTEGER NOT NULL,
  log_slowdown REAL, mean_tat_s REAL, mean_rt_s REAL, cv_fairness REAL, seed_l REAL, mean_slowdown REAL,
  p99_rt_short_s REAL, p99_tat_s REAL, makespan_s REAL,
  PRIMARY KEY(run, seq)) WITHOUT ROWID;
CREATE TABLE windows(
  run INTEGER NOT NULL REFERENCES runs(id) ON DELETE CASCADE, seq INTEGER NOT NULL,
  end_ns INTEGER NOT NULL, arm TEXT NOT NULL, idle INTEGER NOT NULL, features BLOB NOT NULL,  -- float32, little-endian
  PRIMARY KEY(run, seq)) WITHOUT ROWID;
CREATE TABLE decisions(
  run INTEGER NOT NULL REFERENCES runs(id) ON DELETE CASCADE, seq INTEGER NOT NULL,
  at_ns INTEGER NOT NULL, arm TEXT NOT NULL, taken TEXT NOT NULL, propensity REAL NOT NULL, why TEXT NOT NULL, held_back TEXT NOT NULL,
  predicted BLOB NOT NULL, deviation BLOB NOT NULL,  -- float64, little-endian, by choosable arm
  PRIMARY KEY(run, seq)) WITHOUT ROWID;
CREATE TABLE swaps(
  run INTEGER NOT NULL REFERENCES runs(id) ON DELETE CASCADE, seq INTEGER NOT NULL,
  at_ns INTEGER NOT NULL, from_arm TEXT NOT NULL, to_arm TEXT NOT NULL, outcome TEXT NOT NULL, detail TEXT NOT NULL,
  call_ns INTEGER NOT NULL, attach_ns INTEGER NOT NULL, detach_ns INTEGER NOT NULL, first_dispatch_ns INTEGER NOT NULL,
  all_cpus_ns INTEGER NOT NULL, longest_wait_ns INTEGER NOT NULL, moved INTEGER NOT NULL,
  PRIMARY KEY(run, seq)) WITHOUT ROWID;
)sql";

// What a decision was made from beyond the window; only where there is anything.
constexpr const char* kReasons = R"sql(
CREATE TABLE IF NOT EXISTS reasons(
  run INTEGER NOT NULL REFERENCES runs(id) ON DELETE CASCADE, seq INTEGER NOT NULL,
  live_cost REAL, replayed BLOB NOT NULL, votes TEXT NOT NULL,  -- float64, little-endian, by choosable arm
  PRIMARY KEY(run, seq)) WITHOUT ROWID;
)sql";

void bind_key(Statement& s, const RunKey& k) {
  s.bind(k.scenario).bind(k.seed).bind(k.draw).bind(k.controller).bind(k.kernel).bind(k.binary).bind(k.plan).bind(k.qemu).bind(k.snapshot);
}

constexpr const char* kFind =
    "SELECT results_hash FROM runs WHERE scenario=?1 AND seed=?2 AND draw=?3 AND controller=?4 AND kernel=?5 AND binary=?6 AND plan=?7 AND "
    "qemu=?8 AND snapshot=?9";

}  // namespace

void Ledger::Close::operator()(sqlite3* db) const { sqlite3_close_v2(db); }
Ledger::Ledger(std::unique_ptr<sqlite3, Close> db, std::string path) : db_(std::move(db)), path_(std::move(path)) {}
Ledger::Ledger(Ledger&&) noexcept = default;
Ledger& Ledger::operator=(Ledger&&) noexcept = default;
Ledger::~Ledger() = default;

Unexpected Ledger::failure(const std::string& what) const { return sqlite_failure(db_.get(), path_, what); }

Result<Ledger> Ledger::open(const std::string& path, const LedgerOptions& options) {
  const int flags = options.access == LedgerOptions::Access::kRead    ? SQLITE_OPEN_READONLY
                    : options.access == LedgerOptions::Access::kWrite ? SQLITE_OPEN_READWRITE
                                                                      : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  sqlite3* raw = nullptr;
  const int opened = sqlite3_open_v2(path.c_str(), &raw, flags | SQLITE_OPEN_EXRESCODE, nullptr);
  std::unique_ptr<sqlite3, Close> db(raw);
  if (raw == nullptr) return fail(ErrorCode::kIo, "ledger {}: out of memory", path);
  if (opened != SQLITE_OK) {
    errno = sqlite3_system_errno(raw);
    if (errno != 0) return fail_errno("ledger " + path + ": open");
    return sqlite_failure(raw, path, "open");
  }
  sqlite3_busy_timeout(raw, options.busy_wait_ms);

  const auto pragma = [&](const std::string& name) -> Result<int64_t> {
    Statement s(raw, ("PRAGMA " + name).c_str());
    const int step = s.step();
    if (step != SQLITE_ROW && step != SQLITE_DONE) return sqlite_failure(raw, path, "open");
    return step == SQLITE_ROW ? s.whole() : 0;
  };
  Ledger ledger(std::move(db), path);
  auto application = pragma("application_id");
  if (!application) return fail(application.error());
  auto objects = [&]() -> Result<int64_t> {
    Statement s(raw, "SELECT count(*) FROM sqlite_master");
    if (s.step() != SQLITE_ROW) return sqlite_failure(raw, path, "open");
    return s.whole();
  }();
  if (!objects) return fail(objects.error());
  if (*application != kApplicationId && (*objects > 0 || *application != 0))
    return fail(ErrorCode::kInvalidArgument, "ledger {}: an SQLite file, but not a ledger of ours", path);
  auto version = pragma("user_version");
  if (!version) return fail(version.error());
  if (*application == kApplicationId && (*version < kOldestVersion || *version > kVersion))
    return fail(ErrorCode::kUnsupported, "ledger {}: version {}, this build reads versions {} to {}", path, *version, kOldestVersion, kVersion);
  if (*objects > 0) {
    Statement s(raw, "PRAGMA quick_check(1)");
    const int step = s.step();
    if (step != SQLITE_ROW) return sqlite_failure(raw, path, "check");
    if (const std::string found = s.text(); found != "ok") {
      std::string line = found;
      for (char& c : line)
        if (c == '\n') c = ' ';
      return fail(ErrorCode::kCorrupt, "ledger {}: damaged: {}", path, line);
    }
  }
  if (options.max_bytes > 0) {
    auto page = pragma("page_size");
    if (!page) return fail(page.error());
    if (auto set = pragma(fmt::format("max_page_count={}", std::max<int64_t>(1, options.max_bytes / *page))); !set)
      return fail(set.error());
  }
  for (const char* setting : {"foreign_keys=ON", "synchronous=FULL"})
    if (auto set = pragma(setting); !set) return fail(set.error());
  if (*objects == 0) {
    if (options.access == LedgerOptions::Access::kRead) return fail(ErrorCode::kNotFound, "ledger {}: empty", path);
    auto made = ledger.in_transaction([&]() -> Result<Unit> {
      // Another process may have made it since we looked.
      Statement again(raw, "SELECT count(*) FROM sqlite_master");
      if (again.step() != SQLITE_ROW) return ledger.failure("create");
      if (again.whole() > 0) return Unit{};
      const std::string all = fmt::format("{}{}PRAGMA application_id={};PRAGMA user_version={};", kSchema, kReasons, kApplicationId, kVersion);
      if (sqlite3_exec(raw, all.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) return ledger.failure("create");
      return Unit{};
    });
    if (!made) return fail(made.error());
  } else if (*version < kVersion && options.access != LedgerOptions::Access::kRead) {
    auto made = ledger.in_transaction([&]() -> Result<Unit> {
      const std::string all = fmt::format("{}PRAGMA user_version={};", kReasons, kVersion);
      if (sqlite3_exec(raw, all.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) return ledger.failure("bring up to date");
      return Unit{};
    });
    if (!made) return fail(made.error());
  }
  return ledger;
}

Result<Unit> Ledger::in_transaction(const std::function<Result<Unit>()>& body) {
  // IMMEDIATE: wait for the other writer here, where waiting is safe, not in the middle.
  if (sqlite3_exec(db_.get(), "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) != SQLITE_OK) return failure("begin");
  auto result = body();
  if (result && sqlite3_exec(db_.get(), "COMMIT", nullptr, nullptr, nullptr) != SQLITE_OK) result = failure("commit");
  // A full disk may have rolled back by itself.
  if (!result && sqlite3_get_autocommit(db_.get()) == 0) sqlite3_exec(db_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
  return result;
}

Result<bool> Ledger::has(const RunKey& key) {
  Statement s(db_.get(), kFind);
  bind_key(s, key);
  const int step = s.step();
  if (step != SQLITE_ROW && step != SQLITE_DONE) return failure("look up a run");
  return step == SQLITE_ROW;
}

Result<Unit> Ledger::append(const LedgerRun& run) {
  return in_transaction([&]() -> Result<Unit> {
    auto known = has(run.key);
    if (!known) return fail(known.error());
    if (*known) return fail(ErrorCode::kInvalidArgument, "ledger {}: {} is there already", path_, describe(run.key));
    return insert(run);
  });
}

Result<int> Ledger::merge(std::span<const LedgerRun> runs) {
  int added = 0;
  auto merged = in_transaction([&]() -> Result<Unit> {
    for (const LedgerRun& run : runs) {
      Statement s(db_.get(), kFind);
      bind_key(s, run.key);
      const int step = s.step();
      if (step == SQLITE_ROW) {
        if (s.text() == run.results_hash) continue;
        return fail(ErrorCode::kCorrupt, "ledger {}: {} is there with other results: one of the two is wrong", path_, describe(run.key));
      }
      if (step != SQLITE_DONE) return failure("look up a run");
      if (auto inserted = insert(run); !inserted) return inserted;
      ++added;
    }
    return Unit{};
  });
  if (!merged) return fail(merged.error());
  return added;
}

Result<Unit> Ledger::insert(const LedgerRun& run) {
  sqlite3* db = db_.get();
  {
    Statement s(db,
                "INSERT INTO runs(scenario, seed, draw, controller, kernel, binary, plan, qemu, snapshot, split, selftest_ok, rejected, "
                "features_schema, "
                "results_hash, details) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
    bind_key(s, run.key);
    s.bind(run.split).bind(run.selftest_ok).bind(run.rejected).bind(run.features_schema).bind(run.results_hash).bind(run.details);
    if (!s.done()) return failure("append a run");
  }
  const int64_t id = sqlite3_last_insert_rowid(db);
  Statement costs(db, "INSERT INTO costs VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
  for (size_t i = 0; i < run.costs.size(); ++i) {
    const LedgerCosts& c = run.costs[i];
    costs.bind(id)
        .bind(uint64_t{i})
        .bind(c.phase)
        .bind(c.kind)
        .bind(c.family)
        .bind(c.jobs)
        .bind(c.unscored)
        .bind(c.log_slowdown)
        .bind(c.mean_tat_s);
    costs.bind(c.mean_rt_s)
        .bind(c.cv_fairness)
        .bind(c.seed_l)
        .bind(c.mean_slowdown)
        .bind(c.p99_rt_short_s)
        .bind(c.p99_tat_s)
        .bind(c.makespan_s);
    if (!costs.done()) return failure("append costs");
    costs.reset();
  }
  Statement windows(db, "INSERT INTO windows VALUES(?,?,?,?,?,?)");
  for (size_t i = 0; i < run.windows.size(); ++i) {
    const LedgerWindow& w = run.windows[i];
    windows.bind(id).bind(uint64_t{i}).bind(w.end_ns).bind(w.arm).bind(w.idle).bind(w.features);
    if (!windows.done()) return failure("append windows");
    windows.reset();
  }
  Statement decisions(db, "INSERT INTO decisions VALUES(?,?,?,?,?,?,?,?,?,?)");
  for (size_t i = 0; i < run.decisions.size(); ++i) {
    const LedgerDecision& d = run.decisions[i];
    decisions.bind(id).bind(uint64_t{i}).bind(d.at_ns).bind(d.arm).bind(d.taken).bind(d.propensity).bind(d.why).bind(d.held_back);
    decisions.bind(d.predicted).bind(d.deviation);
    if (!decisions.done()) return failure("append decisions");
    decisions.reset();
  }
  Statement reasons(db, "INSERT INTO reasons VALUES(?,?,?,?,?)");
  for (size_t i = 0; i < run.decisions.size(); ++i) {
    const LedgerDecision& d = run.decisions[i];
    if (std::isnan(d.live_cost) && d.replayed.empty() && d.votes.empty()) continue;
    reasons.bind(id).bind(uint64_t{i}).bind(d.live_cost).bind(d.replayed).bind(d.votes);
    if (!reasons.done()) return failure("append reasons");
    reasons.reset();
  }
  Statement swaps(db, "INSERT INTO swaps VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
  for (size_t i = 0; i < run.swaps.size(); ++i) {
    const LedgerSwap& w = run.swaps[i];
    swaps.bind(id).bind(uint64_t{i}).bind(w.at_ns).bind(w.from).bind(w.to).bind(w.outcome).bind(w.detail).bind(w.call_ns).bind(w.attach_ns);
    swaps.bind(w.detach_ns).bind(w.first_dispatch_ns).bind(w.all_cpus_ns).bind(w.longest_wait_ns).bind(w.moved);
    if (!swaps.done()) return failure("append swaps");
    swaps.reset();
  }
  return Unit{};
}

Result<std::vector<LedgerRun>> Ledger::read(const RunFilter& filter) {
  sqlite3* db = db_.get();
  std::vector<LedgerRun> runs;
  std::vector<int64_t> ids;
  std::string sql =
      "SELECT id, scenario, seed, draw, controller, kernel, binary, plan, qemu, snapshot, split, selftest_ok, rejected, features_schema, "
      "results_hash, details FROM runs WHERE 1";
  if (filter.scenario) sql += " AND scenario=?";
  if (filter.controller) sql += " AND controller=?";
  if (filter.split) sql += " AND split=?";
  if (filter.seed) sql += " AND seed=?";
  if (filter.only_sound) sql += " AND selftest_ok AND rejected=''";
  Statement s(db, sql.c_str());
  if (filter.scenario) s.bind(*filter.scenario);
  if (filter.controller) s.bind(*filter.controller);
  if (filter.split) s.bind(*filter.split);
  if (filter.seed) s.bind(*filter.seed);
  // One snapshot of the file for all that follows: a writer between two queries must not show half a run.
  if (sqlite3_exec(db, "BEGIN", nullptr, nullptr, nullptr) != SQLITE_OK) return failure("begin to read");
  struct End {
    sqlite3* db;
    ~End() { sqlite3_exec(db, "ROLLBACK", nullptr, nullptr, nullptr); }
  } end{db};
  int step = s.step();
  for (; step == SQLITE_ROW; step = s.step()) {
    ids.push_back(s.whole());
    LedgerRun run;
    run.key.scenario = s.text();
    run.key.seed = static_cast<uint64_t>(s.whole());
    run.key.draw = static_cast<uint64_t>(s.whole());
    run.key.controller = s.text();
    run.key.kernel = s.text();
    run.key.binary = s.text();
    run.key.plan = s.text();
    run.key.qemu = s.text();
    run.key.snapshot = s.text();
    run.split = s.text();
    run.selftest_ok = s.whole() != 0;
    run.rejected = s.text();
    run.features_schema = s.text();
    run.results_hash = s.text();
    run.details = s.text();
    runs.push_back(std::move(run));
  }
  if (step != SQLITE_DONE) return failure("read runs");

  // One query a table and run; `take` reads a row.
  const auto rows = [&](const char* table_sql, const auto& take) -> Result<Unit> {
    Statement rows_statement(db, table_sql);
    for (size_t i = 0; i < runs.size(); ++i) {
      rows_statement.bind(ids[i]);
      int row = rows_statement.step();
      for (; row == SQLITE_ROW; row = rows_statement.step()) take(rows_statement, runs[i]);
      if (row != SQLITE_DONE) return failure("read runs");
      rows_statement.reset();
    }
    return Unit{};
  };
  auto read = rows(
      "SELECT phase, kind, family, jobs, unscored, log_slowdown, mean_tat_s, mean_rt_s, cv_fairness, seed_l, mean_slowdown, "
      "p99_rt_short_s, "
      "p99_tat_s, makespan_s FROM costs WHERE run=? ORDER BY seq",
      [](Statement& r, LedgerRun& run) {
        LedgerCosts c;
        c.phase = r.small();
        c.kind = r.small();
        c.family = r.text();
        c.jobs = r.small();
        c.unscored = r.small();
        for (double* field : {&c.log_slowdown, &c.mean_tat_s, &c.mean_rt_s, &c.cv_fairness, &c.seed_l, &c.mean_slowdown, &c.p99_rt_short_s,
                              &c.p99_tat_s, &c.makespan_s})
          *field = r.real();
        run.costs.push_back(std::move(c));
      });
  if (read && filter.windows)
    read = rows("SELECT end_ns, arm, idle, features FROM windows WHERE run=? ORDER BY seq", [](Statement& r, LedgerRun& run) {
      LedgerWindow w;
      w.end_ns = r.whole();
      w.arm = r.text();
      w.idle = r.whole() != 0;
      w.features = r.numbers<float>();
      run.windows.push_back(std::move(w));
    });
  if (read && filter.decisions)
    read = rows("SELECT at_ns, arm, taken, propensity, why, held_back, predicted, deviation FROM decisions WHERE run=? ORDER BY seq",
                [](Statement& r, LedgerRun& run) {
                  LedgerDecision d;
                  d.at_ns = r.whole();
                  d.arm = r.text();
                  d.taken = r.text();
                  d.propensity = r.real();
                  d.why = r.text();
                  d.held_back = r.text();
                  d.predicted = r.numbers<double>();
                  d.deviation = r.numbers<double>();
                  run.decisions.push_back(std::move(d));
                });
  // A ledger of version 1 that is only read has none.
  const bool has_reasons = Statement(db_.get(), "SELECT 1 FROM sqlite_master WHERE name='reasons'").step() == SQLITE_ROW;
  if (read && filter.decisions && has_reasons)
    read = rows("SELECT seq, live_cost, replayed, votes FROM reasons WHERE run=? ORDER BY seq", [](Statement& r, LedgerRun& run) {
      const int64_t seq = r.whole();
      if (seq < 0 || static_cast<size_t>(seq) >= run.decisions.size()) return;
      LedgerDecision& d = run.decisions[static_cast<size_t>(seq)];
      d.live_cost = r.real();
      d.replayed = r.numbers<double>();
      d.votes = r.text();
    });
  if (read && filter.swaps)
    read = rows(
        "SELECT at_ns, from_arm, to_arm, outcome, detail, call_ns, attach_ns, detach_ns, first_dispatch_ns, all_cpus_ns, longest_wait_ns, "
        "moved "
        "FROM swaps WHERE run=? ORDER BY seq",
        [](Statement& r, LedgerRun& run) {
          LedgerSwap w;
          w.at_ns = r.whole();
          w.from = r.text();
          w.to = r.text();
          w.outcome = r.text();
          w.detail = r.text();
          for (int64_t* field : {&w.call_ns, &w.attach_ns, &w.detach_ns, &w.first_dispatch_ns, &w.all_cpus_ns, &w.longest_wait_ns})
            *field = r.whole();
          w.moved = r.small();
          run.swaps.push_back(std::move(w));
        });
  if (!read) return fail(read.error());
  std::sort(runs.begin(), runs.end(), [](const LedgerRun& a, const LedgerRun& b) { return reads_before(a.key, b.key); });
  return runs;
}

Result<int64_t> Ledger::count() {
  Statement s(db_.get(), "SELECT count(*) FROM runs");
  if (s.step() != SQLITE_ROW) return failure("count runs");
  return s.whole();
}

}  // namespace pointsman

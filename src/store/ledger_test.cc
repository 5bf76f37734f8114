#include "store/ledger.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>

#include "base/file.h"

namespace pointsman {
namespace {

using testing::HasSubstr;

LedgerRun sample_run(uint64_t seed, const std::string& controller = "las", int windows = 3) {
  LedgerRun run;
  run.key = {.scenario = "batch",
             .controller = controller,
             .seed = seed,
             .draw = 2,
             .kernel = "k1",
             .binary = "b1",
             .plan = "p1",
             .qemu = "q1",
             .snapshot = "s1"};
  run.split = "train";
  run.selftest_ok = true;
  run.features_schema = "f00d";
  run.results_hash = "abc" + std::to_string(seed);
  run.details = R"({"cpu_ns":12})";
  LedgerCosts all{.family = "batch",
                  .jobs = 16,
                  .unscored = 1,
                  .log_slowdown = .1 + .2,
                  .mean_tat_s = 1e-3,
                  .mean_rt_s = 2,
                  .cv_fairness = 3,
                  .seed_l = 4,
                  .mean_slowdown = 5,
                  .p99_rt_short_s = std::nan(""),
                  .p99_tat_s = 7,
                  .makespan_s = 8};
  run.costs = {all, all};
  run.costs[1].phase = 0;
  run.costs[1].kind = 3;
  for (int i = 0; i < windows; ++i) {
    run.windows.push_back({.end_ns = int64_t{250'000'000} * (i + 1),
                           .arm = controller,
                           .idle = i == 0,
                           .features = {1.5f, -0.f, 3e-9f * static_cast<float>(i)}});
    run.decisions.push_back({.at_ns = int64_t{250'000'000} * (i + 1),
                             .arm = "age",
                             .taken = "las",
                             .propensity = 1.0 / 6,
                             .why = "it's \"so\"",
                             .held_back = "dwell",
                             .predicted = {.1, -.2},
                             .deviation = {},
                             .live_cost = 14.25,
                             .replayed = {0, .5},
                             .votes = "[]"});
  }
  run.swaps.push_back({.at_ns = 5,
                       .from = "hyb",
                       .to = "las",
                       .outcome = "ejected",
                       .detail = "runnable task stall",
                       .call_ns = 300'000,
                       .longest_wait_ns = 9,
                       .moved = 12});
  return run;
}

class LedgerTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ = testing::TempDir() + "pointsman_ledger_" + std::to_string(getpid()) + ".db";
    TearDown();
  }
  void TearDown() override {
    for (const char* tail : {"", "-journal", "-wal", "-shm"}) std::filesystem::remove(path_ + tail);
  }
  Ledger open(const LedgerOptions& options = {}) {
    auto ledger = Ledger::open(path_, options);
    EXPECT_TRUE(ledger) << ledger.error().message;
    return std::move(*ledger);
  }
  Error refusal(const LedgerOptions& options = {}) {
    auto ledger = Ledger::open(path_, options);
    EXPECT_FALSE(ledger);
    return ledger ? Error{} : ledger.error();
  }
  std::string path_;
};

TEST_F(LedgerTest, WhatGoesInComesOut) {
  const LedgerRun in = sample_run(~uint64_t{0});
  {
    Ledger ledger = open();
    EXPECT_FALSE(*ledger.has(in.key));
    ASSERT_TRUE(ledger.append(in));
    EXPECT_TRUE(*ledger.has(in.key));
  }
  Ledger ledger = open({.access = LedgerOptions::Access::kRead});
  auto runs = ledger.read();
  ASSERT_TRUE(runs) << runs.error().message;
  ASSERT_EQ(runs->size(), 1u);
  const LedgerRun& out = runs->front();
  EXPECT_EQ(out.key, in.key);
  EXPECT_EQ(out.split, in.split);
  EXPECT_EQ(out.selftest_ok, true);
  EXPECT_EQ(out.rejected, "");
  EXPECT_EQ(out.features_schema, in.features_schema);
  EXPECT_EQ(out.results_hash, in.results_hash);
  EXPECT_EQ(out.details, in.details);
  ASSERT_EQ(out.costs.size(), 2u);
  EXPECT_EQ(out.costs[0].phase, -1);
  EXPECT_EQ(out.costs[1].phase, 0);
  EXPECT_EQ(out.costs[1].kind, 3);
  EXPECT_EQ(out.costs[0].log_slowdown, .1 + .2);  // to the bit
  EXPECT_TRUE(std::isnan(out.costs[0].p99_rt_short_s));
  EXPECT_EQ(out.costs[0].makespan_s, 8);
  EXPECT_EQ(out.costs[0].unscored, 1);
  ASSERT_EQ(out.windows.size(), 3u);
  EXPECT_EQ(out.windows[2].features, in.windows[2].features);
  EXPECT_TRUE(std::signbit(out.windows[0].features[1]));
  EXPECT_TRUE(out.windows[0].idle);
  EXPECT_EQ(out.windows[1].end_ns, 500'000'000);
  ASSERT_EQ(out.decisions.size(), 3u);
  EXPECT_EQ(out.decisions[0].propensity, 1.0 / 6);
  EXPECT_EQ(out.decisions[0].why, "it's \"so\"");
  EXPECT_EQ(out.decisions[0].predicted, (std::vector<double>{.1, -.2}));
  EXPECT_TRUE(out.decisions[0].deviation.empty());
  EXPECT_EQ(out.decisions[0].live_cost, 14.25);
  EXPECT_EQ(out.decisions[0].replayed, (std::vector<double>{0, .5}));
  EXPECT_EQ(out.decisions[0].votes, "[]");
  ASSERT_EQ(out.swaps.size(), 1u);
  EXPECT_EQ(out.swaps[0].detail, "runnable task stall");
  EXPECT_EQ(out.swaps[0].call_ns, 300'000);
  EXPECT_EQ(out.swaps[0].attach_ns, -1);
  EXPECT_EQ(out.swaps[0].moved, 12);
}

TEST_F(LedgerTest, TheSameKeyTwiceIsRefusedAndChangesNothing) {
  Ledger ledger = open();
  ASSERT_TRUE(ledger.append(sample_run(1)));
  const auto again = ledger.append(sample_run(1, "las", 9));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(again.error().message, HasSubstr("batch seed 1 draw 2 under las is there already"));
  EXPECT_EQ(ledger.read()->front().windows.size(), 3u);
  LedgerRun other_snapshot = sample_run(1);
  other_snapshot.key.snapshot = "s2";
  EXPECT_FALSE(*ledger.has(other_snapshot.key));
  EXPECT_TRUE(ledger.append(other_snapshot));
  EXPECT_EQ(*ledger.count(), 2);
}

TEST_F(LedgerTest, ReadsInOneOrderHoweverItWasWritten) {
  Ledger ledger = open();
  for (const auto& [seed, arm] : std::vector<std::pair<uint64_t, const char*>>{{10, "las"}, {9, "hyb"}, {9, "age"}, {2, "las"}})
    ASSERT_TRUE(ledger.append(sample_run(seed, arm)));
  auto runs = ledger.read({.windows = false, .decisions = false, .swaps = false});
  std::string order;
  for (const LedgerRun& run : *runs) {
    order += std::to_string(run.key.seed) + run.key.controller + " ";
    EXPECT_TRUE(run.windows.empty() && run.decisions.empty() && run.swaps.empty());
    EXPECT_EQ(run.costs.size(), 2u);
  }
  EXPECT_EQ(order, "2las 9age 9hyb 10las ");
}

TEST_F(LedgerTest, FiltersRestrict) {
  Ledger ledger = open();
  LedgerRun test = sample_run(1), failed = sample_run(2), late = sample_run(3);
  test.split = "test-seeds";
  failed.selftest_ok = false;
  late.rejected = "dispatcher's lag 40 ms";
  for (const LedgerRun& run : {test, failed, late, sample_run(4, "hyb")}) ASSERT_TRUE(ledger.append(run));
  EXPECT_EQ(ledger.read({.split = "train"})->size(), 3u);
  EXPECT_EQ(ledger.read({.only_sound = true})->size(), 2u);
  EXPECT_EQ(ledger.read({.controller = "hyb", .split = "train", .only_sound = true})->size(), 1u);
  EXPECT_EQ(ledger.read({.scenario = "web"})->size(), 0u);
  EXPECT_EQ(ledger.read({.seed = 2})->front().selftest_ok, false);
  EXPECT_EQ(ledger.read({.seed = 3})->front().rejected, "dispatcher's lag 40 ms");
}

TEST_F(LedgerTest, MergeIsAllOrNothing) {
  Ledger ledger = open();
  ASSERT_TRUE(ledger.append(sample_run(2)));
  auto added = ledger.merge(std::vector{sample_run(1), sample_run(2), sample_run(3)});
  ASSERT_TRUE(added);
  EXPECT_EQ(*added, 2);
  LedgerRun wrong = sample_run(3);
  wrong.results_hash = "other";
  added = ledger.merge(std::vector{sample_run(4), wrong});
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().code, ErrorCode::kCorrupt);
  EXPECT_THAT(added.error().message, HasSubstr("batch seed 3 draw 2 under las is there with other results"));
  EXPECT_EQ(*ledger.count(), 3);
}

TEST_F(LedgerTest, AKilledWriterLeavesWholeRunsOnly) {
  int pipe_fds[2];
  ASSERT_EQ(pipe(pipe_fds), 0);
  const pid_t child = fork();
  if (child == 0) {
    close(pipe_fds[0]);
    auto ledger = Ledger::open(path_);
    if (!ledger) _exit(3);
    for (uint64_t seed = 0;; ++seed) {
      if (!ledger->append(sample_run(seed, "las", 400))) _exit(4);
      if (write(pipe_fds[1], "x", 1) != 1) _exit(5);
    }
  }
  close(pipe_fds[1]);
  char byte;
  int appended = 0;
  while (appended < 6 && read(pipe_fds[0], &byte, 1) == 1) ++appended;
  kill(child, SIGKILL);  // somewhere in the middle of the next one
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status)) << "the writer ended by itself with " << WEXITSTATUS(status);
  close(pipe_fds[0]);
  ASSERT_EQ(appended, 6);
  Ledger ledger = open();
  auto runs = ledger.read();
  ASSERT_TRUE(runs) << runs.error().message;
  EXPECT_GE(runs->size(), 6u);
  for (const LedgerRun& run : *runs) {
    EXPECT_EQ(run.windows.size(), 400u);
    EXPECT_EQ(run.decisions.size(), 400u);
    EXPECT_EQ(run.swaps.size(), 1u);
  }
  EXPECT_TRUE(ledger.append(sample_run(1000000)));
}

TEST_F(LedgerTest, AFullDiskKeepsWhatWasThere) {
  Ledger ledger = open({.max_bytes = 200'000});
  uint64_t seed = 0;
  Result<Unit> appended = Unit{};
  while ((appended = ledger.append(sample_run(seed, "las", 200)))) ASSERT_LT(++seed, 100u);
  EXPECT_EQ(appended.error().code, ErrorCode::kIo);
  EXPECT_THAT(appended.error().message, HasSubstr("database or disk is full"));
  EXPECT_GE(seed, 1u);
  EXPECT_EQ(*ledger.count(), static_cast<int64_t>(seed));
  EXPECT_EQ(ledger.read()->back().windows.size(), 200u);
  EXPECT_TRUE(open().append(sample_run(seed, "las", 200)));
}

TEST_F(LedgerTest, AnotherWriterMakesItBusy) {
  {
    open();
  }
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  Ledger ledger = open({.busy_wait_ms = 0});
  const auto appended = ledger.append(sample_run(1));
  ASSERT_FALSE(appended);
  EXPECT_EQ(appended.error().code, ErrorCode::kBusy);
  EXPECT_EQ(appended.error().message, "ledger " + path_ + ": begin: database is locked");
  EXPECT_EQ(*ledger.count(), 0);  // reading goes on
  sqlite3_close(other);
  EXPECT_TRUE(ledger.append(sample_run(1)));
}

TEST_F(LedgerTest, RefusesWhatIsNotALedger) {
  EXPECT_EQ(refusal({.access = LedgerOptions::Access::kRead}).code, ErrorCode::kNotFound);
  EXPECT_EQ(refusal({.access = LedgerOptions::Access::kWrite}).code, ErrorCode::kNotFound);
  ASSERT_TRUE(write_file(path_, "this is a text file, and long enough to be no empty database: " + std::string(2000, '.')));
  EXPECT_EQ(refusal().code, ErrorCode::kCorrupt);
  EXPECT_EQ(refusal().message, "ledger " + path_ + ": open: file is not a database");
  std::filesystem::remove(path_);
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "CREATE TABLE bookmarks(x)", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(other);
  EXPECT_EQ(refusal().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(refusal().message, "ledger " + path_ + ": an SQLite file, but not a ledger of ours");
  path_ = testing::TempDir() + "no/such/folder/ledger.db";
  EXPECT_EQ(refusal().code, ErrorCode::kNotFound);
}

TEST_F(LedgerTest, RefusesANewerVersion) {
  {
    open();
  }
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "PRAGMA user_version=7", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(other);
  EXPECT_EQ(refusal().code, ErrorCode::kUnsupported);
  EXPECT_EQ(refusal().message, "ledger " + path_ + ": version 7, this build reads versions 1 to 2");
}

// Version 1 had no table of reasons.
TEST_F(LedgerTest, ReadsAnOlderOneAndBringsItUpToDateWhenItWrites) {
  {
    Ledger ledger = open();
    ASSERT_TRUE(ledger.append(sample_run(1)));
  }
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "DROP TABLE reasons; PRAGMA user_version=1", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(other);
  {
    auto runs = open({.access = LedgerOptions::Access::kRead}).read();
    ASSERT_TRUE(runs) << runs.error().message;
    ASSERT_EQ(runs->front().decisions.size(), 3u);
    EXPECT_TRUE(std::isnan(runs->front().decisions[0].live_cost));
    EXPECT_EQ(runs->front().decisions[0].why, "it's \"so\"");
  }
  Ledger ledger = open();
  ASSERT_TRUE(ledger.append(sample_run(2)));
  auto runs = ledger.read();
  ASSERT_TRUE(runs) << runs.error().message;
  ASSERT_EQ(runs->size(), 2u);
  EXPECT_TRUE(std::isnan((*runs)[0].decisions[0].live_cost));
  EXPECT_EQ((*runs)[1].decisions[0].live_cost, 14.25);
}

TEST_F(LedgerTest, RefusesADamagedOne) {
  {
    Ledger ledger = open();
    for (uint64_t seed = 0; seed < 4; ++seed) ASSERT_TRUE(ledger.append(sample_run(seed, "las", 200)));
  }
  std::string bytes = *read_file(path_);
  ASSERT_TRUE(write_file(path_, bytes.substr(0, bytes.size() / 2)));
  EXPECT_EQ(refusal().code, ErrorCode::kCorrupt);
  std::fill(bytes.begin() + 4096, bytes.begin() + 40960, '\xff');
  ASSERT_TRUE(write_file(path_, bytes));
  const Error error = refusal();
  EXPECT_EQ(error.code, ErrorCode::kCorrupt);
  EXPECT_EQ(error.message.find('\n'), std::string::npos);
}

}  // namespace
}  // namespace pointsman

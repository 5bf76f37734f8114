#include "store/experiments.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>

#include "base/temporary_folder.h"

namespace pointsman {
namespace {

class Experiments : public testing::Test {
 protected:
  ExperimentStore open() {
    auto store = ExperimentStore::open(path_);
    if (!store) throw std::runtime_error(store.error().message);
    return std::move(*store);
  }
  TemporaryFolder folder_ = *TemporaryFolder::make("experiments");
  std::string path_ = folder_.path() + "/l.db";
};

TEST_F(Experiments, GoThroughTheirStates) {
  ExperimentStore store = open();
  auto added = store.add({.spec = "{\"arm\":\"las\"}", .idempotency_key = ""}, 1000);
  ASSERT_TRUE(added) << added.error().message;
  EXPECT_EQ(added->id, 1);
  EXPECT_EQ(added->state, "queued");
  EXPECT_EQ(added->spec, "{\"arm\":\"las\"}");
  EXPECT_FALSE(added->ended());
  ASSERT_TRUE(store.start(1, 2000));
  ASSERT_TRUE(store.add_repeat(1, {.costs = "{}", .result = "{\"n\":0}"}, std::nullopt, 2500));
  ASSERT_TRUE(store.add_repeat(1, {.costs = "{}", .result = "{\"n\":1}"}, std::nullopt, 2600));
  ASSERT_TRUE(store.end(1, {.state = "done"}, 3000));
  auto found = store.find(1);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->state, "done");
  EXPECT_EQ(found->started_ms, 2000);
  EXPECT_EQ(found->ended_ms, 3000);
  EXPECT_EQ(found->repeats_done, 2);
  auto repeats = store.repeats(1);
  ASSERT_TRUE(repeats);
  ASSERT_EQ(repeats->size(), 2u);
  EXPECT_EQ(repeats->front().costs, "{}");
  EXPECT_EQ(repeats->front().result, "{\"n\":0}");
  EXPECT_EQ(repeats->back().result, "{\"n\":1}");
}

TEST_F(Experiments, MayStartAtOnceAndEndWithTheirLastRepeat) {
  ExperimentStore store = open();
  auto added = store.add({.spec = "{}", .starts = true}, 1000);
  ASSERT_TRUE(added) << added.error().message;
  EXPECT_EQ(added->state, "running");
  EXPECT_EQ(added->started_ms, 1000);
  ASSERT_TRUE(store.add_repeat(1, {.costs = "{}", .result = "{}"}, ExperimentStore::End{.state = "done"}, 2000));
  EXPECT_EQ(store.find(1)->state, "done");
  EXPECT_EQ(store.find(1)->ended_ms, 2000);
  EXPECT_EQ(store.find(1)->repeats_done, 1);
}

TEST_F(Experiments, RefuseStepsOutOfOrder) {
  ExperimentStore store = open();
  ASSERT_TRUE(store.add({.spec = "{}", .idempotency_key = ""}, 1));
  EXPECT_EQ(store.add_repeat(1, {.costs = "{}", .result = "{}"}, std::nullopt, 2).error().code, ErrorCode::kNotFound) << "not running yet";
  ASSERT_TRUE(store.end(1, {.state = "cancelled"}, 2));
  EXPECT_EQ(store.start(1, 3).error().code, ErrorCode::kNotFound) << "cancelled: must not start";
  EXPECT_EQ(store.end(1, {.state = "done"}, 4).error().code, ErrorCode::kNotFound) << "ended already";
  EXPECT_EQ(store.find(7).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store.find(7).error().message, "there is no experiment 7");
}

TEST_F(Experiments, SurviveTheirProcess) {
  {
    ExperimentStore store = open();
    for (int i = 0; i < 4; ++i) ASSERT_TRUE(store.add({.spec = "{}", .idempotency_key = ""}, i));
    ASSERT_TRUE(store.start(1, 10));
    ASSERT_TRUE(store.add_repeat(1, {.costs = "{}", .result = "{\"n\":0}"}, std::nullopt, 2500));
    ASSERT_TRUE(store.end(3, {.state = "cancelled"}, 11));
  }
  ExperimentStore store = open();
  EXPECT_EQ(*store.abort_running("the server ended in the middle of it", 20), 1);
  auto aborted = store.find(1);
  ASSERT_TRUE(aborted);
  EXPECT_EQ(aborted->state, "aborted");
  EXPECT_EQ(aborted->error, "the server ended in the middle of it");
  EXPECT_EQ(aborted->ended_ms, 20);
  EXPECT_EQ(store.repeats(1)->size(), 1u) << "what was finished is kept";
  EXPECT_EQ(*store.queued(), (std::vector<int64_t>{2, 4}));
}

TEST_F(Experiments, WriteALogAheadAndLeaveNoneBehind) {
  {
    ExperimentStore store = open();
    ASSERT_TRUE(store.add({.spec = "{}", .idempotency_key = ""}, 1));
    EXPECT_TRUE(std::filesystem::exists(path_ + "-wal")) << "a step waits for the disk once";
    EXPECT_FALSE(std::filesystem::exists(path_ + "-journal"));
    // Who only looks meanwhile sees what was said.
    auto reader = ExperimentStore::open(path_, {.access = LedgerOptions::Access::kRead});
    ASSERT_TRUE(reader) << reader.error().message;
    EXPECT_TRUE(reader->find(1));
  }
  for (const char* tail : {"-wal", "-shm", "-journal"}) EXPECT_FALSE(std::filesystem::exists(path_ + tail)) << tail;
}

TEST_F(Experiments, KnowIdempotencyKeys) {
  ExperimentStore store = open();
  ASSERT_TRUE(store.add({.spec = "{\"a\":1}", .idempotency_key = "key-1"}, 1));
  EXPECT_EQ(store.add({.spec = "{\"a\":2}", .idempotency_key = "key-1"}, 2).error().code, ErrorCode::kInvalidArgument);
  ASSERT_TRUE(store.add({.spec = "{}", .idempotency_key = ""}, 3));
  ASSERT_TRUE(store.add({.spec = "{}", .idempotency_key = ""}, 4)) << "no key is no key, not an equal one";
  auto found = store.find_by_key("key-1");
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->spec, "{\"a\":1}");
  auto none = store.find_by_key("key-2");
  ASSERT_TRUE(none);
  EXPECT_FALSE(*none);
}

TEST_F(Experiments, AreListedNewestFirstInPages) {
  ExperimentStore store = open();
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(store.add({.spec = "{}", .idempotency_key = ""}, i));
  ASSERT_TRUE(store.start(2, 9));
  const auto ids = [](const Result<std::vector<StoredExperiment>>& page) {
    std::vector<int64_t> out;
    for (const StoredExperiment& e : *page) out.push_back(e.id);
    return out;
  };
  EXPECT_EQ(ids(store.list({.limit = 2})), (std::vector<int64_t>{5, 4}));
  EXPECT_EQ(ids(store.list({.before_id = 4, .limit = 2})), (std::vector<int64_t>{3, 2}));
  EXPECT_EQ(ids(store.list({.state = "running"})), (std::vector<int64_t>{2}));
}

TEST_F(Experiments, ShareTheFileWithRuns) {
  {
    ExperimentStore store = open();
    ASSERT_TRUE(store.add({.spec = "{}", .idempotency_key = ""}, 1));
  }
  auto ledger = Ledger::open(path_);
  ASSERT_TRUE(ledger) << ledger.error().message;
  LedgerRun run;
  run.key.scenario = "pareto";
  ASSERT_TRUE(ledger->append(run));
  ExperimentStore store = open();
  EXPECT_EQ(*store.count(), 1);
}

TEST_F(Experiments, SayThatTheLimitIsReached) {
  auto store = ExperimentStore::open(path_, {.max_bytes = 64 * 1024});
  ASSERT_TRUE(store);
  ASSERT_TRUE(store->add({.spec = "{}", .idempotency_key = ""}, 1));
  ASSERT_TRUE(store->start(1, 1));
  auto full = store->add_repeat(1, {.costs = "{}", .result = std::string(100'000, 'x')}, std::nullopt, 2);
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, ErrorCode::kIo);
  EXPECT_EQ(store->find(1)->repeats_done, 0);
}

}  // namespace
}  // namespace pointsman

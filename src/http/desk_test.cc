#include "http/desk.h"

#include <gmock/gmock.h>

#include "base/temporary_folder.h"
#include "http/fake_worker.h"

namespace pointsman {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class DeskTest : public testing::Test {
 protected:
  void SetUp() override {
    events_.listen([this](const Event& event) { told_.push_back(fmt::format("{} {} {}", event.experiment, event.name, state_in(event.data))); });
    reopen();
  }
  void TearDown() override {
    desk_.reset();
    store_.reset();
  }
  static std::string state_in(const std::string& data) { return nlohmann::json::parse(data).value("state", ""); }
  void reopen() {
    desk_.reset();
    store_.reset();
    auto store = ExperimentStore::open(folder_.path() + "/l.db");
    ASSERT_TRUE(store) << store.error().message;
    store_.emplace(std::move(*store));
    desk_.emplace(*store_, worker_, events_, DeskOptions{.queue = 2, .most = 6, .now_ms = [this] { return now_ms_; }});
    ASSERT_TRUE(desk_->recover());
  }
  static ExperimentSpec spec(const std::string& arm = "las", int repeats = 1) { return {.workload = {.name = "pareto", .seconds = 3}, .arm = arm, .repeats = repeats}; }
  int64_t submit(int repeats = 1) {
    auto submitted = desk_->submit(spec("las", repeats), "");
    EXPECT_TRUE(submitted) << submitted.error().message;
    return submitted ? submitted->experiment.id : 0;
  }
  std::string state(int64_t id) { return store_->find(id)->state; }

  TemporaryFolder folder_ = *TemporaryFolder::make("desk");
  int64_t now_ms_ = 1'000'000;
  FakeWorker worker_;
  Events events_;
  std::optional<ExperimentStore> store_;
  std::optional<Desk> desk_;
  std::vector<std::string> told_;
};

TEST_F(DeskTest, RunsOneAtATimeInOrder) {
  EXPECT_EQ(submit(), 1);
  EXPECT_EQ(submit(), 2);
  EXPECT_EQ(state(1), "running");
  EXPECT_EQ(state(2), "queued");
  ASSERT_EQ(worker_.requests.size(), 1u);
  worker_.finish();
  EXPECT_EQ(state(1), "done");
  EXPECT_EQ(state(2), "running");
  worker_.finish();
  EXPECT_THAT(told_, ElementsAre("1 experiment running", "2 experiment queued", "1 repeat ", "1 experiment done", "2 experiment running", "2 repeat ", "2 experiment done"));
}

TEST_F(DeskTest, RunsEveryRepeat) {
  submit(3);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(state(1), "running");
    worker_.finish();
  }
  EXPECT_EQ(state(1), "done");
  EXPECT_EQ(worker_.requests.size(), 3u);
  EXPECT_EQ(worker_.requests[2].repeat, 2);
  EXPECT_EQ(store_->repeats(1)->size(), 3u);
}

TEST_F(DeskTest, TheQueueIsBounded) {
  submit();
  submit();
  submit();
  auto fourth = desk_->submit(spec(), "");
  ASSERT_FALSE(fourth);
  EXPECT_EQ(fourth.error().code, ErrorCode::kBusy);
  EXPECT_THAT(fourth.error().message, HasSubstr("2 experiments wait already"));
  worker_.finish();
  EXPECT_TRUE(desk_->submit(spec(), ""));
  EXPECT_EQ(desk_->counts().refused, 1);
}

TEST_F(DeskTest, AQueueOfNoneStillRunsOne) {
  desk_.emplace(*store_, worker_, events_, DeskOptions{.queue = 0, .now_ms = [] { return int64_t{1}; }});
  EXPECT_TRUE(desk_->submit(spec(), ""));
  EXPECT_EQ(desk_->submit(spec(), "").error().code, ErrorCode::kBusy);
}

TEST_F(DeskTest, KeepsNoMoreThanItMay) {
  for (int i = 0; i < 6; ++i) {
    submit();
    worker_.finish();
  }
  auto seventh = desk_->submit(spec(), "");
  ASSERT_FALSE(seventh);
  EXPECT_EQ(seventh.error().code, ErrorCode::kIo);
}

TEST_F(DeskTest, TheSameKeyIsTheSameExperiment) {
  auto first = desk_->submit(spec(), "k1");
  ASSERT_TRUE(first);
  EXPECT_FALSE(first->replayed);
  auto again = desk_->submit(spec(), "k1");
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->replayed);
  EXPECT_EQ(again->experiment.id, first->experiment.id);
  auto other = desk_->submit(spec("eevdf"), "k1");
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(*store_->count(), 1);
}

TEST_F(DeskTest, TheSameKeyIsKnownAfterARestart) {
  ASSERT_TRUE(desk_->submit(spec(), "k1"));
  worker_.finish();
  reopen();
  auto again = desk_->submit(spec(), "k1");
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->replayed);
  EXPECT_EQ(again->experiment.state, "done");
}

TEST_F(DeskTest, RefusesArmsThatAreNotHere) {
  EXPECT_EQ(desk_->submit(spec("leg"), "").error().message, "arm: there is no 'leg' (there are: eevdf, las, age)");
  auto age = desk_->submit(spec("age"), "");
  ASSERT_FALSE(age);
  EXPECT_EQ(age.error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(age.error().message, "arm age cannot be had here: this kernel has no sched_ext");
  EXPECT_EQ(*store_->count(), 0);
}

TEST_F(DeskTest, CancelsWhatWaits) {
  submit();
  submit();
  auto cancelled = desk_->cancel(2);
  ASSERT_TRUE(cancelled);
  EXPECT_EQ(cancelled->state, "cancelled");
  worker_.finish();
  EXPECT_EQ(worker_.requests.size(), 1u) << "it must never run";
  EXPECT_EQ(desk_->cancel(2).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(desk_->cancel(99).error().code, ErrorCode::kNotFound);
}

TEST_F(DeskTest, CancelsWhatRuns) {
  submit(5);
  worker_.finish();
  auto cancelled = desk_->cancel(1);
  ASSERT_TRUE(cancelled);
  EXPECT_EQ(cancelled->state, "running");
  EXPECT_THAT(desk_->describe(*cancelled), HasSubstr("\"cancelling\":true"));
  EXPECT_EQ(worker_.cancels, 1);
  ASSERT_TRUE(desk_->cancel(1)) << "asking twice is no error";
  EXPECT_EQ(worker_.cancels, 1);
  worker_.finish(fail(ErrorCode::kInterrupted, "cancelled"));
  EXPECT_EQ(state(1), "cancelled");
  EXPECT_EQ(store_->repeats(1)->size(), 1u) << "what was finished is kept";
}

TEST_F(DeskTest, ARepeatThatFailsEndsItsExperiment) {
  submit(3);
  submit();
  worker_.finish(fail(ErrorCode::kIo, "las did not last: the kernel threw it out: stall"));
  auto failed = store_->find(1);
  EXPECT_EQ(failed->state, "failed");
  EXPECT_EQ(failed->error, "las did not last: the kernel threw it out: stall");
  EXPECT_EQ(failed->error_code, "io");
  EXPECT_EQ(state(2), "running") << "the queue goes on";
}

TEST_F(DeskTest, AKilledServerLeavesAQueue) {
  submit(3);
  submit();
  worker_.finish();
  FakeWorker next;
  next.lose("");  // still being opened
  auto store = ExperimentStore::open(folder_.path() + "/l.db");
  ASSERT_TRUE(store);
  Events events;
  Desk desk(*store, next, events, {.now_ms = [] { return int64_t{2'000'000}; }});
  ASSERT_TRUE(desk.recover());
  EXPECT_EQ(store->find(1)->state, "aborted");
  EXPECT_EQ(store->find(1)->error, "the server ended in the middle of it");
  EXPECT_EQ(store->find(1)->repeats_done, 1);
  EXPECT_EQ(store->find(2)->state, "queued");
  next.become_ready();
  EXPECT_EQ(store->find(2)->state, "running");
  worker_.on_idle = nullptr;
}

TEST_F(DeskTest, WhatCannotBeRunAnyMoreFailsAndIsNoObstacle) {
  submit();
  submit();
  ASSERT_TRUE(desk_->submit(spec("eevdf"), ""));
  worker_.rig().arms[1].unavailable = "another kernel was booted";
  worker_.finish();
  EXPECT_EQ(state(2), "failed");
  EXPECT_EQ(store_->find(2)->error, "arm las cannot be had here: another kernel was booted");
  EXPECT_EQ(state(3), "running");
}

TEST_F(DeskTest, WithoutARigNothingIsTaken) {
  worker_.lose("experiments swap schedulers: permission denied");
  auto refused = desk_->submit(spec(), "");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kPermissionDenied);
  EXPECT_THAT(refused.error().message, HasSubstr("permission denied"));
}

TEST_F(DeskTest, AnEndAsPlannedAbortsWhatRuns) {
  submit();
  submit();
  desk_->close();
  EXPECT_EQ(state(1), "aborted");
  EXPECT_EQ(state(2), "queued") << "it waits for the next server";
}

TEST(EventsTest, KeepTheLastOnes) {
  Events events(3);
  for (int i = 1; i <= 5; ++i) events.publish({.experiment = i, .name = "experiment", .data = "{}"});
  auto all = events.since(2);
  ASSERT_TRUE(all);
  ASSERT_EQ(all->size(), 3u);
  EXPECT_EQ(all->front().number, 3u);
  EXPECT_FALSE(events.since(1)) << "2 is no longer kept";
  EXPECT_FALSE(events.since(99)) << "a number of another server's life";
  EXPECT_TRUE(events.since(5)->empty());
}

}  // namespace
}  // namespace pointsman

#include "agent/ledger_recorder.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include "sched/fake_host.h"

namespace pointsman {
namespace {

using testing::HasSubstr;

class LedgerRecorderTest : public testing::Test {
 protected:
  LedgerRecorderTest() : path_(testing::TempDir() + fmt::format("pointsman-live-{}.db", ::getpid())) { ::unlink(path_.c_str()); }
  ~LedgerRecorderTest() override { ::unlink(path_.c_str()); }

  LedgerRecorder::Options options() const {
    return {.path = path_, .controller = "round_robin", .kernel = "7.3", .binary = "b", .started = 1234, .start_ns = 10 * kSecond, .piece_ns = kSecond};
  }
  static WindowRecord window(int n) {
    WindowRecord w;
    w.end_ns = 10 * kSecond + n * 250 * kMillisecond;
    w.active = kDefaultArm;
    w.taken = kDefaultArm;
    w.features[0] = static_cast<float>(n);
    w.decision.propensity = .5;
    w.decision.why = "because";
    return w;
  }
  std::vector<LedgerRun> read() const {
    auto ledger = Ledger::open(path_, {.access = LedgerOptions::Access::kRead});
    if (!ledger) return {};
    auto runs = ledger->read();
    return runs ? *runs : std::vector<LedgerRun>{};
  }
  std::string path_;
  FakeHost host_;
};

TEST_F(LedgerRecorderTest, KeepsEverythingInPieces) {
  {
    auto recorder = LedgerRecorder::open(options(), host_);
    ASSERT_TRUE(recorder) << recorder.error().message;
    for (int n = 1; n <= 10; ++n) {
      WindowRecord w = window(n);
      if (n == 3) {
        w.taken = kEevdf;
        w.held_back = "pinned by a person";
        ASSERT_TRUE(host_.attach(0));
        ASSERT_TRUE(host_.flip(1));  // its times are those that the host tells afterwards
        w.outcome = Outcome{};
        w.outcome->verdict = Outcome::Verdict::kConfirmed;
        w.outcome->times.call_ns = 77;
      }
      (*recorder)->on_window(w);
    }
    (*recorder)->flush();
    EXPECT_EQ(read().size(), 2u) << "what has not come to an end is not there yet";
  }
  const auto runs = read();
  ASSERT_EQ(runs.size(), 3u);
  size_t windows = 0;
  for (size_t i = 0; i < runs.size(); ++i) {
    EXPECT_EQ(runs[i].key.scenario, "live");
    EXPECT_EQ(runs[i].key.controller, "round_robin");
    EXPECT_EQ(runs[i].key.seed, 1234u);
    EXPECT_EQ(runs[i].key.draw, i);
    EXPECT_EQ(runs[i].split, "live");
    EXPECT_NE(runs[i].rejected, "");
    EXPECT_EQ(runs[i].windows.size(), runs[i].decisions.size());
    windows += runs[i].windows.size();
  }
  EXPECT_EQ(windows, 10u);
  EXPECT_EQ(runs[0].windows[1].end_ns, 500 * kMillisecond);
  EXPECT_EQ(runs[0].windows[1].features[0], 2);
  EXPECT_EQ(runs[0].decisions[2].held_back, "pinned by a person");
  EXPECT_EQ(runs[0].decisions[2].propensity, .5);
  ASSERT_EQ(runs[0].swaps.size(), 1u);
  EXPECT_EQ(runs[0].swaps[0].to, "eevdf");
  EXPECT_EQ(runs[0].swaps[0].outcome, "confirmed");
  EXPECT_EQ(runs[0].swaps[0].call_ns, 77);
  EXPECT_EQ(runs[0].swaps[0].first_dispatch_ns, 1'000'000) << "known only at the next window";
  EXPECT_NE(runs[0].results_hash, runs[1].results_hash);
}

TEST_F(LedgerRecorderTest, AFullDiskCostsAWarningAndNoTick) {
  LedgerRecorder::Options small = options();
  small.max_bytes = 80 * 1024;
  auto recorder = LedgerRecorder::open(small, host_);
  ASSERT_TRUE(recorder) << recorder.error().message;
  testing::internal::CaptureStderr();
  for (int n = 1; n <= 4000; ++n) {
    (*recorder)->on_window(window(n));
    if (n % 40 == 0) (*recorder)->flush();
  }
  (*recorder)->flush();
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_GT((*recorder)->lost_pieces(), 0);
  EXPECT_THAT(said, HasSubstr("full"));
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
  recorder->reset();
  const auto runs = read();
  EXPECT_GT(runs.size(), 0u);
  for (const LedgerRun& run : runs) EXPECT_EQ(run.windows.size(), run.decisions.size());
}

TEST_F(LedgerRecorderTest, APlaceThatCannotBeWrittenIsSaidAtOnce) {
  LedgerRecorder::Options wrong = options();
  wrong.path = "/no/such/folder/live.db";
  auto recorder = LedgerRecorder::open(wrong, host_);
  ASSERT_FALSE(recorder);
  EXPECT_THAT(recorder.error().message, HasSubstr("/no/such/folder/live.db"));
}

}  // namespace
}  // namespace pointsman

#include "report/progress.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace pointsman::report {
namespace {

struct Screen {
  std::string bytes;
  int columns = 100;

  ProgressSink sink(bool terminal = true) {
    return {.terminal = terminal, .write = [this](const std::string& b) { bytes += b; }, .columns = [this] { return columns; }};
  }
  // What was drawn last.
  [[nodiscard]] std::string last() const {
    const size_t at = bytes.rfind("\r\x1b[K");
    return at == std::string::npos ? "" : bytes.substr(at + 4);
  }
};

TEST(Progress, shows_done_rate_and_time_left) {
  Screen screen;
  FakeClock clock;
  Progress progress({.label = "matrix", .total = 200}, clock, screen.sink());
  clock.advance(10 * kSecond);
  progress.advance(50, "pareto, seed 3");
  EXPECT_EQ(screen.last(), "matrix [#####...............] 50/200 25 %  5.00/s  30 s left  pareto, seed 3");
}

TEST(Progress, what_was_done_before_does_not_count_in_the_rate) {
  Screen screen;
  FakeClock clock;
  Progress progress({.label = "m", .total = 100, .already_done = 90}, clock, screen.sink());
  clock.advance(60 * kSecond);
  progress.advance(5);
  EXPECT_EQ(screen.last(), "m [###################.] 95/100 95 %  5.00/min  60 s left");
}

TEST(Progress, without_a_total_shows_time_so_far) {
  Screen screen;
  FakeClock clock;
  Progress progress({.label = "m"}, clock, screen.sink());
  clock.advance(4 * kSecond);
  progress.advance(8);
  EXPECT_EQ(screen.last(), "m 8  2.00/s  4 s");
}

TEST(Progress, redraws_seldom_but_always_at_the_end) {
  Screen screen;
  FakeClock clock;
  Progress progress({.label = "m", .total = 3}, clock, screen.sink());
  progress.advance();
  const std::string first = screen.bytes;
  clock.advance(kMillisecond);
  progress.advance();
  EXPECT_EQ(screen.bytes, first);
  progress.advance();
  EXPECT_NE(screen.last().find("3/3 100 %"), std::string::npos);
}

TEST(Progress, messages_stand_above_the_line) {
  Screen screen;
  FakeClock clock;
  Progress progress({.label = "m", .total = 2}, clock, screen.sink());
  progress.advance();
  screen.bytes.clear();
  progress.say("phase 1: las");
  EXPECT_EQ(screen.bytes.substr(0, 17), "\r\x1b[Kphase 1: las\n");
  EXPECT_NE(screen.last().find("1/2"), std::string::npos);
}

TEST(Progress, is_silent_without_a_terminal_but_for_messages) {
  Screen screen;
  FakeClock clock;
  {
    Progress progress({.label = "m", .total = 2}, clock, screen.sink(false));
    progress.advance();
    progress.note("n");
    progress.say("message");
    progress.advance();
  }
  EXPECT_EQ(screen.bytes, "message\n");
}

TEST(Progress, leaves_no_line_behind) {
  Screen screen;
  FakeClock clock;
  {
    Progress progress({.label = "m", .total = 2}, clock, screen.sink());
    progress.advance();
  }
  EXPECT_EQ(screen.last(), "");
}

TEST(Progress, fits_the_terminal_and_obeys_no_control_characters) {
  Screen screen;
  screen.columns = 20;
  FakeClock clock;
  Progress progress({.label = "m", .total = 2}, clock, screen.sink());
  progress.advance(1, "\x1b[2J");
  EXPECT_EQ(screen.last(), "m [##########.....…");
  screen.columns = 200;
  clock.advance(kSecond);
  progress.note("\x1b[2Jx");
  EXPECT_EQ(screen.last().find('\x1b'), std::string::npos);
}

TEST(Progress, counts_exactly_from_many_threads) {
  Screen screen;
  FakeClock clock;
  Progress progress({.label = "m", .total = 4000}, clock, screen.sink());
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) progress.advance();
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_NE(screen.last().find("4000/4000 100 %"), std::string::npos) << screen.last();
}

}  // namespace
}  // namespace pointsman::report

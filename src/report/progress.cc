#include "report/progress.h"

#include <fmt/core.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "report/format.h"
#include "report/utf8.h"

namespace pointsman::report {

namespace {

constexpr const char* kEraseLine = "\r\x1b[K";

std::string format_rate(double per_second) {
  if (per_second >= 1 || per_second <= 0) return fmt::format("{}/s", format_ratio(per_second));
  if (per_second * 60 >= 1) return fmt::format("{}/min", format_ratio(per_second * 60));
  return fmt::format("{}/h", format_ratio(per_second * 3600));
}

// Seconds left change several times a second: below 100 s whole seconds are enough.
std::string format_left(double seconds) { return seconds < 99.5 ? fmt::format("{} s", format_fixed(seconds, 0)) : format_seconds(seconds); }

}  // namespace

ProgressSink ProgressSink::standard_error() {
  const char* term = std::getenv("TERM");
  return {.terminal = ::isatty(STDERR_FILENO) == 1 && term != nullptr && std::strcmp(term, "dumb") != 0,
          .write =
              [](const std::string& bytes) {
                for (std::string_view rest = bytes; !rest.empty();) {
                  const ssize_t n = ::write(STDERR_FILENO, rest.data(), rest.size());
                  if (n <= 0) return;  // nobody to tell
                  rest.remove_prefix(static_cast<size_t>(n));
                }
              },
          .columns =
              [] {
                winsize size{};
                return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? int{size.ws_col} : 80;
              }};
}

Progress::Progress(ProgressOptions options, const Clock& clock, ProgressSink sink)
    : options_(std::move(options)), clock_(clock), sink_(std::move(sink)), start_ns_(clock.now_ns()) {}

Progress::~Progress() { finish(); }

void Progress::advance(int64_t steps, const std::string& note) {
  const std::lock_guard lock(mutex_);
  done_ += steps;
  if (!note.empty()) note_ = one_line(note);
  draw(options_.total > 0 && options_.already_done + done_ >= options_.total);
}

void Progress::note(const std::string& note) {
  const std::lock_guard lock(mutex_);
  note_ = one_line(note);
  draw(false);
}

void Progress::say(const std::string& line) {
  const std::lock_guard lock(mutex_);
  const bool redraw = drawn_;
  erase();
  sink_.write(line + "\n");
  if (redraw) draw(true);
}

void Progress::finish() {
  const std::lock_guard lock(mutex_);
  erase();
  finished_ = true;
}

void Progress::erase() {
  if (drawn_) sink_.write(kEraseLine);
  drawn_ = false;
}

void Progress::draw(bool force) {
  if (!sink_.terminal || finished_) return;
  const int64_t now_ns = clock_.now_ns();
  if (!force && drawn_ns_ != 0 && now_ns - drawn_ns_ < options_.least_gap_ns) return;
  drawn_ns_ = now_ns;
  drawn_ = true;
  // One column stays free: some terminals wrap when the last one is written to.
  const auto columns = static_cast<size_t>(std::max(sink_.columns() - 1, 1));
  sink_.write(kEraseLine + clip(line(), columns));
}

std::string Progress::line() const {
  const int64_t done = options_.already_done + done_;
  const double elapsed_s = static_cast<double>(clock_.now_ns() - start_ns_) / static_cast<double>(kSecond);
  const double rate = elapsed_s > 0 ? static_cast<double>(done_) / elapsed_s : 0;
  std::string out = one_line(options_.label);
  if (options_.total > 0) {
    const double part = std::clamp(static_cast<double>(done) / static_cast<double>(options_.total), 0., 1.);
    constexpr int kCells = 20;
    const int full = static_cast<int>(part * kCells);
    // Rounded down: 100 % means done.
    out += fmt::format(" [{}{}] {}/{} {} %", std::string(static_cast<size_t>(full), '#'),
                       std::string(static_cast<size_t>(kCells - full), '.'), done, options_.total, static_cast<int>(part * 100));
  } else {
    out += fmt::format(" {}", done);
  }
  if (rate > 0) {
    out += "  " + format_rate(rate);
    if (options_.total > done) out += fmt::format("  {} left", format_left(static_cast<double>(options_.total - done) / rate));
  }
  if (options_.total == 0) out += fmt::format("  {}", format_left(elapsed_s));
  if (!note_.empty()) out += "  " + note_;
  return out;
}

}  // namespace pointsman::report

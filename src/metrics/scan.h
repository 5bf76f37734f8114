// Scanners over the kernel's text files: lines, then words and numbers of a line. They view, copy nothing, and never run past an end.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"

namespace pointsman {

class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {}
  bool next(std::string_view& line) {
    if (rest_.empty()) return false;
    const size_t end = rest_.find('\n');
    line = rest_.substr(0, end);
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
    ++number_;
    return true;
  }
  [[nodiscard]] int number() const { return number_; }  // of the line given last, from 1

 private:
  std::string_view rest_;
  int number_ = 0;
};

class Words {
 public:
  explicit Words(std::string_view line) : rest_(line) {}
  // Empty at the end of the line.
  std::string_view next() {
    const size_t begin = rest_.find_first_not_of(" \t");
    if (begin == std::string_view::npos) return rest_ = {};
    rest_.remove_prefix(begin);
    const std::string_view word = rest_.substr(0, rest_.find_first_of(" \t"));
    rest_.remove_prefix(word.size());
    return word;
  }
  // The next word, if it is a decimal number of 64 bits and nothing else.
  std::optional<uint64_t> number() { return number_of(next()); }
  std::optional<double> decimal() {
    const std::string_view word = next();
    double value = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value, std::chars_format::fixed);
    if (word.empty() || error != std::errc() || end != word.data() + word.size()) return std::nullopt;
    return value;
  }
  static std::optional<uint64_t> number_of(std::string_view word) {
    uint64_t value = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (word.empty() || error != std::errc() || end != word.data() + word.size()) return std::nullopt;
    return value;
  }

 private:
  std::string_view rest_;
};

// "PATH:LINE: expected WHAT, found '...'".
inline Unexpected malformed(std::string_view path, const Lines& lines, std::string_view line, std::string_view expected) {
  return fail(ErrorCode::kCorrupt, "{}:{}: expected {}, found '{}'", path, lines.number(), expected, line.substr(0, 60));
}

// One "name NUMBER" line that must be there.
struct Wanted {
  std::string_view name;
  uint64_t* value;
  bool required = true;
  bool found = false;
};

}  // namespace pointsman

// Frame: a small table of named columns read from CSV, as text and as numbers, each row with the line that it came from.
// Errors: kNotFound, kPermissionDenied, kIo of the file; kCorrupt, with the line: ragged rows, a quote that never ends, no header, a column named twice, no rows,
// bytes that are no text.
// Source: RFC 4180; besides: a byte order mark, bare line feeds, blank lines, and NaN, nan or nothing for a value that is not known.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pointsman::report {

class Frame {
 public:
  static Result<Frame> parse(const std::string& path, std::string_view text);
  static Result<Frame> read(const std::string& path);

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string file() const;  // without its folder
  [[nodiscard]] size_t rows() const { return lines_.size(); }
  [[nodiscard]] const std::vector<std::string>& columns() const { return columns_; }
  [[nodiscard]] std::optional<size_t> find(std::string_view column) const;
  [[nodiscard]] int line(size_t row) const { return lines_[row]; }
  [[nodiscard]] const std::string& text(size_t row, size_t column) const { return cells_[row * columns_.size() + column]; }
  // NaN where it is not known or no number; is_number() tells the two apart.
  [[nodiscard]] double number(size_t row, size_t column) const;
  [[nodiscard]] bool is_number(size_t row, size_t column) const;  // NaN, nan and nothing are
  [[nodiscard]] std::vector<double> numbers(size_t column) const;

 private:
  std::string path_;
  std::vector<std::string> columns_, cells_;
  std::vector<int> lines_;
};

// TEXT as a field of a line of CSV: quoted where it has to be.
std::string csv_field(const std::string& text);

}  // namespace pointsman::report

#include "report/frame.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "base/file.h"
#include "report/utf8.h"

namespace pointsman::report {
namespace {

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  return begin == std::string_view::npos ? std::string_view() : text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

bool is_unknown(std::string_view text) { return text.empty() || text == "nan" || text == "NaN" || text == "NAN" || text == "NA" || text == "null"; }

std::optional<double> parse_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// One record from `rest` into `fields`; `line` moves on by as many as it had. Nothing when a quote never ends.
bool take_record(std::string_view& rest, std::vector<std::string>& fields, int& line) {
  fields.assign(1, "");
  bool quoted = false;
  while (!rest.empty()) {
    const char c = rest.front();
    rest.remove_prefix(1);
    line += c == '\n' ? 1 : 0;
    if (quoted) {
      if (c != '"') {
        fields.back() += c;
      } else if (!rest.empty() && rest.front() == '"') {
        fields.back() += '"';
        rest.remove_prefix(1);
      } else {
        quoted = false;
      }
    } else if (c == '"' && fields.back().empty()) {
      quoted = true;
    } else if (c == ',') {
      fields.emplace_back();
    } else if (c == '\n') {
      return true;
    } else if (c != '\r' || (!rest.empty() && rest.front() != '\n')) {
      fields.back() += c;
    }
  }
  return !quoted;
}

}  // namespace

Result<Frame> Frame::parse(const std::string& path, std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  if (text.find('\0') != std::string_view::npos) return fail(ErrorCode::kCorrupt, "{} is no text", path);
  Frame frame;
  frame.path_ = path;
  std::vector<std::string> fields;
  int line = 1;
  while (!text.empty()) {
    const int at = line;
    if (!take_record(text, fields, line)) return fail(ErrorCode::kCorrupt, "{}:{}: a quote begins here and never ends", path, at);
    if (fields.size() == 1 && trimmed(fields.front()).empty()) continue;
    if (frame.columns_.empty()) {
      for (const std::string& name : fields) {
        const std::string_view clean = trimmed(name);
        if (!clean.empty() && std::find(frame.columns_.begin(), frame.columns_.end(), clean) != frame.columns_.end()) {
          return fail(ErrorCode::kCorrupt, "{}:{}: two columns are named '{}'", path, at, one_line(clean));
        }
        frame.columns_.emplace_back(clean);
      }
      continue;
    }
    if (fields.size() != frame.columns_.size()) {
      return fail(ErrorCode::kCorrupt, "{}:{}: {} fields, but the header has {}", path, at, fields.size(), frame.columns_.size());
    }
    for (const std::string& field : fields) frame.cells_.emplace_back(trimmed(field));
    frame.lines_.push_back(at);
  }
  if (frame.columns_.empty()) return fail(ErrorCode::kCorrupt, "{} is empty: a CSV file with a header is expected", path);
  if (frame.lines_.empty()) return fail(ErrorCode::kCorrupt, "{} has a header but no rows", path);
  return frame;
}

Result<Frame> Frame::read(const std::string& path) {
  auto text = read_file(path);
  if (!text) return fail(text.error());
  return parse(path, *text);
}

std::string Frame::file() const { return path_.substr(path_.rfind('/') + 1); }

std::optional<size_t> Frame::find(std::string_view column) const {
  const auto at = std::find(columns_.begin(), columns_.end(), column);
  if (at == columns_.end()) return std::nullopt;
  return static_cast<size_t>(at - columns_.begin());
}

double Frame::number(size_t row, size_t column) const {
  return parse_number(text(row, column)).value_or(std::numeric_limits<double>::quiet_NaN());
}

bool Frame::is_number(size_t row, size_t column) const { return is_unknown(text(row, column)) || parse_number(text(row, column)).has_value(); }

std::vector<double> Frame::numbers(size_t column) const {
  std::vector<double> out;
  for (size_t row = 0; row < rows(); ++row) out.push_back(number(row, column));
  return out;
}

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + '"';
}

}  // namespace pointsman::report

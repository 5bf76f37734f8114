#include "report/table.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "base/file.h"
#include "report/format.h"
#include "report/markup.h"
#include "report/utf8.h"

namespace pointsman::report {

namespace {

constexpr const char* kBold = "\x1b[1m";
constexpr const char* kDim = "\x1b[2m";
constexpr const char* kReset = "\x1b[0m";

// One printed cell: numbers of a column line up by parts, so that the brackets of intervals stand below each other.
struct Printed {
  std::string main, low, high;
  bool marked = false, bold = false;
};

struct Widths {
  size_t main = 0, low = 0, high = 0;
  bool marked = false;

  [[nodiscard]] size_t bounds() const { return high == 0 ? 0 : low + high + 5; }  // " [low, high]"
  [[nodiscard]] size_t total() const { return main + bounds() + (marked ? 1 : 0); }
};

std::string pad(std::string_view text, size_t width, bool right) {
  const size_t used = display_width(text);
  const std::string space(width > used ? width - used : 0, ' ');
  return right ? space + std::string(text) : std::string(text) + space;
}

Printed print_cell(const Column& column, const Cell& cell) {
  Printed out;
  out.marked = cell.marked;
  if (const auto* text = std::get_if<std::string>(&cell.value)) {
    out.main = one_line(*text);
  } else if (const auto* number = std::get_if<double>(&cell.value)) {
    out.main = format_cell(column, *number);
  } else if (const auto* interval = std::get_if<Interval>(&cell.value)) {
    out.main = format_cell(column, interval->mean);
    const bool certain = interval->low == interval->mean && interval->high == interval->mean;
    if (interval->known() && interval->bounded() && !certain) {
      out.low = format_cell(column, interval->low);
      out.high = format_cell(column, interval->high);
    }
  }
  return out;
}

std::string compose(const Printed& cell, const Widths& widths, bool right, const TextStyle& style) {
  std::string out = pad(cell.main, widths.main, right);
  if (style.color && (cell.marked || cell.bold)) out = kBold + out + kReset;
  if (!cell.high.empty()) {
    const std::string bounds = fmt::format(" [{}, {}]", pad(cell.low, widths.low, true), pad(cell.high, widths.high, true));
    out += style.color ? kDim + bounds + kReset : bounds;
  } else {
    out.append(widths.bounds(), ' ');
  }
  if (widths.marked) out += cell.marked ? "*" : " ";
  return out;
}

// "58 %" before "83 %" is "58": the unit is said once.
std::string without_unit(const std::string& low, const std::string& high) {
  const size_t space = low.rfind(' ');
  if (space == std::string::npos || !high.ends_with(low.substr(space))) return low;
  return low.substr(0, space);
}

void trim_right(std::string& line) {
  const size_t last = line.find_last_not_of(' ');
  line.erase(last == std::string::npos ? 0 : last + 1);
}

nlohmann::json number_json(double value) { return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json(nullptr); }

// Whole numbers as whole numbers: 3, not 3.0.
nlohmann::json cell_json(const Column& column, const Cell& cell) {
  if (const auto* text = std::get_if<std::string>(&cell.value)) return *text;
  if (const auto* interval = std::get_if<Interval>(&cell.value)) return to_json(*interval);
  if (const auto* number = std::get_if<double>(&cell.value)) {
    if (column.quantity == Quantity::kCount && std::fabs(*number) < 9e15) return static_cast<int64_t>(std::llround(*number));
    return number_json(*number);
  }
  return nullptr;
}

}  // namespace

std::string format_cell(const Column& column, double value) {
  switch (column.quantity) {
    case Quantity::kCount:
      return format_count(value);
    case Quantity::kRatio:
      return format_ratio(value);
    case Quantity::kPercent:
      return format_percent(value);
    case Quantity::kSeconds:
      return format_seconds(value);
    case Quantity::kBytes:
      return format_bytes(value);
    case Quantity::kText:
    case Quantity::kNumber:
      break;
  }
  if (value == 0) return "0";
  if (column.decimals < 0 && std::isfinite(value)) return fmt::format("{:.{}g}", value, -column.decimals);
  return format_fixed(value, column.decimals);
}

nlohmann::json to_json(const Interval& interval) {
  return {{"mean", number_json(interval.mean)}, {"low", number_json(interval.low)}, {"high", number_json(interval.high)}};
}

std::string dump_json(const nlohmann::json& value) { return value.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n"; }

bool wants_color(int fd) {
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  const bool dumb = term == nullptr || std::strcmp(term, "dumb") == 0;
  return ::isatty(fd) == 1 && (no_color == nullptr || *no_color == '\0') && !dumb;
}

void Table::add(std::vector<Cell> row) {
  row.resize(columns_.size());
  rows_.push_back(std::move(row));
}

void Table::add_rule() { rules_.push_back(rows_.size()); }
void Table::emphasise_last() {
  if (!rows_.empty()) emphasised_.push_back(rows_.size() - 1);
}

bool Table::ruled(size_t row) const { return row > 0 && std::find(rules_.begin(), rules_.end(), row) != rules_.end(); }
bool Table::emphasised(size_t row) const { return std::find(emphasised_.begin(), emphasised_.end(), row) != emphasised_.end(); }

std::string Table::text(const TextStyle& style) const {
  std::vector<std::vector<Printed>> printed;
  std::vector<Widths> widths(columns_.size());
  for (const auto& row : rows_) {
    auto& cells = printed.emplace_back();
    for (size_t c = 0; c < columns_.size(); ++c) {
      cells.push_back(print_cell(columns_[c], row[c]));
      cells.back().bold = emphasised(printed.size() - 1);
      const Printed& cell = cells.back();
      widths[c].main = std::max(widths[c].main, display_width(cell.main));
      widths[c].low = std::max(widths[c].low, display_width(cell.low));
      widths[c].high = std::max(widths[c].high, display_width(cell.high));
      widths[c].marked = widths[c].marked || cell.marked;
    }
  }
  std::string out;
  if (!title.empty()) out += (style.color ? kBold + one_line(title) + kReset : one_line(title)) + "\n";
  std::string header, rule;
  for (size_t c = 0; c < columns_.size(); ++c) {
    const std::string name = one_line(columns_[c].title);
    // A title wider than its numbers widens the first part, which keeps the parts aligned.
    if (const size_t width = display_width(name); width > widths[c].total()) widths[c].main += width - widths[c].total();
    const bool right = columns_[c].quantity != Quantity::kText;
    if (c > 0) header += "  ", rule += "  ";
    header += pad(name, widths[c].total() - (right && widths[c].marked ? 1 : 0), right) + (right && widths[c].marked ? " " : "");
    rule += std::string(widths[c].total(), '-');
  }
  trim_right(header);
  out += (style.color ? kBold + header + kReset : header) + "\n" + (style.color ? kDim + rule + kReset : rule) + "\n";
  for (size_t r = 0; r < printed.size(); ++r) {
    if (ruled(r)) out += (style.color ? kDim + rule + kReset : rule) + "\n";
    std::string line;
    for (size_t c = 0; c < columns_.size(); ++c) {
      if (c > 0) line += "  ";
      line += compose(printed[r][c], widths[c], columns_[c].quantity != Quantity::kText, style);
    }
    trim_right(line);
    out += line + "\n";
  }
  for (const std::string& note : notes) out += (style.color ? kDim + one_line(note) + kReset : one_line(note)) + "\n";
  return out;
}

nlohmann::json Table::json() const {
  nlohmann::json out = nlohmann::json::array();
  for (const auto& row : rows_) {
    nlohmann::json object = nlohmann::json::object();
    nlohmann::json marked = nlohmann::json::array();
    for (size_t c = 0; c < columns_.size(); ++c) {
      object[columns_[c].key] = cell_json(columns_[c], row[c]);
      if (row[c].marked) marked.push_back(columns_[c].key);
    }
    if (!mark_key.empty()) object[mark_key] = std::move(marked);
    out.push_back(std::move(object));
  }
  return out;
}

std::string Table::html() const {
  std::string out;
  if (!title.empty()) out += "<p class=\"note\">" + prose(title) + "</p>\n";
  out += fmt::format("<div class=\"scroll\"><table{}>\n", title.empty() ? "" : " aria-label=\"" + escape(title) + "\"");
  out += "<thead><tr>";
  for (const Column& column : columns_)
    out += fmt::format("<th scope=\"col\"{}>{}</th>", column.quantity == Quantity::kText ? "" : " class=\"num\"", escape(column.title));
  out += "</tr></thead>\n<tbody>\n";
  for (size_t r = 0; r < rows_.size(); ++r) {
    const std::string css_row = std::string(ruled(r) ? " ruled" : "") + (emphasised(r) ? " own" : "");
    out += css_row.empty() ? "<tr>" : "<tr class=\"" + css_row.substr(1) + "\">";
    for (size_t c = 0; c < columns_.size(); ++c) {
      const Cell& cell = rows_[r][c];
      const Printed printed = print_cell(columns_[c], cell);
      std::string css = columns_[c].quantity == Quantity::kText ? "" : "num";
      if (cell.marked) css += css.empty() ? "marked" : " marked";
      const char* tag = c == 0 ? "th" : "td";
      out += fmt::format("<{}{}{}{}>", tag, c == 0 ? " scope=\"row\"" : "", css.empty() ? "" : " class=\"" + css + "\"",
                         cell.tip.empty() ? "" : " title=\"" + escape(cell.tip) + "\"");
      out += typographic(escape(printed.main));
      if (!printed.high.empty())
        out += fmt::format(" <span class=\"ci\">{} to {}</span>", typographic(escape(without_unit(printed.low, printed.high))),
                           typographic(escape(printed.high)));
      out += fmt::format("</{}>", tag);
    }
    out += "</tr>\n";
  }
  out += "</tbody></table></div>\n";
  for (const std::string& note : notes) out += "<p class=\"note\">" + prose(note) + "</p>\n";
  return out;
}

Result<Unit> emit(const std::string& text, const nlohmann::json& json, const EmitOptions& options) {
  const bool to_file = options.json && !options.json_file.empty() && options.json_file != "-";
  if (to_file) {
    if (auto written = write_file(options.json_file, dump_json(json)); !written) return fail(written.error());
  }
  const std::string shown = options.json && !to_file ? dump_json(json) : text;
  if (std::fwrite(shown.data(), 1, shown.size(), options.out) != shown.size() || std::fflush(options.out) != 0)
    return fail_errno("standard output");
  return Unit{};
}

Result<Unit> emit(const Table& table, const EmitOptions& options) {
  return emit(table.text({.color = wants_color(::fileno(options.out))}), table.json(), options);
}

}  // namespace pointsman::report

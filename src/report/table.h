// Table: typed rows that print as aligned text for a terminal, as JSON rows with stable keys, or as an HTML table. Every verb that prints a
// table uses it.
#pragma once

#include <cstdint>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"
#include "report/interval.h"

namespace pointsman::report {

enum class Quantity {
  kText,
  kCount,    // whole numbers, thousands set apart
  kNumber,   // Column::decimals
  kRatio,    // 0.82
  kPercent,  // held as a ratio 0..1, printed as percent; JSON has the ratio
  kSeconds,  // held in seconds, printed with a unit that fits; JSON has seconds
  kBytes,    // likewise
};

struct Column {
  std::string key = "";    // in JSON: never changes
  std::string title = "";  // for people
  Quantity quantity = Quantity::kText;
  int decimals = 2;  // kNumber only; negative: as many significant digits
};

struct Cell {
  std::variant<std::monostate, std::string, double, Interval> value;  // monostate: nothing to say
  bool marked = false;                                                // stands out, for example the best of its row
  std::string tip;                                                    // HTML only: more about it

  Cell() = default;
  Cell(std::string text) : value(std::move(text)) {}
  Cell(const char* text) : value(std::string(text)) {}
  Cell(std::string_view text) : value(std::string(text)) {}
  template <typename Number>
    requires std::is_arithmetic_v<Number>
  Cell(Number number) : value(static_cast<double>(number)) {}
  Cell(const Interval& interval) : value(interval) {}

  [[nodiscard]] Cell mark(bool on = true) const {
    Cell copy = *this;
    copy.marked = on;
    return copy;
  }
};

struct TextStyle {
  bool color = false;  // bold and dim, nothing that needs a dark or a light terminal
};
// A terminal, NO_COLOR unset or empty (no-color.org), TERM not "dumb".
bool wants_color(int fd);

class Table {
 public:
  Table(std::string table_title, std::vector<Column> columns) : title(std::move(table_title)), columns_(std::move(columns)) {}

  std::string title;               // may be empty
  std::vector<std::string> notes;  // below the table
  std::string mark_key;            // when set, each JSON row has under it the keys of its marked cells

  // Cells that are missing at the end are empty; those beyond the columns are dropped.
  void add(std::vector<Cell> row);
  void emphasise_last();  // the row that the reader came for
  void add_rule();        // a line between the rows above and below; not in JSON
  [[nodiscard]] size_t rows() const { return rows_.size(); }
  [[nodiscard]] bool empty() const { return rows_.empty(); }

  [[nodiscard]] std::string text(const TextStyle& style = {}) const;
  // An array of objects; numbers in base units, what is not known null, intervals {mean, low, high}.
  [[nodiscard]] nlohmann::json json() const;
  // A <table>; the first column heads its row.
  [[nodiscard]] std::string html() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
  std::vector<size_t> rules_;  // a rule before the row of this index
  std::vector<size_t> emphasised_;
  [[nodiscard]] bool ruled(size_t row) const;
  [[nodiscard]] bool emphasised(size_t row) const;
};

std::string format_cell(const Column& column, double value);
nlohmann::json to_json(const Interval& interval);
// Indented, with a newline at its end. Malformed UTF-8 is replaced, never an exception.
std::string dump_json(const nlohmann::json& value);

// What --json[=FILE] asks for: nothing, JSON on standard output instead of text, or text on standard output and JSON in a file.
struct EmitOptions {
  bool json = false;
  std::string json_file = "";  // empty or "-": standard output
  std::FILE* out = stdout;
};
// Errors: kIo and those of write_file.
Result<Unit> emit(const Table& table, const EmitOptions& options = {});
// The same for what has a text and a JSON form of its own.
Result<Unit> emit(const std::string& text, const nlohmann::json& json, const EmitOptions& options = {});

}  // namespace pointsman::report

#include "report/process_table.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "report/frame.h"

namespace pointsman::report {
namespace {

struct ColumnOf {
  const char* name;
  double (*number)(const ProcessRow&);  // nullptr: text
  const std::string& (*text)(const ProcessRow&);
  int decimals;
};
double count(uint64_t n) { return static_cast<double>(n); }
constexpr ColumnOf kColumns[] = {
    {"PID", [](const ProcessRow& r) { return static_cast<double>(r.pid); }, nullptr, 0},
    {"command", nullptr, [](const ProcessRow& r) -> const std::string& { return r.command; }, 0},
    {"T_Arrival", [](const ProcessRow& r) { return r.arrival_s; }, nullptr, 6},
    {"T_First_CPU", [](const ProcessRow& r) { return r.first_cpu_s; }, nullptr, 6},
    {"T_Completion", [](const ProcessRow& r) { return r.completion_s; }, nullptr, 6},
    {"TAT", [](const ProcessRow& r) { return r.turnaround_s(); }, nullptr, 6},
    {"RT", [](const ProcessRow& r) { return r.response_s(); }, nullptr, 6},
    {"Total_CPU_Time", [](const ProcessRow& r) { return r.cpu_s; }, nullptr, 6},
    {"switches", [](const ProcessRow& r) { return count(r.voluntary + r.involuntary); }, nullptr, 0},
    {"voluntary", [](const ProcessRow& r) { return count(r.voluntary); }, nullptr, 0},
    {"involuntary", [](const ProcessRow& r) { return count(r.involuntary); }, nullptr, 0},
    {"run_delay", [](const ProcessRow& r) { return r.run_delay_s; }, nullptr, 6},
    {"threads", [](const ProcessRow& r) { return count(r.threads); }, nullptr, 0},
    {"parent", [](const ProcessRow& r) { return static_cast<double>(r.parent); }, nullptr, 0},
    {"exit_code", [](const ProcessRow& r) { return r.exit_code ? static_cast<double>(*r.exit_code) : kMissing; }, nullptr, 0},
};

Result<const ColumnOf*> find_column(const std::string& name) {
  for (const ColumnOf& column : kColumns) {
    if (name == column.name) return &column;
  }
  return fail(ErrorCode::kInvalidArgument, "no column '{}' (there are {})", name, fmt::join(process_columns(), ", "));
}

std::optional<double> number_of(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::string trimmed(const std::string& text) {
  const size_t begin = text.find_first_not_of(' '), end = text.find_last_not_of(' ');
  return begin == std::string::npos ? "" : text.substr(begin, end - begin + 1);
}

}  // namespace

std::vector<std::string> process_columns() {
  std::vector<std::string> out;
  for (const ColumnOf& column : kColumns) out.emplace_back(column.name);
  return out;
}

bool is_number_column(const std::string& name) {
  const auto column = find_column(name);
  return column && (*column)->number != nullptr;
}

Result<std::vector<double>> process_values(std::span<const ProcessRow> rows, const std::string& name) {
  auto column = find_column(name);
  if (!column) return fail(column.error());
  if ((*column)->number == nullptr) return fail(ErrorCode::kInvalidArgument, "column '{}' is text", name);
  std::vector<double> out;
  for (const ProcessRow& row : rows) out.push_back((*column)->number(row));
  return out;
}

Result<ProcessFilter> ProcessFilter::parse(const std::string& text) {
  using Pair = std::pair<const char*, Op>;
  // Two characters before one, so that <= is not taken for <.
  constexpr Pair kOps[] = {{"<=", Op::kLessEqual}, {">=", Op::kGreaterEqual}, {"!=", Op::kNotEqual}, {"<", Op::kLess}, {">", Op::kGreater}, {"=", Op::kEqual}, {"~", Op::kContains}};
  const size_t at = text.find_first_of("<>!=~");
  const Pair* found = nullptr;
  for (const Pair& op : kOps) {
    if (found == nullptr && at != std::string::npos && text.compare(at, std::string(op.first).size(), op.first) == 0) found = &op;
  }
  if (found == nullptr) return fail(ErrorCode::kInvalidArgument, "'{}' is no condition: COLUMN OP VALUE, OP one of < <= > >= = != ~", text);
  ProcessFilter filter{.column = trimmed(text.substr(0, at)), .value = trimmed(text.substr(at + std::string(found->first).size())), .op = found->second};
  auto column = find_column(filter.column);
  if (!column) return fail(column.error());
  const bool numeric = (*column)->number != nullptr;
  if (numeric && filter.op == Op::kContains) return fail(ErrorCode::kInvalidArgument, "'{}': ~ is for text, {} is a number", text, filter.column);
  if (!numeric && filter.op != Op::kContains && filter.op != Op::kEqual && filter.op != Op::kNotEqual) {
    return fail(ErrorCode::kInvalidArgument, "'{}': {} is text, for which there are =, != and ~", text, filter.column);
  }
  if (numeric) {
    const auto number = number_of(filter.value);
    if (!number) return fail(ErrorCode::kInvalidArgument, "'{}': '{}' is no number", text, filter.value);
    filter.number = *number;
  }
  return filter;
}

bool ProcessFilter::passes(const ProcessRow& row) const {
  const auto found = find_column(column);
  if (!found) return false;
  if ((*found)->number == nullptr) {
    const std::string& text = (*found)->text(row);
    switch (op) {
      case Op::kEqual: return text == value;
      case Op::kNotEqual: return text != value;
      default: return text.find(value) != std::string::npos;
    }
  }
  const double x = (*found)->number(row);
  switch (op) {
    case Op::kLess: return x < number;
    case Op::kLessEqual: return x <= number;
    case Op::kGreater: return x > number;
    case Op::kGreaterEqual: return x >= number;
    case Op::kEqual: return x == number;
    case Op::kNotEqual: return x != number;
    case Op::kContains: return false;
  }
  return false;
}

Result<ProcessOrder> ProcessOrder::parse(const std::string& text) {
  ProcessOrder order{.column = text, .descending = text.ends_with(":desc")};
  if (order.descending) order.column.resize(text.size() - 5);
  if (auto column = find_column(order.column); !column) return fail(column.error());
  return order;
}

void sort_processes(std::vector<ProcessRow>& rows, const ProcessOrder& order) {
  const auto column = find_column(order.column);
  if (!column) return;
  std::stable_sort(rows.begin(), rows.end(), [&](const ProcessRow& a, const ProcessRow& b) {
    if ((*column)->number == nullptr) return order.descending ? (*column)->text(b) < (*column)->text(a) : (*column)->text(a) < (*column)->text(b);
    const double x = (*column)->number(a), y = (*column)->number(b);
    if (std::isnan(x) || std::isnan(y)) return !std::isnan(x) && std::isnan(y);
    return order.descending ? y < x : x < y;
  });
}

Table process_table(std::span<const ProcessRow> rows) {
  std::vector<Column> heads;
  for (const ColumnOf& column : kColumns) heads.push_back({column.name, column.name, column.number == nullptr ? Quantity::kText : Quantity::kNumber, column.decimals});
  Table table("", heads);
  for (const ProcessRow& row : rows) {
    std::vector<Cell> cells;
    for (const ColumnOf& column : kColumns) {
      if (column.number == nullptr)
        cells.emplace_back(column.text(row));
      else if (const double value = column.number(row); std::isnan(value))
        cells.emplace_back();
      else
        cells.emplace_back(value);
    }
    table.add(std::move(cells));
  }
  return table;
}

std::string process_csv(std::span<const ProcessRow> rows) {
  std::string out = fmt::format("{}\n", fmt::join(process_columns(), ","));
  for (const ProcessRow& row : rows) {
    const char* separator = "";
    for (const ColumnOf& column : kColumns) {
      out += separator;
      separator = ",";
      if (column.number != nullptr) {
        if (const double value = column.number(row); !std::isnan(value)) out += fmt::format("{:.{}f}", value, column.decimals);
        continue;
      }
      out += csv_field(column.text(row));
    }
    out += '\n';
  }
  return out;
}

}  // namespace pointsman::report

// The table of processes of a trace: one row a process, with the columns of the table that this project set out from first; sorted, filtered, described.
// Definitions: arrival is the fork, not the first sight; TAT = completion - arrival; RT = first run - arrival; times in seconds of CLOCK_MONOTONIC.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "report/interval.h"
#include "report/table.h"

namespace pointsman::report {

struct ProcessRow {
  int64_t pid = 0, parent = 0;
  std::string command = "";
  double arrival_s = kMissing, first_cpu_s = kMissing, completion_s = kMissing;  // not known: before the trace, or not yet
  double cpu_s = 0;       // of all its threads
  double run_delay_s = 0;
  uint64_t voluntary = 0, involuntary = 0, threads = 0;
  std::optional<int> exit_code = std::nullopt;  // none: still alive

  [[nodiscard]] double turnaround_s() const { return completion_s - arrival_s; }
  [[nodiscard]] double response_s() const { return first_cpu_s - arrival_s; }
};

// COLUMN OP VALUE, OP one of < <= > >= = != and ~ (contains).
struct ProcessFilter {
  std::string column, value;
  enum class Op { kLess, kLessEqual, kGreater, kGreaterEqual, kEqual, kNotEqual, kContains } op = Op::kEqual;
  double number = kMissing;  // of columns that are numbers
  // Errors: kInvalidArgument, naming the columns there are.
  static Result<ProcessFilter> parse(const std::string& text);
  // A value that is not known passes only !=.
  [[nodiscard]] bool passes(const ProcessRow& row) const;
};

struct ProcessOrder {
  std::string column = "T_Arrival";
  bool descending = false;
  // COLUMN or COLUMN:desc. Errors: kInvalidArgument.
  static Result<ProcessOrder> parse(const std::string& text);
};

std::vector<std::string> process_columns();
bool is_number_column(const std::string& column);
// The values of a column of numbers. Errors: kInvalidArgument when there is none of that name.
Result<std::vector<double>> process_values(std::span<const ProcessRow> rows, const std::string& column);

// Rows whose value is not known come last, whatever the direction; equal rows keep their order.
void sort_processes(std::vector<ProcessRow>& rows, const ProcessOrder& order);
Table process_table(std::span<const ProcessRow> rows);
std::string process_csv(std::span<const ProcessRow> rows);

}  // namespace pointsman::report

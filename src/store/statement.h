// Statement: one prepared SQLite statement, and SQLite's errors as ours. Private to this module.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "base/result.h"

namespace pointsman {

Unexpected sqlite_failure(sqlite3* db, const std::string& path, const std::string& what);

// One prepared statement; ?1.. are bound in order, columns read in order.
class Statement {
 public:
  Statement(sqlite3* db, const char* sql) { sqlite3_prepare_v2(db, sql, -1, &statement_, nullptr); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  ~Statement() { sqlite3_finalize(statement_); }

  Statement& bind(const std::string& text) {
    return note(sqlite3_bind_text(statement_, ++bound_, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT));
  }
  Statement& bind(int64_t number) { return note(sqlite3_bind_int64(statement_, ++bound_, number)); }
  Statement& bind(int number) { return bind(int64_t{number}); }
  Statement& bind(bool flag) { return bind(int64_t{flag}); }
  Statement& bind(uint64_t bits) { return bind(static_cast<int64_t>(bits)); }
  Statement& bind(double number) { return note(sqlite3_bind_double(statement_, ++bound_, number)); }  // NaN becomes NULL
  template <typename T>
  Statement& bind(const std::vector<T>& numbers) {
    const int bytes = static_cast<int>(numbers.size() * sizeof(T));
    return note(bytes == 0 ? sqlite3_bind_zeroblob(statement_, ++bound_, 0)
                           : sqlite3_bind_blob(statement_, ++bound_, numbers.data(), bytes, SQLITE_TRANSIENT));
  }

  // SQLITE_ROW, SQLITE_DONE or an error, that of a failed prepare or bind included.
  int step() {
    if (statement_ == nullptr || bind_error_ != SQLITE_OK) return SQLITE_ERROR;
    column_ = 0;
    return sqlite3_step(statement_);
  }
  bool done() { return step() == SQLITE_DONE; }
  void reset() {
    sqlite3_reset(statement_);
    bound_ = 0;
  }

  std::string text() {
    const int c = column_++;
    const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_, c));
    return bytes == nullptr ? std::string() : std::string(bytes, static_cast<size_t>(sqlite3_column_bytes(statement_, c)));
  }
  int64_t whole() { return sqlite3_column_int64(statement_, column_++); }
  int small() { return static_cast<int>(whole()); }
  double real() {
    const int c = column_++;
    return sqlite3_column_type(statement_, c) == SQLITE_NULL ? std::numeric_limits<double>::quiet_NaN()
                                                             : sqlite3_column_double(statement_, c);
  }
  template <typename T>
  std::vector<T> numbers() {
    const int c = column_++;
    const void* bytes = sqlite3_column_blob(statement_, c);
    std::vector<T> out(static_cast<size_t>(sqlite3_column_bytes(statement_, c)) / sizeof(T));
    if (!out.empty()) std::memcpy(out.data(), bytes, out.size() * sizeof(T));
    return out;
  }

 private:
  Statement& note(int error) {
    if (error != SQLITE_OK) bind_error_ = error;
    return *this;
  }
  sqlite3_stmt* statement_ = nullptr;
  int bound_ = 0, column_ = 0, bind_error_ = SQLITE_OK;
};

}  // namespace pointsman

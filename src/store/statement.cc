#include "store/statement.h"

namespace pointsman {

namespace {

ErrorCode code_of(int sqlite_error) {
  switch (sqlite_error & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return ErrorCode::kCorrupt;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return ErrorCode::kBusy;
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
      return ErrorCode::kPermissionDenied;
    case SQLITE_CONSTRAINT:
    case SQLITE_RANGE:
    case SQLITE_MISUSE:
      return ErrorCode::kInvalidArgument;
    default:
      return ErrorCode::kIo;
  }
}

}  // namespace

Unexpected sqlite_failure(sqlite3* db, const std::string& path, const std::string& what) {
  const int error = sqlite3_extended_errcode(db);
  return fail(code_of(error), "ledger {}: {}: {}", path, what, sqlite3_errmsg(db));
}

}  // namespace pointsman

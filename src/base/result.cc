#include "base/result.h"

#include <cerrno>
#include <cstring>

namespace pointsman {

const char* name_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kNotFound: return "not_found";
    case ErrorCode::kUnsupported: return "unsupported";
    case ErrorCode::kInvalidArgument: return "invalid_argument";
    case ErrorCode::kPermissionDenied: return "permission_denied";
    case ErrorCode::kBusy: return "busy";
    case ErrorCode::kCorrupt: return "corrupt";
    case ErrorCode::kIo: return "io";
    case ErrorCode::kInterrupted: return "interrupted";
  }
  return "unknown";
}

Unexpected fail_errno(const std::string& what) {
  const int error = errno;
  ErrorCode code = ErrorCode::kIo;
  if (error == ENOENT || error == ESRCH || error == ENODEV) code = ErrorCode::kNotFound;
  if (error == EACCES || error == EPERM) code = ErrorCode::kPermissionDenied;
  if (error == EBUSY || error == EAGAIN) code = ErrorCode::kBusy;
  if (error == ENOSYS || error == EOPNOTSUPP) code = ErrorCode::kUnsupported;
  if (error == EINVAL) code = ErrorCode::kInvalidArgument;
  return fail(code, "{}: {}", what, std::strerror(error));
}

}  // namespace pointsman

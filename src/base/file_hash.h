// The identity of a whole file. It is mapped, not read: a copy on the heap would stay with a long-lived process for good.
#pragma once

#include <string>

#include "base/result.h"

namespace pointsman {

// Hash64 over its bytes. Errors: kNotFound, kPermissionDenied, kIo.
Result<std::string> hash_of_file(const std::string& path);

}  // namespace pointsman

#include "metrics/kept_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace pointsman {

namespace {
// No file of /proc that is read here comes near it; a fake one must not fill the memory.
constexpr size_t kMostBytes = 16u << 20;
}  // namespace

Result<std::string_view> KeptFile::read() {
  if (!fd_) {
    fd_.reset(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd_) return fail_errno("open " + path_);
  }
  if (buffer_.empty()) buffer_.resize(8192);
  size_t used = 0;
  for (;;) {
    // A short read is not the end: seq files hand out a page at a time.
    const ssize_t n = ::pread(fd_.get(), buffer_.data() + used, buffer_.size() - used, static_cast<off_t>(used));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      const Unexpected error = fail_errno("read " + path_);
      fd_.reset();
      return error;
    }
    if (n == 0) return std::string_view(buffer_.data(), used);
    used += static_cast<size_t>(n);
    if (used == buffer_.size()) {
      if (used >= kMostBytes) return fail(ErrorCode::kCorrupt, "{} is larger than {} bytes", path_, kMostBytes);
      buffer_.resize(2 * used);
    }
  }
}

}  // namespace pointsman

#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "base/unique_fd.h"

namespace pointsman {

namespace {

Result<Unit> write_all(int fd, const std::string& path, std::string_view content) {
  while (!content.empty()) {
    const ssize_t n = ::write(fd, content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno("write " + path);
    content.remove_prefix(static_cast<size_t>(n));
  }
  return Unit{};
}

}  // namespace

Result<std::string> read_file(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail_errno("open " + path);
  std::string out;
  size_t chunk = 4096;
  for (;;) {
    const size_t used = out.size();
    out.resize(used + chunk);
    const ssize_t n = ::read(fd.get(), out.data() + used, chunk);
    out.resize(used + (n > 0 ? static_cast<size_t>(n) : 0));
    if (n == 0) return out;
    if (n < 0 && errno != EINTR) return fail_errno("read " + path);
    if (chunk < (1u << 20)) chunk *= 2;
  }
}

Result<Unit> write_file(const std::string& path, std::string_view content) {
  // A device or a pipe is written to; a rename would put a file in its place. What a link leads to is replaced, not the link.
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) return poke_file(path, content);
  struct stat itself {};
  if (::lstat(path.c_str(), &itself) == 0 && S_ISLNK(itself.st_mode)) {
    // /dev/stdout leads through /proc to what is open, which may have no name that could be replaced.
    if (path.starts_with("/dev/") || path.starts_with("/proc/")) return poke_file(path, content);
    std::error_code dangling;
    if (const auto target = std::filesystem::canonical(path, dangling); !dangling) return write_file(target.string(), content);
  }
  const std::string next = fmt::format("{}.tmp.{}", path, ::getpid());
  UniqueFd fd(::open(next.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!fd) return fail_errno("create " + next);
  auto written = write_all(fd.get(), next, content);
  if (written && ::fsync(fd.get()) != 0 && errno != EINVAL) written = fail_errno("sync " + next);
  if (written && std::rename(next.c_str(), path.c_str()) != 0) written = fail_errno("rename " + next + " to " + path);
  if (!written) ::unlink(next.c_str());
  return written;
}

Result<Unit> poke_file(const std::string& path, std::string_view content) {
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd) return fail_errno("open " + path);
  return write_all(fd.get(), path, content);
}

}  // namespace pointsman

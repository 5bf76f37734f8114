#include "base/file_hash.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/hash.h"
#include "base/unique_fd.h"

namespace pointsman {

Result<std::string> hash_of_file(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0) return fail_errno("open " + path);
  const auto size = static_cast<size_t>(status.st_size);
  if (size == 0) return Hash64{}.add(std::string_view()).hex();
  void* bytes = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (bytes == MAP_FAILED) return fail_errno("map " + path);
  std::string hash = Hash64{}.add({static_cast<const char*>(bytes), size}).hex();
  ::munmap(bytes, size);
  return hash;
}

}  // namespace pointsman

#include "lab/snapshot_cache.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <vector>

#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "lab/machine.h"

namespace pointsman {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// Calls visit(begin, end) for every stretch that is not a hole.
template <typename Visit>
Result<Unit> for_each_stretch(int fd, const Visit& visit) {
  for (off_t at = 0; (at = ::lseek(fd, at, SEEK_DATA)) >= 0;) {
    const off_t end = ::lseek(fd, at, SEEK_HOLE);
    if (end < 0) return fail_errno("guest memory");
    if (auto done = visit(at, end); !done) return done;
    at = end;
  }
  return Unit{};
}

// FROM's content into TO, holes and all. Both have the same size already.
Result<Unit> copy_stretches(int from, int to) {
  return for_each_stretch(from, [&](off_t begin, off_t end) -> Result<Unit> {
    if (::lseek(to, begin, SEEK_SET) < 0) return fail_errno("copy guest memory");
    for (off_t at = begin; at < end;) {
      const ssize_t n = ::sendfile(to, from, &at, static_cast<size_t>(end - at));
      if (n < 0 && errno != EINTR) return fail_errno("copy guest memory");
      if (n == 0) return fail(ErrorCode::kCorrupt, "guest memory ends early");
    }
    return Unit{};
  });
}

Result<Unit> store_memory(const std::string& path, int ram) {
  struct stat status {};
  if (::fstat(ram, &status) != 0) return fail_errno("guest memory");
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd) return fail_errno("create " + path);
  if (::ftruncate(fd.get(), status.st_size) != 0) return fail_errno("size " + path);
  if (auto copied = copy_stretches(ram, fd.get()); !copied) return fail(copied.error().at(path));
  return Unit{};
}

Result<SavedGuest> load_from(const std::string& folder) {
  auto about_text = read_file(folder + "/about.json");
  if (!about_text) return fail(about_text.error());
  const json about = json::parse(*about_text, nullptr, false);
  const auto damaged = [&](const char* what) { return fail(ErrorCode::kCorrupt, "{}: {}", folder, what); };
  if (!about.is_object()) return damaged("about.json is damaged");
  SavedGuest guest;
  auto state = read_file(folder + "/state");
  if (!state) return fail(state.error());
  if (about.value("state_hash", "") != Hash64().add(*state).hex()) return damaged("the state is damaged");
  guest.state = std::move(*state);
  guest.registers_hash = about.value("registers_hash", "");
  guest.qemu_version = about.value("qemu_version", "");
  guest.boot_seconds = about.value("boot_seconds", 0.0);
  guest.save_seconds = about.value("save_seconds", 0.0);

  const UniqueFd file(::open((folder + "/memory").c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0) return fail_errno(folder + "/memory");
  auto ram = memory_file("guest-memory", {}, static_cast<size_t>(status.st_size));
  if (!ram) return fail(ram.error());
  if (auto copied = copy_stretches(file.get(), ram->get()); !copied) return fail(copied.error());
  auto digest = digest_memory(ram->get());
  if (!digest) return fail(digest.error());
  if (about.value("memory_hash", uint64_t{0}) != digest->hash) return damaged("the memory is damaged");
  guest.memory_hash = digest->hash;
  guest.memory_bytes = digest->bytes;
  guest.ram = std::move(*ram);
  return guest;
}

}  // namespace

Result<MemoryDigest> digest_memory(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return fail_errno("guest memory");
  const auto size = static_cast<size_t>(status.st_size);
  MemoryDigest digest{.hash = 0x9e3779b97f4a7c15ull, .bytes = static_cast<size_t>(status.st_blocks) * 512};
  if (size == 0) return digest;
  void* mapped = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
  if (mapped == MAP_FAILED) return fail_errno("map guest memory");
  constexpr size_t kPage = 4096, kWords = kPage / 8;
  const auto mix = [&digest](uint64_t word) {
    digest.hash = (digest.hash ^ word) * 0xd6e8feb86659fd93ull;
    digest.hash ^= digest.hash >> 32;
  };
  auto done = for_each_stretch(fd, [&](off_t at, off_t end) -> Result<Unit> {
    for (; at < end; at += kPage) {
      uint64_t words[kWords] = {};
      std::memcpy(words, static_cast<const char*>(mapped) + at, std::min<size_t>(kPage, size - static_cast<size_t>(at)));
      uint64_t any = 0;
      for (const uint64_t word : words) any |= word;
      if (any == 0) continue;
      mix(static_cast<uint64_t>(at));
      for (const uint64_t word : words) mix(word);
    }
    return Unit{};
  });
  ::munmap(mapped, size);
  if (!done) return fail(done.error());
  return digest;
}

std::optional<SavedGuest> SnapshotCache::load(const std::string& key) const {
  const std::string folder = folder_ + "/" + key;
  std::error_code error;
  if (!fs::exists(folder, error)) return std::nullopt;
  auto guest = load_from(folder);
  if (!guest) {
    log_warning("a saved guest is of no use and is removed: {}", guest.error().message);
    remove(key);
    return std::nullopt;
  }
  fs::last_write_time(folder, fs::file_time_type::clock::now(), error);  // used last
  return std::move(*guest);
}

Result<Unit> SnapshotCache::store(const std::string& key, const SavedGuest& guest) const {
  const std::string next = fmt::format("{}/.{}.{}", folder_, key, ::getpid());
  std::error_code error;
  fs::create_directories(next, error);
  if (error) return fail(error == std::errc::permission_denied ? ErrorCode::kPermissionDenied : ErrorCode::kIo, "create {}: {}", next, error.message());
  const json about{{"state_hash", Hash64().add(guest.state).hex()},
                   {"memory_hash", guest.memory_hash},
                   {"registers_hash", guest.registers_hash},
                   {"qemu_version", guest.qemu_version},
                   {"boot_seconds", guest.boot_seconds},
                   {"save_seconds", guest.save_seconds}};
  auto done = store_memory(next + "/memory", guest.ram.get());
  if (done) done = write_file(next + "/state", guest.state);
  if (done) done = write_file(next + "/about.json", about.dump(1) + "\n");
  if (done) {
    // Fails when another process was first: then its guest, which is equal, stays.
    fs::rename(next, folder_ + "/" + key, error);
  }
  fs::remove_all(next, error);
  prune();
  return done;
}

void SnapshotCache::remove(const std::string& key) const {
  std::error_code error;
  fs::remove_all(folder_ + "/" + key, error);
}

void SnapshotCache::prune() const {
  std::error_code error;
  std::vector<std::pair<fs::file_time_type, fs::path>> entries;
  for (fs::directory_iterator at(folder_, error), end; !error && at != end; at.increment(error)) {
    const bool left_behind = at->path().filename().string().starts_with('.') && fs::file_time_type::clock::now() - at->last_write_time(error) > std::chrono::hours(1);
    if (left_behind) fs::remove_all(at->path(), error);
    // Only guests: what scripts/setup keeps beside them in the same folder is not ours to remove.
    if (!at->path().filename().string().starts_with('.') && fs::exists(at->path() / "about.json", error)) entries.emplace_back(at->last_write_time(error), at->path());
  }
  std::sort(entries.begin(), entries.end(), std::greater<>());
  for (size_t i = most_; i < entries.size(); ++i) fs::remove_all(entries[i].second, error);
}

std::string default_cache_folder() {
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache == '/') return std::string(cache) + "/pointsman";
  if (const char* home = std::getenv("HOME"); home != nullptr && *home == '/') return std::string(home) + "/.cache/pointsman";
  return {};
}

}  // namespace pointsman

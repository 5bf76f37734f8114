// SnapshotCache: saved guests on disk, so that the next command with the same image need not boot. A folder a guest, named by a key over all that goes into
// it; nothing in it is believed before its hashes are right. Keeps the few that were used last.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace pointsman {

// A guest stopped at its gate.
struct SavedGuest {
  UniqueFd ram;       // a memory file
  std::string state;  // QEMU's, all but the memory
  uint64_t memory_hash = 0;
  size_t memory_bytes = 0;  // that are in use
  std::string registers_hash, qemu_version;
  double boot_seconds = 0, save_seconds = 0;  // what it cost to get it
};

// Over the content of every page that is not all zero, and its place: whether a zero page was ever touched does not count. And the bytes in use.
struct MemoryDigest {
  uint64_t hash = 0;
  size_t bytes = 0;
};
Result<MemoryDigest> digest_memory(int fd);

class SnapshotCache {
 public:
  explicit SnapshotCache(std::string folder, size_t most = 3) : folder_(std::move(folder)), most_(most) {}

  // nullopt: not there. What is there but damaged is removed, with a warning.
  [[nodiscard]] std::optional<SavedGuest> load(const std::string& key) const;
  // Errors: kIo (disk full: nothing is left), kPermissionDenied. Two writers of one key do not disturb each other.
  Result<Unit> store(const std::string& key, const SavedGuest& guest) const;
  void remove(const std::string& key) const;

 private:
  void prune() const;
  std::string folder_;
  size_t most_;
};

// $XDG_CACHE_HOME/pointsman, else ~/.cache/pointsman; empty when neither is known.
std::string default_cache_folder();

}  // namespace pointsman

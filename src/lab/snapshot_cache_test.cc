#include "lab/snapshot_cache.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/file.h"
#include "lab/machine.h"

namespace pointsman {
namespace {

namespace fs = std::filesystem;
constexpr size_t kSize = 64u << 20;

class Cache : public testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/cache_test.XXXXXX";
    folder_ = ::mkdtemp(pattern);
  }
  void TearDown() override { fs::remove_all(folder_); }

  static void poke(int fd, const std::string& text, off_t at) { ASSERT_EQ(::pwrite(fd, text.data(), text.size(), at), static_cast<ssize_t>(text.size())); }
  static SavedGuest guest(const std::string& word) {
    SavedGuest out;
    auto ram = memory_file("ram", word, kSize);
    out.ram = std::move(*ram);
    poke(out.ram.get(), "far away", 40 << 20);
    out.state = "state of " + word;
    out.memory_hash = digest_memory(out.ram.get())->hash;
    out.qemu_version = "7.2", out.registers_hash = "r", out.boot_seconds = 3;
    return out;
  }
  std::string folder_;
};

TEST_F(Cache, GivesBackWhatWasStored) {
  const SnapshotCache cache(folder_ + "/a/b");
  EXPECT_FALSE(cache.load("k"));
  const SavedGuest stored = guest("one");
  ASSERT_TRUE(cache.store("k", stored));
  auto loaded = cache.load("k");
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->state, "state of one");
  EXPECT_EQ(loaded->memory_hash, stored.memory_hash);
  EXPECT_EQ(loaded->qemu_version, "7.2");
  EXPECT_EQ(loaded->registers_hash, "r");
  EXPECT_EQ(content_of(loaded->ram.get()), content_of(stored.ram.get()));
  EXPECT_LT(loaded->memory_bytes, kSize / 8);  // holes stay holes
  ASSERT_TRUE(cache.store("k", stored));       // a second writer is no error
  EXPECT_TRUE(cache.load("k"));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_ + "/a/b"), {}), 1);  // and leaves nothing behind
}

TEST_F(Cache, DamageIsSeenAndRemoved) {
  const SnapshotCache cache(folder_);
  for (const std::string file : {"memory", "state", "about.json"}) {
    ASSERT_TRUE(cache.store("k", guest("one")));
    std::fstream stream(folder_ + "/k/" + file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(1);
    stream.put('#');
    stream.close();
    EXPECT_FALSE(cache.load("k")) << file;
    EXPECT_FALSE(fs::exists(folder_ + "/k")) << file;
  }
  ASSERT_TRUE(cache.store("k", guest("one")));
  fs::resize_file(folder_ + "/k/memory", 4096);
  EXPECT_FALSE(cache.load("k"));
  ASSERT_TRUE(cache.store("k", guest("one")));
  fs::remove(folder_ + "/k/state");
  EXPECT_FALSE(cache.load("k"));
}

TEST_F(Cache, KeepsTheOnesUsedLast) {
  const SnapshotCache cache(folder_, 2);
  const auto age = [&](const char* key, int hours) { fs::last_write_time(folder_ + "/" + key, fs::file_time_type::clock::now() - std::chrono::hours(hours)); };
  ASSERT_TRUE(cache.store("a", guest("a")));
  ASSERT_TRUE(cache.store("b", guest("b")));
  age("a", 3), age("b", 2);
  ASSERT_TRUE(cache.load("a"));  // makes b the oldest
  ASSERT_TRUE(cache.store("c", guest("c")));
  EXPECT_TRUE(cache.load("a"));
  EXPECT_FALSE(cache.load("b"));
  EXPECT_TRUE(cache.load("c"));
}

TEST_F(Cache, WhatIsNoGuestIsNoneOfItsBusiness) {
  fs::create_directories(folder_ + "/schedulers/scx_simple-7.3.4");
  fs::last_write_time(folder_ + "/schedulers", fs::file_time_type::clock::now() - std::chrono::hours(1000));
  const SnapshotCache cache(folder_, 1);
  ASSERT_TRUE(cache.store("a", guest("a")));
  ASSERT_TRUE(cache.store("b", guest("b")));
  EXPECT_FALSE(cache.load("a"));
  EXPECT_TRUE(fs::exists(folder_ + "/schedulers/scx_simple-7.3.4"));
}

TEST_F(Cache, AFolderThatCannotBeMadeIsAnError) {
  ASSERT_TRUE(write_file(folder_ + "/file", "x"));
  EXPECT_FALSE(SnapshotCache(folder_ + "/file").store("k", guest("one")));
}

TEST(Digest, ZeroPagesDoNotCountAndPlacesDo) {
  auto a = memory_file("a", {}, 1 << 20), b = memory_file("b", {}, 1 << 20), c = memory_file("c", {}, 1 << 20);
  const auto put = [](int fd, const std::string& text, off_t at) { ASSERT_EQ(::pwrite(fd, text.data(), text.size(), at), static_cast<ssize_t>(text.size())); };
  put(a->get(), "word", 8192);
  put(b->get(), "word", 8192);
  put(b->get(), std::string(4096, '\0'), 65536);  // touched, but zero
  put(c->get(), "word", 12288);
  EXPECT_EQ(digest_memory(a->get())->hash, digest_memory(b->get())->hash);
  EXPECT_NE(digest_memory(a->get())->hash, digest_memory(c->get())->hash);
  put(b->get(), "W", 8192);
  EXPECT_NE(digest_memory(a->get())->hash, digest_memory(b->get())->hash);
}

}  // namespace
}  // namespace pointsman

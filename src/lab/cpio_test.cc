#include "lab/cpio.h"

#include <gmock/gmock.h>
#include <zlib.h>

namespace pointsman {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// A reader of its own, so that the writer is not checked against itself.
struct Entry {
  std::string name, content;
  unsigned mode = 0, uid = 0, links = 0, mtime = 0, major = 0, minor = 0;
};
std::vector<Entry> read_archive(const std::string& archive) {
  std::vector<Entry> entries;
  size_t at = 0;
  const auto padded = [](size_t n) { return (n + 3) / 4 * 4; };
  for (;;) {
    EXPECT_EQ(archive.substr(at, 6), "070701");
    EXPECT_EQ(at % 4, 0u);
    const auto field = [&](size_t i) { return static_cast<unsigned>(std::stoul(archive.substr(at + 6 + 8 * i, 8), nullptr, 16)); };
    Entry e;
    e.mode = field(1), e.uid = field(2), e.links = field(4), e.mtime = field(5), e.major = field(9), e.minor = field(10);
    const size_t size = field(6), name_size = field(11);
    e.name = archive.substr(at + 110, name_size - 1);
    EXPECT_EQ(archive[at + 110 + name_size - 1], '\0');
    at = padded(at + 110 + name_size);
    e.content = archive.substr(at, size);
    at = padded(at + size);
    if (e.name == "TRAILER!!!") break;
    entries.push_back(e);
  }
  EXPECT_EQ(at, archive.size());
  return entries;
}

TEST(Cpio, WritesWhatTheKernelReads) {
  Cpio cpio;
  cpio.add_file("usr/bin/tool", "12345", 0755);
  cpio.add_symlink("init", "usr/bin/tool");
  cpio.add_character_device("dev/console", 5, 1);
  cpio.add_directory("tmp", 01777);
  const auto entries = read_archive(cpio.archive());
  std::vector<std::string> names;
  for (const Entry& e : entries) {
    names.push_back(e.name);
    EXPECT_EQ(e.uid, 0u);
    EXPECT_EQ(e.mtime, 0u);
  }
  EXPECT_THAT(names, testing::ElementsAre("dev", "dev/console", "init", "tmp", "usr", "usr/bin", "usr/bin/tool"));
  EXPECT_EQ(entries[0].mode, 0040755u);
  EXPECT_EQ(entries[1].mode, 0020600u);
  EXPECT_EQ(entries[1].major, 5u);
  EXPECT_EQ(entries[1].minor, 1u);
  EXPECT_EQ(entries[2].mode, 0120777u);
  EXPECT_EQ(entries[2].content, "usr/bin/tool");
  EXPECT_EQ(entries[3].mode, 0041777u);
  EXPECT_EQ(entries[6].mode, 0100755u);
  EXPECT_EQ(entries[6].content, "12345");
}

TEST(Cpio, OrderOfAddingDoesNotShow) {
  Cpio a, b;
  a.add_file("x", "1"), a.add_file("d/y", "2");
  b.add_file("d/y", "old"), b.add_file("x", "1"), b.add_file("d/y", "2");
  EXPECT_EQ(a.archive(), b.archive());
  EXPECT_TRUE(a.contains("d"));
  EXPECT_FALSE(a.contains("y"));
}

TEST(Cpio, HeaderBytes) {
  Cpio cpio;
  cpio.add_file("a", "hi");
  // name "a\0" ends at 112 = 4 * 28, so the content follows at once
  EXPECT_THAT(cpio.archive(), StartsWith(std::string("070701" "00000001" "000081A4" "00000000" "00000000" "00000001" "00000000" "00000002" "00000000" "00000000"
                                                     "00000000" "00000000" "00000002" "00000000" "a\0hi\0\0", 116)));
}

TEST(Gzip, ComesBackAndIsTheSameEveryTime) {
  std::string text;
  for (int i = 0; i < 20000; ++i) text += std::to_string(i * i);
  auto packed = gzip(text, 1);
  ASSERT_TRUE(packed);
  EXPECT_LT(packed->size(), text.size());
  EXPECT_EQ(*packed, *gzip(text, 1));
  std::string out(text.size() + 1, '\0');
  z_stream stream{};
  ASSERT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(packed->data());
  stream.avail_in = static_cast<uInt>(packed->size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  inflateEnd(&stream);
  EXPECT_EQ(out, text);
}

}  // namespace
}  // namespace pointsman

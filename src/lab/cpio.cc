#include "lab/cpio.h"

#include <sys/stat.h>
#include <zlib.h>

#include <algorithm>

namespace pointsman {

namespace {

void pad_to_four(std::string& out) { out.resize((out.size() + 3) & ~size_t{3}, '\0'); }

void append_entry(std::string& out, uint32_t inode, const std::string& name, uint32_t mode, uint32_t links, uint32_t major, uint32_t minor,
                  std::string_view content) {
  // magic, inode, mode, uid, gid, links, mtime, size, device of the file system (2), device of the node (2), length of the name with its NUL, unused
  out += fmt::format("070701{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}", inode, mode, 0, 0, links, 0,
                     content.size(), 0, 0, major, minor, name.size() + 1, 0);
  out += name;
  out += '\0';
  pad_to_four(out);
  out += content;
  pad_to_four(out);
}

}  // namespace

void Cpio::add(const std::string& path, Entry entry) {
  for (size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    entries_.try_emplace(path.substr(0, slash), Entry{.mode = S_IFDIR | 0755, .major = 0, .minor = 0, .content = {}});
  }
  entries_.insert_or_assign(path, std::move(entry));
}

void Cpio::add_directory(const std::string& path, uint32_t permissions) {
  add(path, {.mode = S_IFDIR | permissions, .major = 0, .minor = 0, .content = {}});
}

void Cpio::add_file(const std::string& path, std::string content, uint32_t permissions) {
  add(path, {.mode = S_IFREG | permissions, .major = 0, .minor = 0, .content = std::move(content)});
}

void Cpio::add_symlink(const std::string& path, std::string target) {
  add(path, {.mode = S_IFLNK | 0777, .major = 0, .minor = 0, .content = std::move(target)});
}

void Cpio::add_character_device(const std::string& path, uint32_t major, uint32_t minor, uint32_t permissions) {
  add(path, {.mode = S_IFCHR | permissions, .major = major, .minor = minor, .content = {}});
}

std::string Cpio::archive() const {
  std::string out;
  size_t total = 1024;
  for (const auto& [path, entry] : entries_) total += 128 + path.size() + entry.content.size();
  out.reserve(total);
  uint32_t inode = 1;
  for (const auto& [path, entry] : entries_) {
    append_entry(out, inode++, path, entry.mode, S_ISDIR(entry.mode) ? 2 : 1, entry.major, entry.minor, entry.content);
  }
  append_entry(out, 0, "TRAILER!!!", 0, 1, 0, 0, {});
  return out;
}

Result<std::string> gzip(std::string_view bytes, int level) {
  z_stream stream{};
  constexpr int kGzipWindow = 15 + 16;  // largest window, with a gzip header
  if (deflateInit2(&stream, level, Z_DEFLATED, kGzipWindow, 9, Z_DEFAULT_STRATEGY) != Z_OK) return fail(ErrorCode::kIo, "gzip: zlib does not start");
  std::string out(deflateBound(&stream, bytes.size()), '\0');
  size_t read = 0, written = 0;
  int status = Z_OK;
  while (status == Z_OK) {
    // zlib counts in 32 bits
    const auto chunk_in = static_cast<uInt>(std::min<size_t>(bytes.size() - read, 1u << 30));
    const auto chunk_out = static_cast<uInt>(std::min<size_t>(out.size() - written, 1u << 30));
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data() + read));
    stream.avail_in = chunk_in;
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + written);
    stream.avail_out = chunk_out;
    status = deflate(&stream, read + chunk_in == bytes.size() ? Z_FINISH : Z_NO_FLUSH);
    read += chunk_in - stream.avail_in;
    written += chunk_out - stream.avail_out;
  }
  deflateEnd(&stream);
  if (status != Z_STREAM_END) return fail(ErrorCode::kIo, "gzip: zlib stopped with status {}", status);
  out.resize(written);
  return out;
}

}  // namespace pointsman

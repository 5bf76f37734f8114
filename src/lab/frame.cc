#include "lab/frame.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <optional>

namespace pointsman {

namespace {

constexpr uint32_t kMagic = 0x464d5094;  // begins with a byte that is neither ASCII nor the start of a UTF-8 character
constexpr size_t kHeader = 9;            // magic, payload length, type length
constexpr size_t kMaxType = 31;
constexpr unsigned kDeflated = 0x80;
constexpr size_t kWorthDeflating = 1024;

void append_u32(std::string& out, uint32_t value) {
  for (int i = 0; i < 4; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
}

uint32_t u32_at(std::string_view bytes, size_t at) {
  uint32_t value = 0;
  for (int i = 3; i >= 0; --i) value = value << 8 | static_cast<unsigned char>(bytes[at + static_cast<size_t>(i)]);
  return value;
}

// Empty when that does not make it smaller.
std::string deflated(std::string_view bytes) {
  uLongf size = compressBound(bytes.size());
  std::string out(size, '\0');
  const int status = compress2(reinterpret_cast<Bytef*>(out.data()), &size, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size(), Z_BEST_SPEED);
  if (status != Z_OK || size >= bytes.size()) return {};
  out.resize(size);
  return out;
}

// nullopt: not a deflated text of at most kMaxPayload bytes.
std::optional<std::string> inflated(std::string_view bytes) {
  z_stream stream{};
  if (inflateInit(&stream) != Z_OK) return std::nullopt;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::string out;
  int status = Z_OK;
  while (status == Z_OK && out.size() <= kMaxPayload) {
    const size_t before = out.size();
    const size_t step = std::max<size_t>(65536, before);
    out.resize(before + step);
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + before);
    stream.avail_out = static_cast<uInt>(step);
    status = inflate(&stream, Z_NO_FLUSH);
    out.resize(before + step - stream.avail_out);
  }
  const bool whole = status == Z_STREAM_END && stream.avail_in == 0 && out.size() <= kMaxPayload;
  inflateEnd(&stream);
  if (!whole) return std::nullopt;
  return out;
}

// One frame at the front of BYTES, and how long it is; or what is wrong with it.
struct Decoded {
  std::optional<Frame> frame;
  size_t size = 0;
  const char* wrong = nullptr;
};
Decoded decode_front(std::string_view bytes) {
  if (bytes.size() < kHeader) return {.frame = {}, .size = 0, .wrong = "cut off inside a header"};
  if (u32_at(bytes, 0) != kMagic) return {.frame = {}, .size = 0, .wrong = "no frame begins here"};
  const uint32_t length = u32_at(bytes, 4);
  const unsigned flagged = static_cast<unsigned char>(bytes[8]);
  const unsigned type_length = flagged & ~kDeflated;
  if (length > kMaxPayload || type_length == 0 || type_length > kMaxType) return {.frame = {}, .size = 0, .wrong = "impossible lengths"};
  const size_t body = kHeader + type_length + length;
  if (bytes.size() < body + 4) return {.frame = {}, .size = 0, .wrong = "cut off inside a payload"};
  if (crc32c(bytes.substr(4, body - 4)) != u32_at(bytes, body)) return {.frame = {}, .size = 0, .wrong = "wrong checksum"};
  std::string payload(bytes.substr(kHeader + type_length, length));
  if ((flagged & kDeflated) != 0) {
    auto plain = inflated(payload);
    if (!plain) return {.frame = {}, .size = 0, .wrong = "payload does not inflate"};
    payload = std::move(*plain);
  }
  return {.frame = Frame{std::string(bytes.substr(kHeader, type_length)), std::move(payload)},
          .size = body + 4,
          .wrong = nullptr};
}

}  // namespace

std::string encode_frame(std::string_view type, std::string_view payload) {
  const std::string packed = payload.size() >= kWorthDeflating ? deflated(payload) : std::string();
  if (!packed.empty()) payload = packed;
  std::string out;
  out.reserve(kHeader + type.size() + payload.size() + 4);
  append_u32(out, kMagic);
  append_u32(out, static_cast<uint32_t>(payload.size()));
  out += static_cast<char>(type.size() | (packed.empty() ? 0 : kDeflated));
  out += type;
  out += payload;
  append_u32(out, crc32c(std::string_view(out).substr(4)));
  return out;
}

Result<Unit> FrameWriter::send(std::string_view type, std::string_view payload) {
  const std::lock_guard lock(mutex_);
  if (type == kEndFrame) return fail(ErrorCode::kInvalidArgument, "only finish() sends an end frame");
  return send_locked(type, payload);
}

Result<Unit> FrameWriter::send_json(std::string_view type, const nlohmann::json& payload) {
  return send(type, payload.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

Result<Unit> FrameWriter::finish(nlohmann::json summary) {
  const std::lock_guard lock(mutex_);
  summary["frames"] = frames_;
  summary["hash"] = hash_.hex();
  auto sent = send_locked(kEndFrame, summary.dump());
  finished_ = true;
  return sent;
}

Result<Unit> FrameWriter::send_locked(std::string_view type, std::string_view payload) {
  if (finished_) return fail(ErrorCode::kInvalidArgument, "frame {} after the end frame", type);
  if (type.empty() || type.size() > kMaxType) return fail(ErrorCode::kInvalidArgument, "a frame's type has 1 to {} bytes: '{}'", kMaxType, type);
  if (payload.size() > kMaxPayload) return fail(ErrorCode::kInvalidArgument, "frame {} has {} bytes; the most is {}", type, payload.size(), kMaxPayload);
  hash_.add(type).add(payload);
  ++frames_;
  return sink_(encode_frame(type, payload));
}

Result<FrameStream> read_frames(std::string_view bytes) {
  FrameStream stream;
  Hash64 hash;
  size_t at = 0;
  while (at < bytes.size()) {
    Decoded next = decode_front(bytes.substr(at));
    if (!next.frame) return fail(ErrorCode::kCorrupt, "results are damaged at byte {} of {}: {}", at, bytes.size(), next.wrong);
    at += next.size;
    if (next.frame->type != kEndFrame) {
      hash.add(next.frame->type).add(next.frame->payload);
      stream.frames.push_back(std::move(*next.frame));
      continue;
    }
    stream.end = nlohmann::json::parse(next.frame->payload, nullptr, false);
    if (!stream.end.is_object()) return fail(ErrorCode::kCorrupt, "results are damaged: the end frame is not a JSON object");
    const auto frames = stream.end.find("frames"), said = stream.end.find("hash");
    if (frames == stream.end.end() || !frames->is_number_unsigned() || *frames != stream.frames.size()) {
      return fail(ErrorCode::kCorrupt, "results are damaged: {} frames arrived, not as many as the end frame says", stream.frames.size());
    }
    if (said == stream.end.end() || !said->is_string() || *said != hash.hex()) {
      return fail(ErrorCode::kCorrupt, "results are damaged: the hash over all frames is not the one that the end frame says");
    }
    if (at != bytes.size()) return fail(ErrorCode::kCorrupt, "results are damaged: {} bytes follow the end frame", bytes.size() - at);
    stream.hash = hash.add(next.frame->payload).hex();
    return stream;
  }
  return fail(ErrorCode::kCorrupt, "results are incomplete: {} frames in {} bytes, and no end frame", stream.frames.size(), bytes.size());
}

std::vector<Frame> salvage_frames(std::string_view bytes) {
  std::vector<Frame> frames;
  std::string magic;
  append_u32(magic, kMagic);
  for (size_t at = bytes.find(magic); at != std::string_view::npos;) {
    Decoded next = decode_front(bytes.substr(at));
    if (next.frame) frames.push_back(std::move(*next.frame));
    at = bytes.find(magic, at + (next.size > 0 ? next.size : 1));
  }
  return frames;
}

}  // namespace pointsman

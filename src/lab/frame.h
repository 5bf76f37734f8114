// Frames: how results leave the guest. Each is a typed, checksummed record; the last one, "end", carries a hash over all before it, so that nothing can be lost, added or damaged unseen.
// Layout, little endian: magic u32, length of payload u32, length of type u8 (bit 7: the payload is deflated), type, payload, CRC-32C u32 over everything
// after the magic and before itself. Long payloads are deflated: a byte costs the guest 2 us of the host at its serial port, and 0.1 us to deflate.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "base/result.h"

namespace pointsman {

struct Frame {
  std::string type;  // 1 to 31 bytes
  std::string payload;
};

inline constexpr std::string_view kEndFrame = "end";
inline constexpr std::string_view kErrorFrame = "error";
inline constexpr uint32_t kMaxPayload = 64u << 20;

std::string encode_frame(std::string_view type, std::string_view payload);

// Threads: send() may be called from several; frames do not mix, but their order is then the callers' business.
class FrameWriter {
 public:
  using Sink = std::function<Result<Unit>(std::string_view bytes)>;
  explicit FrameWriter(Sink sink) : sink_(std::move(sink)) {}

  // Errors: kInvalidArgument (type or payload too long, or after finish), and the sink's.
  Result<Unit> send(std::string_view type, std::string_view payload);
  Result<Unit> send_json(std::string_view type, const nlohmann::json& payload);
  // The end frame: SUMMARY plus "frames" and "hash". Nothing can be sent after it.
  Result<Unit> finish(nlohmann::json summary);

 private:
  Result<Unit> send_locked(std::string_view type, std::string_view payload);
  std::mutex mutex_;
  Sink sink_;
  Hash64 hash_;
  uint64_t frames_ = 0;
  bool finished_ = false;
};

struct FrameStream {
  std::vector<Frame> frames;  // without the end frame
  nlohmann::json end;         // its payload
  std::string hash;           // over every byte of every frame, the end frame's summary included
};
// Errors: kCorrupt, which says what is wrong and where: bytes between frames, a bad checksum, no end frame, something after it, another count or hash than it says.
Result<FrameStream> read_frames(std::string_view bytes);

// As much as can be had from a damaged stream, for messages only: every frame whose checksum is right.
std::vector<Frame> salvage_frames(std::string_view bytes);

}  // namespace pointsman

#include "lab/frame.h"

#include <gmock/gmock.h>

#include "base/rng.h"

namespace pointsman {
namespace {

using testing::HasSubstr;

std::string stream_of(const std::vector<Frame>& frames) {
  std::string bytes;
  FrameWriter writer([&](std::string_view more) {
    bytes += more;
    return Result<Unit>(Unit{});
  });
  for (const Frame& frame : frames) EXPECT_TRUE(writer.send(frame.type, frame.payload));
  EXPECT_TRUE(writer.finish({{"virtual_ns", 7}}));
  return bytes;
}

const std::vector<Frame> kFrames{{"hello", "{}"}, {"empty", ""}, {"binary", std::string("\x94\x50\x4d\x46\0\xff", 6)}, {"long", std::string(5000, 'x')}};

TEST(Frames, ArriveAsSent) {
  auto stream = read_frames(stream_of(kFrames));
  ASSERT_TRUE(stream) << stream.error().message;
  ASSERT_EQ(stream->frames.size(), kFrames.size());
  for (size_t i = 0; i < kFrames.size(); ++i) {
    EXPECT_EQ(stream->frames[i].type, kFrames[i].type);
    EXPECT_EQ(stream->frames[i].payload, kFrames[i].payload);
  }
  EXPECT_EQ(stream->end.at("virtual_ns"), 7);
  EXPECT_EQ(stream->hash, read_frames(stream_of(kFrames))->hash);
}

TEST(Frames, HashSeesEveryBitAndTheSummary) {
  auto other = kFrames;
  other[3].payload[4999] = 'y';
  EXPECT_NE(read_frames(stream_of(kFrames))->hash, read_frames(stream_of(other))->hash);
  std::string bytes;
  FrameWriter writer([&](std::string_view more) {
    bytes += more;
    return Result<Unit>(Unit{});
  });
  for (const Frame& frame : kFrames) EXPECT_TRUE(writer.send(frame.type, frame.payload));
  EXPECT_TRUE(writer.finish({{"virtual_ns", 8}}));
  EXPECT_NE(read_frames(stream_of(kFrames))->hash, read_frames(bytes)->hash);
}

TEST(Frames, EveryCutIsSeen) {
  const std::string bytes = stream_of({{"a", "one"}, {"b", "two"}});
  for (size_t n = 0; n < bytes.size(); ++n) {
    auto stream = read_frames(bytes.substr(0, n));
    ASSERT_FALSE(stream) << n;
    EXPECT_EQ(stream.error().code, ErrorCode::kCorrupt);
  }
  EXPECT_THAT(read_frames("").error().message, HasSubstr("no end frame"));
  EXPECT_THAT(read_frames(bytes + "x").error().message, HasSubstr("follow the end frame"));
  EXPECT_THAT(read_frames("junk" + bytes).error().message, HasSubstr("no frame begins here"));
}

TEST(Frames, LostAndSwappedFramesAreSeen) {
  const std::string a = encode_frame("a", "one"), b = encode_frame("b", "two");
  const std::string whole = stream_of({{"a", "one"}, {"b", "two"}});
  const std::string end = whole.substr(a.size() + b.size());
  ASSERT_TRUE(read_frames(a + b + end));
  EXPECT_THAT(read_frames(a + end).error().message, HasSubstr("not as many"));
  EXPECT_THAT(read_frames(b + a + end).error().message, HasSubstr("hash over all frames"));
  EXPECT_THAT(read_frames(a + b + encode_frame("end", "[]")).error().message, HasSubstr("not a JSON object"));
}

// Never crash, never accept: random damage of every kind to valid streams.
TEST(Frames, RandomDamageIsNeverAccepted) {
  const std::string good = stream_of(kFrames);
  for (uint64_t round = 0; round < 20000; ++round) {
    Rng rng(20260101, "damage", round);
    std::string bad = good;
    switch (rng.below(5)) {
      case 0: bad[rng.below(bad.size())] ^= static_cast<char>(1 << rng.below(8)); break;
      case 1: bad.erase(rng.below(bad.size()), 1 + rng.below(40)); break;
      case 2: bad.insert(rng.below(bad.size()), 1 + rng.below(40), static_cast<char>(rng.next() & 0xff)); break;
      case 3: bad.resize(rng.below(bad.size())); break;
      default: {
        const size_t at = rng.below(bad.size()), n = 1 + rng.below(64);
        for (size_t i = at; i < std::min(bad.size(), at + n); ++i) bad[i] = static_cast<char>(rng.next() & 0xff);
      }
    }
    if (bad == good) continue;
    auto stream = read_frames(bad);
    ASSERT_FALSE(stream) << "round " << round;
    ASSERT_EQ(stream.error().code, ErrorCode::kCorrupt);
    for (const Frame& frame : salvage_frames(bad)) {
      // what is salvaged is at least something that was sent, or the end
      ASSERT_TRUE(frame.type == "end" || std::any_of(kFrames.begin(), kFrames.end(), [&](const Frame& f) { return f.type == frame.type && f.payload == frame.payload; }))
          << "round " << round << " " << frame.type;
    }
  }
}

TEST(Frames, RandomBytesAreNeverAccepted) {
  for (uint64_t round = 0; round < 2000; ++round) {
    Rng rng(7, "noise", round);
    std::string noise = round % 2 == 0 ? "" : encode_frame("x", "y");
    const size_t n = rng.below(300);
    for (size_t i = 0; i < n; ++i) noise += static_cast<char>(rng.next() & 0xff);
    ASSERT_FALSE(read_frames(noise));
    static_cast<void>(salvage_frames(noise));
  }
}

TEST(Frames, SalvageFindsWhatIsWhole) {
  const std::string bytes = "boot noise" + encode_frame("a", "one") + "\x94\x50" + encode_frame("error", "why") + encode_frame("b", "cut").substr(0, 12);
  const auto frames = salvage_frames(bytes);
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_EQ(frames[0].payload, "one");
  EXPECT_EQ(frames[1].type, "error");
}

TEST(Frames, WriterRefuses) {
  FrameWriter writer([](std::string_view) { return Result<Unit>(Unit{}); });
  EXPECT_EQ(writer.send("end", "").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(writer.send("", "").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(writer.send(std::string(32, 'x'), "").error().code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(writer.finish({}));
  EXPECT_THAT(writer.send("late", "").error().message, HasSubstr("after the end frame"));
}

}  // namespace
}  // namespace pointsman

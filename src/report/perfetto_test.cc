// Checked by decoding: a reader of the wire format, written apart from the writer, rebuilds what was put in. tests/runtime reads a file with Perfetto's own schema.
#include "report/perfetto.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <bit>
#include <cmath>
#include <filesystem>
#include <map>
#include <optional>

#include "base/file.h"
#include "base/temporary_folder.h"
#include "report/ledger_tracks.h"

namespace pointsman::report {
namespace {

struct Field {
  int number = 0;
  uint64_t value = 0;       // of a varint or of eight bytes
  std::string_view bytes = {};
};

std::optional<uint64_t> take_varint(std::string_view& in) {
  uint64_t value = 0;
  for (int shift = 0; shift < 70; shift += 7) {
    if (in.empty()) return std::nullopt;
    const auto byte = static_cast<unsigned char>(in.front());
    in.remove_prefix(1);
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  return std::nullopt;
}

// Fails the test on anything malformed.
std::vector<Field> decode(std::string_view in) {
  std::vector<Field> out;
  while (!in.empty()) {
    const auto key = take_varint(in);
    if (!key) {
      ADD_FAILURE() << "cut off in a key";
      return out;
    }
    Field& field = out.emplace_back();
    field.number = static_cast<int>(*key >> 3);
    switch (*key & 7) {
      case 0: {
        const auto value = take_varint(in);
        EXPECT_TRUE(value);
        field.value = value.value_or(0);
        break;
      }
      case 1:
        for (size_t i = 0; i < 8 && i < in.size(); ++i) field.value |= static_cast<uint64_t>(static_cast<unsigned char>(in[i])) << (8 * i);
        in.remove_prefix(std::min<size_t>(8, in.size()));
        break;
      case 2: {
        const auto size = take_varint(in);
        if (!size || *size > in.size()) {
          ADD_FAILURE() << "cut off in bytes";
          return out;
        }
        field.bytes = in.substr(0, *size);
        in.remove_prefix(*size);
        break;
      }
      default: ADD_FAILURE() << "wire type " << (*key & 7); return out;
    }
  }
  return out;
}
const Field& one(const std::vector<Field>& fields, int number) {
  static const Field kNone;
  const Field* found = &kNone;
  for (const Field& f : fields) {
    if (f.number == number) found = &f;
  }
  EXPECT_EQ(found->number, number) << "no such field";
  return *found;
}

class PerfettoTest : public testing::Test {
 protected:
  std::string path() const { return folder_.path() + "/trace"; }
  PerfettoFile open() {
    auto file = PerfettoFile::open(path(), 1000);
    EXPECT_TRUE(file) << file.error().message;
    return std::move(*file);
  }
  std::vector<Field> packets() {
    auto text = read_file(path());
    EXPECT_TRUE(text);
    text_ = *text;
    return decode(text_);
  }
  TemporaryFolder folder_ = *TemporaryFolder::make("perfetto");
  std::string text_;
};

TEST_F(PerfettoTest, WhatGoesInComesOut) {
  {
    PerfettoFile file = open();
    file.add(PerfettoFile::Switch{.at_ns = 5'000'000'000, .cpu = 1, .from = {.tid = 7, .tgid = 6, .priority = 120, .name = "worker"}, .to = {.tid = 0, .tgid = 0, .priority = 120, .name = "swapper/1"}, .state = 1});
    file.add(PerfettoFile::Wake{.at_ns = 5'000'000'300, .cpu = 0, .target = 1, .by = {.tid = 9, .tgid = 9, .name = "waker"}, .woken = {.tid = 7, .tgid = 6, .priority = 110, .name = "worker"}});
    file.add_process(6, 1, "the program");
    file.add_counter("T_run_queue", 5'000'000'400, 2.5);
    file.set_slice("scheduler", 5'000'000'000, "eevdf");
    file.set_slice("scheduler", 5'000'000'900, "hyb");
    file.set_slice("scheduler", 5'000'001'000, "");
    EXPECT_EQ(file.events(), 2u);
    EXPECT_FALSE(std::filesystem::exists(path())) << "not before it is whole";
    ASSERT_TRUE(file.finish());
  }
  int switches = 0, wakes = 0, counters = 0, begins = 0, ends = 0, threads = 0, processes = 0;
  for (const Field& packet : packets()) {
    EXPECT_EQ(packet.number, 1);
    const auto fields = decode(packet.bytes);
    for (const Field& f : fields) {
      if (f.number == 1) {
        const auto bundle = decode(f.bytes);
        const auto event = decode(one(bundle, 2).bytes);
        if (one(bundle, 1).value == 1) {
          ++switches;
          EXPECT_EQ(one(event, 1).value, 5'000'001'000u);
          const auto what = decode(one(event, 4).bytes);
          EXPECT_EQ(one(what, 1).bytes, "worker");
          EXPECT_EQ(one(what, 2).value, 7u);
          EXPECT_EQ(one(what, 4).value, 1u);
          EXPECT_EQ(one(what, 5).bytes, "swapper/1");
          EXPECT_EQ(one(what, 6).value, 0u);
        } else {
          ++wakes;
          EXPECT_EQ(one(event, 2).value, 9u);
          const auto what = decode(one(event, 20).bytes);
          EXPECT_EQ(one(what, 2).value, 7u);
          EXPECT_EQ(one(what, 3).value, 110u);
          EXPECT_EQ(one(what, 5).value, 1u);
        }
      } else if (f.number == 2) {
        for (const Field& entry : decode(f.bytes)) {
          const auto who = decode(entry.bytes);
          if (entry.number == 1) {
            ++processes;
            EXPECT_EQ(one(who, 3).bytes, "the program");
          } else {
            ++threads;
            EXPECT_EQ(one(who, 3).value, 6u);
          }
        }
      } else if (f.number == 11) {
        const auto event = decode(f.bytes);
        const uint64_t type = one(event, 9).value;
        if (type == 4) {
          ++counters;
          EXPECT_EQ(std::bit_cast<double>(one(event, 44).value), 2.5);
          EXPECT_EQ(one(fields, 8).value, 5'000'001'400u);
        }
        begins += type == 1 ? 1 : 0;
        ends += type == 2 ? 1 : 0;
      }
    }
  }
  EXPECT_EQ(switches, 1);
  EXPECT_EQ(wakes, 1);
  EXPECT_EQ(counters, 1);
  EXPECT_EQ(begins, 2);
  EXPECT_EQ(ends, 2);
  EXPECT_EQ(threads, 1) << "known once, not at each event";
  EXPECT_EQ(processes, 1);
}

TEST_F(PerfettoTest, StatesAreThoseThatFtracePrints) {
  struct {
    uint32_t state;
    bool preempted;
    uint64_t printed;
  } constexpr kCases[] = {{0, false, 0}, {0, true, 0x100}, {1, true, 0x100}, {1, false, 1}, {2, false, 2}, {0x402, false, 0x80}, {0x80, false, 0x10}, {0x102, false, 2}, {0x1000, false, 2}, {4, false, 4}};
  for (const auto& one_case : kCases) {
    PerfettoFile file = open();
    file.add(PerfettoFile::Switch{.at_ns = 1, .from = {.name = "a"}, .to = {.name = "b"}, .state = one_case.state, .preempted = one_case.preempted});
    ASSERT_TRUE(file.finish());
    const auto bundle = decode(one(decode(packets().at(0).bytes), 1).bytes);
    EXPECT_EQ(one(decode(one(decode(one(bundle, 2).bytes), 4).bytes), 4).value, one_case.printed) << one_case.state;
  }
}

TEST_F(PerfettoTest, ManyEventsAreWrittenInPieces) {
  PerfettoFile file = open();
  for (int i = 0; i < 5000; ++i) file.add(PerfettoFile::Switch{.at_ns = i, .from = {.name = "a"}, .to = {.name = "b"}});
  ASSERT_TRUE(file.finish());
  int events = 0;
  const auto all = packets();
  EXPECT_GT(all.size(), 3u);
  for (const Field& packet : all) {
    for (const Field& f : decode(one(decode(packet.bytes), 1).bytes)) events += f.number == 2 ? 1 : 0;
  }
  EXPECT_EQ(events, 5000);
}

TEST_F(PerfettoTest, ARunOfALedgerIsTracks) {
  LedgerRun run;
  run.windows = {{.end_ns = 250, .arm = "eevdf", .idle = false, .features = {1.5F, NAN}}, {.end_ns = 500, .arm = "hyb", .idle = true, .features = {2.5F, 3.F}}};
  run.decisions = {{.at_ns = 250, .arm = "las", .taken = "hyb", .propensity = .9, .why = "short bursts", .held_back = "veto"}};
  run.swaps = {{.at_ns = 260, .from = "eevdf", .to = "hyb", .outcome = "confirmed"}};
  {
    PerfettoFile file = open();
    constexpr std::string_view names[] = {"queue", "young_share"};
    add_run(file, run, names);
    ASSERT_TRUE(file.finish());
  }
  std::map<uint64_t, int> types;  // begin, end, instant, counter
  for (const Field& packet : packets()) {
    for (const Field& f : decode(packet.bytes)) {
      if (f.number == 11) ++types[one(decode(f.bytes), 9).value];
    }
  }
  EXPECT_EQ(types[1], 2) << "two arms";
  EXPECT_EQ(types[2], 2);
  EXPECT_EQ(types[3], 3) << "an idle window, a decision, a swap";
  EXPECT_EQ(types[4], 4) << "three features that are known, a propensity";
  EXPECT_THAT(text_, testing::HasSubstr("las, taken hyb: short bursts | veto"));
  EXPECT_THAT(text_, testing::HasSubstr("eevdf -> hyb: confirmed"));
}

TEST_F(PerfettoTest, UnfinishedLeavesNothingAndABadFolderIsTold) {
  { PerfettoFile file = open(); }
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
  const auto bad = PerfettoFile::open(folder_.path() + "/no/such/folder", 0);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace pointsman::report

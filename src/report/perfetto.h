// Perfetto: writes a trace in Perfetto's own format, packet by packet, in bounded memory: scheduling lanes, wake-ups, names of threads, counters and slices.
// Owns: the file, written beside its name and renamed by finish(): what was not finished is not there.
// Errors: those of opening and writing a file.
// Source: perfetto.dev, protos/perfetto/trace/trace_packet.proto and the messages below it; only fields of its lasting interface, and ftrace's sched events.
#pragma once

#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"

namespace pointsman::report {

// Protocol buffers' wire format, as far as it is needed: varints, 64-bit numbers, bytes.
class ProtoWriter {
 public:
  void varint(int field, uint64_t value);
  void signed_varint(int field, int64_t value) { varint(field, static_cast<uint64_t>(value)); }  // int32, int64: negative ones take ten bytes
  void number(int field, double value);
  void bytes(int field, std::string_view value);
  void message(int field, const ProtoWriter& value) { bytes(field, value.out_); }
  [[nodiscard]] const std::string& data() const { return out_; }
  [[nodiscard]] bool empty() const { return out_.empty(); }
  void clear() { out_.clear(); }

 private:
  void raw(uint64_t value);
  std::string out_;
};

class PerfettoFile {
 public:
  // `boot_offset_ns`: CLOCK_BOOTTIME - CLOCK_MONOTONIC; all times that are handed in are of the latter, Perfetto's are of the former.
  static Result<PerfettoFile> open(const std::string& path, int64_t boot_offset_ns);
  PerfettoFile(PerfettoFile&&) = default;
  PerfettoFile& operator=(PerfettoFile&&) = default;
  ~PerfettoFile();

  struct Task {
    int32_t tid = 0, tgid = 0, priority = 120;
    std::string_view name = {};
  };
  struct Switch {
    int64_t at_ns = 0;
    uint32_t cpu = 0;
    Task from, to;
    uint32_t state = 0;      // task_struct's __state when it left
    bool preempted = false;
  };
  void add(const Switch& one);
  struct Wake {
    int64_t at_ns = 0;
    uint32_t cpu = 0, target = 0;
    Task by, woken;
    bool newborn = false;
  };
  void add(const Wake& one);
  // Names processes; threads are named by the events.
  void add_process(int32_t pid, int32_t parent, std::string_view command);
  void add_counter(std::string_view track, int64_t at_ns, double value);
  // Ends the slice that is open on this track and begins another; an empty name only ends.
  void set_slice(std::string_view track, int64_t at_ns, std::string_view name);
  void add_instant(std::string_view track, int64_t at_ns, std::string_view name);

  // Writes what is left and gives the file its name.
  Result<Unit> finish();
  [[nodiscard]] uint64_t events() const { return events_; }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  struct Track {
    uint64_t id = 0;
    bool slice_open = false;
  };
  PerfettoFile() = default;
  void packet(const ProtoWriter& body);
  void flush(uint32_t cpu);
  ProtoWriter& bundle(uint32_t cpu);
  void know(const Task& task);
  Track& track(std::string_view name, bool counter);
  uint64_t moment(int64_t at_ns) const { return static_cast<uint64_t>(at_ns + boot_offset_ns_); }

  std::string path_, temporary_;
  std::unique_ptr<std::FILE, Close> file_;
  int64_t boot_offset_ns_ = 0;
  bool failed_ = false;
  uint64_t events_ = 0;
  std::map<uint32_t, ProtoWriter> bundles_;  // of each CPU, its events that are not written yet
  std::unordered_map<int32_t, int32_t> known_;
  std::map<std::string, Track, std::less<>> tracks_;
};

}  // namespace pointsman::report

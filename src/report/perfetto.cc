#include "report/perfetto.h"

#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstring>

namespace pointsman::report {
namespace {

// Field numbers by message.
namespace trace {
constexpr int kPacket = 1;
}
namespace packet {
constexpr int kFtraceEvents = 1, kProcessTree = 2, kTimestamp = 8, kSequence = 10, kTrackEvent = 11, kSequenceFlags = 13, kTrackDescriptor = 60;
constexpr uint64_t kStateCleared = 1;
}  // namespace packet
namespace bundle_field {
constexpr int kCpu = 1, kEvent = 2;
}
namespace ftrace {
constexpr int kTimestamp = 1, kPid = 2, kSchedSwitch = 4, kSchedWaking = 20, kSchedWakeupNew = 114;
}
namespace sched_switch {
constexpr int kPrevComm = 1, kPrevPid = 2, kPrevPrio = 3, kPrevState = 4, kNextComm = 5, kNextPid = 6, kNextPrio = 7;
}
namespace sched_wake {
constexpr int kComm = 1, kPid = 2, kPrio = 3, kSuccess = 4, kTargetCpu = 5;
}
namespace tree {
constexpr int kProcesses = 1, kThreads = 2, kProcessPid = 1, kProcessParent = 2, kCmdline = 3, kThreadTid = 1, kThreadName = 2, kThreadTgid = 3;
}
namespace track_field {
constexpr int kUuid = 1, kName = 2, kCounter = 8;
}
namespace track_event {
constexpr int kType = 9, kTrackUuid = 11, kName = 23, kDoubleCounterValue = 44;
constexpr uint64_t kBegin = 1, kEnd = 2, kInstant = 3, kCounter = 4;
}  // namespace track_event

constexpr uint64_t kSequenceId = 1;
constexpr size_t kBundleBytes = 32 * 1024;

// What ftrace prints as prev_state. Source: include/linux/sched.h, __task_state_index(); include/trace/events/sched.h.
uint64_t reported_state(uint32_t state, bool preempted) {
  constexpr uint32_t kDead = 0x80, kIdle = 0x402, kLockWait = 0x1000, kReport = 0x7f;
  if (preempted) return 0x100;
  if ((state & kIdle) == kIdle) return 0x80;
  if (state & kDead) return 0x10;
  if (state & kLockWait) return 0x02;
  return std::bit_floor(state & kReport);
}

}  // namespace

void ProtoWriter::raw(uint64_t value) {
  while (value >= 0x80) {
    out_ += static_cast<char>(value | 0x80);
    value >>= 7;
  }
  out_ += static_cast<char>(value);
}

void ProtoWriter::varint(int field, uint64_t value) {
  raw(static_cast<uint64_t>(field) << 3);
  raw(value);
}

void ProtoWriter::number(int field, double value) {
  raw(static_cast<uint64_t>(field) << 3 | 1);
  auto bits = std::bit_cast<uint64_t>(value);
  for (int i = 0; i < 8; ++i, bits >>= 8) out_ += static_cast<char>(bits & 0xff);
}

void ProtoWriter::bytes(int field, std::string_view value) {
  raw(static_cast<uint64_t>(field) << 3 | 2);
  raw(value.size());
  out_ += value;
}

Result<PerfettoFile> PerfettoFile::open(const std::string& path, int64_t boot_offset_ns) {
  PerfettoFile out;
  out.path_ = path;
  out.temporary_ = fmt::format("{}.tmp.{}", path, ::getpid());
  out.boot_offset_ns_ = boot_offset_ns;
  out.file_.reset(std::fopen(out.temporary_.c_str(), "wbe"));
  if (!out.file_) return fail_errno("create " + out.temporary_);
  return out;
}

PerfettoFile::~PerfettoFile() {
  if (file_) ::unlink(temporary_.c_str());
}

void PerfettoFile::packet(const ProtoWriter& body) {
  ProtoWriter outer;
  outer.message(trace::kPacket, body);
  failed_ = failed_ || std::fwrite(outer.data().data(), 1, outer.data().size(), file_.get()) != outer.data().size();
}

void PerfettoFile::flush(uint32_t cpu) {
  ProtoWriter& events = bundles_[cpu];
  if (events.empty()) return;
  ProtoWriter head, body;
  head.varint(bundle_field::kCpu, cpu);
  body.bytes(packet::kFtraceEvents, head.data() + events.data());
  body.varint(packet::kSequence, kSequenceId + 1);
  packet(body);
  events.clear();
}

ProtoWriter& PerfettoFile::bundle(uint32_t cpu) {
  ++events_;
  ProtoWriter& events = bundles_[cpu];
  if (events.data().size() >= kBundleBytes) flush(cpu);
  return events;
}

// Without its process a thread would stand alone in the viewer.
void PerfettoFile::know(const Task& task) {
  if (task.tid == 0) return;
  const auto [at, fresh] = known_.try_emplace(task.tid, task.tgid);
  if (!fresh && at->second == task.tgid) return;
  at->second = task.tgid;
  ProtoWriter thread, list, body;
  thread.signed_varint(tree::kThreadTid, task.tid);
  thread.bytes(tree::kThreadName, task.name);
  thread.signed_varint(tree::kThreadTgid, task.tgid);
  list.message(tree::kThreads, thread);
  body.message(packet::kProcessTree, list);
  body.varint(packet::kSequence, kSequenceId + 1);
  packet(body);
}

void PerfettoFile::add(const Switch& one) {
  know(one.from);
  know(one.to);
  ProtoWriter what, event;
  what.bytes(sched_switch::kPrevComm, one.from.name);
  what.signed_varint(sched_switch::kPrevPid, one.from.tid);
  what.signed_varint(sched_switch::kPrevPrio, one.from.priority);
  what.varint(sched_switch::kPrevState, reported_state(one.state, one.preempted));
  what.bytes(sched_switch::kNextComm, one.to.name);
  what.signed_varint(sched_switch::kNextPid, one.to.tid);
  what.signed_varint(sched_switch::kNextPrio, one.to.priority);
  event.varint(ftrace::kTimestamp, moment(one.at_ns));
  event.signed_varint(ftrace::kPid, one.from.tid);
  event.message(ftrace::kSchedSwitch, what);
  bundle(one.cpu).message(bundle_field::kEvent, event);
}

void PerfettoFile::add(const Wake& one) {
  know(one.woken);
  ProtoWriter what, event;
  what.bytes(sched_wake::kComm, one.woken.name);
  what.signed_varint(sched_wake::kPid, one.woken.tid);
  what.signed_varint(sched_wake::kPrio, one.woken.priority);
  what.varint(sched_wake::kSuccess, 1);
  what.varint(sched_wake::kTargetCpu, one.target);
  event.varint(ftrace::kTimestamp, moment(one.at_ns));
  event.signed_varint(ftrace::kPid, one.by.tid);
  event.message(one.newborn ? ftrace::kSchedWakeupNew : ftrace::kSchedWaking, what);
  bundle(one.cpu).message(bundle_field::kEvent, event);
}

void PerfettoFile::add_process(int32_t pid, int32_t parent, std::string_view command) {
  ProtoWriter process, list, body;
  process.signed_varint(tree::kProcessPid, pid);
  process.signed_varint(tree::kProcessParent, parent);
  process.bytes(tree::kCmdline, command);
  list.message(tree::kProcesses, process);
  body.message(packet::kProcessTree, list);
  body.varint(packet::kSequence, kSequenceId + 1);
  packet(body);
}

PerfettoFile::Track& PerfettoFile::track(std::string_view name, bool counter) {
  if (const auto at = tracks_.find(name); at != tracks_.end()) return at->second;
  Track& fresh = tracks_[std::string(name)];
  fresh.id = 0x706f696e74000000 + tracks_.size();
  ProtoWriter descriptor, body;
  descriptor.varint(track_field::kUuid, fresh.id);
  descriptor.bytes(track_field::kName, name);
  if (counter) descriptor.bytes(track_field::kCounter, "");
  body.varint(packet::kSequence, kSequenceId);
  if (tracks_.size() == 1) body.varint(packet::kSequenceFlags, packet::kStateCleared);
  body.message(packet::kTrackDescriptor, descriptor);
  packet(body);
  return fresh;
}

void PerfettoFile::add_counter(std::string_view name, int64_t at_ns, double value) {
  const uint64_t id = track(name, true).id;
  ProtoWriter event, body;
  event.varint(track_event::kType, track_event::kCounter);
  event.varint(track_event::kTrackUuid, id);
  event.number(track_event::kDoubleCounterValue, value);
  body.varint(packet::kTimestamp, moment(at_ns));
  body.varint(packet::kSequence, kSequenceId);
  body.message(packet::kTrackEvent, event);
  packet(body);
}

void PerfettoFile::set_slice(std::string_view name, int64_t at_ns, std::string_view slice) {
  Track& on = track(name, false);
  for (const bool begin : {false, true}) {
    if (begin ? slice.empty() : !on.slice_open) continue;
    ProtoWriter event, body;
    event.varint(track_event::kType, begin ? track_event::kBegin : track_event::kEnd);
    event.varint(track_event::kTrackUuid, on.id);
    if (begin) event.bytes(track_event::kName, slice);
    body.varint(packet::kTimestamp, moment(at_ns));
    body.varint(packet::kSequence, kSequenceId);
    body.message(packet::kTrackEvent, event);
    packet(body);
    on.slice_open = begin;
  }
}

void PerfettoFile::add_instant(std::string_view name, int64_t at_ns, std::string_view what) {
  const uint64_t id = track(name, false).id;
  ProtoWriter event, body;
  event.varint(track_event::kType, track_event::kInstant);
  event.varint(track_event::kTrackUuid, id);
  event.bytes(track_event::kName, what);
  body.varint(packet::kTimestamp, moment(at_ns));
  body.varint(packet::kSequence, kSequenceId);
  body.message(packet::kTrackEvent, event);
  packet(body);
}

Result<Unit> PerfettoFile::finish() {
  for (const auto& [cpu, _] : bundles_) flush(cpu);
  errno = 0;
  failed_ = failed_ || std::fflush(file_.get()) != 0 || ::fsync(::fileno(file_.get())) != 0;
  if (failed_) return fail(ErrorCode::kIo, "writing {}: {}", temporary_, errno != 0 ? std::strerror(errno) : "short write");
  if (std::rename(temporary_.c_str(), path_.c_str()) != 0) return fail_errno("rename " + temporary_ + " to " + path_);
  file_.reset();
  return Unit{};
}

}  // namespace pointsman::report

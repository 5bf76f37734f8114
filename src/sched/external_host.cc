#include "sched/external_host.h"

#include <algorithm>
#include <utility>

#include "base/file.h"
#include "sched/kernel_state.h"

namespace pointsman {
namespace {

using Phase = KernelState::Phase;

constexpr int64_t kDeathNs = 200 * kMillisecond;  // at most, from when a dying program lets go of its scheduler to its end
constexpr int kFirstAttachment = 1'000'000;  // apart from the inner host's own count
// enum scx_exit_kind
constexpr int kUnregisteredByUser = 64;
constexpr int kUnregisteredByKernel = 66;  // CPUs came or went, among others
constexpr int kRuntimeError = 1024;

std::string in_brackets(const std::string& words) { return words.empty() ? "" : fmt::format(" (its last words: {})", words); }

}  // namespace

ExternalHost::ExternalHost(SchedulerHost& inner, Clock& clock, Options options)
    : inner_(inner), clock_(clock), options_(std::move(options)), log_(options_.kernel_log) {}

ExternalHost::~ExternalHost() {
  if (arm_ != nullptr) static_cast<void>(detach());
}

Result<Unit> ExternalHost::preload(const ExternalArm& arm) {
  if (!arm.warm() || loaded_.count(arm.name) > 0) return Unit{};
  auto path = find_file(arm, options_.folders);
  if (!path) return fail(path.error());
  auto bytes = read_file(*path);
  if (!bytes) return fail(bytes.error());
  auto kept = std::make_unique<std::string>(std::move(*bytes));
  auto object = BpfObject::open(arm.ops, {reinterpret_cast<const unsigned char*>(kept->data()), kept->size()});
  if (!object) return fail(object.error().at(*path));
  const std::vector<std::string> maps = object->struct_ops_maps();
  if (maps.size() != 1) return fail(ErrorCode::kInvalidArgument, "{}: an arm's object has one struct_ops, this one has {}", *path, maps.size());
  // Left at zero, such a scheduler attaches, and dies a tenth of a second later.
  if (auto filled = object->fill_kernel_constants("__SCX_"); !filled) return fail(filled.error().at(*path));
  for (const auto& [variable, value] : arm.set) {
    if (auto set = object->set_integer(".rodata", variable, value); !set) return fail(set.error().at(*path));
  }
  if (auto done = object->load(); !done) return fail(done.error().at(*path));
  loaded_.emplace(arm.name, Loaded{std::move(kept), std::move(*object), maps.front()});
  return Unit{};
}

bool ExternalHost::shows_ours(const KernelState& state) const {
  return arm_ != nullptr && state.phase == Phase::kEnabled && !state.ours && shows_as(*arm_, state.ops) && state.enable_seq > seq_before_;
}

Ejection ExternalHost::explain() {
  Ejection why;
  if (auto said = log_.end_of(*arm_)) {
    why = std::move(*said);
  } else {
    why.kind = kRuntimeError;
    why.reason = "it is gone, and the kernel's log does not say why";
  }
  if (why.kind == 0) why.kind = kRuntimeError;  // words of a kernel that we do not know: better too careful
  if (program_) {
    if (!program_->running()) why.message += fmt::format("{}{} {}", why.message.empty() ? "" : "; ", arm_->name, program_->fate());
    if (const std::string words = program_->last_words(); !words.empty()) why.message += fmt::format("{}its last words: {}", why.message.empty() ? "" : "; ", words);
  }
  why.attachment = kFirstAttachment + attachments_;
  why.policy = policy_;
  return why;
}

void ExternalHost::let_go() {
  if (program_) {
    program_->kill();
    last_output_ = program_->output();
  }
  program_.reset();
  link_.reset();
  arm_ = nullptr;
  policy_ = -1;
  confirmed_ = false;
  gone_since_ns_ = 0;
}

// Was ours thrown out since the last look?
void ExternalHost::look(const KernelState& state) {
  if (arm_ == nullptr) return;
  if (program_) static_cast<void>(program_->running());  // one that has died is reaped, and what it left behind is killed
  if (shows_ours(state)) {
    confirmed_ = true;
    gone_since_ns_ = 0;
    return;
  }
  if (!confirmed_ || state.phase == Phase::kEnabling || state.phase == Phase::kDisabling) return;
  Ejection why = explain();
  if (why.kind == kUnregisteredByUser && program_) {
    // A program's end takes its scheduler along, and the kernel's log has these words for it whether somebody stopped it or it crashed. One that dies lets go of its
    // scheduler first; how it died shows a moment later.
    for (const int64_t deadline = clock_.now_ns() + kDeathNs; program_->running() && clock_.now_ns() < deadline;) clock_.sleep_until_ns(clock_.now_ns() + options_.poll_ns);
    why = explain();
    if (program_->crashed()) why.kind = kRuntimeError;
  }
  if (why.kind == kUnregisteredByKernel && program_ && program_->running() && state.phase == Phase::kDisabled) {
    if (gone_since_ns_ == 0) gone_since_ns_ = clock_.now_ns();
    if (clock_.now_ns() - gone_since_ns_ < options_.restart_limit_ns) return;
    why.kind = kRuntimeError;
    why.message += fmt::format("{}it did not attach itself again", why.message.empty() ? "" : "; ");
  }
  ejection_ = std::move(why);
  let_go();
}

Result<KernelState> ExternalHost::read_state() {
  auto state = inner_.read_state();
  if (!state) return state;
  look(*state);
  if (shows_ours(*state)) {
    state->ours = true;
    state->policy = policy_;
  } else if (arm_ != nullptr && confirmed_ && (state->phase == Phase::kEnabling || state->phase == Phase::kDisabling) && shows_as(*arm_, state->ops)) {
    state->ours = true;  // on its way out, or back after CPUs came or went: nobody else's, and no arm
  }
  return state;
}

std::string ExternalHost::obstacle(int policy) {
  if (policy < kFirstExternal) return inner_.obstacle(policy);
  const ExternalArm* arm = external_arm_of_policy(policy);
  if (arm == nullptr) return fmt::format("there is no policy {}", policy);
  if (loaded_.count(arm->name) > 0) return "";
  const auto file = find_file(*arm, options_.folders);
  return file ? "" : file.error().message;
}

Result<Unit> ExternalHost::start(const ExternalArm& arm) {
  auto path = find_file(arm, options_.folders);
  if (!path) return fail(path.error());
  Supervised::Options program;
  program.command = arm.command;
  program.command[0] = *path;
  if (!options_.cgroups.empty()) program.cgroup = options_.cgroups + "/pointsman-" + arm.name;
  auto started = Supervised::start(std::move(program));
  if (!started) return fail(started.error());
  program_ = std::move(*started);
  const int64_t began = clock_.now_ns(), deadline = began + arm.start_limit_ns;
  for (;;) {
    const bool running = program_->running();  // before the reading: what it did before it ended shows in it
    auto state = read_kernel_state(options_.sysfs);
    if (!state) return fail(state.error());
    if (shows_ours(*state)) {
      look(*state);
      return Unit{};
    }
    if (state->phase == Phase::kEnabled && state->enable_seq > seq_before_ && !shows_as(arm, state->ops))
      return fail(ErrorCode::kBusy, "{} is attached, where {} was to show as '{}'", state->ops, arm.name, arm.ops);
    if (!running) {
      std::string why = fmt::format("{} {} before the kernel had it enabled{}", arm.name, program_->fate(), in_brackets(program_->last_words()));
      if (auto said = log_.end_of(arm)) why += fmt::format("; the kernel: {}{}{}", said->reason, said->message.empty() ? "" : ": ", said->message);
      return fail(ErrorCode::kIo, "{}", why);
    }
    if (clock_.now_ns() >= deadline) {
      return fail(ErrorCode::kIo, "{} was not enabled within {:g} s; the kernel says '{}'{}", arm.name, static_cast<double>(arm.start_limit_ns) / 1e9, name_of(state->phase),
                  in_brackets(program_->last_words()));
    }
    // Whoever looks outranks the program that is to load, and takes its CPU for as long: what takes long is looked at less often.
    const int64_t now_ns = clock_.now_ns();
    clock_.sleep_until_ns(now_ns + std::clamp((now_ns - began) / 16, options_.poll_ns, 5 * options_.poll_ns));
  }
}

Result<Unit> ExternalHost::attach_object(const ExternalArm& arm) {
  if (auto done = preload(arm); !done) return done;
  Loaded& loaded = loaded_.at(arm.name);
  auto link = loaded.object.attach_struct_ops(loaded.map);
  if (!link) return fail(link.error());
  link_ = std::move(*link);
  return Unit{};
}

Result<SwapTimes> ExternalHost::attach(int policy) {
  if (arm_ != nullptr && confirmed_) {
    if (auto state = read_state(); !state) return fail(state.error());
    if (arm_ != nullptr && gone_since_ns_ == 0) return fail(ErrorCode::kBusy, "{} is attached", arm_->name);
  }
  if (arm_ != nullptr) let_go();  // one that was about to attach itself again
  if (policy < kFirstExternal) {
    last_was_external_ = false;
    ejection_.reset();
    return inner_.attach(policy);
  }
  const ExternalArm* arm = external_arm_of_policy(policy);
  if (arm == nullptr) return fail(ErrorCode::kInvalidArgument, "there is no policy {}", policy);
  auto before = read_kernel_state(options_.sysfs);
  if (!before) return fail(before.error());
  if (before->phase != Phase::kDisabled)
    return fail(ErrorCode::kBusy, "another scheduler is attached: {} ({})", before->ops.empty() ? "unnamed" : before->ops, name_of(before->phase));
  last_was_external_ = true;
  ejection_.reset();
  times_ = {};
  last_output_.clear();
  log_.skip();
  attachments_++;
  arm_ = arm;
  policy_ = policy;
  seq_before_ = before->enable_seq;
  const int64_t began = clock_.now_ns();
  auto attached = arm->warm() ? attach_object(*arm) : start(*arm);
  times_.call_ns = clock_.now_ns() - began;
  if (!attached) {
    // It may yet attach, or have attached under another name: nothing of it stays.
    if (program_) static_cast<void>(stop_program());
    let_go();
    times_.call_ns = clock_.now_ns() - began;
    return fail(attached.error());
  }
  times_.attach_ns = times_.call_ns;
  return times_;
}

// Politely, then less so. What counts is that the kernel is rid of it.
Result<Unit> ExternalHost::stop_program() {
  const ExternalArm& arm = *arm_;
  const int64_t began = clock_.now_ns();
  auto last = read_kernel_state(options_.sysfs);
  if (last && !shows_ours(*last)) times_.detach_ns = 0;
  for (const int number : {arm.stop_signal, SIGTERM, SIGKILL}) {
    if (number == SIGKILL)
      program_->kill();
    else
      program_->signal(number);
    for (const int64_t deadline = clock_.now_ns() + arm.stop_limit_ns;;) {
      const bool running = program_->running();
      last = read_kernel_state(options_.sysfs);
      const bool gone = last && !shows_ours(*last) && last->phase != Phase::kDisabling;
      if (gone && times_.detach_ns < 0) times_.detach_ns = clock_.now_ns() - began;
      if (gone && !running) return Unit{};
      if (clock_.now_ns() >= deadline) break;
      clock_.sleep_until_ns(clock_.now_ns() + options_.poll_ns);
    }
  }
  if (!last) return fail(last.error());
  return fail(ErrorCode::kIo, "{} was killed, and the kernel still says '{}' ({})", arm.name, last->ops, name_of(last->phase));
}

Result<SwapTimes> ExternalHost::detach() {
  if (arm_ == nullptr) return inner_.detach();
  times_ = {};
  const int64_t began = clock_.now_ns();
  Result<Unit> stopped = Unit{};
  if (link_) {
    link_.reset();
    times_.detach_ns = clock_.now_ns() - began;
  }
  if (program_) stopped = stop_program();
  times_.call_ns = clock_.now_ns() - began;
  let_go();
  if (!stopped) return fail(stopped.error());
  return times_;
}

Result<SwapTimes> ExternalHost::flip(int policy) {
  if (policy >= kFirstExternal) return fail(ErrorCode::kInvalidArgument, "an external arm is attached, not flipped to");
  return inner_.flip(policy);
}

}  // namespace pointsman

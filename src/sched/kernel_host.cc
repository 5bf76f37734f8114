#include "sched/kernel_host.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <string>

#include "base/file.h"
#include "sched/kernel_state.h"

extern "C" const unsigned char portfolio_bpf_start[], portfolio_bpf_end[];

namespace pointsman {
namespace {

constexpr int64_t kWatchFor = kSecond;  // after a warm swap, until the tasks that waited across it have run

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

// One more than the last possible CPU; the file reads "0-3" or "0".
Result<uint32_t> possible_cpus(const std::string& sysfs) {
  auto text = read_file(sysfs + "/devices/system/cpu/possible");
  if (!text) return fail(text.error());
  const std::string list = trimmed(*text);
  const size_t last = list.find_last_not_of("0123456789");
  const uint64_t cpus = std::strtoull(list.c_str() + (last == std::string::npos ? 0 : last + 1), nullptr, 10) + 1;
  if (cpus > PM_MAX_CPUS)
    return fail(ErrorCode::kUnsupported, "this machine may have {} CPUs; the portfolio knows up to {}", cpus,
                static_cast<int>(PM_MAX_CPUS));
  return static_cast<uint32_t>(cpus);
}

std::string from_shared(const volatile char* text, size_t size) {
  std::string out;
  for (size_t i = 0; i < size && text[i] != 0; i++) out += text[i];
  return out;
}

}  // namespace

Result<std::unique_ptr<KernelHost>> KernelHost::open(Options options, Clock& clock) {
  if (!std::filesystem::exists(options.sysfs + "/kernel/sched_ext/state")) {
    return fail(ErrorCode::kUnsupported,
                "this kernel has no sched_ext ({}/kernel/sched_ext is missing); Linux 6.12 or newer with CONFIG_SCHED_CLASS_EXT has it",
                options.sysfs);
  }
  if (options.object.empty()) options.object = {portfolio_bpf_start, portfolio_bpf_end};
  auto object = BpfObject::open("portfolio", options.object);
  if (!object) return fail(object.error());
  auto cpus = possible_cpus(options.sysfs);
  if (!cpus) return fail(cpus.error());
  if (auto set = object->set_rodata("pm_nr_cpu", *cpus); !set) return fail(set.error());
  if (auto loaded = object->load(); !loaded) return fail(loaded.error());
  auto state = object->map_section(".data.st");
  if (!state) return fail(state.error());
  auto watch = object->map_section(".data.watch");
  if (!watch) return fail(watch.error());
  auto flip_fd = object->program_fd("flip");
  if (!flip_fd) return fail(flip_fd.error());
  auto watch_fd = object->program_fd("watch");
  if (!watch_fd) return fail(watch_fd.error());
  std::unique_ptr<KernelHost> host(new KernelHost(std::move(options), clock, std::move(*object), std::move(*state), std::move(*watch)));
  host->flip_fd_ = *flip_fd;
  host->watch_fd_ = *watch_fd;
  return host;
}

KernelHost::~KernelHost() {
  if (attached()) static_cast<void>(detach());
}

Result<KernelState> KernelHost::read_state() {
  auto read = read_kernel_state(options_.sysfs);
  if (!read) return read;
  KernelState state = std::move(*read);
  state.ours =
      attached() && state.phase == KernelState::Phase::kEnabled && state.ops == kPortfolioOps && state.enable_seq > seq_before_attach_;
  state.policy = state.ours ? static_cast<int>(shared().active) : -1;
  return state;
}

void KernelHost::watch_warm_swap(bool begin) {
  if (begin) {
    last_was_hot_ = false;
    times_ = {};
    watch_began_ns_ = clock_.now_ns();
    // Without the watch the longest wait stays unknown (-1); the swap itself does not need it.
    if (!watch_link_) {
      if (auto link = object_.attach("watch_switch")) watch_link_ = std::move(*link);
    }
  }
  pm_watch_args arguments{begin ? 1u : 0u};
  static_cast<void>(object_.run(watch_fd_, std::as_writable_bytes(std::span(&arguments, 1))));
}

void KernelHost::let_go_of_watch() { watch_link_.reset(); }

Result<SwapTimes> KernelHost::attach(int policy) {
  if (policy < 0 || policy >= PM_POLICIES) return fail(ErrorCode::kInvalidArgument, "there is no policy {}", policy);
  if (attached()) return fail(ErrorCode::kBusy, "{} is attached already", kPortfolioOps);
  link_.reset();  // a dead one, of a scheduler that was thrown out
  auto before = read_state();
  if (!before) return fail(before.error());
  if (before->phase != KernelState::Phase::kDisabled) {
    return fail(ErrorCode::kBusy, "another scheduler is attached: {} ({})", before->ops.empty() ? "unnamed" : before->ops,
                name_of(before->phase));
  }
  seq_before_attach_ = before->enable_seq;
  auto& state = shared();
  state.active = static_cast<uint64_t>(policy);
  state.exit.kind = 0;
  state.exit.exit_code = 0;
  state.exit.reason[0] = 0;
  state.exit.message[0] = 0;
  const int64_t began = clock_.now_ns();
  int64_t attach_began = 0;
  int64_t attach_ended = 0;
  Result<BpfLink> link = [&] {
    std::optional<Haste::Hold> hold;
    if (options_.haste) hold.emplace(haste_);
    watch_warm_swap(true);
    attachments_++;
    attach_began = clock_.now_ns();
    auto attached_link = object_.attach_struct_ops("portfolio");
    attach_ended = clock_.now_ns();
    return attached_link;
  }();
  watch_warm_swap(false);
  times_.attach_ns = attach_ended - attach_began;
  times_.call_ns = clock_.now_ns() - began;
  if (!link) return fail(link.error());
  link_ = std::move(*link);
  return last_times();
}

Result<SwapTimes> KernelHost::detach() {
  if (!attached()) return fail(ErrorCode::kNotFound, "{} is not attached", kPortfolioOps);
  const int64_t began = clock_.now_ns();
  int64_t detach_began = 0;
  int64_t detach_ended = 0;
  {
    std::optional<Haste::Hold> hold;
    if (options_.haste) hold.emplace(haste_);
    watch_warm_swap(true);
    detach_began = clock_.now_ns();
    link_.reset();
    detach_ended = clock_.now_ns();
  }
  watch_warm_swap(false);
  times_.detach_ns = detach_ended - detach_began;
  times_.call_ns = clock_.now_ns() - began;
  return last_times();
}

Result<SwapTimes> KernelHost::flip(int policy) {
  if (policy < 0 || policy >= PM_POLICIES) return fail(ErrorCode::kInvalidArgument, "there is no policy {}", policy);
  if (!attached()) return fail(ErrorCode::kNotFound, "{} is not attached", kPortfolioOps);
  let_go_of_watch();
  last_was_hot_ = true;
  times_ = {};
  pm_flip_args arguments{static_cast<uint32_t>(policy)};
  const int64_t began = clock_.now_ns();
  auto ran = object_.run(flip_fd_, std::as_writable_bytes(std::span(&arguments, 1)));
  times_.call_ns = clock_.now_ns() - began;
  if (!ran) return fail(ran.error());
  if (*ran != 0) return fail(ErrorCode::kInvalidArgument, "flip to policy {} returned {}", policy, *ran);
  return last_times();
}

SwapTimes KernelHost::last_times() {
  auto& state = shared();
  const auto span = [](uint64_t from, uint64_t to) { return from == 0 || to < from ? int64_t{-1} : static_cast<int64_t>(to - from); };
  if (last_was_hot_) {
    times_.first_dispatch_ns = span(state.swap_at, state.first_dispatch_at);
    times_.all_cpus_ns = span(state.swap_at, state.all_cpus_at);
    uint64_t longest = 0;
    for (const auto& cpu : state.cpu) longest = std::max(longest, uint64_t{cpu.longest_wait});
    times_.longest_wait_ns = static_cast<int64_t>(longest);
    times_.moved = static_cast<int>(state.swap_moved);
    return times_;
  }
  if (times_.attach_ns >= 0) {
    times_.first_dispatch_ns = span(watched().began, state.first_dispatch_at);
    times_.all_cpus_ns = span(watched().began, state.all_cpus_at);
  }
  if (watch_link_) times_.longest_wait_ns = static_cast<int64_t>(watched().longest_wait);
  if (watch_link_ && clock_.now_ns() - watch_began_ns_ > kWatchFor) let_go_of_watch();
  return times_;
}

std::optional<Ejection> KernelHost::ejection() {
  auto& state = shared();
  if (!link_ || state.exit.kind == 0) return std::nullopt;
  return Ejection{static_cast<int>(state.exit.kind), state.exit.exit_code, from_shared(state.exit.reason, PM_REASON_BYTES),
                  from_shared(state.exit.message, PM_MESSAGE_BYTES), attachments_};
}

}  // namespace pointsman

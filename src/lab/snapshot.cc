#include "lab/snapshot.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>
#include <thread>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"

namespace pointsman {

namespace {

constexpr uint64_t kForkBytes = 128u << 20;  // that one fork dirties, at most, of what is not its workload's own
constexpr double kTrialSeconds = 300;

int64_t deadline_in(double seconds) { return SystemClock().now_ns() + static_cast<int64_t>(seconds * 1e9); }

Result<UniqueFd> guest_memory(const MachineOptions& options) {
  if (auto fine = check(options); !fine) return fail(fine.error());
  auto available = available_memory();
  if (!available) return fail(available.error());
  const uint64_t size = static_cast<uint64_t>(options.memory_mb) << 20;
  if (*available < size + kForkBytes) {
    return fail(ErrorCode::kBusy, "the lab needs {} MB of free memory, {} are free: use --memory, or end something", (size + kForkBytes) >> 20, *available >> 20);
  }
  return memory_file("guest-memory", {}, size);
}

// Both sides. announce-rounds: QEMU would announce itself to a network on a timer of the host's clock, which ruins exactness even where there is no network.
Result<Unit> prepare_migration(Qmp& qmp, int64_t deadline_ns) {
  using nlohmann::json;
  const json capabilities{{"capabilities", {{{"capability", "x-ignore-shared"}, {"state", true}}, {{"capability", "events"}, {"state", true}}}}};
  if (auto done = qmp.execute("migrate-set-capabilities", capabilities, deadline_ns); !done) return fail(done.error());
  if (auto done = qmp.execute("migrate-set-parameters", {{"announce-rounds", 0}}, deadline_ns); !done) return fail(done.error());
  return Unit{};
}

Result<Unit> wait_migrated(Qmp& qmp, int64_t deadline_ns) {
  for (;;) {
    auto event = qmp.wait_event({"MIGRATION"}, deadline_ns);
    if (!event) return fail(event.error().at("QEMU's state"));
    const std::string status = event->value(nlohmann::json::json_pointer("/data/status"), std::string());
    if (status == "completed") return Unit{};
    if (status == "failed") return fail(ErrorCode::kIo, "QEMU failed to move its state");
  }
}

Result<std::string> save_state(Qmp& qmp, int64_t deadline_ns) {
  using nlohmann::json;
  if (auto ready = prepare_migration(qmp, deadline_ns); !ready) return fail(ready.error());
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return fail_errno("socketpair");
  UniqueFd ours(ends[0]), theirs(ends[1]);
  if (auto done = qmp.execute_with_fd("getfd", {{"fdname", "state"}}, theirs.get(), deadline_ns); !done) return fail(done.error());
  theirs.reset();
  if (auto done = qmp.execute("migrate", {{"uri", "fd:state"}}, deadline_ns); !done) return fail(done.error());
  std::string state;
  for (char buffer[65536];;) {
    const int64_t left_ns = deadline_ns - SystemClock().now_ns();
    pollfd wait{ours.get(), POLLIN, 0};
    if (left_ns <= 0 || ::poll(&wait, 1, static_cast<int>(left_ns / kMillisecond + 1)) <= 0) return fail(ErrorCode::kBusy, "QEMU does not give its state");
    const ssize_t n = ::read(ours.get(), buffer, sizeof buffer);
    if (n < 0 && errno != EINTR) return fail_errno("read QEMU's state");
    if (n == 0) break;
    if (n > 0) state.append(buffer, static_cast<size_t>(n));
  }
  if (auto done = wait_migrated(qmp, deadline_ns); !done) return fail(done.error());
  return state;
}

Result<Unit> restore_state(Qmp& qmp, std::string_view state, int64_t deadline_ns) {
  using nlohmann::json;
  if (auto ready = prepare_migration(qmp, deadline_ns); !ready) return ready;
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return fail_errno("socketpair");
  UniqueFd ours(ends[0]), theirs(ends[1]);
  if (auto done = qmp.execute_with_fd("getfd", {{"fdname", "state"}}, theirs.get(), deadline_ns); !done) return fail(done.error());
  theirs.reset();
  // Ends by itself: when all is written, or when QEMU, in whatever way, closes its end.
  std::jthread feeder([fd = std::move(ours), state] {
    for (size_t done = 0; done < state.size();) {
      const ssize_t n = ::send(fd.get(), state.data() + done, state.size() - done, MSG_NOSIGNAL);
      if (n < 0 && errno != EINTR) return;
      if (n > 0) done += static_cast<size_t>(n);
    }
  });
  if (auto done = qmp.execute("migrate-incoming", {{"uri", "fd:state"}}, deadline_ns); !done) return fail(done.error());
  if (auto done = wait_migrated(qmp, deadline_ns); !done) return done;
  for (;;) {
    auto status = qmp.execute("query-status", json::object(), deadline_ns);
    if (!status) return fail(status.error());
    if (status->value("status", "") != "inmigrate") return Unit{};
    if (SystemClock().now_ns() > deadline_ns) return fail(ErrorCode::kBusy, "QEMU does not leave the state 'inmigrate'");
    ::usleep(500);
  }
}

Result<std::string> request_text(nlohmann::json request, const RunLimits& limits) {
  if (!request.is_object()) return fail(ErrorCode::kInvalidArgument, "a request is a JSON object, not {}", request.dump());
  request["virtual_limit_ns"] = limits.virtual_ns;
  return request.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string boot_text(const BootOptions& boot, bool gate) {
  nlohmann::json text = boot.boot.is_object() ? boot.boot : nlohmann::json::object();
  text["gate"] = gate;
  return text.dump();
}

// "max NUMBER" files of a control group: nullopt where there is no limit.
std::optional<uint64_t> number_in(const std::string& path) {
  auto text = read_file(path);
  if (!text) return std::nullopt;
  uint64_t value = 0;
  if (std::from_chars(text->data(), text->data() + text->size(), value).ec != std::errc{}) return std::nullopt;
  return value;
}

}  // namespace

Result<uint64_t> available_memory() {
  auto info = read_file("/proc/meminfo");
  if (!info) return fail(info.error());
  const size_t at = info->find("MemAvailable:");
  if (at == std::string::npos) return fail(ErrorCode::kUnsupported, "/proc/meminfo has no MemAvailable");
  uint64_t available = std::strtoull(info->c_str() + at + std::strlen("MemAvailable:"), nullptr, 10) << 10;
  const auto limit = number_in("/sys/fs/cgroup/memory.max"), used = number_in("/sys/fs/cgroup/memory.current");
  if (limit && used) available = std::min(available, *limit > *used ? *limit - *used : 0);
  return available;
}

namespace {

// Boots, waits for the gate, saves.
Result<SavedGuest> boot_and_save(const MachineOptions& options, int image_fd, const std::string& boot, int64_t deadline_ns) {
  SavedGuest guest;
  auto ram = guest_memory(options);
  if (!ram) return fail(ram.error());
  guest.ram = std::move(*ram);
  const int64_t start_ns = SystemClock().now_ns();
  auto machine = Machine::start(options, {.image_fd = image_fd, .ram_fd = guest.ram.get(), .ram_is_shared = true, .incoming = false, .batch = true,
                                          .boot = boot, .request = {}, .blob = {}},
                                deadline_ns);
  if (!machine) return fail(machine.error());
  if (auto ready = machine->wait_gate(deadline_ns); !ready) return fail(ready.error());
  const int64_t gate_ns = SystemClock().now_ns();
  guest.boot_seconds = static_cast<double>(gate_ns - start_ns) * 1e-9;
  auto registers = machine->qmp().execute("human-monitor-command", {{"command-line", "info registers -a"}}, deadline_ns);
  if (!registers) return fail(registers.error());
  guest.registers_hash = Hash64().add(registers->dump()).hex();
  auto state = save_state(machine->qmp(), deadline_ns);
  if (!state) return fail(machine->explain(state.error()));
  guest.state = std::move(*state);
  guest.qemu_version = machine->qmp().version();
  if (auto ended = machine->quit(); !ended) return fail(ended.error());
  auto memory = digest_memory(guest.ram.get());
  if (!memory) return fail(memory.error());
  guest.memory_hash = memory->hash;
  guest.memory_bytes = memory->bytes;
  guest.save_seconds = static_cast<double>(SystemClock().now_ns() - gate_ns) * 1e-9;
  return guest;
}

}  // namespace

// Takes the first fork, which shows that the saved guest works and at which time stamp it goes on.
Result<Unit> GuestSnapshot::try_out(const Image& image) {
  auto trial = run({{"kind", "nothing"}}, {}, {.virtual_ns = 10 * kSecond, .host_seconds = kTrialSeconds});
  if (!trial) return fail(trial.error().code == ErrorCode::kInterrupted ? trial.error() : trial.error().at("first fork of the snapshot"));
  if (trial->qemu_version != guest_.qemu_version) return fail(ErrorCode::kCorrupt, "saved by QEMU {}, but this is {}", guest_.qemu_version, trial->qemu_version);
  auto hello = trial->json("hello");
  if (!hello) return fail(hello.error());
  hello_ = std::move(*hello);
  identity_ = Hash64()
                  .add(options_.kernel.hash)
                  .add(image.hash())
                  .add(guest_.qemu_version)
                  .add(describe(options_))
                  .add(boot_)
                  .add(guest_.registers_hash)
                  .add(guest_.memory_hash)
                  .add(hello_.value("tsc", uint64_t{0}))
                  .hex();
  return Unit{};
}

Result<GuestSnapshot> GuestSnapshot::take(const MachineOptions& options, const Image& image, const BootOptions& boot) {
  const int64_t start_ns = SystemClock().now_ns();
  GuestSnapshot snapshot;
  snapshot.options_ = options;
  snapshot.boot_ = boot_text(boot, true);
  auto image_fd = memory_file("image", image.content(), image.content().size());
  if (!image_fd) return fail(image_fd.error());
  snapshot.image_ = std::move(*image_fd);

  const SnapshotCache cache(boot.cache_folder);
  const bool cached = !boot.cache_folder.empty();
  const std::string key = Hash64().add(options.kernel.hash).add(image.hash()).add(describe(options)).add(snapshot.boot_).hex();
  if (auto guest = cached ? cache.load(key) : std::nullopt) {
    if (auto fits = guest_memory(options); !fits) return fail(fits.error());
    snapshot.guest_ = std::move(*guest);
    auto works = snapshot.try_out(image);
    if (works) {
      snapshot.from_cache_ = true;
      snapshot.ready_seconds_ = static_cast<double>(SystemClock().now_ns() - start_ns) * 1e-9;
      return snapshot;
    }
    if (works.error().code == ErrorCode::kInterrupted) return fail(works.error());
    log_warning("a saved guest is of no use and is removed: {}", works.error().message);
    cache.remove(key);
  }
  auto guest = boot_and_save(options, snapshot.image_.get(), snapshot.boot_, deadline_in(boot.host_seconds));
  if (!guest) return fail(guest.error());
  snapshot.guest_ = std::move(*guest);
  if (auto works = snapshot.try_out(image); !works) return fail(works.error());
  snapshot.ready_seconds_ = static_cast<double>(SystemClock().now_ns() - start_ns) * 1e-9;
  if (cached) {
    // A full disk costs the next command a boot, not this one its result.
    if (auto stored = cache.store(key, snapshot.guest_); !stored) log_warning("the booted guest could not be kept for the next time: {}", stored.error().message);
  }
  return snapshot;
}

Result<RunResult> GuestSnapshot::run(const nlohmann::json& request, std::string_view blob, const RunLimits& limits) const {
  const int64_t deadline_ns = deadline_in(limits.host_seconds);
  const auto text = request_text(request, limits);
  if (!text) return fail(text.error());
  auto machine = Machine::start(options_, {.image_fd = image_.get(), .ram_fd = guest_.ram.get(), .ram_is_shared = false, .incoming = true, .batch = false,
                                           .boot = boot_, .request = *text, .blob = blob},
                                deadline_ns);
  if (!machine) return fail(machine.error());
  if (auto restored = restore_state(machine->qmp(), guest_.state, deadline_ns); !restored) return fail(machine->explain(restored.error()));
  const double restore_seconds = machine->cpu_seconds();
  if (auto going = machine->qmp().execute("cont", nlohmann::json::object(), deadline_ns); !going) return fail(machine->explain(going.error()));
  auto result = machine->finish(deadline_ns);
  if (result) result->restore_seconds = restore_seconds;
  return result;
}

Result<RunResult> run_from_boot(const MachineOptions& options, const Image& image, const BootOptions& boot, const nlohmann::json& request,
                                std::string_view blob, const RunLimits& limits) {
  const int64_t deadline_ns = deadline_in(boot.host_seconds + limits.host_seconds);
  auto image_fd = memory_file("image", image.content(), image.content().size());
  if (!image_fd) return fail(image_fd.error());
  auto ram = guest_memory(options);
  if (!ram) return fail(ram.error());
  const auto request_json = request_text(request, limits);
  if (!request_json) return fail(request_json.error());
  const std::string boot_json = boot_text(boot, false);
  auto machine = Machine::start(options, {.image_fd = image_fd->get(), .ram_fd = ram->get(), .ram_is_shared = true, .incoming = false, .batch = true,
                                          .boot = boot_json, .request = *request_json, .blob = blob},
                                deadline_ns);
  if (!machine) return fail(machine.error());
  return machine->finish(deadline_ns);
}

}  // namespace pointsman

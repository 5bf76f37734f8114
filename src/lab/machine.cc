#include "lab/machine.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <mutex>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"

namespace pointsman {

namespace {

// The descriptors under which QEMU finds its files: fixed, so that every command line is the same.
enum Slot { kRam = 10, kImage, kConsole, kResults, kBoot, kRequest, kBlob, kMonitor };
constexpr size_t kTailLines = 12;

std::string path_of(Slot slot) { return fmt::format("/proc/self/fd/{}", static_cast<int>(slot)); }

std::vector<std::string> arguments(const MachineOptions& o, const std::string& kernel_path, bool ram_is_shared, bool incoming) {
  const auto item = [](const char* name, Slot slot) { return fmt::format("name={},file={}", name, path_of(slot)); };
  std::vector<std::string> line{o.qemu, "-machine", "hpet=off,memory-backend=ram"};
  const auto add = [&](std::initializer_list<std::string> words) { line.insert(line.end(), words); };
  if (o.networked) {
    add({"-accel", o.networked->kvm ? "kvm" : "tcg,thread=multi", "-cpu", o.networked->kvm ? "host" : "max", "-rtc", "base=utc,clock=host"});
    add({"-netdev", fmt::format("user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{}-{}:{}", o.networked->port, kGuestAddress, kGuestPort), "-device", "virtio-net-pci,netdev=net,romfile="});
  } else {
    // Any timer on the host's clock that is pending while the guest runs would bound a CPU's turn and break exactness. Hence no display, no network, no sleep.
    add({"-accel", "tcg,thread=single", "-icount", "shift=1,sleep=off", "-rtc", "base=2026-01-01T00:00:00,clock=vm", "-cpu", "max"});
  }
  add({"-seed", std::to_string(o.seed),
      "-smp", std::to_string(o.cpus),
      "-m", fmt::format("{}M", o.memory_mb),
      "-object", fmt::format("memory-backend-file,id=ram,size={}M,mem-path={},share={}", o.memory_mb, path_of(kRam), ram_is_shared ? "on" : "off"),
      "-nodefaults", "-display", "none", "-no-reboot",
      "-device", "pvpanic", "-action", "panic=pause,shutdown=pause",
      "-kernel", kernel_path, "-initrd", path_of(kImage), "-append", "console=ttyS0 quiet panic=-1 nokaslr no_timer_check",
      // Files never fill up, so no write is ever tried again later, which would be a timer on the host's clock.
      "-serial", "file:" + path_of(kConsole), "-serial", "file:" + path_of(kResults),
      "-fw_cfg", item(kBootItem, kBoot), "-fw_cfg", item(kRequestItem, kRequest), "-fw_cfg", item(kBlobItem, kBlob),
      "-chardev", fmt::format("socket,id=monitor,fd={}", static_cast<int>(kMonitor)), "-mon", "chardev=monitor,mode=control"});
  if (!o.networked) add({"-nic", "none"});
  if (incoming) line.insert(line.end(), {"-S", "-incoming", "defer"});
  return line;
}

std::vector<std::string> last_lines(const std::string& text, size_t count) {
  std::vector<std::string> lines;
  size_t end = text.size();
  while (end > 0 && lines.size() < count) {
    const size_t newline = text.rfind('\n', end - 1);
    const size_t begin = newline == std::string::npos ? 0 : newline + 1;
    std::string line = text.substr(begin, end - begin);
    line.erase(std::remove_if(line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; }), line.end());
    if (!line.empty()) lines.push_back(std::move(line));
    if (begin == 0) break;
    end = begin - 1;
  }
  std::reverse(lines.begin(), lines.end());
  return lines;
}

ErrorCode code_named(const std::string& name) {
  for (const ErrorCode code : {ErrorCode::kNotFound, ErrorCode::kUnsupported, ErrorCode::kInvalidArgument, ErrorCode::kPermissionDenied,
                               ErrorCode::kBusy, ErrorCode::kCorrupt}) {
    if (name == name_of(code)) return code;
  }
  return ErrorCode::kIo;
}

// The kernel's own reason for a panic stands above the pages of registers that follow it.
std::string panic_reason(const std::string& console) {
  constexpr std::string_view kWords = "Kernel panic - not syncing: ";
  const size_t at = console.find(kWords);
  if (at == std::string::npos) return {};
  const size_t begin = at + kWords.size();
  return ": " + console.substr(begin, console.find_first_of("\r\n", begin) - begin);
}

// The error that the guest itself reported, if any.
const Frame* error_frame(const std::vector<Frame>& frames) {
  const auto found = std::find_if(frames.begin(), frames.end(), [](const Frame& f) { return f.type == kErrorFrame; });
  return found == frames.end() ? nullptr : &*found;
}

Error error_of(const Frame& frame) {
  const auto said = nlohmann::json::parse(frame.payload, nullptr, false);
  if (!said.is_object()) return {ErrorCode::kCorrupt, "in the guest: " + frame.payload};
  return {code_named(said.value("code", "")), "in the guest: " + said.value("message", "")};
}

}  // namespace

Result<Kernel> Kernel::open(const std::string& path) {
  Kernel kernel;
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return fail_errno("kernel " + path);
  const bool is_folder = S_ISDIR(status.st_mode);
  kernel.image = is_folder ? path + "/vmlinuz" : path;
  const size_t slash = kernel.image.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : kernel.image.substr(0, slash), name = kernel.image.substr(slash + 1);
  kernel.modules = folder + "/modules";
  const std::string_view rest = std::string_view(name).starts_with("vmlinuz") ? std::string_view(name).substr(7) : "";
  if (const std::string config = fmt::format("{}/config{}", folder, rest); ::access(config.c_str(), R_OK) == 0) kernel.config = config;
  auto bytes = read_file(kernel.image);
  if (!bytes) return fail(bytes.error().at("kernel"));
  // Documentation/arch/x86/boot.rst: "HdrS" at 0x202; at 0x20e where the version's text lies, 0x200 bytes further on.
  const auto not_linux = [&] { return fail(ErrorCode::kInvalidArgument, "{} is not an x86 Linux image (bzImage)", kernel.image); };
  if (bytes->size() < 0x1000 || std::string_view(*bytes).substr(0x202, 4) != "HdrS") return not_linux();
  const size_t at = 0x200u + static_cast<unsigned char>((*bytes)[0x20e]) + 0x100u * static_cast<unsigned char>((*bytes)[0x20f]);
  if (at <= 0x200 || at >= bytes->size()) return not_linux();
  kernel.release = bytes->substr(at, bytes->find_first_of(std::string_view(" \0", 2), at) - at);
  if (kernel.release.empty() || kernel.release.size() > 64) return not_linux();
  kernel.hash = Hash64().add(*bytes).hex();
  return kernel;
}

Result<Unit> check(const MachineOptions& options) {
  if (options.cpus < 1 || options.cpus > 8) return fail(ErrorCode::kInvalidArgument, "cpus is {}; allowed are 1 to 8", options.cpus);
  if (options.memory_mb < 256 || options.memory_mb > 16384) return fail(ErrorCode::kInvalidArgument, "memory is {} MB; allowed are 256 to 16384", options.memory_mb);
  return Unit{};
}

Result<UniqueFd> memory_file(const char* name, std::string_view content, size_t size) {
  if (content.size() > size) return fail(ErrorCode::kInvalidArgument, "{} has {} bytes; there is room for {}", name, content.size(), size);
  UniqueFd fd(::memfd_create(name, MFD_CLOEXEC));
  if (!fd) return fail_errno("memfd_create");
  if (::ftruncate(fd.get(), static_cast<off_t>(size)) != 0) return fail_errno(std::string("memory for ") + name);
  for (size_t done = 0; done < content.size();) {
    const ssize_t n = ::pwrite(fd.get(), content.data() + done, content.size() - done, static_cast<off_t>(done));
    if (n < 0 && errno != EINTR) return fail_errno(std::string("memory for ") + name);
    if (n > 0) done += static_cast<size_t>(n);
  }
  return fd;
}

std::string content_of(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return {};
  std::string out(static_cast<size_t>(status.st_size), '\0');
  size_t done = 0;
  while (done < out.size()) {
    const ssize_t n = ::pread(fd, out.data() + done, out.size() - done, static_cast<off_t>(done));
    if (n <= 0 && errno != EINTR) break;
    if (n > 0) done += static_cast<size_t>(n);
  }
  out.resize(done);
  return out;
}

Result<nlohmann::json> RunResult::json(std::string_view type) const {
  const auto found = std::find_if(frames.begin(), frames.end(), [&](const Frame& f) { return f.type == type; });
  if (found == frames.end()) return fail(ErrorCode::kNotFound, "the guest sent no frame '{}'", type);
  auto parsed = nlohmann::json::parse(found->payload, nullptr, false);
  if (parsed.is_discarded()) return fail(ErrorCode::kCorrupt, "the guest's frame '{}' is not JSON", type);
  return parsed;
}

std::string describe(const MachineOptions& options) {
  std::string out;
  for (const std::string& argument : arguments(options, "IMAGE", true, false)) out += (out.empty() ? "" : " ") + argument;
  return out;
}

Result<Machine> Machine::start(const MachineOptions& options, const MachineInput& input, int64_t deadline_ns) {
  if (auto fine = check(options); !fine) return fail(fine.error());
  auto boot = memory_file("boot", input.boot, kBootBytes);
  if (!boot) return fail(boot.error());
  auto request = memory_file("request", input.request, kRequestBytes);
  if (!request) return fail(request.error());
  auto blob = memory_file("blob", input.blob, kBlobBytes);
  if (!blob) return fail(blob.error());
  auto console = memory_file("console", {}, 0);
  if (!console) return fail(console.error());
  auto results = memory_file("results", {}, 0);
  if (!results) return fail(results.error());
  auto complaints = memory_file("complaints", {}, 0);
  if (!complaints) return fail(complaints.error());
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return fail_errno("socketpair");
  UniqueFd ours(ends[0]), theirs(ends[1]);

  ChildOptions child_options{
      .arguments = arguments(options, options.kernel.image, input.ram_is_shared, input.incoming),
      .files = {{input.ram_fd, kRam}, {input.image_fd, kImage}, {console->get(), kConsole}, {results->get(), kResults}, {boot->get(), kBoot},
                {request->get(), kRequest}, {blob->get(), kBlob}, {theirs.get(), kMonitor}, {complaints->get(), STDERR_FILENO}},
      .cpu = options.networked ? -1 : ::sched_getcpu(),
      .batch = input.batch};
  const int64_t started_ns = SystemClock().now_ns();
  auto child = Child::start(child_options);
  if (!child && child.error().code == ErrorCode::kNotFound) return fail(ErrorCode::kNotFound, "there is no QEMU '{}': scripts/setup installs it (package qemu-system-x86), --qemu names another", options.qemu);
  if (!child) return fail(child.error().at("QEMU"));
  theirs.reset();
  auto qmp = Qmp::open(std::move(ours), deadline_ns, options.cancel_fd);
  if (!qmp) {
    static_cast<void>(child->kill());
    if (qmp.error().code == ErrorCode::kInterrupted) return fail(qmp.error());
    const auto words = last_lines(content_of(complaints->get()), 1);
    return fail(ErrorCode::kIo, "QEMU did not start: {}", words.empty() ? qmp.error().message : words.back());
  }
  // Both of QEMU's threads may run the timers that are due, and who does decides whose turn is next. On one CPU of the host, with the main loop always before the virtual CPUs, it is the same
  // one each time. That takes the right to set priorities; without it a rare run differs (docs/lab.md).
  if (!input.batch && !options.networked) {
    const sched_param first{.sched_priority = 1};
    static std::once_flag told;
    if (::sched_setscheduler(child->pid(), SCHED_FIFO, &first) != 0)
      std::call_once(told, [] { log_warning("no right to set priorities (CAP_SYS_NICE): about one run of a hundred may differ in its last digits"); });
  }
  return Machine(std::move(*child), std::move(*qmp), std::move(*console), std::move(*results), std::move(*complaints), started_ns);
}

Error Machine::explain(const Error& why) const {
  Error out = why;
  if (why.code == ErrorCode::kInterrupted) return out;
  const auto add = [&](const char* source, int fd) {
    const auto lines = last_lines(content_of(fd), kTailLines);
    for (size_t i = 0; i < lines.size(); ++i) out.message += (i == 0 ? std::string("; ") + source + ": " : " | ") + lines[i];
  };
  add("console", console_.get());
  add("QEMU", complaints_.get());
  return out;
}

Result<Unit> Machine::wait_power_off(int64_t deadline_ns) {
  auto event = qmp_.wait_event({"SHUTDOWN", "GUEST_PANICKED"}, deadline_ns);
  if (!event) {
    if (event.error().code == ErrorCode::kBusy) return fail(ErrorCode::kBusy, "the guest did not finish within its host time");
    if (event.error().code == ErrorCode::kInterrupted) return fail(event.error());
    return fail(ErrorCode::kIo, "QEMU died under the guest");
  }
  const std::string name = event->value("event", "");
  const std::string reason = event->value(nlohmann::json::json_pointer("/data/reason"), std::string());
  if (name == "GUEST_PANICKED" || reason == "guest-reset" || reason == "guest-panic") return fail(ErrorCode::kIo, "the guest's kernel panicked{}", panic_reason(content_of(console_.get())));
  if (reason != "guest-shutdown") return fail(ErrorCode::kIo, "the guest was stopped from outside ({})", reason);
  return Unit{};
}

Result<Unit> Machine::wait_gate(int64_t deadline_ns) {
  auto event = qmp_.wait_event({"GUEST_PANICKED", "SHUTDOWN"}, deadline_ns);
  if (!event) {
    if (event.error().code == ErrorCode::kBusy) return fail(explain({ErrorCode::kBusy, "the guest did not get ready within its host time"}));
    if (event.error().code == ErrorCode::kInterrupted) return fail(event.error());
    return fail(explain({ErrorCode::kIo, "QEMU died under the guest"}));
  }
  if (event->value("event", "") == "SHUTDOWN") {
    static_cast<void>(quit());
    const auto frames = salvage_frames(content_of(results_.get()));
    if (const Frame* error = error_frame(frames)) return fail(error_of(*error));
    return fail(explain({ErrorCode::kIo, "the guest ended before it was ready"}));
  }
  for (;;) {
    auto status = qmp_.execute("query-status", nlohmann::json::object(), deadline_ns);
    if (!status) return fail(status.error());
    if (status->value("status", "") == "guest-panicked") return Unit{};
    if (SystemClock().now_ns() > deadline_ns) return fail(ErrorCode::kBusy, "the machine does not pause");
    ::usleep(1000);
  }
}

Result<ChildExit> Machine::quit() {
  const int64_t deadline_ns = SystemClock().now_ns() + 10 * kSecond;
  static_cast<void>(qmp_.execute("quit", nlohmann::json::object(), deadline_ns));
  auto exit = child_.wait(deadline_ns);
  if (exit) return exit;
  return child_.kill();
}

Result<RunResult> Machine::finish(int64_t deadline_ns) {
  auto ended = wait_power_off(deadline_ns);
  // Its files are complete only once QEMU is gone.
  auto exit = ended ? quit() : child_.kill();
  const std::string results = content_of(results_.get());
  if (!ended) {
    if (ended.error().code == ErrorCode::kInterrupted) return fail(ended.error());
    const auto frames = salvage_frames(results);
    if (const Frame* error = error_frame(frames)) return fail(explain(error_of(*error)));
    return fail(explain(ended.error()));
  }
  if (!exit) return fail(exit.error());
  auto stream = read_frames(results);
  if (!stream) {
    const auto frames = salvage_frames(results);
    if (const Frame* error = error_frame(frames)) return fail(explain(error_of(*error)));
    return fail(explain(stream.error()));
  }
  if (const Frame* error = error_frame(stream->frames)) return fail(error_of(*error));
  RunResult result;
  result.frames = std::move(stream->frames);
  result.end = std::move(stream->end);
  result.results_hash = std::move(stream->hash);
  result.qemu_version = qmp_.version();
  result.host_seconds = static_cast<double>(SystemClock().now_ns() - started_ns_) * 1e-9;
  result.cpu_seconds = exit->cpu_seconds;
  result.virtual_seconds = static_cast<double>(result.end.value("virtual_ns", int64_t{0})) * 1e-9;
  for (const std::string& line : last_lines(content_of(console_.get()), kTailLines)) result.console_tail += line + "\n";
  return result;
}

}  // namespace pointsman

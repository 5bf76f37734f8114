#include "lab/guest.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/io.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <termios.h>
#include <unistd.h>
#include <x86intrin.h>

#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <thread>

#include "base/clock.h"
#include "base/file.h"
#include "base/rng.h"
#include "lab/devices.h"
#include "lab/firmware.h"
#include "lab/image.h"
#include "lab/machine.h"
#include "lab/selftest.h"
#include "lab/uart.h"

namespace pointsman {

namespace {

using nlohmann::json;

// The first workload after boot is several times slower than later ones; idle virtual time is nearly free.
constexpr int64_t kSettle_ns = 15 * kSecond;
constexpr int64_t kGateRest_ns = 300 * kMillisecond;
constexpr int64_t kLongestDraw_ns = 5 * kSecond;
constexpr uint16_t kPanicPort = 0x505;        // pvpanic
constexpr uint16_t kPowerPort = 0x604;        // PM1a control of the PIIX4
constexpr uint16_t kPowerOff = 0x2000;        // SLP_EN, SLP_TYP 0
constexpr uint64_t kSwapBytes = 256u << 20;

void sleep_ns(int64_t ns) {
  SystemClock clock;
  clock.sleep_until_ns(clock.now_ns() + ns);
}

Result<Unit> mount_at(const char* type, const char* where, bool required) {
  ::mkdir(where, 0755);
  if (::mount(type, where, type, 0, nullptr) != 0 && errno != EBUSY && required) return fail_errno(std::string("mount ") + where);
  return Unit{};
}

Result<Unit> mount_all() {
  struct Mount {
    const char *type, *where;
    bool required;
  };
  // /tmp and /run stay on the root, which is memory as well: what a user brought below them must not be covered up.
  const Mount mounts[] = {{"proc", "/proc", true},       {"sysfs", "/sys", true},         {"devtmpfs", "/dev", true},
                          {"devpts", "/dev/pts", false}, {"tmpfs", "/dev/shm", true},
                          {"cgroup2", "/sys/fs/cgroup", true}, {"debugfs", "/sys/kernel/debug", true},
                          {"tracefs", "/sys/kernel/tracing", false}, {"bpf", "/sys/fs/bpf", false}};
  for (const Mount& m : mounts) {
    if (auto done = mount_at(m.type, m.where, m.required); !done) return done;
  }
  if (::symlink("/proc/self/fd", "/dev/fd") != 0 && errno != EEXIST) return fail_errno("/dev/fd");
  return Unit{};
}

Result<Unit> prepare_machine() {
  if (auto done = mount_all(); !done) return done;
  for (const std::string& module : guest_modules()) {
    if (auto done = load_module("/lib/modules/" + module + ".ko"); !done) return done;
  }
  if (auto done = mount_at("configfs", "/sys/kernel/config", true); !done) return done;
  if (auto done = start_zram_swap(kSwapBytes); !done) return done;
  return start_scratch_disk({});
}

Result<json> read_json(const FirmwareConfig& firmware, const char* item) {
  auto text = firmware.read_text(item);
  if (!text) return fail(text.error());
  auto parsed = json::parse(*text, nullptr, false);
  if (!parsed.is_object()) return fail(ErrorCode::kCorrupt, "{} is not a JSON object", item);
  return parsed;
}

[[noreturn]] void power_off() {
  ::tcdrain(STDERR_FILENO);  // the console's last words
  // Straight to the register that ACPI's S5 would write in the end: what the kernel does before that takes time and changes no result.
  if (::iopl(3) == 0) outw(kPowerOff, kPowerPort);
  ::reboot(RB_POWER_OFF);
  for (;;) ::pause();
}

[[noreturn]] void end_with_error(FrameWriter& out, const Error& error, int64_t start_ns) {
  std::fprintf(stderr, "pointsman: %s\n", error.message.c_str());
  static_cast<void>(out.send_json(kErrorFrame, {{"code", name_of(error.code)}, {"message", error.message}}));
  static_cast<void>(out.finish({{"virtual_ns", SystemClock().now_ns() - start_ns}}));
  power_off();
}

uint64_t stop_at_gate() {
  // Two saves agree only if the machine stops in the same state: CPU 0 has the turn, and nothing else is under way.
  cpu_set_t all, first;
  ::sched_getaffinity(0, sizeof all, &all);
  CPU_ZERO(&first);
  CPU_SET(0, &first);
  ::sched_setaffinity(0, sizeof first, &first);
  sleep_ns(kGateRest_ns);
  outb(1, kPanicPort);  // the machine pauses here; every fork goes on from here
  const uint64_t first_stamp = __rdtsc();
  ::sched_setaffinity(0, sizeof all, &all);
  return first_stamp;
}

// Ends the run at its virtual-time limit, whatever the job does: a thread of the highest class and priority.
void start_watchdog(FrameWriter& out, int64_t start_ns, int64_t limit_ns) {
  std::thread([&out, start_ns, limit_ns] {
    sched_param param{};
    param.sched_priority = 99;
    ::sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &param);
    SystemClock clock;
    while (clock.now_ns() < start_ns + limit_ns) clock.sleep_until_ns(start_ns + limit_ns);
    end_with_error(out, {ErrorCode::kBusy, fmt::format("the job did not finish within {:g} virtual seconds", static_cast<double>(limit_ns) * 1e-9)}, start_ns);
  }).detach();
}

// Bits of /proc/sys/kernel/tainted that say that the kernel has warned or died. Source: Documentation/admin-guide/tainted-kernels.rst
uint64_t kernel_complaints() {
  constexpr uint64_t kDied = 1u << 7, kWarned = 1u << 9, kLockup = 1u << 14;
  auto tainted = read_file("/proc/sys/kernel/tainted");
  return tainted ? std::strtoull(tainted->c_str(), nullptr, 10) & (kDied | kWarned | kLockup) : 0;
}

Result<Unit> run_job(const GuestJobs& jobs, const json& request, FrameWriter& out) {
  const auto kind = request.find("kind");
  if (kind == request.end() || !kind->is_string()) return fail(ErrorCode::kInvalidArgument, "the request has no kind");
  const auto job = jobs.find(kind->get<std::string>());
  if (job == jobs.end()) {
    std::string known;
    for (const auto& [name, unused] : jobs) known += (known.empty() ? "" : ", ") + name;
    return fail(ErrorCode::kInvalidArgument, "no job of kind '{}' (there are: {})", kind->get<std::string>(), known);
  }
  try {
    return job->second(request, out);
  } catch (const nlohmann::json::exception& exception) {
    return fail(ErrorCode::kInvalidArgument, "a field of the request is missing or of another type: {}", exception.what());
  }
}

}  // namespace

bool is_guest(int argc, char** argv) { return ::getpid() == 1 && argc > 0 && std::string_view(argv[0]).ends_with("init"); }

Result<std::string> read_blob(size_t size) {
  if (size > kBlobBytes) return fail(ErrorCode::kInvalidArgument, "a blob has at most {} bytes", kBlobBytes);
  auto firmware = FirmwareConfig::open();
  if (!firmware) return fail(firmware.error());
  return firmware->read_bytes(kBlobItem, size);
}

void guest_main(GuestJobs jobs, const GuestHooks& hooks) {
  SystemClock clock;
  const int64_t boot_ns = clock.now_ns();
  // Until the port is open there is only the console to complain to.
  auto uart = Uart::open();
  if (!uart) {
    std::fprintf(stderr, "pointsman: %s\n", uart.error().message.c_str());
    power_off();
  }
  FrameWriter out([&](std::string_view bytes) { return uart->write(bytes); });
  ::setenv("PATH", "/bin:/usr/bin:/sbin:/usr/sbin:/usr/local/bin", 1);
  ::setenv("HOME", "/root", 1);
  ::setenv("TERM", "dumb", 1);
  ::setenv("LANG", "C", 1);
  if (auto done = prepare_machine(); !done) end_with_error(out, done.error().at("guest"), boot_ns);
  auto firmware = FirmwareConfig::open();
  if (!firmware) end_with_error(out, firmware.error(), boot_ns);
  auto boot = read_json(*firmware, kBootItem);
  if (!boot) end_with_error(out, boot.error(), boot_ns);
  if (hooks.before_settle) {
    if (auto done = hooks.before_settle(*boot); !done) end_with_error(out, done.error(), boot_ns);
  }
  // Where nothing is exact there is nothing to settle, and no exactness to test.
  const bool exact = !boot->value("networked", false);
  if (exact) sleep_ns(kSettle_ns);
  const int cpus = static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN));
  auto tested = exact ? self_test(cpus) : Result<PingPongResult>(PingPongResult{});
  if (!tested) end_with_error(out, tested.error().at("self-test"), boot_ns);
  const uint64_t stamp = boot->value("gate", false) ? stop_at_gate() : __rdtsc();

  const int64_t start_ns = clock.now_ns();
  auto request = read_json(*firmware, kRequestItem);
  if (!request) end_with_error(out, request.error(), start_ns);
  start_watchdog(out, start_ns, request->value("virtual_limit_ns", 600 * kSecond));
  utsname system{};
  ::uname(&system);
  static_cast<void>(out.send_json("hello", {{"tsc", stamp},
                                            {"kernel", system.release},
                                            {"cpus", cpus},
                                            {"settled_ns", start_ns - boot_ns},
                                            {"selftest", tested->json()}}));
  // The same job in another draw: it begins at another moment of the idle machine's rhythm.
  if (const auto draw = request->value("idle_draw", uint64_t{0}); draw != 0) sleep_ns(Rng(draw, "idle").between(0, kLongestDraw_ns));
  const int64_t job_ns = clock.now_ns();
  if (auto done = run_job(jobs, *request, out); !done) end_with_error(out, done.error(), start_ns);
  const int64_t end_ns = clock.now_ns();
  static_cast<void>(out.finish({{"virtual_ns", end_ns - job_ns}, {"drawn_ns", job_ns - start_ns}, {"kernel_complaints", kernel_complaints()}}));
  power_off();
}

}  // namespace pointsman

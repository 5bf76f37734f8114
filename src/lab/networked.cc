#include "lab/networked.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "base/clock.h"
#include "base/file.h"
#include "lab/devices.h"

namespace pointsman {

namespace {

constexpr int64_t kForEverNs = int64_t{1} << 61;
constexpr double kStartSeconds = 120;

Result<Unit> set_up(int socket, const char* card, const char* address) {
  ifreq request{};
  std::strncpy(request.ifr_name, card, IFNAMSIZ - 1);
  const auto set_address = [&](unsigned long what, const char* text) {
    auto* to = reinterpret_cast<sockaddr_in*>(&request.ifr_addr);
    *to = {};
    to->sin_family = AF_INET;
    ::inet_pton(AF_INET, text, &to->sin_addr);
    return ::ioctl(socket, what, &request);
  };
  if (set_address(SIOCSIFADDR, address) != 0) return fail_errno(std::string("address of ") + card);
  if (std::strcmp(card, "lo") != 0 && set_address(SIOCSIFNETMASK, "255.255.255.0") != 0) return fail_errno(std::string("network of ") + card);
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (::ioctl(socket, SIOCSIFFLAGS, &request) != 0) return fail_errno(std::string("start of ") + card);
  return Unit{};
}

Result<Unit> bring_up_network() {
  for (const std::string& module : network_modules()) {
    if (auto loaded = load_module("/lib/modules/" + module + ".ko"); !loaded) return loaded;
  }
  UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return fail_errno("socket");
  if (auto up = set_up(socket.get(), "lo", "127.0.0.1"); !up) return up;
  return set_up(socket.get(), "eth0", kGuestAddress);
}

}  // namespace

const std::vector<std::string>& network_modules() {
  static const std::vector<std::string> modules{"failover", "net_failover", "virtio_net"};
  return modules;
}

Result<uint16_t> free_port(uint16_t port) {
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return fail_errno("socket");
  const int one = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno == EADDRINUSE) return fail(ErrorCode::kBusy, "port {}: something listens there already", port);
    return fail_errno(fmt::format("port {}", port));
  }
  socklen_t size = sizeof address;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) return fail_errno("port");
  return ntohs(address.sin_port);
}

bool has_kvm() {
  if (!UniqueFd(::open("/dev/kvm", O_RDWR | O_CLOEXEC))) return false;
  // A /dev/kvm that does without the processor's help, as some clouds have, does not carry a whole Linux.
  auto text = read_file("/proc/cpuinfo");
  return text && (text->find(" vmx ") != std::string::npos || text->find(" svm ") != std::string::npos);
}

Result<NetworkedGuest> NetworkedGuest::start(const Options& options, const Image& image) {
  if (!options.machine.networked) return fail(ErrorCode::kInvalidArgument, "a networked guest needs a port");
  auto image_fd = memory_file("image", image.content(), image.content().size());
  if (!image_fd) return fail(image_fd.error());
  auto ram = memory_file("ram", {}, static_cast<size_t>(options.machine.memory_mb) << 20);
  if (!ram) return fail(ram.error());
  const std::string boot = nlohmann::json{{"networked", true}}.dump();
  const std::string request = nlohmann::json{{"kind", "serve"}, {"words", options.words}, {"token", options.token}, {"virtual_limit_ns", kForEverNs}}.dump();
  const int64_t deadline_ns = SystemClock().now_ns() + static_cast<int64_t>(kStartSeconds * 1e9);
  auto machine = Machine::start(options.machine, {.image_fd = image_fd->get(), .ram_fd = ram->get(), .boot = boot, .request = request, .blob = {}}, deadline_ns);
  if (!machine) return fail(machine.error());
  if (options.pinned) {
    auto threads = machine->qmp().execute("query-cpus-fast", nlohmann::json::object(), deadline_ns);
    if (!threads) return fail(threads.error());
    cpu_set_t allowed;
    if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return fail_errno("CPUs of this host");
    int host_cpu = -1;
    for (const auto& one : *threads) {
      do host_cpu = (host_cpu + 1) % CPU_SETSIZE;
      while (!CPU_ISSET(host_cpu, &allowed));
      cpu_set_t only;
      CPU_ZERO(&only);
      CPU_SET(host_cpu, &only);
      if (::sched_setaffinity(one.value("thread-id", 0), sizeof only, &only) != 0) return fail_errno("pin a virtual CPU");
    }
  }
  return NetworkedGuest(std::move(*image_fd), std::move(*ram), std::move(*machine));
}

Result<Unit> NetworkedGuest::wait() {
  auto result = machine_.finish(kForEverNs);
  if (!result) return fail(result.error());
  auto ended = result->json("served");
  if (!ended) return fail(ended.error());
  return fail(ErrorCode::kIo, "the server in the guest ended with {}: {}", ended->value("exit_code", -1), ended->value("stderr", ""));
}

GuestJob serve_job() {
  return [](const nlohmann::json& request, FrameWriter& out) -> Result<Unit> {
    if (auto up = bring_up_network(); !up) return up;
    const std::string token = request.value("token", "");
    if (!token.empty()) {
      if (auto written = write_file(NetworkedGuest::kTokenPath, token + "\n"); !written) return written;
      ::chmod(NetworkedGuest::kTokenPath, 0600);
    }
    std::vector<std::string> words = request.at("words");
    std::vector<char*> pointers;
    for (std::string& word : words) pointers.push_back(word.data());
    pointers.push_back(nullptr);
    constexpr const char* kComplaints = "/run/serve.stderr";
    const pid_t pid = ::fork();
    if (pid < 0) return fail_errno("fork");
    if (pid == 0) {
      if (const int file = ::open(kComplaints, O_WRONLY | O_CREAT | O_TRUNC, 0600); file >= 0) ::dup2(file, STDERR_FILENO);
      ::execv(pointers[0], pointers.data());
      ::_exit(127);
    }
    int status = 0;
    // Whose parent has ended is ours too: process 1.
    for (pid_t gone = 0; (gone = ::waitpid(-1, &status, 0)) != pid;)
      if (gone < 0 && errno != EINTR) return fail_errno("wait");
    auto complaints = read_file(kComplaints);
    return out.send_json("served", {{"exit_code", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status)}, {"stderr", complaints ? *complaints : ""}});
  };
}

}  // namespace pointsman

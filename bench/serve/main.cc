// How fast does the server answer beside nginx, which serves a file of the same size? How much memory does it hold, and how long after its own run does an
// experiment that does nothing come back? The clients are ours, on the same machine: both contenders are asked by the same loop.
#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/file.h"
#include "base/temporary_folder.h"
#include "base/unique_fd.h"
#include "http/client.h"

namespace {

using namespace pointsman;
namespace fs = std::filesystem;

struct Process {
  pid_t pid = -1;
  ~Process() {
    if (pid <= 0) return;
    ::kill(pid, SIGTERM);
    ::waitpid(pid, nullptr, 0);
  }
};

// Standard output goes to `out` when there is one.
pid_t start(std::vector<std::string> words, int out) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (out >= 0) ::dup2(out, 1);
    ::execvp(pointers[0], pointers.data());
    ::_exit(127);
  }
  return pid;
}

UniqueFd connect_to(uint16_t port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fd.reset();
  return fd;
}

// One request on a connection that stays; the body. The length is in the header.
bool ask(int fd, const std::string& request, std::string& buffer, std::string* body = nullptr) {
  if (::send(fd, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size())) return false;
  buffer.clear();
  size_t whole = 0;
  char bytes[65536];
  while (whole == 0 || buffer.size() < whole) {
    const ssize_t n = ::recv(fd, bytes, sizeof bytes, 0);
    if (n <= 0) return false;
    buffer.append(bytes, static_cast<size_t>(n));
    const size_t end = buffer.find("\r\n\r\n");
    if (whole != 0 || end == std::string::npos) continue;
    const size_t at = buffer.find("Content-Length: ");
    if (at == std::string::npos || buffer.compare(0, 15, "HTTP/1.1 200 OK") != 0) return false;
    whole = end + 4 + std::strtoull(buffer.c_str() + at + 16, nullptr, 10);
    if (body != nullptr && buffer.size() >= whole) *body = buffer.substr(end + 4);
  }
  return true;
}

struct Rate {
  double per_second = 0, p50_us = 0, p99_us = 0;
};
Rate measure(uint16_t port, const std::string& target, int seconds) {
  const std::string request = "GET " + target + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
  const UniqueFd fd = connect_to(port);
  std::string buffer;
  std::vector<double> took;
  SystemClock clock;
  const int64_t begin = clock.now_ns(), end = begin + seconds * kSecond;
  int64_t before = begin;
  while (before < end) {
    if (!ask(fd.get(), request, buffer)) return {};
    const int64_t now = clock.now_ns();
    took.push_back(static_cast<double>(now - before) / 1e3);
    before = now;
  }
  std::sort(took.begin(), took.end());
  return {static_cast<double>(took.size()) * 1e9 / static_cast<double>(before - begin), took[took.size() / 2], took[took.size() * 99 / 100]};
}

long resident_kb(pid_t pid) {
  auto text = read_file("/proc/" + std::to_string(pid) + "/status");
  const size_t at = text ? text->find("VmRSS:") : std::string::npos;
  return at == std::string::npos ? -1 : std::strtol(text->c_str() + at + 6, nullptr, 10);
}

}  // namespace

int main() {
  const auto folder = TemporaryFolder::make("bench");
  if (!folder) return 1;
  const std::string& name = folder->path();
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return 1;
  Process server{start({POINTSMAN_BINARY, "serve", "--listen", "127.0.0.1:0", "--ledger", name + "/l.db", "--lock", name + "/lock"}, ends[1])};
  ::close(ends[1]);
  std::string url;
  for (char c = 0; ::read(ends[0], &c, 1) == 1 && c != '\n';) url += c;
  auto parsed = ServerUrl::parse(url);
  if (!parsed) return std::fprintf(stderr, "the server did not start\n"), 1;
  const uint16_t port = parsed->port;
  const Client client(*parsed, {});
  for (int i = 0; i < 600; ++i) {
    auto health = client.ask({.target = "/v1/healthz"});
    if (health && health->status == 200) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }

  // An experiment that does nothing: from the request to the moment that its end is known, less its own run.
  std::vector<double> beside_ms;
  for (int i = 0; i < 20; ++i) {
    SystemClock clock;
    const int64_t begin = clock.now_ns();
    auto made = client.ask_json({.method = "POST", .target = "/v1/experiments", .body = R"({"workload":"nothing","arm":"eevdf"})", .headers = {{"Content-Type", "application/json"}}});
    if (!made) return std::fprintf(stderr, "%s\n", made.error().message.c_str()), 1;
    const std::string here = "/v1/experiments/" + std::to_string(made->at("id").get<int64_t>());
    auto ended = client.stream(here + "/events", "", [](const Client::StreamEvent&) { return true; });
    const double whole_ms = static_cast<double>(clock.now_ns() - begin) / 1e6;
    auto result = client.ask_json({.target = here + "/result"});
    if (!ended || !result || result->at("repeats").empty()) return std::fprintf(stderr, "the experiment was not done\n"), 1;
    beside_ms.push_back(whole_ms - result->at("repeats").at(0).at("costs").at("makespan_s").get<double>() * 1e3);
  }
  std::sort(beside_ms.begin(), beside_ms.end());
  std::printf("an experiment that does nothing came back %.1f ms (median), %.1f ms (worst of %zu) after its own run\n", beside_ms[beside_ms.size() / 2], beside_ms.back(), beside_ms.size());

  const std::string target = "/v1/experiments/1";
  std::string body, buffer;
  if (!ask(connect_to(port).get(), "GET " + target + " HTTP/1.1\r\nHost: localhost\r\n\r\n", buffer, &body) || body.empty()) return std::fprintf(stderr, "no answer\n"), 1;
  // nginx with the same bytes as a file, one process, no log.
  fs::create_directories(name + "/www/v1/experiments");
  const uint16_t nginx_port = static_cast<uint16_t>(20000 + ::getpid() % 20000);
  const std::string configuration =
      "daemon off; worker_processes 1; pid " + name + "/nginx.pid; error_log stderr crit; events { worker_connections 256; }\n"
      "http { access_log off; keepalive_requests 100000000; default_type application/json; sendfile on; tcp_nodelay on; client_body_temp_path " + name + "/t1; proxy_temp_path " + name + "/t2; fastcgi_temp_path " + name +
      "/t3; uwsgi_temp_path " + name + "/t4; scgi_temp_path " + name + "/t5; server { listen 127.0.0.1:" + std::to_string(nginx_port) + "; root " + name + "/www; } }\n";
  if (!write_file(name + "/www" + target, body) || !write_file(name + "/nginx.conf", configuration)) return 1;
  ::chmod(name.c_str(), 0755);
  Process nginx{start({"nginx", "-p", name, "-c", name + "/nginx.conf"}, -1)};
  std::string theirs;
  for (int i = 0; i < 100 && theirs.empty(); ++i) {
    const UniqueFd fd = connect_to(nginx_port);
    if (!fd || !ask(fd.get(), "GET " + target + " HTTP/1.1\r\nHost: localhost\r\n\r\n", buffer, &theirs)) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  if (theirs != body) return std::fprintf(stderr, "nginx is not there, or gives another body (apt-get install nginx-light)\n"), 77;

  std::printf("GET of %zu bytes, one connection:\n  %-12s %12s %10s %10s\n", body.size(), "", "1/s", "p50 us", "p99 us");
  Rate best[2];
  // In turns, so that whatever else the machine does falls on both.
  for (int round = 0; round < 5; ++round) {
    for (int which = 0; which < 2; ++which) {
      const Rate rate = measure(which == 0 ? nginx_port : port, target, 1);
      std::printf("  %-12s %12.0f %10.1f %10.1f\n", which == 0 ? "nginx" : "pointsman", rate.per_second, rate.p50_us, rate.p99_us);
      if (rate.per_second > best[which].per_second) best[which] = rate;
    }
  }
  std::printf("best of 5: nginx is %.2f times as fast (promised: at most 2)\n", best[0].per_second / best[1].per_second);

  std::vector<UniqueFd> held;
  for (int i = 0; i < 200; ++i) held.push_back(connect_to(port));
  for (const UniqueFd& fd : held)
    if (!fd || !ask(fd.get(), "GET /v1/workloads HTTP/1.1\r\nHost: localhost\r\n\r\n", buffer)) return std::fprintf(stderr, "the server does not hold 200 connections\n"), 1;
  const long kb = resident_kb(server.pid);
  if (kb <= 0) return std::fprintf(stderr, "the server's memory cannot be read\n"), 1;
  std::printf("memory of the server with 200 connections: %.1f MB (promised: at most 20)\n", static_cast<double>(kb) / 1024);
  return 0;
}

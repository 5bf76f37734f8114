// Served: a whole server on an ephemeral port of 127.0.0.1 in front of a scripted worker, for tests that speak to it through sockets.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <future>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>

#include "base/temporary_folder.h"
#include "base/unique_fd.h"
#include "http/client.h"
#include "http/fake_worker.h"
#include "http/server.h"

namespace pointsman {

struct ServedOptions {
  ServerOptions server{};
  ApiOptions api{};
  DeskOptions desk{};
};

class Served {
 public:
  Served() : Served(ServedOptions{}) {}
  explicit Served(ServedOptions options) {
    worker.later = [this](std::function<void()> call) { loop_.post(std::move(call)); };
    auto catalogue = Catalogue::open({});
    catalogue_ = std::move(*catalogue);
    auto store = ExperimentStore::open(folder_.path() + "/l.db");
    store_.emplace(std::move(*store));
    if (!options.desk.now_ms) options.desk.now_ms = [] { return int64_t{1'764'000'000'000}; };
    options.desk.trace_folder = folder_.path();
    desk_.emplace(*store_, worker, events_, options.desk);
    api_.emplace(catalogue_, *store_, *desk_, worker, events_, options.api);
    options.server.port = 0;
    auto server = Server::open(loop_, *api_, events_, options.server);
    if (!server) ADD_FAILURE() << server.error().message;
    server_ = std::move(*server);
    port_ = server_->port();
    thread_ = std::thread([this] { loop_.run(); });
  }
  ~Served() {
    on_loop([this] { server_->close(); });
    loop_.stop();
    thread_.join();
  }

  // Runs CALL on the loop's thread and waits: the worker, the store and the desk belong to it.
  template <typename Call>
  std::invoke_result_t<Call> on_loop(Call call) {
    std::packaged_task<std::invoke_result_t<Call>()> task(std::move(call));
    auto result = task.get_future();
    loop_.post([&task] { task(); });
    return result.get();
  }
  void finish() {
    on_loop([this] { worker.finish(); });
  }
  int connections() {
    return on_loop([this] { return server_->connections(); });
  }
  size_t listeners() {
    return on_loop([this] { return events_.listeners(); });
  }
  [[nodiscard]] uint16_t port() const { return port_; }
  [[nodiscard]] const std::string& folder() const { return folder_.path(); }
  [[nodiscard]] Client client(const std::string& token = "") const { return client(ClientOptions{.token = token}); }
  [[nodiscard]] Client client(const ClientOptions& options) const { return Client({.host = "127.0.0.1", .port = port_}, options); }
  HttpReply ask(const Client::Request& request, const std::string& token = "") {
    auto reply = client(token).ask(request);
    if (!reply) ADD_FAILURE() << request.method << " " << request.target << ": " << reply.error().message;
    return reply ? *reply : HttpReply{};
  }
  HttpReply get(const std::string& target) { return ask({.target = target}); }
  HttpReply post(const std::string& body, std::vector<std::pair<std::string, std::string>> headers = {}) {
    headers.emplace_back("Content-Type", "application/json");
    return ask({.method = "POST", .target = "/v1/experiments", .body = body, .headers = std::move(headers)});
  }
  [[nodiscard]] UniqueFd connect() const {
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port_);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return fd;
  }

  FakeWorker worker;

 private:
  TemporaryFolder folder_ = *TemporaryFolder::make("served");
  Catalogue catalogue_;
  Events events_;
  Loop loop_;
  std::optional<ExperimentStore> store_;
  std::optional<Desk> desk_;
  std::optional<Api> api_;
  std::unique_ptr<Server> server_;
  uint16_t port_ = 0;
  std::thread thread_;
};

// Sends all, unless the other side has closed.
inline bool send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

// What comes until the other side closes.
inline std::string read_to_end(int fd) {
  std::string out;
  char buffer[4096];
  for (ssize_t n = 0; (n = ::recv(fd, buffer, sizeof buffer, 0)) > 0;) out.append(buffer, static_cast<size_t>(n));
  return out;
}

// What comes until it contains TEXT, or the other side closes.
inline std::string read_until(int fd, std::string_view text) {
  std::string out;
  char buffer[4096];
  while (out.find(text) == std::string::npos) {
    const ssize_t n = ::recv(fd, buffer, sizeof buffer, 0);
    if (n <= 0) break;
    out.append(buffer, static_cast<size_t>(n));
  }
  return out;
}

// One whole answer of a connection that goes on; its length is in its header.
inline std::string read_answer(int fd) {
  std::string out;
  char c = 0;
  while (!out.ends_with("\r\n\r\n") && ::recv(fd, &c, 1, 0) == 1) out += c;
  const size_t at = out.find("Content-Length: ");
  const size_t length = at == std::string::npos ? 0 : std::stoul(out.substr(at + 16));
  for (size_t i = 0; i < length && ::recv(fd, &c, 1, 0) == 1; ++i) out += c;
  return out;
}

}  // namespace pointsman

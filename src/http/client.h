// Client: one request at a time to an experiment server, and its stream of events. Blocks its caller; every wait but that for the next event has a bound.
// Errors: kInvalidArgument (not such a URL), kUnsupported (https), kNotFound (no such host), kIo (nobody there, or the connection broke), kBusy (no answer in time),
// kCorrupt (not HTTP), kInterrupted (cancel_fd). What the server itself refuses is an answer, not an error: see refusal_of.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace pointsman {

struct ServerUrl {
  std::string host{};
  uint16_t port = 8765;
  // "http://HOST[:PORT]", "HOST[:PORT]"; HOST a name or an address, an IPv6 one in brackets.
  static Result<ServerUrl> parse(const std::string& text);
};

struct HttpReply {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers{};
  std::string body{};
  [[nodiscard]] std::string header(std::string_view name) const;  // whatever the case of its letters
};

struct ClientOptions {
  std::string token{};
  int64_t answer_ns = 60 * kSecond;
  size_t body_bytes = 256u << 20;
  int cancel_fd = -1;  // once it is readable, whatever waits ends; not owned
};

class Client {
 public:
  // The same without cancel_fd, for what has to be said once it was readable.
  [[nodiscard]] Client undisturbed() const {
    Client out = *this;
    out.options_.cancel_fd = -1;
    return out;
  }
  Client(ServerUrl url, ClientOptions options) : url_(std::move(url)), options_(std::move(options)) {}

  struct Request {
    std::string method = "GET", target = "/", body{};
    std::vector<std::pair<std::string, std::string>> headers{};
  };
  Result<HttpReply> ask(const Request& request) const;
  // The same, for answers that are JSON of status 2xx; all others are errors with the server's own words.
  Result<nlohmann::json> ask_json(const Request& request) const;
  struct StreamEvent {
    std::string id{}, name{}, data{};
  };
  // Until the server ends the stream (true), or `on_event` returns false.
  Result<bool> stream(const std::string& target, const std::string& last_event_id, const std::function<bool(const StreamEvent&)>& on_event) const;

 private:
  ServerUrl url_;
  ClientOptions options_;
};

// What a server said no with: its detail, as an error whose code says what to do next.
Error refusal_of(const HttpReply& reply);

}  // namespace pointsman

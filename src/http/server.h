// Server: HTTP/1.1 on a socket in front of the Api: parses, bounds what a client may send and how long it may take, streams events and files.
// Threads: the loop's. Owns: its sockets.
// Errors of open: kBusy (the port is taken), kInvalidArgument (no address), kPermissionDenied, kIo.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.h"
#include "http/api.h"
#include "http/loop.h"

namespace pointsman {

struct ServerOptions {
  std::string address = "127.0.0.1";  // a number: names would have to be looked up
  uint16_t port = 8765;               // 0: any
  size_t header_bytes = 8192, body_bytes = 64u << 10;
  int connections = 256;
  int64_t request_ns = 30 * kSecond;    // for a request's header to come, from the connection or the answer before; and again for its body
  int64_t answer_ns = 60 * kSecond;     // for a client to take an answer
  int64_t file_ns = 600 * kSecond;      // the same, a trace
  int64_t heartbeat_ns = 15 * kSecond;  // a sign of life on a stream on which nothing happens
  int64_t linger_ns = 2 * kSecond;      // to let a client finish a body that was refused, so that it reads why
};

class Server {
 public:
  static Result<std::unique_ptr<Server>> open(Loop& loop, Api& api, Events& events, const ServerOptions& options);
  ~Server();
  [[nodiscard]] uint16_t port() const;
  [[nodiscard]] int connections() const;
  // Accepts no more, and ends what is open.
  void close();

 private:
  struct State;
  explicit Server(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

}  // namespace pointsman

#include "http/server.h"

#include <netinet/tcp.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <deque>
#include <set>

#include "base/log.h"

namespace pointsman {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using tcp = asio::ip::tcp;
template <typename T = void>
using awaitable = asio::awaitable<T>;

namespace {

// Failures of sockets are ordinary: a client has gone. They come back beside the result, not as exceptions.
constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
constexpr size_t kMostPending = 1024;  // events that a slow listener may be behind

template <typename Name>
std::string field(const http::fields& fields, Name name) {
  const auto value = fields[name];
  return {value.data(), value.size()};
}

std::string frame_of(const Event& event) { return fmt::format("id: {}\nevent: {}\ndata: {}\n\n", event.number, event.name, event.data); }

}  // namespace

struct Server::State : std::enable_shared_from_this<Server::State> {
  State(Loop& its_loop, Api& its_api, Events& its_events, ServerOptions its_options)
      : loop(its_loop), api(its_api), events(its_events), options(std::move(its_options)), acceptor(loop.context()) {}

  Loop& loop;
  Api& api;
  Events& events;
  ServerOptions options;
  tcp::acceptor acceptor;
  std::set<beast::tcp_stream*> open;  // for close()
  bool closed = false;

  awaitable<> accept(std::shared_ptr<State> self) {
    while (!closed) {
      auto [error, socket] = co_await acceptor.async_accept(kTuple);
      if (closed) co_return;
      if (error) {
        // Out of descriptors: connections that end will free some.
        log_warning("accept: {}", error.message());
        asio::steady_timer pause(loop.context(), std::chrono::milliseconds(100));
        co_await pause.async_wait(kTuple);
        continue;
      }
      asio::co_spawn(loop.context(), serve(self, beast::tcp_stream(std::move(socket))), asio::detached);
    }
  }

  void expire(beast::tcp_stream& stream, int64_t ns) const { stream.expires_after(std::chrono::nanoseconds(ns)); }

  http::response<http::string_body> message_of(ApiResponse& answer, unsigned version, bool keep_alive) const {
    http::response<http::string_body> message{static_cast<http::status>(answer.status), version};
    message.set(http::field::server, "pointsman");
    message.set(http::field::content_type, answer.content_type);
    message.set("X-Content-Type-Options", "nosniff");
    for (const auto& [name, value] : answer.headers) message.set(name, value);
    message.keep_alive(keep_alive);
    message.body() = std::move(answer.body);
    message.prepare_payload();
    return message;
  }

  awaitable<bool> write(beast::tcp_stream& stream, ApiResponse answer, unsigned version, bool keep_alive, bool head) {
    expire(stream, options.answer_ns);
    auto message = message_of(answer, version, keep_alive);
    http::response_serializer<http::string_body> serializer{message};
    error_code error;
    if (head) {
      std::tie(error, std::ignore) = co_await http::async_write_header(stream, serializer, kTuple);
    } else {
      std::tie(error, std::ignore) = co_await http::async_write(stream, serializer, kTuple);
    }
    co_return !error;
  }

  awaitable<bool> write_file(beast::tcp_stream& stream, ApiResponse answer, unsigned version, bool keep_alive) {
    error_code error;
    http::response<http::file_body> message{static_cast<http::status>(answer.status), version};
    message.body().open(answer.file.c_str(), beast::file_mode::scan, error);
    if (error) co_return co_await write(stream, api.refusal(500, error.message()), version, keep_alive, false);
    expire(stream, options.file_ns);
    message.set(http::field::server, "pointsman");
    message.set(http::field::content_type, answer.content_type);
    for (const auto& [name, value] : answer.headers) message.set(name, value);
    message.keep_alive(keep_alive);
    message.prepare_payload();
    std::tie(error, std::ignore) = co_await http::async_write(stream, message, kTuple);
    co_return !error;
  }

  // A client that was refused in the middle of its body is still sending; closing at once would have the kernel throw away our answer with what it sends.
  awaitable<> linger(beast::tcp_stream& stream) {
    error_code ignored;
    stream.socket().shutdown(tcp::socket::shutdown_send, ignored);
    expire(stream, options.linger_ns);
    std::array<char, 16384> nowhere;
    for (size_t total = 0; total < (64u << 20);) {
      auto [error, n] = co_await stream.async_read_some(asio::buffer(nowhere), kTuple);
      if (error) co_return;
      total += n;
    }
  }

  struct Listening {
    std::deque<std::string> pending{};
    bool ended = false, gone = false;
    asio::steady_timer wake;
    explicit Listening(asio::io_context& context) : wake(context) {}
  };

  awaitable<> watch_for_end(std::shared_ptr<beast::tcp_stream> stream, std::shared_ptr<Listening> listening) {
    std::array<char, 512> nowhere;
    for (;;) {
      auto [error, n] = co_await stream->async_read_some(asio::buffer(nowhere), kTuple);
      if (error) break;
    }
    listening->gone = true;
    listening->wake.cancel();
  }

  awaitable<> write_stream(std::shared_ptr<beast::tcp_stream> stream, ApiResponse answer, unsigned version) {
    auto listening = std::make_shared<Listening>(loop.context());
    ApiResponse::Stream& wanted = *answer.stream;
    for (const Event& event : wanted.past) listening->pending.push_back(frame_of(event));
    listening->ended = wanted.ended;
    struct Forget {
      Events& events;
      uint64_t id;
      ~Forget() { events.forget(id); }
    } const forget{events, events.listen([listening, stream, experiment = wanted.experiment](const Event& event) {
                     if (experiment != 0 && event.experiment != experiment) return;
                     listening->pending.push_back(frame_of(event));
                     if (experiment != 0 && event.last) listening->ended = true;
                     if (listening->pending.size() > kMostPending) {
                       listening->gone = true;
                       error_code ignored;
                       stream->socket().close(ignored);  // a write that goes nowhere ends
                     }
                     listening->wake.cancel();
                   })};
    http::response<http::empty_body> head{http::status::ok, version};
    head.set(http::field::server, "pointsman");
    head.set(http::field::content_type, answer.content_type);
    for (const auto& [name, value] : answer.headers) head.set(name, value);
    head.keep_alive(false);
    head.chunked(true);
    http::response_serializer<http::empty_body> serializer{head};
    expire(*stream, options.answer_ns);
    error_code error;
    std::tie(error, std::ignore) = co_await http::async_write_header(*stream, serializer, kTuple);
    if (error) co_return;
    stream->expires_never();
    // A client that went without a word is noticed by what it does not acknowledge.
    const auto most_ms = static_cast<unsigned>(std::min<int64_t>(options.answer_ns / kMillisecond + 1, 600'000));
    ::setsockopt(stream->socket().native_handle(), IPPROTO_TCP, TCP_USER_TIMEOUT, &most_ms, sizeof most_ms);
    asio::co_spawn(loop.context(), watch_for_end(stream, listening), asio::detached);
    while (!listening->gone && !closed) {
      if (listening->pending.empty()) {
        if (listening->ended) break;
        listening->wake.expires_after(std::chrono::nanoseconds(options.heartbeat_ns));
        auto [waited] = co_await listening->wake.async_wait(kTuple);
        if (!listening->pending.empty() || listening->gone || closed || waited) continue;
        listening->pending.emplace_back(": nothing new\n\n");
      }
      std::string text;
      for (; !listening->pending.empty(); listening->pending.pop_front()) text += listening->pending.front();
      // The stream's own limit of time would also end the read that watches for the end.
      std::tie(error, std::ignore) = co_await asio::async_write(stream->socket(), http::make_chunk(asio::buffer(text)), kTuple);
      if (error) break;
    }
    if (!listening->gone) std::tie(error, std::ignore) = co_await asio::async_write(stream->socket(), http::make_chunk_last(), kTuple);
    stream->socket().shutdown(tcp::socket::shutdown_both, error);
    stream->socket().close(error);
  }

  awaitable<> serve([[maybe_unused]] std::shared_ptr<State> self, beast::tcp_stream its_stream) {
    auto stream = std::make_shared<beast::tcp_stream>(std::move(its_stream));
    struct Entry {
      std::set<beast::tcp_stream*>& open;
      beast::tcp_stream* stream;
      ~Entry() { open.erase(stream); }
    } const entry{open, stream.get()};
    open.insert(stream.get());
    error_code error;
    stream->socket().set_option(tcp::no_delay(true), error);
    if (static_cast<int>(open.size()) > options.connections) {
      co_await write(*stream, api.refusal(503, fmt::format("this server holds {} connections", options.connections)), 11, false, false);
      co_return co_await linger(*stream);
    }
    beast::flat_buffer buffer(options.header_bytes + options.body_bytes + 4096);
    for (bool keep_alive = true; keep_alive && !closed;) {
      http::request_parser<http::string_body> parser;
      parser.header_limit(static_cast<uint32_t>(options.header_bytes));
      parser.body_limit(options.body_bytes);
      expire(*stream, options.request_ns);
      std::tie(error, std::ignore) = co_await http::async_read_header(*stream, buffer, parser, kTuple);
      if (!error) {
        const auto& head = parser.get();
        ApiRequest request{.method = std::string(head.method_string()), .target = std::string(head.target()), .host = field(head, http::field::host), .origin = field(head, http::field::origin),
                           .authorization = field(head, http::field::authorization), .content_type = field(head, http::field::content_type),
                           .idempotency_key = field(head, "Idempotency-Key"), .last_event_id = field(head, "Last-Event-ID")};
        if (!parser.is_done()) {
          // A body follows. Whoever may not ask is told now.
          if (auto objected = api.objection(request)) {
            co_await write(*stream, std::move(*objected), head.version(), false, false);
            co_return co_await linger(*stream);
          }
          if (beast::iequals(head[http::field::expect], "100-continue")) {
            http::response<http::empty_body> go_on{http::status::continue_, head.version()};
            expire(*stream, options.answer_ns);
            std::tie(error, std::ignore) = co_await http::async_write(*stream, go_on, kTuple);
            if (error) co_return;
          }
          expire(*stream, options.request_ns);
          std::tie(error, std::ignore) = co_await http::async_read(*stream, buffer, parser, kTuple);
        }
        if (!error) {
          keep_alive = head.keep_alive();
          const bool asks_for_head = request.method == "HEAD";
          if (asks_for_head) request.method = "GET";
          request.body = std::move(parser.get().body());
          ApiResponse answer = api.answer(request);
          const unsigned version = head.version();
          if (answer.stream && !asks_for_head) co_return co_await write_stream(stream, std::move(answer), version);
          const bool written = answer.file.empty() || asks_for_head ? co_await write(*stream, std::move(answer), version, keep_alive, asks_for_head)
                                                                    : co_await write_file(*stream, std::move(answer), version, keep_alive);
          if (!written) co_return;
          continue;
        }
      }
      // Nothing that could be answered came, or only half of it.
      if (error == http::error::end_of_stream || error == asio::error::connection_reset || error == asio::error::eof || error == asio::error::operation_aborted) co_return;
      if (error == beast::error::timeout) {
        // Timed-out streams are closed already: the silent, and who sends a byte now and then, are told nothing.
        co_return;
      }
      const int status = error == http::error::body_limit ? 413 : error == http::error::header_limit || error == http::error::buffer_overflow ? 431 : 400;
      const std::string why = status == 413   ? fmt::format("a body may have {} bytes", options.body_bytes)
                              : status == 431 ? fmt::format("a request's header may have {} bytes", options.header_bytes)
                                              : "this is no HTTP request: " + error.message();
      co_await write(*stream, api.refusal(status, why), 11, false, false);
      co_return co_await linger(*stream);
    }
    stream->socket().shutdown(tcp::socket::shutdown_send, error);
  }
};

Result<std::unique_ptr<Server>> Server::open(Loop& loop, Api& api, Events& events, const ServerOptions& options) {
  error_code error;
  const auto address = asio::ip::make_address(options.address, error);
  if (error) return fail(ErrorCode::kInvalidArgument, "'{}' is no IP address", options.address);
  auto state = std::make_shared<State>(loop, api, events, options);
  const tcp::endpoint endpoint(address, options.port);
  const auto refused = [&](const char* what) {
    const ErrorCode code = error == asio::error::address_in_use ? ErrorCode::kBusy : error == asio::error::access_denied ? ErrorCode::kPermissionDenied : ErrorCode::kIo;
    return fail(code, "{} {}:{}: {}", what, options.address, options.port, error == asio::error::address_in_use ? "something listens there already" : error.message());
  };
  state->acceptor.open(endpoint.protocol(), error);
  if (error) return refused("open");
  // A port of a server that has just ended may be taken again; one that listens may not.
  state->acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  state->acceptor.bind(endpoint, error);
  if (error) return refused("listen on");
  state->acceptor.listen(128, error);
  if (error) return refused("listen on");
  asio::co_spawn(loop.context(), state->accept(state), asio::detached);
  return std::unique_ptr<Server>(new Server(std::move(state)));
}

Server::~Server() { close(); }

uint16_t Server::port() const {
  error_code ignored;
  return state_->acceptor.local_endpoint(ignored).port();
}

int Server::connections() const { return static_cast<int>(state_->open.size()); }

void Server::close() {
  state_->closed = true;
  error_code ignored;
  state_->acceptor.close(ignored);
  for (beast::tcp_stream* stream : std::set(state_->open)) stream->cancel();
  for (beast::tcp_stream* stream : std::set(state_->open)) stream->socket().shutdown(tcp::socket::shutdown_both, ignored);
}

}  // namespace pointsman

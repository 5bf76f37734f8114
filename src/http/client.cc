#include "http/client.h"

#include <fcntl.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <charconv>
#include <chrono>

namespace pointsman {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using tcp = asio::ip::tcp;
using nlohmann::json;

namespace {

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);

Error broken(const ServerUrl& url, const char* what, const error_code& error) {
  const std::string where = fmt::format("{}:{}", url.host, url.port);
  if (error == beast::error::timeout) return {ErrorCode::kBusy, fmt::format("{}: no answer in time ({})", where, what)};
  if (error == asio::error::connection_refused) return {ErrorCode::kIo, fmt::format("{}: nobody listens there: pointsman serve starts a server", where)};
  if (error == asio::error::host_not_found || error == asio::error::host_not_found_try_again)
    return {ErrorCode::kNotFound, fmt::format("{}: no such host", url.host)};
  if (error.category() == http::make_error_code(http::error::bad_method).category()) {
    const bool closed = error == http::error::end_of_stream || error == http::error::partial_message;
    return {closed ? ErrorCode::kIo : ErrorCode::kCorrupt, fmt::format("{}: {}", where, closed ? "the server closed the connection" : "this is no HTTP: " + error.message())};
  }
  return {ErrorCode::kIo, fmt::format("{}: {}: {}", where, what, error.message())};
}

// One connection, one request, and whatever is read of the answer.
struct Exchange {
  asio::io_context context{1};
  beast::tcp_stream stream{context};
  beast::flat_buffer buffer;
  const ServerUrl& url;
  const ClientOptions& options;
  std::optional<Error> failed{};
  bool interrupted = false;

  Exchange(const ServerUrl& to, const ClientOptions& its) : url(to), options(its) {}

  bool fails(const char* what, const error_code& error) {
    if (error) failed = broken(url, what, error);
    return static_cast<bool>(error);
  }

  asio::awaitable<bool> send(const Client::Request& request, const char* accept) {
    error_code error;
    std::vector<tcp::endpoint> endpoints;
    if (const auto address = asio::ip::make_address(url.host, error); !error) {
      endpoints.emplace_back(address, url.port);
    } else if (url.host == "localhost") {
      endpoints.emplace_back(asio::ip::address_v4::loopback(), url.port);
    } else {
      const auto found = tcp::resolver(context).resolve(url.host, std::to_string(url.port), error);
      if (fails("look up", error)) co_return false;
      for (const auto& entry : found) endpoints.push_back(entry.endpoint());
    }
    stream.expires_after(std::chrono::nanoseconds(options.answer_ns));
    std::tie(error, std::ignore) = co_await stream.async_connect(endpoints, kTuple);
    if (fails("connect", error)) co_return false;
    http::request<http::string_body> message{http::verb::unknown, request.target, 11};
    message.method_string(request.method);
    message.set(http::field::host, fmt::format("{}:{}", url.host.find(':') == std::string::npos ? url.host : "[" + url.host + "]", url.port));
    message.set(http::field::user_agent, "pointsman");
    message.set(http::field::accept, accept);
    if (!options.token.empty()) message.set(http::field::authorization, "Bearer " + options.token);
    for (const auto& [name, value] : request.headers) message.set(name, value);
    message.body() = request.body;
    if (!request.body.empty() || request.method == "POST") message.prepare_payload();
    // A server may refuse and answer before it has read all: that answer counts, not the write that failed.
    std::tie(error, std::ignore) = co_await http::async_write(stream, message, kTuple);
    if (error && error != asio::error::broken_pipe && error != asio::error::connection_reset && fails("send", error)) co_return false;
    co_return true;
  }

  void run_to_end(asio::awaitable<void> what) {
    asio::posix::stream_descriptor cancel(context);
    error_code ignored;
    // A copy: closing it here must not close the caller's.
    if (const int copy = options.cancel_fd < 0 ? -1 : ::fcntl(options.cancel_fd, F_DUPFD_CLOEXEC, 0); copy >= 0) {
      cancel.assign(copy, ignored);
      cancel.async_wait(asio::posix::stream_descriptor::wait_read, [this](const error_code& error) {
        if (error) return;
        interrupted = true;
        stream.close();
      });
    }
    asio::co_spawn(context, std::move(what), [&](const std::exception_ptr&) { cancel.close(ignored); });
    context.run();
    if (interrupted) failed = Error{ErrorCode::kInterrupted, "interrupted"};
  }
};

asio::awaitable<void> read_reply(Exchange& exchange, const Client::Request& request, HttpReply& reply) {
  if (!co_await exchange.send(request, "application/json")) co_return;
  http::response_parser<http::string_body> parser;
  parser.body_limit(exchange.options.body_bytes);
  if (request.method == "HEAD") parser.skip(true);
  error_code error;
  std::tie(error, std::ignore) = co_await http::async_read(exchange.stream, exchange.buffer, parser, kTuple);
  if (exchange.fails("read", error)) co_return;
  auto& message = parser.get();
  reply.status = static_cast<int>(message.result_int());
  for (const auto& one : message) reply.headers.emplace_back(std::string(one.name_string()), std::string(one.value()));
  reply.body = std::move(message.body());
}

// Cuts a stream of server-sent events into events. Source: HTML Living Standard, 9.2.6.
class EventLines {
 public:
  // false: the taker has had enough.
  bool feed(std::string_view bytes, const std::function<bool(const Client::StreamEvent&)>& take) {
    rest_ += bytes;
    for (size_t end = rest_.find('\n'); end != std::string::npos; end = rest_.find('\n')) {
      std::string line = rest_.substr(0, end);
      rest_.erase(0, end + 1);
      if (line.ends_with('\r')) line.pop_back();
      if (line.empty()) {
        const Client::StreamEvent event = std::exchange(now_, {});
        if (!event.data.empty() && !take(event)) return false;
        continue;
      }
      const size_t colon = line.find(':');
      if (colon == 0) continue;
      const std::string name = line.substr(0, colon);
      std::string value = colon == std::string::npos ? "" : line.substr(colon + 1);
      if (value.starts_with(' ')) value.erase(0, 1);
      if (name == "id") now_.id = value;
      if (name == "event") now_.name = value;
      if (name == "data") now_.data += (now_.data.empty() ? "" : "\n") + value;
    }
    return true;
  }

 private:
  std::string rest_;
  Client::StreamEvent now_;
};

asio::awaitable<void> read_events(Exchange& exchange, const Client::Request& request, const std::function<bool(const Client::StreamEvent&)>& on_event, HttpReply& refused,
                              bool& ended) {
  if (!co_await exchange.send(request, "text/event-stream")) co_return;
  http::response_parser<http::buffer_body> parser;
  parser.body_limit(boost::none);
  error_code error;
  std::tie(error, std::ignore) = co_await http::async_read_header(exchange.stream, exchange.buffer, parser, kTuple);
  if (exchange.fails("read", error)) co_return;
  const int status = static_cast<int>(parser.get().result_int());
  std::array<char, 8192> bytes;
  EventLines lines;
  if (status == 200) exchange.stream.expires_never();
  if (status != 200) refused.status = status;
  while (!parser.is_done()) {
    parser.get().body().data = bytes.data();
    parser.get().body().size = bytes.size();
    std::tie(error, std::ignore) = co_await http::async_read_some(exchange.stream, exchange.buffer, parser, kTuple);
    if (error == http::error::need_buffer) error = {};
    if (exchange.fails("read", error)) co_return;
    const std::string_view got(bytes.data(), bytes.size() - parser.get().body().size);
    if (status != 200) {
      refused.body += got;
      continue;
    }
    if (!lines.feed(got, on_event)) co_return;
  }
  ended = true;
}

}  // namespace

Result<ServerUrl> ServerUrl::parse(const std::string& text) {
  std::string rest = text;
  if (rest.starts_with("https://")) return fail(ErrorCode::kUnsupported, "{}: servers speak plain HTTP; for another machine use a tunnel (ssh -L 8765:localhost:8765 HOST)", text);
  if (rest.starts_with("http://")) rest.erase(0, 7);
  while (rest.ends_with('/')) rest.pop_back();
  const auto wrong = [&] { return fail(ErrorCode::kInvalidArgument, "'{}' is no server; allowed is http://HOST:PORT", text); };
  ServerUrl url;
  size_t colon = rest.rfind(':');
  if (rest.starts_with('[')) {
    const size_t bracket = rest.find(']');
    if (bracket == std::string::npos) return wrong();
    url.host = rest.substr(1, bracket - 1);
    colon = bracket + 1 < rest.size() ? bracket + 1 : std::string::npos;
    if (colon != std::string::npos && rest[colon] != ':') return wrong();
  } else {
    url.host = rest.substr(0, colon);
  }
  if (url.host.empty() || url.host.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:%") != std::string::npos) return wrong();
  if (colon != std::string::npos) {
    const std::string digits = rest.substr(colon + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), url.port);
    if (digits.empty() || error != std::errc() || end != digits.data() + digits.size() || url.port == 0) return wrong();
  }
  return url;
}

std::string HttpReply::header(std::string_view name) const {
  for (const auto& [its_name, value] : headers)
    if (beast::iequals(its_name, {name.data(), name.size()})) return value;
  return "";
}

Result<HttpReply> Client::ask(const Request& request) const {
  HttpReply reply;
  Exchange exchange(url_, options_);
  exchange.run_to_end(read_reply(exchange, request, reply));
  if (exchange.failed) return fail(*exchange.failed);
  return reply;
}

Error refusal_of(const HttpReply& reply) {
  const json body = json::parse(reply.body, nullptr, false);
  const std::string detail = body.is_object() && body.contains("detail") && body["detail"].is_string() ? body["detail"].get<std::string>() : "";
  const ErrorCode code = reply.status == 404                          ? ErrorCode::kNotFound
                         : reply.status == 401 || reply.status == 403 ? ErrorCode::kPermissionDenied
                         : reply.status == 429 || reply.status == 503 ? ErrorCode::kBusy
                         : reply.status < 500                         ? ErrorCode::kInvalidArgument
                                                                      : ErrorCode::kIo;
  return {code, fmt::format("the server refuses ({}): {}", reply.status, detail.empty() ? "without a reason" : detail)};
}

Result<json> Client::ask_json(const Request& request) const {
  auto reply = ask(request);
  if (!reply) return fail(reply.error());
  if (reply->status < 200 || reply->status > 299) return fail(refusal_of(*reply));
  json body = json::parse(reply->body, nullptr, false);
  if (body.is_discarded()) return fail(ErrorCode::kCorrupt, "{}:{}: the answer is not JSON", url_.host, url_.port);
  return body;
}

Result<bool> Client::stream(const std::string& target, const std::string& last_event_id, const std::function<bool(const StreamEvent&)>& on_event) const {
  Request request{.target = target};
  if (!last_event_id.empty()) request.headers.emplace_back("Last-Event-ID", last_event_id);
  HttpReply refused;
  bool ended = false;
  Exchange exchange(url_, options_);
  exchange.run_to_end(read_events(exchange, request, on_event, refused, ended));
  if (refused.status != 0) return fail(refusal_of(refused));
  if (exchange.failed) return fail(*exchange.failed);
  return ended;
}

}  // namespace pointsman

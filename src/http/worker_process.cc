#include "http/worker_process.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <csignal>
#include <cstring>
#include <deque>
#include <optional>

#include "base/log.h"
#include "base/unique_fd.h"
#include "lab/child.h"

namespace pointsman {

namespace asio = boost::asio;
using boost::system::error_code;
using nlohmann::json;

namespace {

enum class FrameKind : uint8_t { kHello = 'H', kJob = 'J', kResult = 'R', kError = 'E' };
constexpr size_t kHeaderBytes = 5;
constexpr uint32_t kLargestFrame = 64u << 20;

std::string header_of(FrameKind kind, size_t bytes) {
  std::string out(kHeaderBytes, '\0');
  out[0] = static_cast<char>(kind);
  const auto length = static_cast<uint32_t>(bytes);
  std::memcpy(out.data() + 1, &length, sizeof length);
  return out;
}

json error_json(const Error& error) { return {{"code", name_of(error.code)}, {"message", error.message}}; }

Error error_from(std::string_view text) {
  const json value = json::parse(text, nullptr, false);
  if (!value.is_object()) return {ErrorCode::kCorrupt, "the worker's error was not readable"};
  const std::string code = value.value("code", "");
  for (const ErrorCode known : {ErrorCode::kNotFound, ErrorCode::kUnsupported, ErrorCode::kInvalidArgument, ErrorCode::kPermissionDenied, ErrorCode::kBusy,
                                ErrorCode::kCorrupt, ErrorCode::kInterrupted})
    if (code == name_of(known)) return {known, value.value("message", "")};
  return {ErrorCode::kIo, value.value("message", "")};
}

}  // namespace

struct WorkerProcess::State : std::enable_shared_from_this<WorkerProcess::State> {
  State(WorkerProcess& owner, Loop& its_loop, Options its_options) : worker(&owner), loop(its_loop), options(std::move(its_options)), socket(loop.context()) {}

  WorkerProcess* worker;  // nullptr: gone
  Loop& loop;
  Options options;
  asio::local::stream_protocol::socket socket;
  std::optional<Child> child;
  std::optional<RigInfo> info;
  std::string trouble;
  Done done;
  bool cancelled = false;
  uint64_t life = 0;  // which process: callbacks of an earlier one are void
  uint64_t jobs = 0;  // which repeat, for the timer that ends it by force
  int starts = 0, failures = 0;
  std::array<char, kHeaderBytes> header{};
  std::string payload, sending;

  void start() {
    ++life;
    ++starts;
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return died(fail_errno("socketpair").error.message);
    UniqueFd ours(ends[0]), theirs(ends[1]);
    auto started = Child::start({.arguments = options.command, .files = {{theirs.get(), kWorkerSocket}, {STDERR_FILENO, STDERR_FILENO}}});
    if (!started) return died(started.error().message);
    child.emplace(std::move(*started));
    error_code error;
    socket.assign(asio::local::stream_protocol(), ours.release(), error);
    if (error) return died(error.message());
    read_header();
  }

  void read_header() {
    asio::async_read(socket, asio::buffer(header), [self = shared_from_this(), mine = life](const error_code& error, size_t) {
      if (mine != self->life || self->worker == nullptr) return;
      if (error) return self->died("the worker ended");
      uint32_t length = 0;
      std::memcpy(&length, self->header.data() + 1, sizeof length);
      if (length > kLargestFrame) return self->died("the worker sent too much");
      self->payload.resize(length);
      asio::async_read(self->socket, asio::buffer(self->payload), [self, mine](const error_code& broken, size_t) {
        if (mine != self->life || self->worker == nullptr) return;
        if (broken) return self->died("the worker ended");
        self->take(static_cast<FrameKind>(self->header[0]));
        if (mine == self->life) self->read_header();
      });
    });
  }

  void take(FrameKind kind) {
    switch (kind) {
      case FrameKind::kHello: {
        auto told = rig_info_from_json(json::parse(payload, nullptr, false));
        if (!told) return died(told.error().message);
        info = std::move(*told);
        trouble.clear();
        failures = 0;
        if (worker->on_idle) worker->on_idle();
        return;
      }
      case FrameKind::kResult: {
        const size_t newline = payload.find('\n');
        if (newline == std::string::npos) return died("the worker's result is not readable");
        RepeatResult result{.costs = payload.substr(0, newline), .result = payload.substr(newline + 1)};
        std::string().swap(payload);  // it can be large, and the next is not soon
        return finish(std::move(result));
      }
      case FrameKind::kError: {
        const Error error = error_from(payload);
        if (done) return finish(fail(error));
        trouble = error.message;  // it could not open its rig, and will end
        return;
      }
      default:
        return died("the worker speaks another language");
    }
  }

  void finish(Result<RepeatResult> result) {
    ++jobs;
    const bool wanted_to_end = std::exchange(cancelled, false);
    Done call = std::exchange(done, nullptr);
    if (!call) return;
    if (!result && wanted_to_end) result = fail(ErrorCode::kInterrupted, "cancelled");
    call(std::move(result));
    if (worker != nullptr && child && worker->on_idle) worker->on_idle();
  }

  void died(const std::string& why) {
    ++life;
    error_code ignored;
    socket.close(ignored);
    std::string how = why;
    if (child) {
      if (auto exit = child->kill(); exit && WIFSIGNALED(exit->status) && WTERMSIG(exit->status) != SIGKILL)
        how = fmt::format("the worker was ended by signal {}", WTERMSIG(exit->status));
      child.reset();
    }
    const bool was_open = info.has_value();
    info.reset();
    if (trouble.empty() && !was_open) trouble = how;
    if (!cancelled) log_warning("worker: {}", trouble.empty() ? how : trouble);
    const int64_t wait_ns = options.restart_ns << std::min(failures, 5);
    ++failures;
    loop.after(wait_ns, [self = shared_from_this(), mine = life] {
      if (self->worker != nullptr && mine == self->life) self->start();
    });
    if (done) finish(fail(ErrorCode::kIo, "{}", how));
  }

  void run(const RepeatRequest& request, Done call) {
    done = std::move(call);
    cancelled = false;
    ++jobs;
    const std::string text = to_json(request).dump();
    sending = header_of(FrameKind::kJob, text.size()) + text;
    asio::async_write(socket, asio::buffer(sending), [](const error_code&, size_t) {});  // a failure shows in the reader
  }

  void cancel() {
    if (!done || !child || cancelled) return;
    cancelled = true;
    ::kill(child->pid(), SIGTERM);
    loop.after(options.grace_ns, [self = shared_from_this(), job = jobs, mine = life] {
      if (self->worker != nullptr && self->life == mine && self->jobs == job && self->done) self->died("ended by force");
    });
  }
};

WorkerProcess::WorkerProcess(Loop& loop, Options options) : state_(std::make_shared<State>(*this, loop, std::move(options))) {}

WorkerProcess::~WorkerProcess() {
  state_->worker = nullptr;
  state_->done = nullptr;
  ++state_->life;
  error_code ignored;
  state_->socket.close(ignored);
  state_->child.reset();
}

void WorkerProcess::start() { state_->start(); }
const RigInfo* WorkerProcess::info() const { return state_->info ? &*state_->info : nullptr; }
std::string WorkerProcess::trouble() const { return state_->trouble; }
bool WorkerProcess::idle() const { return state_->info.has_value() && !state_->done; }
void WorkerProcess::run(const RepeatRequest& request, Done done) { state_->run(request, std::move(done)); }
void WorkerProcess::cancel() { state_->cancel(); }
int WorkerProcess::starts() const { return state_->starts; }
int WorkerProcess::pid() const { return state_->child ? state_->child->pid() : -1; }

namespace {

Result<Unit> write_all(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno("the server's socket");
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return Unit{};
}

Result<Unit> send_frame(int socket, FrameKind kind, std::string_view payload) {
  if (payload.size() > kLargestFrame) return fail(ErrorCode::kIo, "a result of {} bytes", payload.size());
  if (auto sent = write_all(socket, header_of(kind, payload.size())); !sent) return sent;
  return write_all(socket, payload);
}

// false: the other side has gone.
Result<bool> read_all(int socket, char* to, size_t bytes) {
  while (bytes > 0) {
    const ssize_t n = ::recv(socket, to, bytes, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno("the server's socket");
    if (n == 0) return false;
    to += n;
    bytes -= static_cast<size_t>(n);
  }
  return true;
}

}  // namespace

Result<Unit> serve_worker(int socket, const std::function<Result<std::unique_ptr<Rig>>()>& open, std::atomic<bool>& cancel) {
  auto rig = open();
  if (!rig) {
    static_cast<void>(send_frame(socket, FrameKind::kError, error_json(rig.error()).dump(-1, ' ', false, json::error_handler_t::replace)));
    return fail(rig.error());
  }
  if (auto sent = send_frame(socket, FrameKind::kHello, to_json((*rig)->info()).dump(-1, ' ', false, json::error_handler_t::replace)); !sent) return sent;
  for (;;) {
    std::array<char, kHeaderBytes> header{};
    auto more = read_all(socket, header.data(), header.size());
    if (!more) return fail(more.error());
    if (!*more) return Unit{};
    uint32_t length = 0;
    std::memcpy(&length, header.data() + 1, sizeof length);
    if (static_cast<FrameKind>(header[0]) != FrameKind::kJob || length > kLargestFrame) return fail(ErrorCode::kCorrupt, "the server speaks another language");
    std::string text(length, '\0');
    more = read_all(socket, text.data(), text.size());
    if (!more) return fail(more.error());
    if (!*more) return Unit{};
    cancel = false;
    auto request = repeat_request_from_json(json::parse(text, nullptr, false));
    Result<RepeatResult> result = request ? (*rig)->run(*request, cancel) : Result<RepeatResult>(fail(request.error()));
    auto sent = result ? send_frame(socket, FrameKind::kResult, result->costs + "\n" + result->result)
                       : send_frame(socket, FrameKind::kError, error_json(result.error()).dump(-1, ' ', false, json::error_handler_t::replace));
    if (!sent) return sent;
  }
}

}  // namespace pointsman

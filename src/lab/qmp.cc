#include "lab/qmp.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/clock.h"

namespace pointsman {

Result<std::optional<nlohmann::json>> QmpLines::take() {
  for (;;) {
    const size_t end = pending_.find('\n');
    if (end == std::string::npos) {
      if (pending_.size() > (16u << 20)) return fail(ErrorCode::kCorrupt, "QEMU's monitor sent {} bytes without an end of line", pending_.size());
      return std::optional<nlohmann::json>{};
    }
    const std::string line = pending_.substr(0, end);
    pending_.erase(0, end + 1);
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    auto message = nlohmann::json::parse(line, nullptr, false);
    if (!message.is_object()) return fail(ErrorCode::kCorrupt, "QEMU's monitor sent something that is not QMP: {}", line.substr(0, 80));
    return std::optional(std::move(message));
  }
}

Result<Qmp> Qmp::open(UniqueFd connection, int64_t deadline_ns, int cancel_fd) {
  Qmp qmp(std::move(connection), cancel_fd);
  auto greeting = qmp.next(deadline_ns);
  if (!greeting) return fail(greeting.error());
  const auto version = greeting->find("QMP");
  if (version == greeting->end()) return fail(ErrorCode::kCorrupt, "QEMU's monitor does not begin with a greeting");
  const auto number = [&](const char* part) { return version->value(nlohmann::json::json_pointer(std::string("/version/qemu/") + part), 0); };
  qmp.version_ = fmt::format("{}.{}.{} {}", number("major"), number("minor"), number("micro"),
                             version->value(nlohmann::json::json_pointer("/version/package"), std::string()));
  auto ready = qmp.execute("qmp_capabilities", nlohmann::json::object(), deadline_ns);
  if (!ready) return fail(ready.error());
  return qmp;
}

Result<nlohmann::json> Qmp::execute(const std::string& command, const nlohmann::json& arguments, int64_t deadline_ns) {
  return execute_with_fd(command, arguments, -1, deadline_ns);
}

Result<nlohmann::json> Qmp::execute_with_fd(const std::string& command, const nlohmann::json& arguments, int passed_fd, int64_t deadline_ns) {
  nlohmann::json request{{"execute", command}};
  if (!arguments.empty()) request["arguments"] = arguments;
  std::string line = request.dump() + "\n";
  iovec part{line.data(), line.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))]{};
  if (passed_fd >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &passed_fd, sizeof passed_fd);
  }
  // Commands are a few hundred bytes, and QEMU reads them one at a time: they always fit in the socket's buffer.
  const ssize_t sent = ::sendmsg(connection_.get(), &message, MSG_NOSIGNAL);
  if (sent != static_cast<ssize_t>(line.size())) return fail(ErrorCode::kIo, "QEMU's monitor is closed ({})", command);
  for (;;) {
    auto reply = next(deadline_ns);
    if (!reply) return fail(reply.error().code == ErrorCode::kInterrupted ? reply.error() : reply.error().at(command));
    if (auto result = reply->find("return"); result != reply->end()) return *result;
    if (auto error = reply->find("error"); error != reply->end()) {
      return fail(ErrorCode::kInvalidArgument, "QEMU refuses {}: {}", command, error->value("desc", error->dump()));
    }
    events_.push_back(std::move(*reply));
  }
}

Result<nlohmann::json> Qmp::wait_event(std::initializer_list<std::string_view> names, int64_t deadline_ns) {
  const auto wanted = [&](const nlohmann::json& event) {
    const auto name = event.find("event");
    return name != event.end() && name->is_string() && std::find(names.begin(), names.end(), name->get_ref<const std::string&>()) != names.end();
  };
  for (;;) {
    if (auto found = std::find_if(events_.begin(), events_.end(), wanted); found != events_.end()) {
      nlohmann::json event = std::move(*found);
      events_.erase(found);
      return event;
    }
    auto message = next(deadline_ns);
    if (!message) return fail(message.error());
    events_.push_back(std::move(*message));
  }
}

Result<nlohmann::json> Qmp::next(int64_t deadline_ns) {
  for (;;) {
    auto message = lines_.take();
    if (!message) return fail(message.error());
    if (*message) return std::move(**message);
    const int64_t left_ns = deadline_ns - SystemClock().now_ns();
    if (left_ns <= 0) return fail(ErrorCode::kBusy, "QEMU has not answered in time");
    pollfd waits[] = {{connection_.get(), POLLIN, 0}, {cancel_fd_, POLLIN, 0}};
    const int ready = ::poll(waits, 2, static_cast<int>(std::min<int64_t>(left_ns / kMillisecond + 1, 1'000'000)));
    if (ready < 0 && errno != EINTR) return fail_errno("poll QEMU's monitor");
    if (ready <= 0) continue;
    if (waits[1].revents != 0) return fail(ErrorCode::kInterrupted, "interrupted");
    char buffer[65536];
    const ssize_t n = ::recv(connection_.get(), buffer, sizeof buffer, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return fail(ErrorCode::kIo, "QEMU has closed its monitor");
    lines_.feed({buffer, static_cast<size_t>(n)});
  }
}

}  // namespace pointsman

#include "http/errand.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"

namespace pointsman {

using nlohmann::json;

namespace {

constexpr int kTries = 3;  // of a request whose connection breaks

std::string random_key() {
  auto bytes = read_file("/proc/sys/kernel/random/uuid");
  return bytes ? bytes->substr(0, bytes->find('\n')) : fmt::format("{}-{}", ::getpid(), SystemClock().now_ns());
}

std::string target_of(int64_t id, const char* what) { return fmt::format("/v1/experiments/{}{}", id, what); }

}  // namespace

Result<int64_t> submit_experiment(const Client& client, const json& body) {
  Client::Request request{.method = "POST", .target = "/v1/experiments", .body = body.dump()};
  request.headers = {{"Content-Type", "application/json"}, {"Idempotency-Key", random_key()}};
  for (int i = 1;; ++i) {
    auto answer = client.ask_json(request);
    if (answer && answer->is_object() && answer->contains("id") && answer->at("id").is_number_integer()) return answer->at("id").get<int64_t>();
    if (answer) return fail(ErrorCode::kCorrupt, "the server's answer has no id");
    if (i == kTries || answer.error().code != ErrorCode::kIo) return fail(answer.error());
  }
}

Result<json> wait_for_experiment(const Client& client, int64_t id, const std::function<void(const std::string& name, const json& data)>& on_event) {
  json last;
  std::string seen;
  for (int i = 1;; ++i) {
    auto ended = client.stream(target_of(id, "/events"), seen, [&](const Client::StreamEvent& event) {
      seen = event.id;
      const json data = json::parse(event.data, nullptr, false);
      if (!data.is_object()) return true;
      if (event.name == "experiment") last = data;
      if (on_event) on_event(event.name, data);
      return true;
    });
    if (ended && last.is_object() && last.contains("ended")) return last;
    if (!ended && ended.error().code == ErrorCode::kInterrupted) return fail(ended.error());
    // The connection broke, or the server was restarted: its queue survives.
    if (i == kTries) return fail(ended ? Error{ErrorCode::kIo, "the server ended the stream of events too early"} : ended.error());
    SystemClock pause;
    pause.sleep_until_ns(pause.now_ns() + kSecond);
  }
}

Result<json> result_of_experiment(const Client& client, int64_t id) { return client.ask_json({.target = target_of(id, "/result")}); }
Result<json> cancel_experiment(const Client& client, int64_t id) { return client.ask_json({.method = "DELETE", .target = target_of(id, "")}); }

}  // namespace pointsman

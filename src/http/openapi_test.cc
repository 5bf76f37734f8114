// The description and the server say the same: every answer that docs/openapi.json promises is given by a real server and is as described.
#include <gmock/gmock.h>

#include <cmath>
#include <set>

#include "base/file.h"
#include "http/result_windows.h"
#include "http/served_for_test.h"

namespace pointsman {
namespace {

using nlohmann::json;

// Checks a value against the part of JSON Schema that the description uses. A keyword that it does not know is a complaint: nothing is passed over.
class Validator {
 public:
  explicit Validator(const json& document) : document_(document) {}

  // Empty: it fits. Members that the schema does not name are complained of even where it would let them be: what is not described is not to be sent.
  std::string complaint(const json& schema, const json& value, const std::string& where = "$") const {
    static const std::set<std::string> kKnown = {"$ref", "type", "enum", "anyOf", "properties", "required", "additionalProperties", "items", "minItems", "maxItems", "minimum", "maximum",
                                                 "exclusiveMinimum", "minLength", "maxLength", "description", "format"};
    for (const auto& [keyword, unused] : schema.items())
      if (!kKnown.contains(keyword)) return where + ": this test does not know the keyword " + keyword;
    if (schema.contains("$ref")) return complaint(document_.at(json::json_pointer(schema.at("$ref").get<std::string>().substr(1))), value, where);
    if (schema.contains("anyOf")) {
      std::string all;
      for (const json& one : schema.at("anyOf")) {
        const std::string why = complaint(one, value, where);
        if (why.empty()) return "";
        all += why + "; ";
      }
      return where + ": fits none of: " + all;
    }
    if (schema.contains("type") && !has_type(schema.at("type"), value)) return fmt::format("{}: {} is not of type {}", where, value.dump(), schema.at("type").dump());
    if (schema.contains("enum") && std::find(schema.at("enum").begin(), schema.at("enum").end(), value) == schema.at("enum").end()) return fmt::format("{}: {} is not in {}", where, value.dump(), schema.at("enum").dump());
    if (value.is_number()) {
      const double number = value.get<double>();
      if ((schema.contains("minimum") && number < schema.at("minimum").get<double>()) || (schema.contains("maximum") && number > schema.at("maximum").get<double>()) ||
          (schema.contains("exclusiveMinimum") && number <= schema.at("exclusiveMinimum").get<double>()))
        return fmt::format("{}: {} is out of range", where, value.dump());
    }
    if (value.is_string()) {
      const std::string text = value;
      if (text.size() < schema.value("minLength", size_t{0}) || text.size() > schema.value("maxLength", text.size())) return fmt::format("{}: '{}' has the wrong length", where, text);
      if (schema.contains("format") && (schema.at("format") != "date-time" || text.size() != 24 || text[10] != 'T' || text[23] != 'Z')) return fmt::format("{}: '{}' is no {}", where, text, schema.at("format").dump());
    }
    if (value.is_array()) {
      if (value.size() < schema.value("minItems", size_t{0}) || value.size() > schema.value("maxItems", value.size())) return where + ": the wrong number of items";
      for (size_t i = 0; schema.contains("items") && i < value.size(); ++i)
        if (std::string why = complaint(schema.at("items"), value[i], fmt::format("{}[{}]", where, i)); !why.empty()) return why;
    }
    if (value.is_object()) {
      for (const json& name : schema.value("required", json::array()))
        if (!value.contains(name.get<std::string>())) return fmt::format("{}: lacks {}", where, name.dump());
      for (const auto& [name, member] : value.items()) {
        std::string why;
        if (schema.contains("properties") && schema.at("properties").contains(name))
          why = complaint(schema.at("properties").at(name), member, where + "." + name);
        else if (schema.contains("additionalProperties") && schema.at("additionalProperties").is_object())
          why = complaint(schema.at("additionalProperties"), member, where + "." + name);
        else if (schema.contains("properties") || schema.value("additionalProperties", json(true)) == false)
          why = fmt::format("{}: '{}' is not described", where, name);
        if (!why.empty()) return why;
      }
    }
    return "";
  }

 private:
  static bool has_type(const json& type, const json& value) {
    if (type.is_array()) return std::any_of(type.begin(), type.end(), [&](const json& one) { return has_type(one, value); });
    const std::string name = type;
    if (name == "object") return value.is_object();
    if (name == "array") return value.is_array();
    if (name == "string") return value.is_string();
    if (name == "boolean") return value.is_boolean();
    if (name == "null") return value.is_null();
    if (name == "integer") return value.is_number_integer();
    return name == "number" && value.is_number();
  }
  const json& document_;
};

class OpenApi : public testing::Test {
 protected:
  void SetUp() override {
    auto text = read_file(POINTSMAN_SOURCE_DIR "/docs/openapi.json");
    ASSERT_TRUE(text) << text.error().message;
    document_ = json::parse(*text);
  }
  // The answer is described, in its status, kind and form.
  void check(const std::string& path, std::string method, const HttpReply& reply) {
    std::transform(method.begin(), method.end(), method.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    const std::string where = fmt::format("{} {} {}", method, path, reply.status);
    ASSERT_TRUE(document_.at("paths").contains(path) && document_.at("paths").at(path).contains(method)) << where;
    const json& responses = document_.at("paths").at(path).at(method).at("responses");
    ASSERT_TRUE(responses.contains(std::to_string(reply.status))) << where << " is not described: " << reply.body;
    seen_.insert(where);
    const json& described = responses.at(std::to_string(reply.status));
    const json headers = described.value("headers", json::object());
    for (const auto& [name, unused] : headers.items()) EXPECT_NE(reply.header(name), "") << where << " lacks " << name;
    const std::string type = reply.header("Content-Type");
    ASSERT_TRUE(described.at("content").contains(type)) << where << " is " << type;
    if (type.find("json") == std::string::npos) return;
    const json body = json::parse(reply.body, nullptr, false);
    EXPECT_EQ(Validator(document_).complaint(described.at("content").at(type).at("schema"), body), "") << where;
  }
  void ask(Served& served, const std::string& path, const Client::Request& request, int status, const std::string& token = "") {
    const HttpReply reply = served.ask(request, token);
    EXPECT_EQ(reply.status, status) << request.method << " " << request.target << ": " << reply.body;
    check(path, request.method, reply);
  }
  static Client::Request post(const std::string& body, std::vector<std::pair<std::string, std::string>> headers = {}) {
    headers.emplace_back("Content-Type", "application/json");
    return {.method = "POST", .target = "/v1/experiments", .body = body, .headers = std::move(headers)};
  }
  json document_;
  std::set<std::string> seen_;
};

// One repeat as a rig gives it, with every member.
RepeatResult a_repeat() {
  const json costs = {{"jobs", 3}, {"mean_tat_s", 0.5}, {"mean_rt_s", 0.1}, {"cv_fairness", nullptr}, {"seed_l", 1.1}, {"geo_slowdown", 2.0}, {"mean_slowdown", 2.1}, {"p99_rt_short_s", nullptr}, {"p99_tat_s", 0.9}, {"makespan_s", 1.2}};
  const json result = {{"repeat", 0}, {"costs", costs}, {"costs_by_kind", {{"pareto.job", costs}}}, {"process_costs", nullptr}, {"features", {{"T_cpu_percent_avg", 50.0}, {"T_swap_used_avg", nullptr}}},
                       {"absent", {{"T_swap_used_avg", "no swap"}}}, {"processes", {{"count", 1}, {"rows", {{{"PID", 7}, {"T_Arrival", 1.0}, {"T_First_CPU", 1.1}, {"T_Completion", 2.0}, {"TAT", 1.0}, {"RT", 0.1}, {"Total_CPU_Time", 0.5}, {"command", "x"}}}}}},
                       {"plan", "00ff"}, {"dispatch_lag_p99_s", 0.001}, {"swap", {{"from", "eevdf"}, {"to", "las"}, {"verdict", "confirmed"}, {"call_s", 0.01}}}, {"kernel_says", "pointsman"}, {"notes", {"a note"}}};
  json whole = result;
  ResultWindow window{.end_ns = 250 * kMillisecond, .idle = false};
  whole["windows"] = to_json(std::span(&window, 1));
  return {.costs = costs.dump(), .result = whole.dump()};
}

TEST_F(OpenApi, EveryAnswerIsAsDescribedAndEveryDescribedAnswerIsGiven) {
  const std::string submission = R"({"workload": "pareto", "arm": "las"})", all = "/v1/experiments", one = "/v1/experiments/{id}";
  const std::vector<std::string> parts = {"result", "trace", "events"};
  {
    Served served({.desk = {.queue = 2, .most = 4}});
    ask(served, "/v1/healthz", {.target = "/v1/healthz"}, 200);
    ask(served, "/v1/arms", {.target = "/v1/arms"}, 200);
    ask(served, "/v1/workloads", {.target = "/v1/workloads"}, 200);
    ask(served, "/metrics", {.target = "/metrics"}, 200);
    ask(served, all, post(R"({"workload": {"name": "underload", "seconds": 1, "parameters": {"service_ms": 2}}, "arm": "las", "trace": true})", {{"Idempotency-Key", "k"}}), 201);
    ask(served, all, post(R"({"workload": {"name": "underload", "seconds": 1, "parameters": {"service_ms": 2}}, "arm": "las", "trace": true})", {{"Idempotency-Key", "k"}}), 200);
    ask(served, one + "/result", {.target = all + "/1/result"}, 409);
    ask(served, one + "/trace", {.target = all + "/1/trace"}, 409);
    ask(served, all, post(submission), 201);
    ask(served, all, post(submission), 201);
    ask(served, all, post(submission), 429);
    ask(served, one, {.target = all + "/2"}, 200);
    ask(served, one, {.method = "DELETE", .target = all + "/2"}, 200);
    ask(served, one, {.method = "DELETE", .target = all + "/2"}, 409);
    ask(served, one, {.method = "DELETE", .target = all + "/99"}, 404);
    ASSERT_TRUE(write_file(served.on_loop([&] { return served.worker.requests.front().trace_file; }), "trace"));
    served.on_loop([&] { served.worker.finish(a_repeat()); });
    ask(served, one + "/result", {.target = all + "/1/result"}, 200);
    ask(served, one + "/trace", {.target = all + "/1/trace"}, 200);
    ask(served, one + "/events", {.target = all + "/1/events"}, 200);
    ask(served, one, {.method = "DELETE", .target = all + "/3"}, 202);
    ask(served, one, {.target = all + "/3"}, 200);  // with "cancelling"
    served.on_loop([&] { served.worker.finish(fail(ErrorCode::kInterrupted, "cancelled")); });
    ask(served, all, post(submission), 201);
    served.on_loop([&] { served.worker.finish(fail(ErrorCode::kIo, "las did not last")); });
    ask(served, one, {.target = all + "/4"}, 200);  // with "error"
    ask(served, one + "/trace", {.target = all + "/4/trace"}, 404);
    ask(served, all, post(submission), 507);
    ask(served, all, {.target = all + "?limit=2"}, 200);
    ask(served, all, {.target = all + "?limit=x"}, 400);
    ask(served, one, {.target = all + "/99"}, 404);
    for (const std::string& part : parts) ask(served, one + "/" + part, {.target = all + "/99/" + part}, 404);
    ask(served, all, post("{"), 400);
    ask(served, all, post(std::string(70'000, ' ')), 413);
    ask(served, all, {.method = "POST", .target = all, .body = submission, .headers = {{"Content-Type", "text/plain"}}}, 415);
    ask(served, all, post(R"({"workload": "peasants", "arm": "las"})"), 422);
    served.on_loop([&] { served.worker.lose("permission denied"); });
    ask(served, all, post(submission), 503);
    ask(served, "/v1/arms", {.target = "/v1/arms"}, 503);
    ask(served, "/v1/healthz", {.target = "/v1/healthz"}, 503);
    // The document itself, which a client may fetch.
    const HttpReply served_document = served.get("/v1/openapi.json");
    EXPECT_EQ(json::parse(served_document.body), document_);
    check("/v1/openapi.json", "GET", served_document);
    // A stream that never ends: its head, by hand.
    UniqueFd fd = served.connect();
    send_all(fd.get(), "GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    const std::string head = read_until(fd.get(), "\r\n\r\n");
    EXPECT_THAT(head, testing::StartsWith("HTTP/1.1 200 "));
    EXPECT_THAT(head, testing::HasSubstr("text/event-stream"));
    check("/v1/events", "GET", {.status = 200, .headers = {{"Content-Type", "text/event-stream"}}});
  }
  // What every path answers to strangers.
  Served open, guarded({.api = {.token = "correct-horse-battery"}});
  for (const auto& [path, item] : document_.at("paths").items()) {
    std::string target = path;
    if (const size_t brace = target.find("{id}"); brace != std::string::npos) target.replace(brace, 4, "1");
    for (const auto& [method, operation] : item.items()) {
      if (method == "parameters") continue;
      std::string verb = method;
      std::transform(verb.begin(), verb.end(), verb.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
      const std::string body = verb == "POST" ? submission : "";
      ask(open, path, {.method = verb, .target = target, .body = body, .headers = {{"Content-Type", "application/json"}, {"Host", "evil.example"}}}, 421);
      ask(open, path, {.method = verb, .target = target, .body = body, .headers = {{"Content-Type", "application/json"}, {"Origin", "http://evil.example"}}}, 403);
      if (operation.at("responses").contains("401")) ask(guarded, path, {.method = verb, .target = target, .body = body, .headers = {{"Content-Type", "application/json"}}}, 401);
    }
  }
  for (const auto& [path, item] : document_.at("paths").items()) {
    for (const auto& [method, operation] : item.items()) {
      if (method == "parameters") continue;
      for (const auto& [status, unused] : operation.at("responses").items())
        EXPECT_TRUE(seen_.contains(fmt::format("{} {} {}", method, path, status))) << method << " " << path << " " << status << " is described, and this test never saw it";
    }
  }
}

TEST_F(OpenApi, EventsAreAsDescribed) {
  Served served;
  served.post(R"({"workload": "pareto", "arm": "las"})");
  int seen = 0;
  auto ended = served.client().stream("/v1/experiments/1/events", "", [&](const Client::StreamEvent& event) {
    const std::string schema = event.name == "repeat" ? "RepeatEvent" : "Experiment";
    EXPECT_EQ(Validator(document_).complaint(document_.at("components").at("schemas").at(schema), json::parse(event.data)), "") << event.data;
    if (++seen == 1) served.on_loop([&] { served.worker.finish(a_repeat()); });
    return true;
  });
  ASSERT_TRUE(ended && *ended);
  EXPECT_EQ(seen, 3);
}

TEST_F(OpenApi, TheValidatorComplains) {
  const Validator validator(document_);
  const json& schema = document_.at("components").at("schemas").at("Experiment");
  json good = json::parse(R"({"id":1,"state":"done","workload":{"name":"x","seconds":1},"arm":"las","seed":1,"repeats":1,"repeats_done":1,"trace":false,"created":"2026-01-01T00:00:00.000Z"})");
  EXPECT_EQ(validator.complaint(schema, good), "");
  const json damages = {{"id", 0}, {"id2", 1}, {"state", "asleep"}, {"seed", 1.5}, {"trace", "no"}, {"created", "yesterday"}, {"workload", {{"name", "x"}}}};
  for (const auto& [member, value] : damages.items()) {
    json bad = good;
    bad[member] = value;
    EXPECT_NE(validator.complaint(schema, bad), "") << member;
  }
  good.erase("arm");
  EXPECT_NE(validator.complaint(schema, good), "");
}

}  // namespace
}  // namespace pointsman

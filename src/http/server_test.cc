#include "http/server.h"

#include <gmock/gmock.h>

#include "base/file.h"
#include "http/served_for_test.h"

namespace pointsman {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kPareto = R"({"workload": "pareto", "arm": "las", "repeats": 2})";

std::string detail_of(const HttpReply& reply) {
  EXPECT_EQ(reply.header("Content-Type"), "application/problem+json");
  const json body = json::parse(reply.body, nullptr, false);
  EXPECT_TRUE(body.is_object()) << reply.body;
  EXPECT_EQ(body.value("status", 0), reply.status);
  return body.value("detail", "");
}

TEST(ServerTest, AnExperimentFromBeginningToEnd) {
  Served served;
  const HttpReply made = served.post(kPareto);
  ASSERT_EQ(made.status, 201) << made.body;
  EXPECT_EQ(made.header("Location"), "/v1/experiments/1");
  EXPECT_EQ(json::parse(made.body).at("state"), "running");
  EXPECT_EQ(served.get("/v1/experiments/1/result").status, 409);
  served.finish();
  EXPECT_EQ(json::parse(served.get("/v1/experiments/1").body).at("repeats_done"), 1);
  served.on_loop([&] { served.worker.finish(1.5); });
  const HttpReply result = served.get("/v1/experiments/1/result");
  ASSERT_EQ(result.status, 200) << result.body;
  const json body = json::parse(result.body);
  EXPECT_EQ(body.at("experiment").at("state"), "done");
  EXPECT_EQ(body.at("summary").at("mean_tat_s").at("mean"), 1.0);
  EXPECT_EQ(body.at("repeats").size(), 2u);
  EXPECT_EQ(json::parse(served.get("/v1/experiments?state=done").body).at("experiments").size(), 1u);
}

TEST(ServerTest, WhatIsToldAgainIsWhatIsSo) {
  Served served;
  ASSERT_EQ(served.post(kPareto).status, 201);
  EXPECT_EQ(json::parse(served.get("/v1/experiments/1").body).at("state"), "running");
  EXPECT_EQ(json::parse(served.get("/v1/experiments/1").body).at("repeats_done"), 0);
  served.finish();
  EXPECT_EQ(json::parse(served.get("/v1/experiments/1").body).at("repeats_done"), 1) << "what has not ended is never told from memory";
  served.finish();
  const std::string once = served.get("/v1/experiments/1").body;
  EXPECT_EQ(json::parse(once).at("state"), "done");
  EXPECT_EQ(served.get("/v1/experiments/1").body, once);
  EXPECT_EQ(served.get("/v1/experiments/2").status, 404);
}

TEST(ServerTest, SaysWhatThereIs) {
  Served served;
  EXPECT_EQ(json::parse(served.get("/v1/healthz").body).at("status"), "ok");
  const json arms = json::parse(served.get("/v1/arms").body);
  EXPECT_EQ(arms.at("arms").at(2).at("reason"), "this kernel has no sched_ext");
  const json workloads = json::parse(served.get("/v1/workloads").body);
  EXPECT_GT(workloads.at("workloads").size(), 20u);
  const HttpReply metrics = served.get("/metrics");
  EXPECT_THAT(metrics.header("Content-Type"), StartsWith("text/plain; version=0.0.4"));
  EXPECT_THAT(metrics.body, HasSubstr("pointsman_experiments_queued 0\n"));
  EXPECT_THAT(metrics.body, HasSubstr("pointsman_http_answers_total{status=\"200\"} 3\n"));
}

TEST(ServerTest, WithoutARigItSaysSo) {
  Served served;
  served.on_loop([&] { served.worker.lose("experiments swap schedulers and must outrank what they measure: permission denied"); });
  const HttpReply health = served.get("/v1/healthz");
  EXPECT_EQ(health.status, 503);
  EXPECT_EQ(json::parse(health.body).at("status"), "degraded");
  EXPECT_EQ(served.get("/v1/arms").status, 503);
  EXPECT_EQ(served.post(kPareto).status, 503);
}

TEST(ServerTest, BadInputIsToldWhatIsWrong) {
  Served served;
  HttpReply reply = served.post("{\"workload\": \"pareto\"");
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(detail_of(reply), "the body is not JSON");
  reply = served.post(R"({"workload": "peasants", "arm": "las"})");
  EXPECT_EQ(reply.status, 422);
  EXPECT_THAT(detail_of(reply), HasSubstr("there is no 'peasants'"));
  reply = served.post(R"({"workload": "pareto", "arm": "leg"})");
  EXPECT_EQ(reply.status, 422);
  EXPECT_THAT(detail_of(reply), HasSubstr("there is no 'leg'"));
  reply = served.post(R"({"workload": "pareto", "arm": "age"})");
  EXPECT_EQ(reply.status, 422);
  EXPECT_THAT(detail_of(reply), HasSubstr("this kernel has no sched_ext"));
  reply = served.post(R"({"workload": {"exec": ["/bin/sh", "-c", "true"]}, "arm": "las"})");
  EXPECT_EQ(reply.status, 403);
  reply = served.ask({.method = "POST", .target = "/v1/experiments", .body = kPareto, .headers = {{"Content-Type", "text/plain"}}});
  EXPECT_EQ(reply.status, 415);
  reply = served.post(kPareto, {{"Idempotency-Key", std::string(200, 'x')}});
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(served.get("/v1/experiments?limit=0").status, 400);
  EXPECT_EQ(served.get("/v1/experiments?limit=9999999").status, 400);
  EXPECT_EQ(served.get("/v1/experiments?state=asleep").status, 400);
  EXPECT_EQ(served.get("/v1/experiments?order=id").status, 400);
  EXPECT_EQ(served.get("/v1/arms?x").status, 400);
  reply = served.ask({.method = "PUT", .target = "/v1/experiments"});
  EXPECT_EQ(reply.status, 405);
  EXPECT_EQ(reply.header("Allow"), "GET,POST");
  EXPECT_EQ(served.on_loop([&] { return served.worker.requests.size(); }), 0u) << "nothing of this ran";
}

TEST(ServerTest, NoPathLeadsToAFile) {
  Served served;
  for (const char* target : {"/", "/../../etc/passwd", "/v1/../../../etc/passwd", "/v1/experiments/../../etc/passwd", "/v1/experiments/%2e%2e/result", "/v1/experiments/1%2f..%2f2", "//etc/passwd",
                             "/v1/experiments/1/trace/../../../etc/passwd", "/v1/experiments/-1", "/v1/experiments/1e3", "/v1/experiments/99999999999999999999", "/v1/experiments/", "/v1/experiments/1/",
                             "/v1/experiments/7", "/v1/experiments/7/trace", "/v1/experiments/7/result"}) {
    const HttpReply reply = served.get(target);
    EXPECT_EQ(reply.status, 404) << target;
    EXPECT_THAT(reply.body, testing::Not(HasSubstr("root:"))) << target;
  }
}

TEST(ServerTest, ALargeBodyIsRefusedAndTheClientReadsWhy) {
  Served served;
  // Announced, and sent to the last byte.
  UniqueFd fd = served.connect();
  const std::string body(10 << 20, ' ');
  send_all(fd.get(), fmt::format("POST /v1/experiments HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.size()));
  send_all(fd.get(), body);
  EXPECT_THAT(read_to_end(fd.get()), StartsWith("HTTP/1.1 413 "));
  // In chunks, with no length given.
  fd = served.connect();
  send_all(fd.get(), "POST /v1/experiments HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (int i = 0; i < 100; ++i) send_all(fd.get(), fmt::format("19000\r\n{}\r\n", std::string(0x19000, ' ')));
  EXPECT_THAT(read_to_end(fd.get()), StartsWith("HTTP/1.1 413 "));
  EXPECT_EQ(served.get("/v1/healthz").status, 200);
}

TEST(ServerTest, ALargeHeaderIsRefused) {
  Served served;
  UniqueFd fd = served.connect();
  send_all(fd.get(), "GET /v1/healthz HTTP/1.1\r\nHost: localhost\r\nX-Filler: " + std::string(100'000, 'x') + "\r\n\r\n");
  EXPECT_THAT(read_to_end(fd.get()), StartsWith("HTTP/1.1 431 "));
}

TEST(ServerTest, WhatIsNoHttpIsRefused) {
  Served served;
  for (const std::string_view text : {std::string_view("\x16\x03\x01\x02 hello tls\r\n\r\n"), std::string_view("GET\r\n\r\n"), std::string_view("GET / HTTP/9.9\r\n\r\n"),
                                      std::string_view("POST /v1/experiments HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n"),
                                      std::string_view("POST /v1/experiments HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
                                      std::string_view("GET / HTTP/1.1\r\nHost: localhost\r\nBad\0Name: x\r\n\r\n", 48)}) {
    UniqueFd fd = served.connect();
    send_all(fd.get(), text);
    ::shutdown(fd.get(), SHUT_WR);
    EXPECT_THAT(read_to_end(fd.get()), StartsWith("HTTP/1.1 400 ")) << text;
  }
  EXPECT_EQ(served.get("/v1/healthz").status, 200);
}

TEST(ServerTest, SlowClientsAreClosed) {
  Served served({.server = {.request_ns = 50 * kMillisecond}});
  // Says nothing; says half a header; says half a body.
  for (const char* half : {"", "GET /v1/healthz HTTP/1.1\r\nHost: local", "POST /v1/experiments HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"}) {
    UniqueFd fd = served.connect();
    send_all(fd.get(), half);
    EXPECT_EQ(read_to_end(fd.get()), "") << half;
  }
  // A byte now and then does not help: the limit is on the whole header.
  UniqueFd fd = served.connect();
  bool open = send_all(fd.get(), "GET /v1/healthz HTTP/1.1\r\n");
  for (int i = 0; open && i < 100'000; ++i) {
    pollfd wait{fd.get(), POLLIN, 0};
    if (::poll(&wait, 1, 5) > 0) break;
    open = send_all(fd.get(), "X-A: b\r\n");
  }
  EXPECT_EQ(read_to_end(fd.get()), "");
}

TEST(ServerTest, ConnectionsAreBounded) {
  Served served({.server = {.connections = 3}});
  std::vector<UniqueFd> held;
  for (int i = 0; i < 3; ++i) {
    held.push_back(served.connect());
    // Answered, so it is counted by now.
    send_all(held.back().get(), "GET /v1/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    EXPECT_THAT(read_until(held.back().get(), "\"ok\""), HasSubstr("200 OK"));
  }
  UniqueFd fourth = served.connect();
  EXPECT_THAT(read_until(fourth.get(), "\r\n\r\n"), StartsWith("HTTP/1.1 503 "));
  held.clear();
  fourth.reset();
  while (served.connections() > 0) std::this_thread::yield();
  EXPECT_EQ(served.get("/v1/healthz").status, 200);
}

TEST(ServerTest, AConnectionServesManyRequests) {
  Served served;
  UniqueFd fd = served.connect();
  for (int i = 0; i < 5; ++i) {
    send_all(fd.get(), "GET /v1/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    EXPECT_THAT(read_answer(fd.get()), StartsWith("HTTP/1.1 200 OK"));
  }
  // Two at once, the second is answered after the first.
  send_all(fd.get(), "HEAD /v1/healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /v1/nowhere HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  const std::string both = read_to_end(fd.get());
  EXPECT_THAT(both, StartsWith("HTTP/1.1 200 OK"));
  EXPECT_THAT(both, HasSubstr("\r\n\r\nHTTP/1.1 404 "));
}

TEST(ServerTest, ABodyThatAsksFirstIsAnsweredFirst) {
  Served served;
  UniqueFd fd = served.connect();
  const std::string body = kPareto;
  send_all(fd.get(), fmt::format("POST /v1/experiments HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.size()));
  EXPECT_THAT(read_until(fd.get(), "\r\n\r\n"), StartsWith("HTTP/1.1 100 Continue"));
  send_all(fd.get(), body);
  EXPECT_THAT(read_to_end(fd.get()), StartsWith("HTTP/1.1 201 "));
}

TEST(ServerTest, TheQueueIsBounded) {
  Served served({.desk = {.queue = 1}});
  EXPECT_EQ(served.post(kPareto).status, 201);
  EXPECT_EQ(served.post(kPareto).status, 201);
  const HttpReply third = served.post(kPareto);
  EXPECT_EQ(third.status, 429);
  EXPECT_NE(third.header("Retry-After"), "");
}

TEST(ServerTest, AnIdempotencyKeyIsHonoured) {
  Served served;
  const HttpReply first = served.post(kPareto, {{"Idempotency-Key", "8e03978e"}});
  const HttpReply again = served.post(kPareto, {{"Idempotency-Key", "8e03978e"}});
  EXPECT_EQ(first.status, 201);
  EXPECT_EQ(again.status, 200);
  EXPECT_EQ(again.header("Location"), first.header("Location"));
  EXPECT_EQ(served.post(R"({"workload": "pareto", "arm": "eevdf"})", {{"Idempotency-Key", "8e03978e"}}).status, 422);
}

TEST(ServerTest, Cancels) {
  Served served;
  served.post(kPareto);
  served.post(kPareto);
  HttpReply reply = served.ask({.method = "DELETE", .target = "/v1/experiments/2"});
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(json::parse(reply.body).at("state"), "cancelled");
  reply = served.ask({.method = "DELETE", .target = "/v1/experiments/1"});
  EXPECT_EQ(reply.status, 202);
  served.on_loop([&] { served.worker.finish(fail(ErrorCode::kInterrupted, "cancelled")); });
  EXPECT_EQ(json::parse(served.get("/v1/experiments/1").body).at("state"), "cancelled");
  EXPECT_EQ(served.ask({.method = "DELETE", .target = "/v1/experiments/1"}).status, 409);
  EXPECT_EQ(served.ask({.method = "DELETE", .target = "/v1/experiments/3"}).status, 404);
  EXPECT_EQ(served.get("/v1/experiments/2/result").status, 200) << "an empty one";
}

TEST(ServerTest, StreamsWhatHappens) {
  Served served;
  served.post(kPareto);
  std::vector<std::string> seen;
  auto ended = served.client().stream("/v1/experiments/1/events", "", [&](const Client::StreamEvent& event) {
    const json data = json::parse(event.data);
    seen.push_back(event.name == "repeat" ? fmt::format("repeat {}", data.at("repeat").get<int>()) : data.at("state").get<std::string>());
    if (seen.back() == "running" || seen.back() == "repeat 0") served.finish();
    return true;
  });
  ASSERT_TRUE(ended) << ended.error().message;
  EXPECT_TRUE(*ended) << "the stream ends with its experiment";
  EXPECT_EQ(seen, (std::vector<std::string>{"running", "repeat 0", "repeat 1", "done"}));
  // Afterwards: how things stand, and an end.
  seen.clear();
  ended = served.client().stream("/v1/experiments/1/events", "", [&](const Client::StreamEvent& event) {
    seen.push_back(json::parse(event.data).at("state"));
    return true;
  });
  ASSERT_TRUE(ended);
  EXPECT_EQ(seen, (std::vector<std::string>{"done"}));
}

TEST(ServerTest, AStreamGoesOnWhereItBroke) {
  Served served;
  served.post(kPareto);  // event 1: running
  served.finish();       // 2: repeat
  std::vector<std::string> ids;
  auto ended = served.client().stream("/v1/experiments/1/events", "1", [&](const Client::StreamEvent& event) {
    ids.push_back(event.id);
    if (event.id == "2") served.finish();
    return true;
  });
  ASSERT_TRUE(ended && *ended);
  EXPECT_EQ(ids, (std::vector<std::string>{"2", "3", "4"}));
}

TEST(ServerTest, AQuietStreamShowsSignsOfLife) {
  Served served({.server = {.heartbeat_ns = 1 * kMillisecond}});
  UniqueFd fd = served.connect();
  send_all(fd.get(), "GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(read_until(fd.get(), ": nothing new"), HasSubstr("text/event-stream"));
}

TEST(ServerTest, AListenerThatVanishesIsForgotten) {
  Served served;
  {
    UniqueFd fd = served.connect();
    send_all(fd.get(), "GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    read_until(fd.get(), "\r\n\r\n");
    EXPECT_EQ(served.listeners(), 1u);
    // Gone with a reset, in the middle of the stream.
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  }
  while (served.listeners() > 0) std::this_thread::yield();
  EXPECT_EQ(served.post(kPareto).status, 201);
}

TEST(ServerTest, AClientThatVanishesLeavesItsExperiment) {
  Served served;
  {
    UniqueFd fd = served.connect();
    const std::string body = kPareto;
    send_all(fd.get(), fmt::format("POST /v1/experiments HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}", body.size(), body));
    // It does not wait for the answer.
  }
  while (served.on_loop([&] { return served.worker.requests.empty(); })) std::this_thread::yield();
  served.finish();
  served.finish();
  EXPECT_EQ(json::parse(served.get("/v1/experiments/1").body).at("state"), "done");
  // One that goes in the middle of its body leaves nothing.
  {
    UniqueFd fd = served.connect();
    send_all(fd.get(), "POST /v1/experiments HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{\"workload\"");
  }
  while (served.connections() > 0) std::this_thread::yield();
  EXPECT_EQ(served.get("/v1/experiments/2").status, 404);
}

TEST(ServerTest, ATokenIsAskedFor) {
  Served served({.api = {.token = "correct-horse-battery"}});
  const HttpReply without = served.get("/v1/experiments");
  EXPECT_EQ(without.status, 401);
  EXPECT_EQ(without.header("WWW-Authenticate"), "Bearer");
  EXPECT_EQ(served.ask({.target = "/v1/experiments"}, "correct-horse-batterx").status, 401);
  EXPECT_EQ(served.ask({.target = "/v1/experiments"}, "correct-horse").status, 401);
  EXPECT_EQ(served.ask({.target = "/v1/experiments"}, "correct-horse-batterycorrect-horse-battery").status, 401);
  EXPECT_EQ(served.ask({.target = "/metrics"}).status, 401);
  EXPECT_EQ(served.ask({.target = "/v1/experiments"}, "correct-horse-battery").status, 200);
  EXPECT_EQ(served.get("/v1/healthz").status, 200) << "whether it lives is no secret";
  // Nobody without the token has a body read.
  UniqueFd fd = served.connect();
  send_all(fd.get(), "POST /v1/experiments HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n{");
  EXPECT_THAT(read_until(fd.get(), "\r\n\r\n"), StartsWith("HTTP/1.1 401 "));
}

TEST(ServerTest, PagesInABrowserAreKeptOut) {
  Served served;
  // A name of somebody else's that was made to resolve to 127.0.0.1.
  for (const char* host : {"evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8765", "127.evil.example.com"}) {
    EXPECT_EQ(served.ask({.target = "/v1/arms", .headers = {{"Host", host}}}).status, 421) << host;
  }
  for (const char* host : {"localhost", "localhost:1234", "127.0.0.1:80", "127.1.2.3", "[::1]:8765", "[::1]"}) {
    EXPECT_EQ(served.ask({.target = "/v1/arms", .headers = {{"Host", host}}}).status, 200) << host;
  }
  EXPECT_EQ(served.post(kPareto, {{"Origin", "http://evil.example"}}).status, 403);
}

TEST(ServerTest, ASecondOneOnThePortIsRefused) {
  Served served;
  const auto second = served.on_loop([&]() -> Error {
    Loop loop;
    FakeWorker worker;
    Events events;
    Catalogue catalogue;
    auto store = ExperimentStore::open(served.folder() + "/2.db");
    Desk desk(*store, worker, events, {});
    Api api(catalogue, *store, desk, worker, events, {});
    auto server = Server::open(loop, api, events, {.port = served.port()});
    return server ? Error{} : server.error();
  });
  EXPECT_EQ(second.code, ErrorCode::kBusy);
  EXPECT_EQ(second.message, fmt::format("listen on 127.0.0.1:{}: something listens there already", served.port()));
}

TEST(ServerTest, SendsATrace) {
  Served served;
  served.post(R"({"workload": "pareto", "arm": "las", "trace": true})");
  EXPECT_EQ(served.get("/v1/experiments/1/trace").status, 409);
  const std::string bytes(200'000, '\x0a');
  ASSERT_TRUE(write_file(served.on_loop([&] { return served.worker.requests.front().trace_file; }), bytes));
  served.finish();
  const HttpReply trace = served.get("/v1/experiments/1/trace");
  EXPECT_EQ(trace.status, 200);
  EXPECT_EQ(trace.body, bytes);
  EXPECT_EQ(trace.header("Content-Disposition"), "attachment; filename=\"experiment-1.pftrace\"");
  served.post(kPareto);
  served.finish();
  served.finish();
  EXPECT_THAT(detail_of(served.get("/v1/experiments/2/trace")), HasSubstr("it was not asked for"));
}

TEST(ClientTest, UrlsAreReadStrictly) {
  EXPECT_EQ(ServerUrl::parse("http://box:80/")->host, "box");
  EXPECT_EQ(ServerUrl::parse("http://box:80/")->port, 80);
  EXPECT_EQ(ServerUrl::parse("10.0.0.1")->port, 8765);
  EXPECT_EQ(ServerUrl::parse("http://[::1]:99")->host, "::1");
  EXPECT_EQ(ServerUrl::parse("https://box").error().code, ErrorCode::kUnsupported);
  for (const char* text : {"", "http://", "http://box:", "http://box:0", "http://box:99999", "http://box:80/path", "ftp://box", "http://a b", "http://[::1", "http://box\r\nX: y"})
    EXPECT_EQ(ServerUrl::parse(text).error().code, ErrorCode::kInvalidArgument) << text;
}

TEST(ClientTest, SaysWhenNobodyListens) {
  uint16_t port = 0;
  {
    Served served;
    port = served.port();
  }
  auto reply = Client({.host = "127.0.0.1", .port = port}, {}).ask({.target = "/v1/healthz"});
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().message, fmt::format("127.0.0.1:{}: nobody listens there: pointsman serve starts a server", port));
}

}  // namespace
}  // namespace pointsman

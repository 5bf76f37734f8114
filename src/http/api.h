// Api: what the server answers to each request; knows no sockets. docs/openapi.json describes it.
// Threads: the loop's. Borrows all but the options.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/desk.h"
#include "http/experiment.h"

namespace pointsman {

struct ApiRequest {
  std::string method{}, target{}, body{};
  // Empty where the client sent none.
  std::string host{}, origin{}, authorization{}, content_type{}, idempotency_key{}, last_event_id{};
};

struct ApiResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body{};
  std::vector<std::pair<std::string, std::string>> headers{};
  std::string file{};  // its content in place of `body`
  // In place of `body`: what has happened (`past`), then what happens; of one experiment, to its end, or of all of them (0).
  struct Stream {
    int64_t experiment = 0;
    std::vector<Event> past{};
    bool ended = false;  // nothing will follow `past`
  };
  std::optional<Stream> stream{};
};

struct ApiOptions {
  ExperimentLimits limits{};
  // Empty: none is asked for, and only names of this machine itself are answered to: a page in somebody's browser that has its own name resolve to 127.0.0.1
  // sends that name.
  std::string token{};
  std::function<std::string()> machine_metrics{};  // more for /metrics, in the same format
  std::function<int64_t()> resident_bytes{};
  std::string version{};
};

class Api {
 public:
  Api(const Catalogue& catalogue, ExperimentStore& store, Desk& desk, Worker& worker, Events& events, ApiOptions options);

  ApiResponse answer(const ApiRequest& request);
  // An answer that never was a request: to what the parser refused.
  ApiResponse refusal(int status, const std::string& detail);
  // Asked before a body is read, so that nobody without the token makes us hold one: the answer when there is nothing more to read for.
  std::optional<ApiResponse> objection(const ApiRequest& head);

 private:
  ApiResponse problem(int status, const std::string& detail);
  ApiResponse problem(const Error& error);
  ApiResponse count(ApiResponse response);
  ApiResponse route(const ApiRequest& request);
  ApiResponse submit(const ApiRequest& request);
  ApiResponse list(std::string_view query);
  ApiResponse of_experiment(const ApiRequest& request, int64_t id, std::string_view what);
  ApiResponse result(const StoredExperiment& experiment);
  ApiResponse trace(const StoredExperiment& experiment);
  ApiResponse events(const ApiRequest& request, std::optional<StoredExperiment> experiment);
  ApiResponse arms();
  ApiResponse workloads();
  ApiResponse health();
  ApiResponse metrics();

  const Catalogue& catalogue_;
  ExperimentStore& store_;
  Desk& desk_;
  Worker& worker_;
  Events& events_;
  ApiOptions options_;
  std::map<int, int64_t> answered_;  // by status
  std::string workloads_text_;
  std::map<int64_t, std::string> ended_;  // descriptions of ended experiments, which never change: what is asked for again and again
};

// The description of all this, as docs/openapi.json has it.
std::string_view openapi_document();

// Equal, in a time that does not tell where they differ.
bool same_secret(std::string_view a, std::string_view b);
// 127.0.0.0/8, ::1 or localhost, with or without a port.
bool names_this_machine(std::string_view host);

}  // namespace pointsman

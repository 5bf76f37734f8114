#include "http/api.h"

#include <sys/stat.h>

#include <algorithm>
#include <charconv>

#include "http/summary.h"

namespace pointsman {

using nlohmann::json;

namespace {

constexpr size_t kLongestKey = 128;
constexpr int kLongestPage = 1000;
constexpr size_t kKeptDescriptions = 512;

std::string text_of(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

const char* reason_of(int status) {
  switch (status) {
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 413: return "Content Too Large";
    case 415: return "Unsupported Media Type";
    case 421: return "Misdirected Request";
    case 422: return "Unprocessable Content";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 503: return "Service Unavailable";
    case 507: return "Insufficient Storage";
    default: return "Internal Server Error";
  }
}

std::optional<int64_t> number_of(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || text.size() > 18 || text[0] == '-' || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Members of the query, each at most once and none but these. nullopt: what is wrong is in `complaint`.
std::optional<std::map<std::string, std::string, std::less<>>> query_of(std::string_view query, std::initializer_list<std::string_view> allowed, std::string& complaint) {
  std::map<std::string, std::string, std::less<>> out;
  while (!query.empty()) {
    const std::string_view part = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), part.size() + 1));
    const size_t equals = part.find('=');
    const std::string name(part.substr(0, equals)), value(equals == std::string_view::npos ? "" : part.substr(equals + 1));
    if (std::find(allowed.begin(), allowed.end(), name) == allowed.end() || !out.emplace(name, value).second) {
      complaint = fmt::format("query: '{}' is not allowed here, or given twice", name);
      return std::nullopt;
    }
  }
  return out;
}

}  // namespace

bool same_secret(std::string_view a, std::string_view b) {
  size_t different = a.size() ^ b.size();
  for (size_t i = 0; i < a.size() && !b.empty(); ++i) different |= static_cast<unsigned char>(a[i] ^ b[i % b.size()]);
  return different == 0;
}

bool names_this_machine(std::string_view host) {
  if (host.starts_with('[')) return host.starts_with("[::1]") && (host.size() == 5 || host[5] == ':');
  const std::string_view name = host.substr(0, host.rfind(':'));
  if (name == "localhost") return true;
  // Four numbers, the first of them 127: "127.evil.example" is a name like any other.
  if (!name.starts_with("127.") || std::count(name.begin(), name.end(), '.') != 3) return false;
  return name.find_first_not_of("0123456789.") == std::string_view::npos;
}

Api::Api(const Catalogue& catalogue, ExperimentStore& store, Desk& desk, Worker& worker, Events& events, ApiOptions options)
    : catalogue_(catalogue), store_(store), desk_(desk), worker_(worker), events_(events), options_(std::move(options)) {}

ApiResponse Api::problem(int status, const std::string& detail) {
  ApiResponse response{.status = status, .content_type = "application/problem+json"};
  response.body = text_of({{"type", "about:blank"}, {"title", reason_of(status)}, {"status", status}, {"detail", detail}});
  if (status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
  if (status == 429 || status == 503) response.headers.emplace_back("Retry-After", status == 429 ? "5" : "1");
  return response;
}

ApiResponse Api::problem(const Error& error) {
  switch (error.code) {
    case ErrorCode::kNotFound: return problem(404, error.message);
    case ErrorCode::kInvalidArgument: return problem(409, error.message);
    case ErrorCode::kPermissionDenied: return problem(503, error.message);
    case ErrorCode::kBusy: return problem(503, error.message);
    case ErrorCode::kIo: return problem(507, error.message);
    default: return problem(500, error.message);
  }
}

ApiResponse Api::count(ApiResponse response) {
  ++answered_[response.status];
  return response;
}

ApiResponse Api::refusal(int status, const std::string& detail) { return count(problem(status, detail)); }

ApiResponse Api::answer(const ApiRequest& request) {
  if (auto objected = objection(request)) return *objected;
  return count(route(request));
}

std::optional<ApiResponse> Api::objection(const ApiRequest& head) {
  if (options_.token.empty()) {
    if (!names_this_machine(head.host)) return count(problem(421, fmt::format("this server answers to localhost only, not to '{}'", head.host.substr(0, 80))));
    if (!head.origin.empty()) return count(problem(403, "pages in a browser may not ask this server without a token"));
    return std::nullopt;
  }
  // Whether the server lives is no secret.
  if (head.method == "GET" && head.target == "/v1/healthz") return std::nullopt;
  constexpr std::string_view kScheme = "Bearer ";
  if (!head.authorization.starts_with(kScheme) || !same_secret(std::string_view(head.authorization).substr(kScheme.size()), options_.token))
    return count(problem(401, "this server asks for a token: Authorization: Bearer TOKEN"));
  return std::nullopt;
}

ApiResponse Api::route(const ApiRequest& request) {
  const std::string_view target = request.target;
  const size_t mark = target.find('?');
  const std::string_view path = target.substr(0, mark), query = mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
  const auto only = [&](std::string_view allowed) -> std::optional<ApiResponse> {
    const std::string list = fmt::format(",{},", allowed);
    if (list.find("," + request.method + ",") != std::string::npos) return std::nullopt;
    ApiResponse refused = problem(405, fmt::format("{} is not allowed here (allowed: {})", request.method.substr(0, 20), allowed));
    refused.headers.emplace_back("Allow", std::string(allowed));
    return refused;
  };
  const auto plain = [&](ApiResponse (Api::*make)()) {
    if (auto refused = only("GET")) return *refused;
    if (!query.empty()) return problem(400, "no query is allowed here");
    return (this->*make)();
  };
  if (path == "/v1/healthz") return plain(&Api::health);
  if (path == "/v1/arms") return plain(&Api::arms);
  if (path == "/v1/workloads") return plain(&Api::workloads);
  if (path == "/metrics" || path == "/v1/metrics") return plain(&Api::metrics);
  if (path == "/v1/openapi.json") {
    if (auto refused = only("GET")) return *refused;
    return {.body = std::string(openapi_document())};
  }
  if (path == "/v1/events") {
    if (auto refused = only("GET")) return *refused;
    return events(request, std::nullopt);
  }
  constexpr std::string_view kExperiments = "/v1/experiments";
  if (path == kExperiments) {
    if (auto refused = only("GET,POST")) return *refused;
    return request.method == "GET" ? list(query) : submit(request);
  }
  if (path.starts_with(kExperiments) && path.size() > kExperiments.size() + 1 && path[kExperiments.size()] == '/') {
    const std::string_view rest = path.substr(kExperiments.size() + 1);
    const size_t slash = rest.find('/');
    const std::string_view what = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
    const auto id = number_of(rest.substr(0, slash));
    const bool known = slash == std::string_view::npos || what == "result" || what == "trace" || what == "events";
    if (id && known) {
      if (auto refused = only(what.empty() ? "GET,DELETE" : "GET")) return *refused;
      if (!query.empty()) return problem(400, "no query is allowed here");
      return of_experiment(request, *id, what);
    }
  }
  return problem(404, fmt::format("there is nothing at '{}'", path.substr(0, 80)));
}

ApiResponse Api::submit(const ApiRequest& request) {
  const std::string_view type = std::string_view(request.content_type).substr(0, request.content_type.find(';'));
  if (type != "application/json") return problem(415, "the body must be Content-Type: application/json");
  const std::string& key = request.idempotency_key;
  if (key.size() > kLongestKey || std::any_of(key.begin(), key.end(), [](char c) { return c < '!' || c > '~'; }))
    return problem(400, fmt::format("Idempotency-Key: at most {} printable characters without spaces", kLongestKey));
  auto spec = parse_experiment(request.body, catalogue_, options_.limits);
  if (!spec) {
    switch (spec.error().code) {
      case ErrorCode::kPermissionDenied: return problem(403, spec.error().message);
      case ErrorCode::kNotFound: return problem(422, spec.error().message);
      default: return problem(400, spec.error().message);
    }
  }
  auto submitted = desk_.submit(*spec, key);
  if (!submitted) {
    switch (submitted.error().code) {
      case ErrorCode::kBusy: return problem(429, submitted.error().message);
      case ErrorCode::kNotFound:
      case ErrorCode::kUnsupported:
      case ErrorCode::kInvalidArgument: return problem(422, submitted.error().message);
      default: return problem(submitted.error());
    }
  }
  ApiResponse response{.status = submitted->replayed ? 200 : 201, .body = desk_.describe(submitted->experiment)};
  response.headers.emplace_back("Location", fmt::format("/v1/experiments/{}", submitted->experiment.id));
  return response;
}

ApiResponse Api::list(std::string_view query) {
  std::string complaint;
  const auto members = query_of(query, {"state", "limit", "before"}, complaint);
  if (!members) return problem(400, complaint);
  ExperimentStore::Page page;
  if (const auto state = members->find("state"); state != members->end()) {
    page.state = state->second;
    static constexpr std::string_view kStates[] = {"queued", "running", "done", "failed", "cancelled", "aborted"};
    if (std::find(std::begin(kStates), std::end(kStates), page.state) == std::end(kStates))
      return problem(400, "state: must be queued, running, done, failed, cancelled or aborted");
  }
  if (const auto limit = members->find("limit"); limit != members->end()) {
    const auto number = number_of(limit->second);
    if (!number || *number < 1 || *number > kLongestPage) return problem(400, fmt::format("limit: must be from 1 to {}", kLongestPage));
    page.limit = static_cast<int>(*number);
  }
  if (const auto before = members->find("before"); before != members->end()) {
    const auto number = number_of(before->second);
    if (!number || *number < 1) return problem(400, "before: must be the number of an experiment");
    page.before_id = *number;
  }
  auto experiments = store_.list(page);
  if (!experiments) return problem(experiments.error());
  std::string body = "{\"experiments\":[";
  for (size_t i = 0; i < experiments->size(); ++i) body += (i == 0 ? "" : ",") + desk_.describe((*experiments)[i]);
  body += "]";
  if (static_cast<int>(experiments->size()) == page.limit && experiments->back().id > 1) body += fmt::format(",\"next_before\":{}", experiments->back().id);
  return {.body = body + "}"};
}

ApiResponse Api::of_experiment(const ApiRequest& request, int64_t id, std::string_view what) {
  if (request.method == "DELETE") {
    auto cancelled = desk_.cancel(id);
    if (!cancelled) return problem(cancelled.error());
    return {.status = cancelled->ended() ? 200 : 202, .body = desk_.describe(*cancelled)};
  }
  if (what.empty()) {
    if (const auto known = ended_.find(id); known != ended_.end()) return {.body = known->second};
  }
  auto experiment = store_.find(id);
  if (!experiment) return problem(experiment.error());
  if (what == "result") return result(*experiment);
  if (what == "trace") return trace(*experiment);
  if (what == "events") return events(request, *experiment);
  std::string body = desk_.describe(*experiment);
  if (experiment->ended()) {
    if (ended_.size() >= kKeptDescriptions) ended_.clear();
    ended_.emplace(id, body);
  }
  return {.body = std::move(body)};
}

ApiResponse Api::result(const StoredExperiment& experiment) {
  if (!experiment.ended()) {
    ApiResponse response = problem(409, fmt::format("experiment {} is {}; its events tell when it ends", experiment.id, experiment.state));
    response.headers.emplace_back("Retry-After", "1");
    return response;
  }
  auto repeats = store_.repeats(experiment.id);
  if (!repeats) return problem(repeats.error());
  std::vector<std::string> costs;
  for (const ExperimentStore::Repeat& repeat : *repeats) costs.push_back(repeat.costs);
  // Put together as text: what a hundred repeats say is never a tree of objects in here.
  std::string body = fmt::format("{{\"experiment\":{},\"summary\":{},\"repeats\":[", desk_.describe(experiment), text_of(summary_of(costs)));
  for (size_t i = 0; i < repeats->size(); ++i) body += (i == 0 ? "" : ",") + (*repeats)[i].result;
  return {.body = body + "]}"};
}

ApiResponse Api::trace(const StoredExperiment& experiment) {
  const std::string file = desk_.trace_file(experiment.id);
  struct stat status {};
  if (!experiment.ended()) return problem(409, fmt::format("experiment {} is {}", experiment.id, experiment.state));
  if (file.empty() || ::stat(file.c_str(), &status) != 0)
    return problem(404, fmt::format("experiment {} has no trace: it was not asked for, or nothing ran", experiment.id));
  ApiResponse response{.content_type = "application/octet-stream", .file = file};
  response.headers.emplace_back("Content-Disposition", fmt::format("attachment; filename=\"experiment-{}.pftrace\"", experiment.id));
  return response;
}

ApiResponse Api::events(const ApiRequest& request, std::optional<StoredExperiment> experiment) {
  ApiResponse response{.content_type = "text/event-stream"};
  ApiResponse::Stream stream{.experiment = experiment ? experiment->id : 0};
  if (experiment && experiment->ended()) stream.ended = true;
  std::optional<std::deque<Event>> missed;
  if (const auto last = number_of(request.last_event_id)) missed = events_.since(static_cast<uint64_t>(*last));
  if (missed) {
    for (Event& event : *missed)
      if (!experiment || event.experiment == experiment->id) stream.past.push_back(std::move(event));
  }
  // Who comes anew, or too late for what is kept, begins with how things stand.
  if (experiment && (!missed || (stream.ended && stream.past.empty())))
    stream.past.push_back({.number = events_.last_number(), .experiment = experiment->id, .name = "experiment", .data = desk_.describe(*experiment), .last = stream.ended});
  response.stream = std::move(stream);
  response.headers.emplace_back("Cache-Control", "no-store");
  return response;
}

ApiResponse Api::arms() {
  const RigInfo* rig = worker_.info();
  if (rig == nullptr) return problem(503, worker_.trouble().empty() ? "the rig is being opened" : worker_.trouble());
  return {.body = text_of(to_json(*rig))};
}

ApiResponse Api::workloads() {
  if (workloads_text_.empty()) {
    json rows = json::array();
    for (const OfferedWorkload& w : catalogue_.workloads()) {
      json row = {{"name", w.name}, {"kind", name_of(w.kind)}, {"about", w.about}, {"seconds", w.seconds}};
      if (w.family != nullptr) {
        row["regime"] = w.family->regime;
        row["parameters"] = json::array();
        for (const ParameterSpec& p : w.family->parameters)
          row["parameters"].push_back({{"name", p.name}, {"unit", p.unit}, {"meaning", p.meaning}, {"default", p.value}, {"least", p.low}, {"most", p.high}});
      }
      rows.push_back(std::move(row));
    }
    const ExperimentLimits& l = options_.limits;
    workloads_text_ = text_of({{"workloads", rows},
                               {"limits", {{"seconds", l.seconds}, {"total_seconds", l.total_seconds}, {"repeats", l.repeats}, {"exec", l.allow_exec}}}});
  }
  return {.body = workloads_text_};
}

ApiResponse Api::health() {
  const bool ready = worker_.info() != nullptr;
  json out = {{"status", ready ? "ok" : worker_.trouble().empty() ? "starting" : "degraded"}, {"version", options_.version}, {"queued", desk_.waiting()}};
  if (desk_.running()) out["running"] = *desk_.running();
  if (!ready && !worker_.trouble().empty()) out["reason"] = worker_.trouble();
  return {.status = ready ? 200 : 503, .body = text_of(out)};
}

ApiResponse Api::metrics() {
  const DeskCounts& counts = desk_.counts();
  std::string out;
  const auto head = [&](std::string_view name, std::string_view kind, std::string_view help) {
    out += fmt::format("# HELP {0} {2}\n# TYPE {0} {1}\n", name, kind, help);
  };
  head("pointsman_experiments_ended_total", "counter", "Experiments that ended, by how.");
  for (const char* state : {"done", "failed", "cancelled", "aborted"}) {
    const auto found = counts.ended.find(state);
    out += fmt::format("pointsman_experiments_ended_total{{state=\"{}\"}} {}\n", state, found == counts.ended.end() ? 0 : found->second);
  }
  const auto one = [&](std::string_view name, std::string_view kind, std::string_view help, int64_t value) {
    head(name, kind, help);
    out += fmt::format("{} {}\n", name, value);
  };
  one("pointsman_experiments_submitted_total", "counter", "Experiments that were queued.", counts.submitted);
  one("pointsman_experiments_replayed_total", "counter", "Requests that named an experiment again by its idempotency key.", counts.replayed);
  one("pointsman_experiments_refused_total", "counter", "Experiments that found the queue full.", counts.refused);
  one("pointsman_experiment_repeats_total", "counter", "Repeats that were finished.", counts.repeats);
  one("pointsman_experiments_queued", "gauge", "Experiments that wait.", desk_.waiting());
  one("pointsman_experiments_running", "gauge", "Experiments that run: one or none.", desk_.running() ? 1 : 0);
  one("pointsman_worker_ready", "gauge", "Whether experiments can be run.", worker_.info() != nullptr ? 1 : 0);
  if (options_.resident_bytes) one("pointsman_server_resident_bytes", "gauge", "Memory of the server, its worker not included.", options_.resident_bytes());
  head("pointsman_http_answers_total", "counter", "Requests that were answered, by status.");
  for (const auto& [status, number] : answered_) out += fmt::format("pointsman_http_answers_total{{status=\"{}\"}} {}\n", status, number);
  if (options_.machine_metrics) out += options_.machine_metrics();
  return {.content_type = "text/plain; version=0.0.4", .body = std::move(out)};
}

}  // namespace pointsman

#include "http/experiment.h"

#include <algorithm>
#include <cmath>

#include "base/clock.h"

namespace pointsman {

namespace {

using nlohmann::json;

constexpr double kFamilySeconds = 3;                 // of a family when the client does not say
constexpr double kShortestSeconds = 0.2;             // of draw_plan
constexpr uint64_t kGreatestSeed = 1ull << 53;       // what every JSON reader keeps exactly
constexpr int64_t kNothingNs = 1 * kMillisecond;

template <typename... Args>
Unexpected wrong(fmt::format_string<Args...> format, Args&&... args) {
  return fail(ErrorCode::kInvalidArgument, format, std::forward<Args>(args)...);
}

Result<Unit> only(const json& object, const char* what, std::initializer_list<std::string_view> allowed) {
  for (const auto& [key, unused] : object.items()) {
    if (std::find(allowed.begin(), allowed.end(), key) != allowed.end()) continue;
    std::string list;
    for (const std::string_view name : allowed) list += fmt::format("{}{}", list.empty() ? "" : ", ", name);
    return wrong("{}: unknown member '{}' (allowed: {})", what, key, list);
  }
  return Unit{};
}

Result<double> number_of(const json& value, const char* what, double low, double high) {
  if (!value.is_number()) return wrong("{}: must be a number from {} to {}", what, low, high);
  const double number = value.get<double>();
  if (!std::isfinite(number) || number < low || number > high) return wrong("{}: {} is not from {} to {}", what, number, low, high);
  return number;
}

Result<int64_t> whole_of(const json& value, const char* what, int64_t low, int64_t high) {
  // 5e400 or 1.5 is no integer to the parser; neither is what does not fit.
  if (!value.is_number_integer() || (value.is_number_unsigned() && value.get<uint64_t>() > static_cast<uint64_t>(high)) ||
      value.get<int64_t>() < low || value.get<int64_t>() > high)
    return wrong("{}: must be a whole number from {} to {}", what, low, high);
  return value.get<int64_t>();
}

Result<WorkloadSpec> parse_exec(const json& value, const ExperimentLimits& limits) {
  if (auto known = only(value, "workload", {"exec", "seconds"}); !known) return fail(known.error());
  if (!limits.allow_exec)
    return fail(ErrorCode::kPermissionDenied, "workload: this server runs programs of its catalogue only; it would run others with --allow-exec");
  WorkloadSpec spec;
  const json& words = value.at("exec");
  if (!words.is_array() || words.empty() || words.size() > limits.exec_words)
    return wrong("workload.exec: must be a list of 1 to {} words: a program's absolute path and its arguments", limits.exec_words);
  size_t bytes = 0;
  for (const json& word : words) {
    if (!word.is_string()) return wrong("workload.exec: every word must be a string");
    spec.exec.push_back(word.get<std::string>());
    if (spec.exec.back().find('\0') != std::string::npos) return wrong("workload.exec: a word has a zero byte in it");
    bytes += spec.exec.back().size() + 1;
  }
  if (bytes > limits.exec_bytes) return wrong("workload.exec: {} bytes; allowed are {}", bytes, limits.exec_bytes);
  if (!spec.exec.front().starts_with('/')) return wrong("workload.exec: the program must be an absolute path; no shell and no PATH look for it");
  const auto seconds = number_of(value.value("seconds", json(limits.seconds)), "workload.seconds", 0.001, limits.seconds);
  if (!seconds) return fail(seconds.error());
  spec.seconds = *seconds;
  return spec;
}

Result<WorkloadSpec> parse_workload(const json& value, const Catalogue& catalogue, const ExperimentLimits& limits) {
  if (value.is_object() && value.contains("exec")) return parse_exec(value, limits);
  if (!value.is_string() && !value.is_object()) return wrong("workload: must be a name, or an object with one");
  const json object = value.is_string() ? json{{"name", value}} : value;
  if (auto known = only(object, "workload", {"name", "seconds", "parameters", "exec"}); !known) return fail(known.error());
  if (!object.contains("name") || !object.at("name").is_string()) return wrong("workload: must be a name, or an object with one");
  WorkloadSpec spec;
  spec.name = object.at("name");
  const std::optional<OfferedWorkload> offered = catalogue.find(spec.name);
  if (!offered) return fail(ErrorCode::kNotFound, "workload: there is no '{}' (GET /v1/workloads lists them)", spec.name);
  spec.seconds = offered->seconds;
  const bool is_family = offered->kind == OfferedWorkload::Kind::kFamily;
  if (const auto seconds = object.find("seconds"); seconds != object.end()) {
    if (!is_family) return wrong("workload.seconds: {} is as long as it is", spec.name);
    const auto number = number_of(*seconds, "workload.seconds", kShortestSeconds, limits.seconds);
    if (!number) return fail(number.error());
    spec.seconds = *number;
  }
  if (spec.seconds > limits.seconds) return wrong("workload: {} takes {} s; this server allows {}", spec.name, spec.seconds, limits.seconds);
  if (const auto parameters = object.find("parameters"); parameters != object.end()) {
    if (offered->family == nullptr) return wrong("workload.parameters: {} has none", spec.name);
    if (!parameters->is_object()) return wrong("workload.parameters: must be an object of numbers");
    for (const auto& [name, number] : parameters->items()) {
      if (!number.is_number()) return wrong("workload.parameters.{}: must be a number", name);
      spec.parameters[name] = number.get<double>();
    }
    // Names and ranges are the family's own.
    auto scenario = scenario_of(spec, catalogue);
    if (!scenario) return fail(scenario.error());
    if (auto fine = check_scenario(*scenario); !fine) return fail(fine.error().at("workload"));
  }
  return spec;
}

Plan plan_of_nothing() {
  Plan plan;
  plan.kinds = {"nothing.job"};
  plan.jobs = {{.planned_ns = 0, .service_ns = kNothingNs, .kind = 0, .phase = 0}};
  plan.ops = {{OpCode::kBegin, 0, 0}, {OpCode::kBurn, 0, kNothingNs}, {OpCode::kEnd, 0, 0}};
  plan.tasks = {{.start_ns = 0, .nice = 0, .first_op = 0, .ops = 3}};
  return plan;
}

}  // namespace

const char* name_of(OfferedWorkload::Kind kind) {
  switch (kind) {
    case OfferedWorkload::Kind::kNothing: return "nothing";
    case OfferedWorkload::Kind::kFamily: return "family";
    case OfferedWorkload::Kind::kScenario: return "scenario";
  }
  return "?";
}

Result<Catalogue> Catalogue::open(std::span<const std::string> scenario_files) {
  Catalogue out;
  out.workloads_.push_back({.name = "nothing", .about = "one job of 1 ms: what an experiment costs beside its work", .kind = OfferedWorkload::Kind::kNothing,
                            .seconds = 0.001});
  for (const Family& family : families())
    out.workloads_.push_back({.name = std::string(family.name), .about = std::string(family.imitates), .kind = OfferedWorkload::Kind::kFamily,
                              .seconds = kFamilySeconds, .family = &family});
  for (const std::string& file : scenario_files) {
    auto scenario = load_scenario(file);
    if (!scenario) return fail(scenario.error());
    if (out.find(scenario->name)) return fail(ErrorCode::kInvalidArgument, "{}: there is another workload '{}'", file, scenario->name);
    OfferedWorkload offered{.name = scenario->name, .kind = OfferedWorkload::Kind::kScenario};
    for (const Phase& phase : scenario->phases) {
      offered.about += fmt::format("{}{}", offered.about.empty() ? "" : ", ", phase.family);
      offered.seconds += static_cast<double>(phase.length_ns) / 1e9;
    }
    offered.scenario = std::move(*scenario);
    out.workloads_.push_back(std::move(offered));
  }
  return out;
}

std::optional<OfferedWorkload> Catalogue::find(std::string_view name) const {
  const auto found = std::find_if(workloads_.begin(), workloads_.end(), [&](const OfferedWorkload& w) { return w.name == name; });
  if (found != workloads_.end()) return *found;
  // Not by find_family, which keeps every one that was ever asked for: here anybody may ask.
  if (!random_structure_of(name)) return std::nullopt;
  return OfferedWorkload{.name = std::string(name), .about = "a workload whose structure its number draws", .kind = OfferedWorkload::Kind::kFamily, .seconds = kFamilySeconds};
}

Result<ExperimentSpec> parse_experiment(std::string_view body, const Catalogue& catalogue, const ExperimentLimits& limits) {
  const json value = json::parse(body, nullptr, false);
  if (value.is_discarded()) return wrong("the body is not JSON");
  if (!value.is_object()) return wrong("the body must be an object with workload and arm");
  if (auto known = only(value, "experiment", {"workload", "arm", "seed", "repeats", "trace"}); !known) return fail(known.error());
  for (const char* needed : {"workload", "arm"})
    if (!value.contains(needed)) return wrong("{} is missing", needed);
  ExperimentSpec spec;
  auto workload = parse_workload(value.at("workload"), catalogue, limits);
  if (!workload) return fail(workload.error());
  spec.workload = std::move(*workload);
  if (!value.at("arm").is_string()) return wrong("arm: must be a name");
  spec.arm = value.at("arm");
  if (value.contains("seed")) {
    auto seed = whole_of(value.at("seed"), "seed", 0, static_cast<int64_t>(kGreatestSeed));
    if (!seed) return fail(seed.error());
    spec.seed = static_cast<uint64_t>(*seed);
  }
  if (value.contains("repeats")) {
    auto repeats = whole_of(value.at("repeats"), "repeats", 1, limits.repeats);
    if (!repeats) return fail(repeats.error());
    spec.repeats = static_cast<int>(*repeats);
  }
  if (value.contains("trace")) {
    if (!value.at("trace").is_boolean()) return wrong("trace: must be true or false");
    spec.trace = value.at("trace");
  }
  if (const double total = spec.workload.seconds * spec.repeats; total > limits.total_seconds)
    return wrong("{} repeats of {} s are {} s; this server allows {}", spec.repeats, spec.workload.seconds, total, limits.total_seconds);
  return spec;
}

json to_json(const ExperimentSpec& spec) {
  json workload = {{"seconds", spec.workload.seconds}};
  if (!spec.workload.exec.empty())
    workload["exec"] = spec.workload.exec;
  else
    workload["name"] = spec.workload.name;
  if (!spec.workload.parameters.empty()) workload["parameters"] = spec.workload.parameters;
  return {{"workload", workload}, {"arm", spec.arm}, {"seed", spec.seed}, {"repeats", spec.repeats}, {"trace", spec.trace}};
}

Result<ExperimentSpec> experiment_from_json(const json& value) {
  try {
    ExperimentSpec spec;
    const json& workload = value.at("workload");
    spec.workload.name = workload.value("name", "");
    spec.workload.seconds = workload.at("seconds");
    spec.workload.parameters = workload.value("parameters", Parameters{});
    spec.workload.exec = workload.value("exec", std::vector<std::string>{});
    spec.arm = value.at("arm");
    spec.seed = value.at("seed");
    spec.repeats = value.at("repeats");
    spec.trace = value.at("trace");
    return spec;
  } catch (const json::exception& error) {
    return fail(ErrorCode::kCorrupt, "an experiment as it was stored: {}", error.what());
  }
}

Result<Scenario> scenario_of(const WorkloadSpec& workload, const Catalogue& catalogue) {
  const std::optional<OfferedWorkload> offered = catalogue.find(workload.name);
  if (!offered) return fail(ErrorCode::kNotFound, "there is no workload '{}' here any more", workload.name);
  if (offered->kind == OfferedWorkload::Kind::kScenario) return offered->scenario;
  if (offered->kind == OfferedWorkload::Kind::kNothing) return fail(ErrorCode::kUnsupported, "workload nothing is for a server on the machine itself");
  Scenario scenario;
  scenario.name = workload.name;
  scenario.phases = {{.family = workload.name, .length_ns = static_cast<int64_t>(workload.seconds * 1e9), .parameters = workload.parameters}};
  return scenario;
}

Result<Plan> plan_of(const WorkloadSpec& workload, const Catalogue& catalogue, uint64_t seed, int cpus) {
  if (const std::optional<OfferedWorkload> offered = catalogue.find(workload.name); offered && offered->kind == OfferedWorkload::Kind::kNothing)
    return plan_of_nothing();
  auto scenario = scenario_of(workload, catalogue);
  if (!scenario) return fail(scenario.error());
  return draw_plan(*scenario, seed, cpus);
}

}  // namespace pointsman

// What a client of the experiment server asks for, checked against what the server offers and allows.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "workload/scenario.h"

namespace pointsman {

// A workload that the server offers by name.
struct OfferedWorkload {
  enum class Kind { kNothing, kFamily, kScenario };
  std::string name{}, about{};
  Kind kind = Kind::kFamily;
  double seconds = 0;              // as long as arrivals go on, unless the client says otherwise; scenarios are as long as they are
  const Family* family = nullptr;  // of kFamily with a name of its own: it has parameters
  Scenario scenario{};             // of kScenario
};
const char* name_of(OfferedWorkload::Kind kind);

// Families, scenarios, and "nothing": one job of 1 ms, for what the server itself costs. A name belongs to one of them only.
class Catalogue {
 public:
  // `scenario_files`: TOML. Errors: those of load_scenario, kInvalidArgument (a name that is there twice).
  static Result<Catalogue> open(std::span<const std::string> scenario_files);
  [[nodiscard]] std::span<const OfferedWorkload> workloads() const { return workloads_; }
  // By name; random:SEED is a family too, one of as many as there are numbers.
  [[nodiscard]] std::optional<OfferedWorkload> find(std::string_view name) const;

 private:
  std::vector<OfferedWorkload> workloads_;
};

struct WorkloadSpec {
  std::string name{};
  double seconds = 0;
  Parameters parameters{};          // of a family
  std::vector<std::string> exec{};  // a program and its arguments in place of a name
};

struct ExperimentSpec {
  WorkloadSpec workload{};
  std::string arm{};
  uint64_t seed = 1;
  int repeats = 1;
  bool trace = false;  // of the first repeat
};

struct ExperimentLimits {
  double seconds = 120;         // of one repeat's arrivals
  double total_seconds = 3600;  // of all repeats
  int repeats = 100;
  bool allow_exec = false;
  size_t exec_words = 64, exec_bytes = 4096;
};

// BODY as a client sent it: {"workload": NAME or {"name", "seconds", "parameters"} or {"exec": [..], "seconds"}, "arm", "seed", "repeats",
// "trace"}. Whether the arm exists here is for the rig to say.
// Errors: kInvalidArgument (no JSON, unknown or missing members, values out of range), kNotFound (no such workload, or parameter),
// kPermissionDenied (exec where it is not allowed).
Result<ExperimentSpec> parse_experiment(std::string_view body, const Catalogue& catalogue, const ExperimentLimits& limits);
// Complete and canonical: equal specs have equal texts.
nlohmann::json to_json(const ExperimentSpec& spec);
// From to_json(). Errors: kCorrupt.
Result<ExperimentSpec> experiment_from_json(const nlohmann::json& json);

// The plan of a workload with a name. Errors: those of draw_plan, kNotFound.
Result<Plan> plan_of(const WorkloadSpec& workload, const Catalogue& catalogue, uint64_t seed, int cpus);
// The same as a scenario, for the lab. Errors: kNotFound, kUnsupported ("nothing" is no scenario).
Result<Scenario> scenario_of(const WorkloadSpec& workload, const Catalogue& catalogue);

}  // namespace pointsman

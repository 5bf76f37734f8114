// Scenario: families of workloads in phases over time; drawn into a Plan by a seed. TOML in scenarios/, JSON on its way into the guest.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/rng.h"
#include "workload/plan.h"

namespace pointsman {

using Parameters = std::map<std::string, double>;  // only what differs from the family's defaults

// What a family's draw function gets: append tasks and jobs of one phase to `plan`.
struct DrawContext {
  uint64_t seed = 0;
  uint16_t phase = 0;
  int64_t from_ns = 0;   // the phase's span: arrivals lie in [from, to)
  int64_t to_ns = 0;
  int cpus = 4;
  Parameters parameters;  // complete: defaults filled in, jitter applied
  [[nodiscard]] Rng rng(std::string_view purpose, uint64_t index = 0) const;
  [[nodiscard]] double at(const std::string& parameter) const;
};

struct ParameterSpec {
  std::string_view name, unit, meaning;
  double value = 0, low = 0, high = 0;
};

struct Family {
  std::string_view name;
  std::string_view imitates;   // what real thing it stands for
  std::string_view regime;     // batch, tail, interactive, switching, io, control
  std::vector<ParameterSpec> parameters;
  void (*draw)(const DrawContext&, Plan&) = nullptr;
};
std::span<const Family> families();
Result<const Family*> find_family(std::string_view name);  // kNotFound, with the names that exist

struct Phase {
  std::string family;
  int64_t length_ns = 0;
  Parameters parameters;
};

struct Scenario {
  std::string name;
  std::vector<Phase> phases;
  bool jitter = true;  // service times (sigma .35) and load (sigma .15) drawn by seed, once a phase
};

// Errors: kInvalidArgument with file:line, what was wrong and what is allowed (unknown family or parameter, rate out of range, no phases).
Result<Scenario> parse_scenario(std::string_view toml, const std::string& file_name);
// Errors: as above.
Result<Plan> draw_plan(const Scenario& scenario, uint64_t seed, int cpus);

}  // namespace pointsman

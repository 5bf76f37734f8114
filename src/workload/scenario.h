// Scenario: families of workloads in phases over time; drawn into a Plan by a seed. TOML in scenarios/, JSON on its way into the guest.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
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
  std::string_view family;
  int64_t from_ns = 0;   // the phase's span: arrivals lie in [from, to)
  int64_t to_ns = 0;
  int cpus = 4;
  Parameters parameters;  // complete: defaults filled in, jitter applied
  // A stream of its own for each (seed, phase, family, purpose, index): another parameter or another job shifts none of its draws.
  [[nodiscard]] Rng rng(std::string_view purpose, uint64_t index = 0) const;
  [[nodiscard]] double at(const std::string& parameter) const { return parameters.at(parameter); }
};

// How jitter acts on a parameter, given the phase's service factor s and load factor l. Together they change how long jobs are (by s) and how busy the
// machine is (by l) without one changing the other.
enum class Role : uint8_t {
  kFixed,    // not at all
  kService,  // x s
  kRate,     // x l / s: arrivals a second, jobs a wave, steps of an application
  kPeriod,   // x s / l: time between arrivals
  kLoad,     // x l: share of the machine
};

struct ParameterSpec {
  std::string_view name, unit, meaning;  // the name ends in the unit where there is one
  double value = 0, low = 0, high = 0;
  Role role = Role::kFixed;
};

// Counts and rates in a family's parameters are for four CPUs and are scaled to the machine's number.
struct Family {
  std::string_view name;
  std::string_view imitates;   // what real thing it stands for
  std::string_view regime;     // batch, tail, interactive, switching, io, control, case; random
  std::vector<ParameterSpec> parameters;
  void (*draw)(const DrawContext&, Plan&) = nullptr;
};
std::span<const Family> families();
// By name: one of those, or random:SEED, a workload whose structure SEED draws; there are as many as numbers, so families() has none of them.
// Errors: kNotFound, with the names that exist.
Result<const Family*> find_family(std::string_view name);
bool is_random_family(std::string_view name);
// SEED of random:SEED.
std::optional<uint64_t> random_structure_of(std::string_view name);

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

inline constexpr int64_t kShortestPhaseNs = 200'000'000, kLongestPhaseNs = 600'000'000'000;

// Errors: kInvalidArgument with file:line, what was wrong and what is allowed (unknown family or parameter, value out of range, no phases).
Result<Scenario> parse_scenario(std::string_view toml, const std::string& file_name);
// Errors: those of reading the file, and as above.
Result<Scenario> load_scenario(const std::string& path);
// Errors: as above, with the phase's number in place of the line.
Result<Unit> check_scenario(const Scenario& scenario);
// Errors: as above. cpus 1..64.
Result<Plan> draw_plan(const Scenario& scenario, uint64_t seed, int cpus);

nlohmann::json to_json(const Scenario& scenario);
Result<Scenario> scenario_from_json(const nlohmann::json& json);

// How the demo and the evaluation draw scenarios. The rule, fixed before anything was measured; it knows regimes and names, no results:
// - Four regimes take part: batch, tail, interactive, switching. Families of regimes io, control and case never do; those named in `without` do not either.
// - "mixed": the four regimes in random order, one phase each, then again in a new random order that does not begin with the last regime; and so on.
//   In each regime a family is drawn uniformly from those not yet used in this scenario (from all of them once all are used).
// - "alternating": two families, each drawn from a regime of its own, the two regimes drawn at random; the phases alternate between them.
// - "batch", "tail", "interactive", "switching": families of that regime alone, drawn in the same way.
// - Every phase lasts phase_ns plus 10 to 40 ms, drawn again until its end lies at least 7 ms off the multiples of 50 ms: an agent that wakes every 50 ms never
//   finds a boundary on its own grid.
// - Jitter is on, parameters are the defaults.
// Errors: kInvalidArgument (unknown kind, fewer than 1 phase, phase_ns outside the limits, a regime without families left).
Result<Scenario> draw_scenario(std::string_view kind, uint64_t seed, int phases, int64_t phase_ns, std::span<const std::string> without = {});
std::span<const std::string_view> scenario_kinds();

}  // namespace pointsman

#include "workload/scenario.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/toml.h"

namespace pointsman {

namespace {

constexpr int kMostPhases = 1000;  // Job::phase has 16 bits

// What is wrong with a phase, and at which of its keys; "" stands for the phase itself, a parameter's name for the parameter.
struct Complaint {
  std::string key, message;
};

std::optional<Complaint> check_phase(const Phase& phase) {
  auto family = find_family(phase.family);
  if (!family) return Complaint{"family", family.error().message};
  if (phase.length_ns < kShortestPhaseNs || phase.length_ns > kLongestPhaseNs) {
    return Complaint{"length_s", fmt::format("length_s = {:g} is outside {:g} .. {:g}", static_cast<double>(phase.length_ns) * 1e-9,
                                             static_cast<double>(kShortestPhaseNs) * 1e-9, static_cast<double>(kLongestPhaseNs) * 1e-9)};
  }
  for (const auto& [name, value] : phase.parameters) {
    const auto& specs = (*family)->parameters;
    const auto spec = std::find_if(specs.begin(), specs.end(), [&](const ParameterSpec& s) { return s.name == name; });
    if (spec == specs.end()) {
      std::string allowed;
      for (const auto& s : specs) allowed += (allowed.empty() ? "" : ", ") + std::string(s.name);
      return Complaint{name, fmt::format("family {} has no parameter \"{}\"; it has {}", phase.family, name, allowed)};
    }
    if (!(value >= spec->low && value <= spec->high)) {
      return Complaint{name, fmt::format("{} = {} of family {} is outside {} .. {}", name, value, phase.family, spec->low, spec->high)};
    }
  }
  return std::nullopt;
}

Unexpected bad(const std::string& where, const std::string& what) { return fail(ErrorCode::kInvalidArgument, "{}: {}", where, what); }

std::string line_of(const std::string& file, const toml::node* node) {
  return node == nullptr || node->source().begin.line == 0 ? file : fmt::format("{}:{}", file, node->source().begin.line);
}

// Every key of `table` must be one of `allowed`.
Result<Unit> check_keys(const toml::table& table, const std::vector<std::string_view>& allowed, const std::string& file, const std::string& what) {
  for (const auto& [key, node] : table) {
    if (std::find(allowed.begin(), allowed.end(), key.str()) == allowed.end()) {
      return bad(line_of(file, &node), fmt::format("unknown key \"{}\" in {}; allowed are {}", key.str(), what, fmt::join(allowed, ", ")));
    }
  }
  return Unit{};
}

Result<Phase> parse_phase(const toml::table& table, const std::string& file) {
  if (auto keys = check_keys(table, {"family", "length_s", "parameters"}, file, "[[phase]]"); !keys) return fail(keys.error());
  Phase phase;
  const toml::node* family = table.get("family");
  if (family == nullptr || !family->is_string()) return bad(line_of(file, family != nullptr ? family : &table), "a phase needs family = \"NAME\"");
  phase.family = family->as_string()->get();
  const toml::node* length = table.get("length_s");
  const auto seconds = length != nullptr ? length->value<double>() : std::nullopt;
  if (!seconds) return bad(line_of(file, length != nullptr ? length : &table), "a phase needs length_s = SECONDS");
  // Beyond any limit, so that the check below names the limits and the conversion cannot overflow.
  phase.length_ns = static_cast<int64_t>(std::clamp(*seconds, -1e6, 1e6) * 1e9 + 0.5);
  const toml::node* parameters = table.get("parameters");
  if (parameters != nullptr && !parameters->is_table()) return bad(line_of(file, parameters), "parameters must be a table of NAME = NUMBER");
  if (parameters != nullptr) {
    for (const auto& [key, node] : *parameters->as_table()) {
      const auto value = node.value<double>();
      if (!value) return bad(line_of(file, &node), fmt::format("{} must be a number", key.str()));
      phase.parameters[std::string(key.str())] = *value;
    }
  }
  if (auto complaint = check_phase(phase)) {
    const toml::node* at = table.get(complaint->key);
    if (parameters != nullptr && at == nullptr) at = parameters->as_table()->get(complaint->key);
    return bad(line_of(file, at != nullptr ? at : &table), complaint->message);
  }
  return phase;
}



}  // namespace

Result<Scenario> parse_scenario(std::string_view text, const std::string& file) {
  const toml::parse_result parsed = toml::parse(text, file);
  if (!parsed) return bad(fmt::format("{}:{}", file, parsed.error().source().begin.line), std::string(parsed.error().description()));
  const toml::table& table = parsed.table();
  if (auto keys = check_keys(table, {"name", "jitter", "phase"}, file, "a scenario"); !keys) return fail(keys.error());
  Scenario scenario;
  if (const toml::node* name = table.get("name")) {
    if (!name->is_string()) return bad(line_of(file, name), "name must be a string");
    scenario.name = name->as_string()->get();
  }
  if (const toml::node* jitter = table.get("jitter")) {
    if (!jitter->is_boolean()) return bad(line_of(file, jitter), "jitter must be true or false");
    scenario.jitter = jitter->as_boolean()->get();
  }
  const toml::node* phases = table.get("phase");
  if (phases != nullptr && !phases->is_array_of_tables()) return bad(line_of(file, phases), "phases are written as [[phase]]");
  if (phases == nullptr || phases->as_array()->empty()) return bad(file, "no phases; a scenario needs at least one [[phase]] with family and length_s");
  for (const toml::node& node : *phases->as_array()) {
    auto phase = parse_phase(*node.as_table(), file);
    if (!phase) return fail(phase.error());
    scenario.phases.push_back(*std::move(phase));
  }
  if (auto checked = check_scenario(scenario); !checked) return fail(checked.error().at(file));
  return scenario;
}

Result<Scenario> load_scenario(const std::string& path) {
  auto text = read_file(path);
  if (!text) return fail(text.error());
  auto scenario = parse_scenario(*text, path);
  if (scenario && scenario->name.empty()) {
    const auto slash = path.rfind('/');
    const std::string base = slash == std::string::npos ? path : path.substr(slash + 1);
    scenario->name = base.substr(0, base.rfind('.'));
  }
  return scenario;
}

Result<Unit> check_scenario(const Scenario& scenario) {
  if (scenario.phases.empty()) return fail(ErrorCode::kInvalidArgument, "scenario without phases");
  if (scenario.phases.size() > kMostPhases) {
    return fail(ErrorCode::kInvalidArgument, "{} phases; at most {} are allowed", scenario.phases.size(), kMostPhases);
  }
  for (size_t p = 0; p < scenario.phases.size(); ++p) {
    if (auto complaint = check_phase(scenario.phases[p])) return bad(fmt::format("phase {}", p + 1), complaint->message);
  }
  return Unit{};
}

Result<Plan> draw_plan(const Scenario& scenario, uint64_t seed, int cpus) {
  if (auto checked = check_scenario(scenario); !checked) return fail(checked.error());
  if (cpus < 1 || cpus > 64) return fail(ErrorCode::kInvalidArgument, "{} CPUs; allowed are 1 .. 64", cpus);
  Plan plan;
  int64_t from = 0;
  for (size_t p = 0; p < scenario.phases.size(); ++p) {
    const Phase& phase = scenario.phases[p];
    const Family& family = **find_family(phase.family);
    DrawContext context{.seed = seed, .phase = static_cast<uint16_t>(p), .family = family.name, .from_ns = from, .to_ns = from + phase.length_ns,
                        .cpus = cpus, .parameters = phase.parameters};
    const double service = scenario.jitter ? context.rng("jitter service").lognormal(1, 0.35) : 1;
    const double load = scenario.jitter ? context.rng("jitter load").lognormal(1, 0.15) : 1;
    for (const ParameterSpec& spec : family.parameters) {
      double& value = context.parameters.try_emplace(std::string(spec.name), spec.value).first->second;
      switch (spec.role) {
        case Role::kFixed: break;
        case Role::kService: value = value * service; break;
        case Role::kRate: value = value * load / service; break;
        case Role::kPeriod: value = value * service / load; break;
        case Role::kLoad: value = value * load; break;
      }
    }
    family.draw(context, plan);
    from += phase.length_ns;
  }

  // Tasks that the dispatcher starts go to the front, in order of time; what refers to tasks follows them.
  std::vector<uint32_t> order(plan.tasks.size());
  for (uint32_t t = 0; t < order.size(); ++t) order[t] = t;
  std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    const int64_t x = plan.tasks[a].start_ns, y = plan.tasks[b].start_ns;
    if ((x < 0) != (y < 0)) return y < 0;
    return x < y;
  });
  std::vector<uint32_t> moved_to(order.size());
  std::vector<Task> tasks;
  for (uint32_t t = 0; t < order.size(); ++t) {
    moved_to[order[t]] = t;
    tasks.push_back(plan.tasks[order[t]]);
  }
  plan.tasks = std::move(tasks);
  for (Op& op : plan.ops) {
    if (op.code == OpCode::kSpawn || op.code == OpCode::kThread) op.arg = moved_to[op.arg];
  }
  return plan;
}

nlohmann::json to_json(const Scenario& scenario) {
  nlohmann::json json = {{"name", scenario.name}, {"jitter", scenario.jitter}, {"phases", nlohmann::json::array()}};
  for (const Phase& phase : scenario.phases) {
    json["phases"].push_back({{"family", phase.family}, {"length_ns", phase.length_ns}, {"parameters", phase.parameters}});
  }
  return json;
}

Result<Scenario> scenario_from_json(const nlohmann::json& json) {
  if (!json.is_object() || !json.contains("phases") || !json["phases"].is_array()) return bad("scenario", "an object with a list \"phases\" is needed");
  Scenario scenario;
  if (json.contains("name")) {
    if (!json["name"].is_string()) return bad("scenario", "\"name\" must be a string");
    scenario.name = json["name"].get<std::string>();
  }
  if (json.contains("jitter")) {
    if (!json["jitter"].is_boolean()) return bad("scenario", "\"jitter\" must be true or false");
    scenario.jitter = json["jitter"].get<bool>();
  }
  for (const auto& item : json["phases"]) {
    const std::string where = fmt::format("phase {}", scenario.phases.size() + 1);
    if (!item.is_object() || !item.contains("family") || !item["family"].is_string()) return bad(where, "\"family\" must be a string");
    if (!item.contains("length_ns") || !item["length_ns"].is_number_integer()) return bad(where, "\"length_ns\" must be a whole number");
    Phase phase{.family = item["family"].get<std::string>(), .length_ns = item["length_ns"].get<int64_t>(), .parameters = {}};
    if (item.contains("parameters")) {
      if (!item["parameters"].is_object()) return bad(where, "\"parameters\" must be an object");
      for (const auto& [name, value] : item["parameters"].items()) {
        if (!value.is_number()) return bad(where, fmt::format("{} must be a number", name));
        phase.parameters[name] = value.get<double>();
      }
    }
    scenario.phases.push_back(std::move(phase));
  }
  if (auto checked = check_scenario(scenario); !checked) return fail(checked.error());
  return scenario;
}

namespace {

constexpr std::string_view kDrawnRegimes[] = {"batch", "tail", "interactive", "switching"};
constexpr std::string_view kKinds[] = {"mixed", "alternating", "batch", "tail", "interactive", "switching"};

template <typename T>
void shuffle(std::vector<T>& items, Rng& rng) {
  for (size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[rng.below(i)]);
}

// Draws families of a regime, each once before any comes again.
class Deck {
 public:
  Deck(std::string_view regime, std::span<const std::string> without) {
    for (const Family& family : families()) {
      if (family.regime == regime && std::find(without.begin(), without.end(), family.name) == without.end()) names_.emplace_back(family.name);
    }
  }
  [[nodiscard]] bool empty() const { return names_.empty(); }
  std::string draw(Rng& rng) {
    if (left_.empty()) left_ = names_;
    const size_t i = rng.below(left_.size());
    std::string name = left_[i];
    left_.erase(left_.begin() + static_cast<std::ptrdiff_t>(i));
    return name;
  }

 private:
  std::vector<std::string> names_, left_;
};

}  // namespace

std::span<const std::string_view> scenario_kinds() { return kKinds; }

Result<Scenario> draw_scenario(std::string_view kind, uint64_t seed, int phases, int64_t phase_ns, std::span<const std::string> without) {
  if (std::find(std::begin(kKinds), std::end(kKinds), kind) == std::end(kKinds)) {
    return fail(ErrorCode::kInvalidArgument, "unknown kind of scenario \"{}\"; there are {}", kind, fmt::join(kKinds, ", "));
  }
  if (phases < 1 || phases > kMostPhases) return fail(ErrorCode::kInvalidArgument, "{} phases; allowed are 1 .. {}", phases, kMostPhases);
  if (phase_ns < kShortestPhaseNs || phase_ns > kLongestPhaseNs - 40 * kMillisecond) {
    return fail(ErrorCode::kInvalidArgument, "phases of {:g} s; allowed are {:g} .. {:g}", static_cast<double>(phase_ns) * 1e-9,
                static_cast<double>(kShortestPhaseNs) * 1e-9, static_cast<double>(kLongestPhaseNs) * 1e-9);
  }
  for (const std::string& name : without) {
    if (auto family = find_family(name); !family) return fail(ErrorCode::kInvalidArgument, "{}", family.error().message);
  }
  const bool one_regime = kind != "mixed" && kind != "alternating";
  std::map<std::string_view, Deck> decks;
  std::vector<std::string_view> regimes;
  for (const std::string_view regime : kDrawnRegimes) {
    if (one_regime && regime != kind) continue;
    if (Deck deck(regime, without); !deck.empty()) {
      regimes.push_back(regime);
      decks.emplace(regime, std::move(deck));
    }
  }
  if (regimes.size() < (kind == "alternating" ? 2u : 1u)) return fail(ErrorCode::kInvalidArgument, "no families are left for a scenario of kind \"{}\"", kind);

  const uint64_t key = Hash64{}.add(seed).add(kind).value();
  Rng order(key, "regimes"), pick(key, "families"), lengths(key, "lengths");
  std::vector<std::string> chosen;
  if (kind == "alternating") {
    shuffle(regimes, order);
    const std::string pair[2] = {decks.at(regimes[0]).draw(pick), decks.at(regimes[1]).draw(pick)};
    for (int p = 0; p < phases; ++p) chosen.push_back(pair[p % 2]);
  } else {
    std::string_view last;
    while (static_cast<int>(chosen.size()) < phases) {
      do shuffle(regimes, order);
      while (regimes.size() > 1 && regimes.front() == last);
      for (size_t r = 0; r < regimes.size() && static_cast<int>(chosen.size()) < phases; ++r) chosen.push_back(decks.at(regimes[r]).draw(pick));
      last = regimes.back();
    }
  }

  Scenario scenario{.name = fmt::format("{}-{}", kind, seed), .phases = {}, .jitter = true};
  int64_t end = 0;
  for (const std::string& family : chosen) {
    constexpr int64_t kGrid = 50 * kMillisecond, kOff = 7 * kMillisecond;
    int64_t length = 0, beside = 0;
    do {
      length = phase_ns + lengths.between(10 * kMillisecond, 40 * kMillisecond);
      beside = (end + length) % kGrid;
    } while (beside < kOff || beside > kGrid - kOff);
    end += length;
    scenario.phases.push_back({family, length, {}});
  }
  return scenario;
}

}  // namespace pointsman

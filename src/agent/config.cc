#include "agent/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/file.h"
#include "base/toml.h"

namespace pointsman {

namespace {

Unexpected bad(const std::string& where, const std::string& what) { return fail(ErrorCode::kInvalidArgument, "{}: {}", where, what); }

// Reads one table: every key that is asked for, and afterwards complains of the others. The first error wins.
class Section {
 public:
  Section(const toml::table* table, std::string name, const std::string& file) : table_(table), name_(std::move(name)), file_(file) {}

  // `value` keeps its default when the key is not there.
  void number(const char* key, double low, double high, double& value) {
    const toml::node* node = find(key);
    if (node == nullptr || error_) return;
    const auto read = node->value<double>();
    if (!node->is_number() || !read) return complain(node, fmt::format("{} must be a number from {:g} to {:g}", key, low, high));
    if (!(*read >= low && *read <= high)) return complain(node, fmt::format("{} = {:g} is outside {:g} .. {:g}", key, *read, low, high));
    value = *read;
  }
  void whole(const char* key, int low, int high, int& value) {
    const toml::node* node = find(key);
    if (node == nullptr || error_) return;
    const auto read = node->value<int64_t>();
    if (!node->is_integer() || !read || *read < low || *read > high) return complain(node, fmt::format("{} must be a whole number from {} to {}", key, low, high));
    value = static_cast<int>(*read);
  }
  // In `unit_ns`, kept in ns.
  void duration(const char* key, double low, double high, int64_t unit_ns, int64_t& value_ns) {
    double value = static_cast<double>(value_ns) / static_cast<double>(unit_ns);
    number(key, low, high, value);
    value_ns = std::llround(value * static_cast<double>(unit_ns));
  }
  void flag(const char* key, bool& value) {
    const toml::node* node = find(key);
    if (node == nullptr || error_) return;
    if (!node->is_boolean()) return complain(node, fmt::format("{} must be true or false", key));
    value = node->as_boolean()->get();
  }
  void text(const char* key, std::string& value) {
    const toml::node* node = find(key);
    if (node == nullptr || error_) return;
    if (!node->is_string()) return complain(node, fmt::format("{} must be a string in quotes", key));
    value = node->as_string()->get();
  }
  const toml::node* find(const char* key) {
    asked_.emplace_back(key);
    return table_ != nullptr ? table_->get(key) : nullptr;
  }
  Section section(const char* key) {
    const toml::node* node = find(key);
    if (node != nullptr && !node->is_table() && !error_) complain(node, fmt::format("{0} must be a table, [{0}]", key));
    return Section(node != nullptr ? node->as_table() : nullptr, fmt::format("[{}]", key), file_);
  }
  void complain(const toml::node* node, const std::string& what) {
    if (error_) return;
    const auto line = node != nullptr ? node->source().begin.line : 0;
    error_ = bad(line == 0 ? file_ : fmt::format("{}:{}", file_, line), what).error;
  }
  // Call it last.
  std::optional<Error> finish() {
    if (error_ || table_ == nullptr) return error_;
    for (const auto& [key, node] : *table_) {
      if (std::find(asked_.begin(), asked_.end(), key.str()) == asked_.end()) complain(&node, fmt::format("unknown key \"{}\" in {}; allowed are {}", key.str(), name_, fmt::join(asked_, ", ")));
    }
    return error_;
  }

 private:
  const toml::table* table_;
  std::string name_;
  const std::string& file_;
  std::vector<std::string> asked_;
  std::optional<Error> error_;
};

void read_arms(Section& root, Config& config) {
  const toml::node* node = root.find("arms");
  if (node == nullptr) return;
  const toml::array* list = node->as_array();
  if (list == nullptr || list->empty()) return root.complain(node, "arms must be a list of names such as [\"hyb\", \"las\", \"eevdf\"]");
  config.restricts_arms = true;
  config.agent.choosable.fill(false);
  for (const toml::node& item : *list) {
    if (!item.is_string()) return root.complain(&item, "arms must be a list of names such as [\"hyb\", \"las\", \"eevdf\"]");
    auto arm = find_arm(item.as_string()->get());
    if (!arm) return root.complain(&item, arm.error().message);
    if (*arm >= kChoosable) return root.complain(&item, fmt::format("{} is a baseline for comparisons, which nothing may choose", item.as_string()->get()));
    config.agent.choosable[static_cast<size_t>(*arm)] = true;
  }
  const std::string_view fallback = arms()[kDefaultArm].name;
  if (!config.agent.choosable[kDefaultArm]) root.complain(node, fmt::format("arms must have {}, which is left only for a better one", fallback));
}

void read_objective(Section& section, Objective& objective) {
  std::string kind(name_of(objective.kind));
  section.text("cost", kind);
  if (auto found = find_cost(kind)) {
    objective.kind = *found;
  } else {
    section.complain(section.find("cost"), found.error().message);
  }
  section.number("tat_weight", 0, 1000, objective.tat_weight);
  section.number("rt_weight", 0, 1000, objective.rt_weight);
  section.number("cv_weight", 0, 1000, objective.cv_weight);
  double rt_floor_ms = objective.rt_floor_s * 1e3, p99_floor_ms = objective.p99_floor_s * 1e3;
  section.number("rt_floor_ms", 0, 10'000, rt_floor_ms);
  section.number("cv_floor", 0, 10, objective.cv_floor);
  section.number("p99_floor_ms", 0, 10'000, p99_floor_ms);
  objective.rt_floor_s = rt_floor_ms / 1e3;
  objective.p99_floor_s = p99_floor_ms / 1e3;
  if (objective.tat_weight + objective.rt_weight + objective.cv_weight <= 0) section.complain(section.find("tat_weight"), "the three weights are all 0");
}

void read_guard(Section& section, GuardOptions& guard) {
  section.flag("enabled", guard.enabled);
  section.number("p99_multiple", 1, 1000, guard.multiple);
  section.duration("reference_ms", 0.1, 10'000, kMillisecond, guard.reference_ns);
  section.duration("least_reference_ms", 0.1, 10'000, kMillisecond, guard.least_reference_ns);
  section.whole("strikes", 1, 100, guard.strikes);
  section.duration("quarantine_s", 1, 600, kSecond, guard.quarantine_ns);
}

void read_ticks(Section& section, AgentOptions& agent) {
  section.duration("tick_ms", 5, 1000, kMillisecond, agent.tick_ns);
  section.duration("window_ms", 50, 10'000, kMillisecond, agent.window_ns);
  section.duration("cost_window_ms", 100, 60'000, kMillisecond, agent.cost_window_ns);
  section.duration("least_dwell_ms", 0, 600'000, kMillisecond, agent.least_dwell_ns);
  section.duration("expected_dwell_ms", 1, 600'000, kMillisecond, agent.expected_dwell_ns);
  section.number("hysteresis", 0, 10, agent.hysteresis);
  if (agent.window_ns % agent.tick_ns != 0) section.complain(section.find("window_ms"), "window_ms must be a multiple of tick_ms");
  if (agent.cost_window_ns % agent.window_ns != 0) section.complain(section.find("cost_window_ms"), "cost_window_ms must be a multiple of window_ms");
}

}  // namespace

Result<Config> parse_config(std::string_view text, const std::string& file) {
  const toml::parse_result parsed = toml::parse(text, file);
  if (!parsed) return bad(fmt::format("{}:{}", file, parsed.error().source().begin.line), std::string(parsed.error().description()));
  Config config;
  Section root(&parsed.table(), "the configuration", file);
  root.text("controller", config.controller);
  root.text("model", config.model);
  root.text("ledger", config.ledger);
  read_arms(root, config);
  Section objective = root.section("objective"), guard = root.section("guard"), ticks = root.section("ticks");
  read_objective(objective, config.objective);
  read_guard(guard, config.agent.guard);
  read_ticks(ticks, config.agent);
  for (Section* section : {&root, &objective, &guard, &ticks}) {
    if (auto error = section->finish()) return fail(*error);
  }
  return config;
}

Result<Config> load_config(const std::string& path) {
  auto text = read_file(path);
  if (!text) return fail(text.error().at("configuration"));
  return parse_config(*text, path);
}

std::string spell(const Objective& o) {
  if (o.kind != CostKind::kSeedL && o.kind != CostKind::kLogRatioL) return std::string(name_of(o.kind));
  std::string out = fmt::format("{} tat_weight={:g} rt_weight={:g} cv_weight={:g}", name_of(o.kind), o.tat_weight, o.rt_weight, o.cv_weight);
  if (o.kind == CostKind::kLogRatioL) out += fmt::format(" rt_floor_ms={:g} cv_floor={:g}", o.rt_floor_s * 1e3, o.cv_floor);
  return out;
}

}  // namespace pointsman

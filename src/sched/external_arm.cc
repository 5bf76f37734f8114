#include "sched/external_arm.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <deque>

#include "base/file.h"
#include "base/toml.h"

namespace pointsman {
namespace {

constexpr std::string_view kShipped = R"(
[scx_simple]
command = ["scx_simple"]
ops = "simple"
summary = "the kernel's own example: weighted virtual time, one global queue"

[scx_simple_fifo]
command = ["scx_simple", "-f"]
ops = "simple"
summary = "the same program, first in first out"

[scx_simple_warm]
object = "scx_simple.bpf.o"
ops = "simple"
summary = "the same scheduler as scx_simple, loaded and attached by us"

[scx_simple_fifo_warm]
object = "scx_simple.bpf.o"
ops = "simple"
set = { fifo_sched = 1 }
summary = "the same scheduler as scx_simple_fifo, loaded and attached by us"

[scx_bpfland]
command = ["scx_bpfland"]
ops = "bpfland"
summary = "virtual deadlines that favour what blocks often; for interactive work"

[scx_flash]
command = ["scx_flash"]
ops = "flash"
summary = "earliest deadline first by slice and weight, for predictable latency"

[scx_rustland]
command = ["scx_rustland"]
ops = "rustland"
stop_limit_s = 10
summary = "decisions in user space, favours what blocks often"

[scx_lavd]
command = ["scx_lavd"]
ops = "lavd"
start_limit_s = 120
summary = "latency criticality by who wakes whom; needs debugfs, loads for long"
)";

struct SignalName {
  std::string_view name;
  int number;
};
constexpr SignalName kSignals[] = {{"INT", SIGINT}, {"TERM", SIGTERM}, {"KILL", SIGKILL}};

std::deque<ExternalArm>& registry() {  // in the order of the catalogue; pointers into it stay valid
  static std::deque<ExternalArm> all;
  return all;
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 32 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
  });
}

// One table. The first complaint wins.
class Reader {
 public:
  Reader(const toml::table& table, std::string name, const std::string& where) : table_(table), name_(std::move(name)), where_(where) {}

  void text(const char* key, std::string& value) {
    const toml::node* node = find(key);
    if (node == nullptr) return;
    if (const auto* string = node->as_string(); string != nullptr && !string->get().empty() && string->get().find('\0') == std::string::npos)
      value = string->get();
    else
      complain(node, fmt::format("{} must be a string in quotes", key));
  }
  void words(const char* key, std::vector<std::string>& value) {
    const toml::node* node = find(key);
    if (node == nullptr) return;
    const toml::array* list = node->as_array();
    const char* wrong = R"({} must be a list of words such as ["scx_simple", "-f"])";
    if (list == nullptr || list->empty()) return complain(node, fmt::format(fmt::runtime(wrong), key));
    for (const toml::node& item : *list) {
      if (!item.is_string() || item.as_string()->get().find('\0') != std::string::npos) return complain(&item, fmt::format(fmt::runtime(wrong), key));
      value.push_back(item.as_string()->get());
    }
    if (value.front().empty()) complain(node, fmt::format("{} must begin with a program", key));
  }
  void seconds(const char* key, double low, double high, int64_t& value_ns) {
    const toml::node* node = find(key);
    if (node == nullptr) return;
    const auto read = node->value<double>();
    if (!node->is_number() || !read || !(*read >= low && *read <= high)) return complain(node, fmt::format("{} must be a number from {:g} to {:g}", key, low, high));
    value_ns = std::llround(*read * 1e9);
  }
  void signal(const char* key, int& value) {
    const toml::node* node = find(key);
    if (node == nullptr) return;
    const std::string word = node->is_string() ? node->as_string()->get() : "";
    for (const SignalName& s : kSignals) {
      if (word == s.name) {
        value = s.number;
        return;
      }
    }
    complain(node, fmt::format(R"({} must be "INT", "TERM" or "KILL")", key));
  }
  void numbers(const char* key, std::map<std::string, int64_t>& value) {
    const toml::node* node = find(key);
    if (node == nullptr) return;
    const toml::table* table = node->as_table();
    if (table == nullptr) return complain(node, fmt::format("{} must be a table such as {{ fifo_sched = 1 }}", key));
    for (const auto& [variable, number] : *table) {
      if (!number.is_integer()) return complain(&number, fmt::format("{}: {} must be a whole number", key, variable.str()));
      value[std::string(variable.str())] = number.as_integer()->get();
    }
  }
  [[nodiscard]] bool has(const char* key) const { return table_.contains(key); }
  void complain(const toml::node* node, const std::string& what) {
    if (error_) return;
    error_ = Error{ErrorCode::kInvalidArgument, fmt::format("{}:{}: [{}]: {}", where_, node != nullptr ? node->source().begin.line : table_.source().begin.line, name_, what)};
  }
  std::optional<Error> finish() {
    for (const auto& [key, node] : table_) {
      if (std::find(asked_.begin(), asked_.end(), key.str()) == asked_.end())
        complain(&node, fmt::format("unknown key \"{}\"; allowed are {}", key.str(), fmt::join(asked_, ", ")));
    }
    return error_;
  }

 private:
  const toml::node* find(const char* key) {
    asked_.emplace_back(key);
    return table_.get(key);
  }
  const toml::table& table_;
  std::string name_;
  const std::string& where_;
  std::vector<std::string> asked_;
  std::optional<Error> error_;
};

Result<ExternalArm> read_arm(const std::string& name, const toml::table& table, const std::string& where) {
  ExternalArm arm;
  arm.name = name;
  Reader reader(table, name, where);
  if (!is_name(name)) reader.complain(nullptr, "a name has 1 to 32 of a-z, 0-9, '_', '-' and '.'");
  reader.words("command", arm.command);
  reader.text("object", arm.object);
  reader.text("ops", arm.ops);
  reader.text("summary", arm.summary);
  reader.signal("stop", arm.stop_signal);
  reader.seconds("start_limit_s", .1, 600, arm.start_limit_ns);
  reader.seconds("stop_limit_s", .1, 600, arm.stop_limit_ns);
  reader.numbers("set", arm.set);
  if (reader.has("command") == reader.has("object")) reader.complain(nullptr, "give it either a command (a program that attaches it) or an object (we attach it)");
  if (!reader.has("ops")) reader.complain(nullptr, "ops is missing: how its name shows in /sys/kernel/sched_ext/root/ops");
  if (!arm.set.empty() && !reader.has("object")) reader.complain(nullptr, "only an object has variables to set; give a command its options");
  if (auto error = reader.finish()) return fail(std::move(*error));
  if (arm.summary.empty()) arm.summary = fmt::format("{}, {}", arm.file(), arm.warm() ? "attached by us" : "a program of its own");
  return arm;
}

}  // namespace

Result<std::vector<ExternalArm>> parse_external_arms(std::string_view toml, const std::string& where) {
  auto parsed = toml::parse(toml);
  if (!parsed) return fail(ErrorCode::kInvalidArgument, "{}:{}: {}", where, parsed.error().source().begin.line, parsed.error().description());
  struct Found {
    ExternalArm arm;
    uint32_t line;
  };
  std::vector<Found> found;
  for (const auto& [key, node] : parsed.table()) {
    const toml::table* table = node.as_table();
    if (table == nullptr) return fail(ErrorCode::kInvalidArgument, "{}:{}: {} must be a table, [{}]", where, node.source().begin.line, key.str(), key.str());
    auto arm = read_arm(std::string(key.str()), *table, where);
    if (!arm) return fail(arm.error());
    found.push_back({std::move(*arm), static_cast<uint32_t>(node.source().begin.line)});
  }
  // A table's keys come sorted by name; arms are listed as they were written.
  std::sort(found.begin(), found.end(), [](const Found& a, const Found& b) { return a.line < b.line; });
  std::vector<ExternalArm> out;
  for (Found& f : found) out.push_back(std::move(f.arm));
  return out;
}

Result<std::vector<ExternalArm>> load_external_arms(const std::string& path) {
  auto text = read_file(path);
  if (!text) return fail(text.error());
  return parse_external_arms(*text, path);
}

std::span<const ExternalArm> shipped_external_arms() {
  static const std::vector<ExternalArm> all = [] {
    auto parsed = parse_external_arms(kShipped, "shipped arms");
    return parsed ? std::move(*parsed) : std::vector<ExternalArm>{};  // a test holds that it parses
  }();
  return all;
}

nlohmann::json to_json(const ExternalArm& arm) {
  return {{"name", arm.name}, {"command", arm.command}, {"object", arm.object}, {"ops", arm.ops}, {"set", arm.set}, {"stop", arm.stop_signal}, {"start_ns", arm.start_limit_ns}, {"stop_ns", arm.stop_limit_ns}};
}

Result<ExternalArm> external_arm_from(const nlohmann::json& value) {
  try {
    ExternalArm arm;
    arm.name = value.at("name");
    arm.command = value.at("command").get<std::vector<std::string>>();
    arm.object = value.at("object");
    arm.ops = value.at("ops");
    arm.set = value.at("set").get<std::map<std::string, int64_t>>();
    arm.stop_signal = value.at("stop");
    arm.start_limit_ns = value.at("start_ns");
    arm.stop_limit_ns = value.at("stop_ns");
    if (arm.command.empty() == arm.object.empty()) return fail(ErrorCode::kInvalidArgument, "external arm {}: neither a command nor an object", arm.name);
    return arm;
  } catch (const nlohmann::json::exception& error) {
    return fail(ErrorCode::kInvalidArgument, "external arm: {}", error.what());
  }
}

bool shows_as(const ExternalArm& arm, std::string_view ops) {
  if (!ops.starts_with(arm.ops)) return false;
  const std::string_view rest = ops.substr(arm.ops.size());
  return rest.empty() || (rest.size() >= 2 && rest[0] == '_' && rest[1] >= '0' && rest[1] <= '9');
}

Result<Unit> register_external_arms(std::span<const ExternalArm> added) {
  for (size_t i = 0; i < added.size(); i++) {
    const bool twice = std::any_of(added.begin(), added.begin() + static_cast<std::ptrdiff_t>(i), [&](const ExternalArm& a) { return a.name == added[i].name; });
    if (twice || find_arm(added[i].name)) return fail(ErrorCode::kInvalidArgument, "there is an arm '{}' already", added[i].name);
  }
  for (const ExternalArm& arm : added) {
    auto id = add_external_arm(arm.name, arm.summary);
    if (!id) return fail(id.error());
    registry().push_back(arm);
  }
  return Unit{};
}

const ExternalArm* external_arm_of_policy(int policy) {
  const int index = policy - kFirstExternal;
  return index >= 0 && index < static_cast<int>(registry().size()) ? &registry()[static_cast<size_t>(index)] : nullptr;
}

const ExternalArm* external_arm(ArmId id) {
  return id >= 0 && id < static_cast<ArmId>(arms().size()) ? external_arm_of_policy(arms()[static_cast<size_t>(id)].policy) : nullptr;
}

Result<std::string> find_file(const ExternalArm& arm, std::span<const std::string> folders) {
  const std::string& file = arm.file();
  const int wanted = arm.warm() ? R_OK : X_OK;
  std::vector<std::string> candidates;
  if (file.find('/') != std::string::npos) {
    candidates.push_back(file);
  } else {
    for (const std::string& folder : folders) candidates.push_back(folder + "/" + file);
    const char* path = arm.warm() ? nullptr : std::getenv("PATH");
    for (std::string_view rest = path != nullptr ? path : ""; !rest.empty();) {
      const size_t colon = std::min(rest.find(':'), rest.size());
      if (colon > 0) candidates.push_back(std::string(rest.substr(0, colon)) + "/" + file);
      rest.remove_prefix(std::min(colon + 1, rest.size()));
    }
  }
  for (const std::string& candidate : candidates) {
    if (::access(candidate.c_str(), wanted) == 0) return candidate;
  }
  return fail(ErrorCode::kNotFound, "{}: no {} {} here (scripts/setup --schedulers builds the ones we know)", arm.name, arm.warm() ? "BPF object" : "program", file);
}

}  // namespace pointsman

#include "workload/stress_set.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "base/rng.h"

namespace pointsman {

namespace {

struct Known {
  std::string_view name;
  double ops_a_second;  // of one instance alone on a CPU: the order of magnitude. The work is fixed whatever it is; this only keeps kinds comparable
};
// A choice of what stress-ng loads a machine with: the processor, pipes and context switches, processes, memory, files in memory, timers, locks.
constexpr std::array<Known, 12> kKnown = {{
    {"cpu", 20}, {"fork", 200}, {"futex", 5000}, {"hdd", 100}, {"matrix", 100}, {"mq", 5000}, {"pipe", 10000}, {"poll", 2000}, {"qsort", 2}, {"sem-sysv", 10000}, {"switch", 10000}, {"vm", 1000},
}};

const Known* find_known(std::string_view name) {
  const auto found = std::find_if(kKnown.begin(), kKnown.end(), [&](const Known& k) { return k.name == name; });
  return found == kKnown.end() ? nullptr : &*found;
}

Result<int64_t> whole(std::string_view text, std::string_view whose, int64_t low, int64_t high) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < low || value > high)
    return fail(ErrorCode::kInvalidArgument, "{}: '{}' is not a whole number from {} to {}", whose, text, low, high);
  return value;
}

int64_t ops_for(const Known& known, int instances, double cpu_seconds) { return std::max<int64_t>(instances, std::llround(known.ops_a_second * cpu_seconds * instances)); }

Result<Stressor> parse_stressor(std::string_view text, const StressSetOptions& options) {
  std::vector<std::string_view> parts;
  for (std::string_view rest = text;;) {
    const size_t colon = rest.find(':');
    parts.push_back(rest.substr(0, colon));
    if (colon == std::string_view::npos) break;
    rest.remove_prefix(colon + 1);
  }
  Stressor stressor;
  stressor.name = parts[0];
  const bool is_name = !stressor.name.empty() && std::all_of(stressor.name.begin(), stressor.name.end(), [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
  if (!is_name || stressor.name.front() == '-' || parts.size() > 3) return fail(ErrorCode::kInvalidArgument, "'{}' is not NAME, NAME:INSTANCES or NAME:INSTANCES:OPS", text);
  if (parts.size() > 1) {
    auto instances = whole(parts[1], text, 1, 1024);
    if (!instances) return fail(instances.error());
    stressor.instances = static_cast<int>(*instances);
  }
  // stress-ng 0.15 counts its operations and goes on.
  if (stressor.name == "sem" && options.timeout_s == 0) return fail(ErrorCode::kInvalidArgument, "sem: stress-ng does not end it by its operations, so its work cannot be fixed; sem-sysv can");
  if (parts.size() > 2) {
    auto ops = whole(parts[2], text, 1, int64_t{1} << 40);
    if (!ops) return fail(ops.error());
    stressor.ops = *ops;
  } else if (options.timeout_s == 0) {
    const Known* known = find_known(stressor.name);
    if (known == nullptr) return fail(ErrorCode::kInvalidArgument, "{}: how much work one of its operations is, is not known: give it as NAME:INSTANCES:OPS", stressor.name);
    stressor.ops = ops_for(*known, stressor.instances, options.cpu_seconds);
  }
  return stressor;
}

}  // namespace

Result<std::vector<Stressor>> draw_stress_set(const StressSetOptions& options) {
  if (options.timeout_s < 0 || options.timeout_s > 3600) return fail(ErrorCode::kInvalidArgument, "a timeout is 1 to 3600 s, or 0 for fixed work");
  if (!(options.cpu_seconds >= 0.01 && options.cpu_seconds <= 1000)) return fail(ErrorCode::kInvalidArgument, "the work of an instance is 0.01 to 1000 CPU seconds");
  std::vector<Stressor> set;
  if (!options.named.empty()) {
    for (const std::string& text : options.named) {
      auto stressor = parse_stressor(text, options);
      if (!stressor) return fail(stressor.error());
      set.push_back(std::move(*stressor));
    }
    return set;
  }
  if (options.kinds < 1 || options.kinds > static_cast<int>(kKnown.size())) return fail(ErrorCode::kInvalidArgument, "there are 1 to {} kinds to draw", kKnown.size());
  if (options.most_instances < 1 || options.most_instances > 1024) return fail(ErrorCode::kInvalidArgument, "there are 1 to 1024 instances of a kind");
  std::vector<size_t> order(kKnown.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  Rng pick(options.seed, "stressors");
  for (size_t i = 0; i < static_cast<size_t>(options.kinds); ++i) std::swap(order[i], order[i + pick.below(order.size() - i)]);
  order.resize(static_cast<size_t>(options.kinds));
  std::sort(order.begin(), order.end());
  for (const size_t k : order) {
    Rng draw(options.seed, "stressor", k);
    Stressor stressor;
    stressor.name = kKnown[k].name;
    stressor.instances = static_cast<int>(draw.between(1, options.most_instances));
    if (options.timeout_s == 0) stressor.ops = ops_for(kKnown[k], stressor.instances, options.cpu_seconds * draw.lognormal(1, .5));
    set.push_back(std::move(stressor));
  }
  return set;
}

std::vector<std::string> command_of(const std::vector<Stressor>& set, const StressSetOptions& options) {
  std::vector<std::string> words{"stress-ng", "--no-rand-seed"};
  for (const Stressor& s : set) {
    words.insert(words.end(), {"--" + s.name, std::to_string(s.instances)});
    if (s.ops > 0) words.insert(words.end(), {"--" + s.name + "-ops", std::to_string(s.ops)});
  }
  if (options.timeout_s > 0)
    words.insert(words.end(), {"--timeout", std::to_string(options.timeout_s)});
  else
    words.insert(words.end(), {"--timeout", "0"});  // its own default is a day
  return words;
}

std::string censored(std::string_view command) {
  std::vector<std::string_view> words;
  for (std::string_view rest = command; !rest.empty();) {
    const size_t begin = std::min(rest.find_first_not_of(" \t\n'\""), rest.size());
    rest.remove_prefix(begin);
    const size_t end = std::min(rest.find_first_of(" \t\n'\""), rest.size());
    if (end > 0) words.push_back(rest.substr(0, end));
    rest.remove_prefix(end);
  }
  const auto program = std::find_if(words.begin(), words.end(), [](std::string_view w) { return w == "stress-ng" || w.ends_with("/stress-ng"); });
  for (auto word = program; word != words.end(); ++word) {
    std::string_view timeout;
    if ((*word == "-t" || *word == "--timeout") && word + 1 != words.end())
      timeout = *(word + 1);
    else if (word->starts_with("--timeout="))
      timeout = word->substr(10);
    else if (word->starts_with("-t") && word->size() > 2 && (*word)[2] >= '0' && (*word)[2] <= '9')
      timeout = word->substr(2);
    else
      continue;
    if (timeout.find_first_not_of("0smhdy") == std::string_view::npos) return "";
    return fmt::format("stress-ng ends by its timeout of {}: turnaround is censored, it would be the same under any scheduler; give its stressors fixed work (--NAME-ops)", timeout);
  }
  return "";
}

}  // namespace pointsman

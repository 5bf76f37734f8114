#include "metrics/print.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

namespace pointsman {
namespace {

std::string number(const std::optional<double>& value) {
  if (!value) return "-";
  const double size = std::fabs(*value);
  if (size != 0 && size < 0.001) return fmt::format("{:.2e}", *value);
  if (size >= 100'000 || *value == std::floor(*value)) return fmt::format("{:.0f}", *value);
  return fmt::format("{:.{}f}", *value, size < 10 ? 3 : size < 1000 ? 2 : 1);
}

double span_s(std::span<const Snapshot> snapshots) {
  return snapshots.size() < 2 ? 0 : static_cast<double>(snapshots.back().taken_ns - snapshots.front().taken_ns) / 1e9;
}

nlohmann::json optional(const std::optional<double>& value) { return value ? nlohmann::json(*value) : nlohmann::json(nullptr); }

struct OneCpuShares {
  int id = 0;
  CpuShares shares;
};
std::vector<OneCpuShares> shares_of_cpus(std::span<const Snapshot> snapshots) {
  std::vector<OneCpuShares> out;
  if (snapshots.size() < 2 || !snapshots.front().of(Topic::kCpu).ok || !snapshots.back().of(Topic::kCpu).ok) return out;
  const auto& before = snapshots.front().cpu.each;
  for (const OneCpu& cpu : snapshots.back().cpu.each) {
    const auto at = std::find_if(before.begin(), before.end(), [&](const OneCpu& c) { return c.id == cpu.id; });
    if (at != before.end()) out.push_back({cpu.id, shares_between(at->ticks, cpu.ticks)});
  }
  return out;
}

struct ShareName {
  const char* name;
  double CpuShares::*value;
};
constexpr ShareName kShareNames[] = {{"busy", &CpuShares::busy}, {"iowait", &CpuShares::iowait}, {"irq", &CpuShares::irq}, {"softirq", &CpuShares::softirq}, {"steal", &CpuShares::steal}};

struct Statistic {
  const char* name;
  std::optional<double> MetricValue::*value;
};
constexpr Statistic kStatistics[] = {{"avg", &MetricValue::avg}, {"delta", &MetricValue::delta}, {"rate", &MetricValue::rate}, {"pct_change", &MetricValue::pct_change}};
bool has(const MetricSpec& spec, const Statistic& statistic) { return spec.kind != MetricKind::kCounter || statistic.value != &MetricValue::pct_change; }

// As many digits as tell the value apart, and no more.
std::string shortest(double value) { return fmt::format("{}", value); }

}  // namespace

std::string to_table(std::span<const MetricValue> metrics, std::span<const Snapshot> snapshots) {
  std::string out = fmt::format("{} snapshots over {:.3f} s\n\n{:<25}{:<11}{:>16}{:>16}{:>16}{:>10}  {}\n", snapshots.size(), span_s(snapshots), "metric", "unit", "avg",
                                "delta", "rate/s", "change %", "via");
  std::string notes;
  bool of_seed = true;
  for (const MetricValue& m : metrics) {
    if (of_seed && !m.spec->of_seed) out += '\n';
    of_seed = m.spec->of_seed;
    out += fmt::format("{:<25}{:<11}{:>16}{:>16}{:>16}{:>10}  {}", m.spec->name, m.spec->unit, number(m.avg), number(m.delta), number(m.rate), number(m.pct_change), m.via);
    while (out.back() == ' ') out.pop_back();
    out += '\n';
    if (m.backwards > 0) notes += fmt::format("{}: went backwards in {} of {} intervals, counted as no growth\n", m.spec->name, m.backwards, snapshots.size() - 1);
  }
  // One line a reason, not one a metric.
  std::vector<std::pair<std::string, std::vector<std::string_view>>> reasons;
  const auto because = [&](const std::string& why, std::string_view name) {
    if (why.empty()) return;
    auto at = std::find_if(reasons.begin(), reasons.end(), [&](const auto& r) { return r.first == why; });
    if (at == reasons.end()) at = reasons.insert(reasons.end(), {why, {}});
    at->second.push_back(name);
  };
  for (const MetricValue& m : metrics) because(m.absent, m.spec->name);
  for (const MetricValue& m : metrics) because(m.caveat, m.spec->name);
  for (const auto& [why, names] : reasons) notes += fmt::format("{}: {}\n", fmt::join(names, ", "), why);
  if (!notes.empty()) out += "\n" + notes;
  if (snapshots.empty()) return out;
  std::string troubles;
  for (int i = 0; i < kTopics; ++i) {
    const auto topic = static_cast<Topic>(i);
    if (const TopicStatus& status = snapshots.back().of(topic); !status.ok && !status.skipped) troubles += fmt::format("not collected: {}: {}\n", name_of(topic), status.trouble);
  }
  if (!troubles.empty()) out += "\n" + troubles;
  return out;
}

nlohmann::json to_json(std::span<const MetricValue> metrics, std::span<const Snapshot> snapshots) {
  nlohmann::json out;
  out["snapshots"] = snapshots.size();
  out["span_s"] = span_s(snapshots);
  for (const MetricValue& m : metrics) {
    nlohmann::json& one = out["metrics"][std::string(m.spec->name)];
    one = {{"unit", m.spec->unit}, {"kind", name_of(m.spec->kind)}, {"canonical", m.spec->canonical}};
    for (const Statistic& statistic : kStatistics) one[statistic.name] = optional(m.*statistic.value);
    if (!m.via.empty()) one["via"] = m.via;
    if (!m.caveat.empty()) one["caveat"] = m.caveat;
    if (!m.absent.empty()) one["absent"] = m.absent;
    if (m.backwards > 0) one["backwards"] = m.backwards;
  }
  out["collectors"] = nlohmann::json::array();
  if (snapshots.empty()) return out;
  for (int i = 0; i < kTopics; ++i) {
    const auto topic = static_cast<Topic>(i);
    const TopicStatus& status = snapshots.back().of(topic);
    if (status.skipped) continue;
    nlohmann::json one = {{"name", name_of(topic)}, {"ok", status.ok}, {"duration_us", static_cast<double>(status.duration_ns) / 1000}};
    if (!status.ok) one["trouble"] = status.trouble;
    out["collectors"].push_back(std::move(one));
  }
  return out;
}

std::string cpu_table(std::span<const Snapshot> snapshots) {
  std::string out = fmt::format("{:<6}", "CPU");
  for (const ShareName& share : kShareNames) out += fmt::format("{:>11}", fmt::format("{} %", share.name));
  out += '\n';
  for (const OneCpuShares& cpu : shares_of_cpus(snapshots)) {
    out += fmt::format("{:<6}", cpu.id);
    for (const ShareName& share : kShareNames) out += fmt::format("{:>11.2f}", 100 * cpu.shares.*share.value);
    out += '\n';
  }
  return out;
}

nlohmann::json cpus_json(std::span<const Snapshot> snapshots) {
  nlohmann::json out = nlohmann::json::array();
  for (const OneCpuShares& cpu : shares_of_cpus(snapshots)) {
    nlohmann::json& one = out.emplace_back(nlohmann::json{{"cpu", cpu.id}});
    for (const ShareName& share : kShareNames) one[fmt::format("{}_ratio", share.name)] = cpu.shares.*share.value;
  }
  return out;
}

std::string csv_header(std::span<const MetricValue> metrics, std::span<const Snapshot> snapshots, const CsvOptions& options) {
  std::string out = "time_s,span_s";
  for (const MetricValue& m : metrics) {
    for (const Statistic& statistic : kStatistics) {
      if (has(*m.spec, statistic)) out += fmt::format(",{}_{}", m.spec->name, statistic.name);
    }
  }
  if (options.per_cpu && !snapshots.empty()) {
    for (const OneCpu& cpu : snapshots.front().cpu.each) {
      for (const ShareName& share : kShareNames) out += fmt::format(",cpu{}_{}_ratio", cpu.id, share.name);
    }
  }
  return out + '\n';
}

std::string csv_row(std::span<const MetricValue> metrics, std::span<const Snapshot> snapshots, const CsvOptions& options) {
  if (snapshots.empty()) return "";
  std::string out = fmt::format("{},{}", shortest(static_cast<double>(snapshots.back().taken_ns) / 1e9), shortest(span_s(snapshots)));
  for (const MetricValue& m : metrics) {
    for (const Statistic& statistic : kStatistics) {
      if (!has(*m.spec, statistic)) continue;
      out += ',';
      if (const auto& value = m.*statistic.value) out += shortest(*value);
    }
  }
  if (options.per_cpu) {
    const auto cpus = shares_of_cpus(snapshots);
    for (const OneCpu& column : snapshots.front().cpu.each) {
      const auto at = std::find_if(cpus.begin(), cpus.end(), [&](const OneCpuShares& c) { return c.id == column.id; });
      for (const ShareName& share : kShareNames) {
        out += ',';
        if (at != cpus.end()) out += shortest(at->shares.*share.value);
      }
    }
  }
  return out + '\n';
}

std::string to_prometheus(std::span<const MetricValue> metrics, std::span<const Snapshot> snapshots, const PrometheusOptions& options) {
  std::string out;
  const auto head = [&](const std::string& name, std::string_view help, const char* type) {
    // Only these two are special in a HELP line.
    std::string escaped;
    for (const char c : help) escaped += c == '\\' ? "\\\\" : c == '\n' ? "\\n" : std::string(1, c);
    out += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, escaped, name, type);
  };
  for (const MetricValue& m : metrics) {
    const bool counter = m.spec->kind == MetricKind::kCounter;
    const auto& value = counter ? m.last : m.avg;
    if (!value) continue;
    std::string name = "pointsman_";
    for (const char c : m.spec->name) name += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    if (counter && !name.ends_with("_total")) name += "_total";
    head(name, fmt::format("{} ({}; {})", m.spec->formula, m.spec->unit, m.spec->source), counter ? "counter" : "gauge");
    out += m.via.empty() ? fmt::format("{} {}\n", name, shortest(*value)) : fmt::format("{}{{via=\"{}\"}} {}\n", name, m.via, shortest(*value));
  }
  if (!options.per_cpu) return out;
  const auto cpus = shares_of_cpus(snapshots);
  for (const ShareName& share : kShareNames) {
    if (cpus.empty()) break;
    const std::string name = fmt::format("pointsman_cpu_{}_ratio", share.name);
    head(name, fmt::format("share of the time that this CPU was {} (/proc/stat)", share.name), "gauge");
    for (const OneCpuShares& cpu : cpus) out += fmt::format("{}{{cpu=\"{}\"}} {}\n", name, cpu.id, shortest(cpu.shares.*share.value));
  }
  return out;
}

ProbeWouldAdd probe_would_add(std::span<const MetricValue> metrics) {
  ProbeWouldAdd out;
  for (const MetricValue& m : metrics) {
    if (!probe_helps(*m.spec) || m.via == "probe") continue;
    if (!m.avg && !m.delta)
      out.missing.push_back(m.spec->name);
    else if (!m.via.empty())
      out.inexact.push_back(m.spec->name);
  }
  return out;
}

}  // namespace pointsman

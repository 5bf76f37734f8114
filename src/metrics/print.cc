#include "metrics/print.h"

#include <fmt/core.h>

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

}  // namespace

std::string to_table(std::span<const MetricValue> metrics, std::span<const Snapshot> snapshots) {
  std::string out = fmt::format("{} snapshots over {:.3f} s\n\n{:<22}{:<10}{:>16}{:>16}{:>16}{:>10}  {}\n", snapshots.size(), span_s(snapshots), "metric",
                                "unit", "avg", "delta", "rate/s", "change %", "via");
  std::string notes;
  for (const MetricValue& m : metrics) {
    out += fmt::format("{:<22}{:<10}{:>16}{:>16}{:>16}{:>10}  {}", m.spec->name, m.spec->unit, number(m.avg), number(m.delta), number(m.rate),
                       number(m.pct_change), m.via);
    while (out.back() == ' ') out.pop_back();
    out += '\n';
    if (!m.absent.empty()) notes += fmt::format("{}: {}\n", m.spec->name, m.absent);
    if (m.backwards > 0) notes += fmt::format("{}: went backwards in {} of {} intervals, counted as no growth\n", m.spec->name, m.backwards, snapshots.size() - 1);
  }
  if (!notes.empty()) out += "\n" + notes;
  if (snapshots.empty()) return out;
  std::string troubles;
  for (int i = 0; i < kTopics; ++i) {
    const auto topic = static_cast<Topic>(i);
    if (const TopicStatus& status = snapshots.back().of(topic); !status.ok) troubles += fmt::format("not collected: {}: {}\n", name_of(topic), status.trouble);
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
    one = {{"unit", m.spec->unit},           {"kind", name_of(m.spec->kind)}, {"canonical", m.spec->canonical}, {"avg", optional(m.avg)},
           {"delta", optional(m.delta)},     {"rate", optional(m.rate)},      {"pct_change", optional(m.pct_change)}};
    if (!m.via.empty()) one["via"] = m.via;
    if (!m.absent.empty()) one["absent"] = m.absent;
    if (m.backwards > 0) one["backwards"] = m.backwards;
  }
  out["collectors"] = nlohmann::json::array();
  if (snapshots.empty()) return out;
  for (int i = 0; i < kTopics; ++i) {
    const auto topic = static_cast<Topic>(i);
    const TopicStatus& status = snapshots.back().of(topic);
    nlohmann::json one = {{"name", name_of(topic)}, {"ok", status.ok}, {"duration_us", static_cast<double>(status.duration_ns) / 1000}};
    if (!status.ok) one["trouble"] = status.trouble;
    out["collectors"].push_back(std::move(one));
  }
  return out;
}

}  // namespace pointsman

#include "metrics/catalogue.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "metrics/catalogue_table.h"

namespace pointsman {
namespace {

using Seen = std::vector<const Snapshot*>;

// Those in which the topic was looked at: the walk over all threads is not made at every tick.
Seen seen_of(std::span<const Snapshot> snapshots, Topic topic) {
  Seen out;
  for (const Snapshot& s : snapshots) {
    if (!s.of(topic).skipped) out.push_back(&s);
  }
  return out;
}

// Empty: it can be used. Otherwise why not.
std::string obstacle(const MetricSource& source, const Seen& seen) {
  const std::string unread = std::string(name_of(source.topic)) + " was not read";
  if (seen.empty()) return unread;
  for (const Snapshot* s : seen) {
    const TopicStatus& status = s->of(source.topic);
    if (!status.ok) return status.trouble.empty() ? unread : status.trouble;
    if (source.usable != nullptr && !source.usable(*s)) return std::string(name_of(source.topic)) + " does not count this";
  }
  return "";
}

void set_change(MetricValue& v, double first, double last, double seconds) {
  v.delta = last - first;
  if (std::fabs(*v.delta) <= 1e-12 * std::max(std::fabs(first), std::fabs(last))) v.delta = 0;  // rounding, not change
  if (seconds > 0) v.rate = *v.delta / seconds;
  if (first != 0) v.pct_change = 100 * *v.delta / first;
}

constexpr const char* kTwoNeeded = "needs two snapshots";

void evaluate_level(const MetricSource& source, const Seen& s, MetricValue& v) {
  double sum = 0;
  for (const Snapshot* one : s) sum += source.level(*one);
  v.avg = sum / static_cast<double>(s.size());
  v.last = source.level(*s.back());
  if (s.size() >= 2) set_change(v, source.level(*s.front()), *v.last, seconds_between(*s.front(), *s.back()));
}

void evaluate_count(const MetricSource& source, const Seen& s, MetricValue& v) {
  v.last = static_cast<double>(source.count(*s.back()));
  if (s.size() < 2) {
    v.absent = kTwoNeeded;
    return;
  }
  double total = 0;
  for (size_t i = 1; i < s.size(); ++i) {
    const uint64_t before = source.count(*s[i - 1]), after = source.count(*s[i]);
    if (after < before) ++v.backwards;
    total += grown(before, after);
  }
  v.delta = total;
  v.avg = total / static_cast<double>(s.size() - 1);
  if (const double seconds = seconds_between(*s.front(), *s.back()); seconds > 0) v.rate = total / seconds;
}

// One sum over the intervals rather than the two ends: what falls within one interval is no growth there, and the rest still counts. Intervals without length
// say nothing and are left out.
void evaluate_share(const MetricSource& source, const Seen& s, MetricValue& v) {
  double above = 0, below = 0, first = 0, last = 0;
  int intervals = 0, told = 0;
  for (size_t i = 1; i < s.size(); ++i) {
    const double seconds = seconds_between(*s[i - 1], *s[i]);
    if (!(seconds > 0)) continue;
    ++intervals;
    double numerator = 0, denominator = seconds;
    if (source.parts != nullptr) {
      std::tie(numerator, denominator) = source.parts(*s[i - 1], *s[i]);
    } else {
      numerator = source.between(*s[i - 1], *s[i]) * seconds;
    }
    if (!std::isfinite(numerator) || !(denominator > 0)) continue;
    last = numerator / denominator;
    if (told++ == 0) first = last;
    above += numerator;
    below += denominator;
  }
  if (told == 0) {
    v.absent = s.size() < 2 ? kTwoNeeded : intervals == 0 ? "no time passed between the snapshots" : "nothing of the kind happened";
    return;
  }
  v.avg = above / below;
  v.last = last;
  if (told >= 2) set_change(v, first, last, seconds_between(*s.front(), *s.back()));
}

}  // namespace

std::string_view name_of(MetricKind kind) {
  switch (kind) {
    case MetricKind::kGauge: return "gauge";
    case MetricKind::kCounter: return "counter";
    case MetricKind::kShare: return "share";
  }
  return "?";
}

std::span<const MetricSpec> metric_catalogue() {
  static const std::vector<MetricSpec> kSpecs = [] {
    std::vector<MetricSpec> specs;
    for (const MetricRow& row : metric_rows()) specs.push_back(row.spec);
    return specs;
  }();
  return kSpecs;
}

const MetricSpec* find_metric(std::string_view name) {
  for (const MetricSpec& spec : metric_catalogue()) {
    if (name == spec.name || name == spec.canonical || std::find(spec.aliases.begin(), spec.aliases.end(), name) != spec.aliases.end()) return &spec;
  }
  return nullptr;
}

bool probe_helps(const MetricSpec& spec) {
  const auto specs = metric_catalogue();
  for (size_t i = 0; i < specs.size(); ++i) {
    if (specs[i].name == spec.name) return metric_rows()[i].sources.front().topic == Topic::kProbe;
  }
  return false;
}

std::vector<MetricValue> evaluate_metrics(std::span<const Snapshot> snapshots) {
  std::vector<MetricValue> out;
  const auto specs = metric_catalogue();
  for (size_t i = 0; i < specs.size(); ++i) {
    MetricValue& v = out.emplace_back();
    v.spec = &specs[i];
    if (snapshots.empty()) {
      v.absent = "no snapshot";
      continue;
    }
    bool found = false;
    for (const MetricSource& source : metric_rows()[i].sources) {
      const Seen seen = seen_of(snapshots, source.topic);
      if (const std::string why = obstacle(source, seen); !why.empty()) {
        if (v.absent.find(why) == std::string::npos) v.absent += (v.absent.empty() ? "" : "; ") + why;
        continue;
      }
      found = true;
      v.absent.clear();
      v.via = source.via;
      if (source.level != nullptr)
        evaluate_level(source, seen, v);
      else if (source.count != nullptr)
        evaluate_count(source, seen, v);
      else
        evaluate_share(source, seen, v);
      if (source.caveat != nullptr && v.absent.empty()) v.caveat = source.caveat(*seen.front(), *seen.back());
      break;
    }
    if (!found) v.via = {};
  }
  return out;
}

}  // namespace pointsman

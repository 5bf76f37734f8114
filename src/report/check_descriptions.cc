#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "learn/stats.h"
#include "report/variability_checks.h"

namespace pointsman::report {
namespace {

using Weight = Flaw::Weight;

struct Described {
  const Frame* frame = nullptr;
  std::string metric;
  double n = kMissing, mean = kMissing, std = kMissing, min = kMissing, q25 = kMissing, q50 = kMissing, q75 = kMissing, max = kMissing;
};

std::vector<Described> described_by(const Frame& frame, Variability& out) {
  std::vector<Described> all;
  for (size_t column = 1; column < frame.columns().size(); ++column) {
    Described d{.frame = &frame, .metric = frame.columns()[column]};
    const std::pair<const char*, double*> wanted[] = {{"count", &d.n}, {"mean", &d.mean}, {"std", &d.std}, {"min", &d.min}, {"25%", &d.q25}, {"50%", &d.q50}, {"75%", &d.q75}, {"max", &d.max}};
    for (size_t row = 0; row < frame.rows(); ++row) {
      const auto known = std::find_if(std::begin(wanted), std::end(wanted), [&](const auto& w) { return frame.text(row, 0) == w.first; });
      if (known != std::end(wanted)) {
        *known->second = frame.number(row, column);
      } else {
        out.flaws.push_back({Weight::kNote, "stray-row", at(frame, row, d.metric), fmt::format("'{}' is no statistic; left out", frame.text(row, 0))});
      }
    }
    if (!(d.n >= 1) || !std::isfinite(d.mean)) {
      out.flaws.push_back({Weight::kWrong, "no-description", fmt::format("{} {}", frame.file(), d.metric), "count and mean are missing or no numbers"});
      continue;
    }
    all.push_back(std::move(d));
  }
  return all;
}

bool named_baseline(const Described& d) {
  const std::string file = d.frame->file();
  return file.find("eevdf") != std::string::npos || file.find("cfs") != std::string::npos || file.find("baseline") != std::string::npos;
}

void check_steps(const Described& d, Variability& out) {
  if (!(d.max > 0) || !(d.std > 0)) return;
  // Half of the values within a thousandth, while the whole spreads over more than a hundred times that.
  const double close = d.q75 - d.q50, spread = d.max - d.min;
  if (close < 1e-3 * d.q50 && spread > 100 * std::max(close, 1e-9)) {
    out.flaws.push_back({Weight::kSuspect, "step-like", fmt::format("{} {}", d.frame->file(), d.metric),
                         fmt::format("50 % and 75 % are {} and {}, while the whole reaches from {} to {}: runs fall on a few values, so they are not {} independent draws", d.q50, d.q75, d.min, d.max, d.n)});
  }
}

Comparison compare(const Described& a, const Described& b) {
  Comparison c{.metric = a.metric, .baseline = a.frame->file(), .other = b.frame->file(), .baseline_mean = a.mean, .other_mean = b.mean};
  const double whole = std::abs(a.mean);
  if (!(whole > 0)) {
    c.reservations.push_back("the baseline's mean is 0: there is no change in percent");
    return c;
  }
  c.change_percent = 100 * (b.mean - a.mean) / whole;
  const double va = a.std * a.std / a.n, vb = b.std * b.std / b.n, error = std::sqrt(va + vb);
  if (a.n > 1 && b.n > 1 && error > 0) {
    c.t = (b.mean - a.mean) / error;
    // Welch and Satterthwaite's degrees of freedom.
    const double freedom = (va + vb) * (va + vb) / (va * va / (a.n - 1) + vb * vb / (b.n - 1));
    const double reach = student_t_quantile(.975, std::max(1, static_cast<int>(freedom))) * error;
    c.change_low = 100 * (b.mean - a.mean - reach) / whole;
    c.change_high = 100 * (b.mean - a.mean + reach) / whole;
  }
  c.reservations.push_back("the order of the runs is not in the tables: unless the arms were interleaved, whatever changed between the two series is part of the difference");
  c.reservations.push_back("without blocks the runs of a series count as independent, which the interval takes for granted");
  const auto strays = [&](const Described& own, const Described& other) {
    for (const double extreme : {own.min, own.max}) {
      if (std::abs(extreme - other.mean) < 0.5 * std::abs(extreme - own.mean)) {
        c.reservations.push_back(fmt::format("{} has a run of {}, far from its own mean ({}) and near that of {} ({}): a run under the wrong arm, or one before the swap took effect", own.frame->file(), extreme,
                                             own.mean, other.frame->file(), other.mean));
      }
    }
  };
  strays(a, b);
  strays(b, a);
  return c;
}

}  // namespace

void check_descriptions(std::span<const Frame> frames, Variability& out) {
  std::vector<Described> all;
  for (const Frame& frame : frames) {
    if (kind_of(frame) != TableKind::kDescribe) continue;
    for (Described& d : described_by(frame, out)) all.push_back(std::move(d));
  }
  for (const Described& d : all) {
    check_steps(d, out);
    if (d.frame->file().find("cfs") != std::string::npos) {
      out.flaws.push_back({Weight::kNote, "cfs-is-eevdf", d.frame->file(), "since Linux 6.6 the kernel's own scheduler is EEVDF: this was CFS only on a kernel older than that"});
    }
    Variation v{.file = d.frame->file(), .metric = d.metric, .n = d.n, .mean = d.mean, .median = d.q50, .std = d.std};
    if (d.mean > 0) {
      v.cv_percent = 100 * d.std / d.mean;
      v.runs_1 = runs_needed(v.cv_percent, 1);
      v.runs_2 = runs_needed(v.cv_percent, 2);
      v.runs_5 = runs_needed(v.cv_percent, 5);
      v.runs_10 = runs_needed(v.cv_percent, 10);
    }
    out.variations.push_back(std::move(v));
  }
  std::vector<std::string> done;
  for (const Described& d : all) {
    if (std::find(done.begin(), done.end(), d.metric) != done.end()) continue;
    done.push_back(d.metric);
    std::vector<const Described*> arms;
    for (const Described& other : all) {
      if (other.metric == d.metric) arms.push_back(&other);
    }
    const auto baseline = std::find_if(arms.begin(), arms.end(), [](const Described* one) { return named_baseline(*one); });
    const Described* base = baseline == arms.end() ? arms.front() : *baseline;
    for (const Described* arm : arms) {
      if (arm != base) out.comparisons.push_back(compare(*base, *arm));
    }
  }
}

}  // namespace pointsman::report

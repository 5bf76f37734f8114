#include "workload/draw.h"

#include <algorithm>

#include "base/clock.h"
#include "base/hash.h"

namespace pointsman {

namespace {
constexpr int64_t kShortestBurstNs = 20 * kMicrosecond;

int64_t rounded(double x) { return static_cast<int64_t>(x + 0.5); }  // x >= 0
}  // namespace

Rng DrawContext::rng(std::string_view purpose, uint64_t index) const {
  return {Hash64{}.add(seed).add(uint64_t{phase}).add(family).value(), purpose, index};
}

Script& Script::burn_in_bursts(int64_t work_ns, int64_t burst_ns, int64_t nap_ns) {
  while (work_ns > 0) {
    // A rest shorter than half a burst joins the last one, so that no sliver distorts the distribution of bursts.
    const int64_t burst = work_ns < burst_ns + burst_ns / 2 ? work_ns : burst_ns;
    burn(burst);
    work_ns -= burst;
    if (work_ns > 0) nap(nap_ns);
  }
  return *this;
}

int64_t Drawing::ns(const std::string& parameter_ms) const { return std::max<int64_t>(1, rounded(at(parameter_ms) * 1e6)); }
int Drawing::count(const std::string& parameter, double share) const {
  return static_cast<int>(std::max<int64_t>(1, rounded(at(parameter) * share)));
}
int Drawing::scaled(const std::string& parameter, double share) const { return count(parameter, share * context_.cpus / 4); }

int64_t Drawing::lognormal_ns(std::string_view purpose, uint64_t index, double mean_ns, double sigma) const {
  const double x = sigma > 0 ? rng(purpose, index).lognormal(mean_ns, sigma) : mean_ns;
  return std::max(kShortestBurstNs, rounded(x));
}

std::vector<int64_t> Drawing::poisson(std::string_view purpose, double rate_hz) const {
  std::vector<int64_t> moments;
  int64_t t = from_ns();
  for (uint64_t i = 0;; ++i) {
    t += std::max<int64_t>(1, rounded(rng(purpose, i).exponential(1e9 / rate_hz)));
    if (t >= to_ns()) break;
    moments.push_back(t);
  }
  // A short phase of a rare kind would often be empty, and a phase without jobs has no cost to compare.
  if (moments.empty()) moments.push_back(from_ns() + static_cast<int64_t>(rng(purpose).below(static_cast<uint64_t>(length_ns()))));
  return moments;
}

std::vector<int64_t> Drawing::periodic(std::string_view purpose, uint64_t index, int64_t period_ns, double jitter) const {
  std::vector<int64_t> moments;
  Rng draw = rng(purpose, index);
  int64_t tick = from_ns() + rounded(draw.uniform() * static_cast<double>(period_ns));
  int64_t last = from_ns();
  for (; tick < to_ns(); tick += period_ns) {
    const int64_t t = std::max(last, tick + rounded(draw.uniform() * jitter * static_cast<double>(period_ns)));
    if (t >= to_ns()) break;
    moments.push_back(t);
    last = t;
  }
  return moments;
}

std::vector<Wave> Drawing::waves() const {
  const int64_t nominal = ns("wave_ms");
  const int64_t number = std::max<int64_t>(1, (length_ns() + nominal / 2) / nominal);
  const int64_t gap = length_ns() / number;
  std::vector<Wave> waves;
  for (int64_t w = 0; w < number; ++w) {
    const auto index = static_cast<uint64_t>(w);
    // Up to 4 % late, so that waves are no clockwork; the first begins with its phase.
    const int64_t late = w == 0 ? 0 : static_cast<int64_t>(rng("wave", index).below(static_cast<uint64_t>(gap / 25 + 1)));
    waves.push_back({index, from_ns() + w * gap + late, static_cast<double>(gap) / static_cast<double>(nominal)});
  }
  return waves;
}

uint32_t Drawing::add_job(std::string_view kind, int64_t planned_ns, int64_t service_ns) {
  const std::string name = std::string(context_.family) + "." + std::string(kind);
  auto known = std::find(plan_.kinds.begin(), plan_.kinds.end(), name);
  if (known == plan_.kinds.end()) known = plan_.kinds.insert(known, name);
  plan_.jobs.push_back({planned_ns, std::max<int64_t>(1, service_ns), static_cast<uint16_t>(known - plan_.kinds.begin()), context_.phase});
  return static_cast<uint32_t>(plan_.jobs.size() - 1);
}

uint32_t Drawing::add_task(const TaskOptions& options, const Script& script) {
  plan_.tasks.push_back({.start_ns = options.start_ns,
                         .nice = options.nice,
                         .first_op = static_cast<uint32_t>(plan_.ops.size()),
                         .ops = static_cast<uint32_t>(script.ops().size()),
                         .refill_ns = options.refill_ns,
                         .cpu_mask = options.cpu_mask});
  plan_.ops.insert(plan_.ops.end(), script.ops().begin(), script.ops().end());
  return static_cast<uint32_t>(plan_.tasks.size() - 1);
}

void Drawing::add_process(std::string_view kind, int64_t planned_ns, int64_t service_ns, int nice) {
  const uint32_t job = add_job(kind, planned_ns, service_ns);
  add_task({.start_ns = planned_ns, .nice = nice}, Script().begin(job).burn(service_ns).end(job));
}

uint32_t Drawing::add_timer_server(std::string_view kind, const std::vector<int64_t>& expiries, const std::string& burst_ms, double sigma, uint64_t index,
                                   const TaskOptions& options) {
  Script script;
  for (size_t i = 0; i < expiries.size(); ++i) {
    const int64_t burst = lognormal_ns(burst_ms, index << 32 | i, static_cast<double>(ns(burst_ms)), sigma);
    const uint32_t job = add_job(kind, expiries[i], burst);
    script.until(expiries[i]).begin(job).burn(burst).end(job);
  }
  return add_task(options, script);
}

void Drawing::add_hogs(std::string_view kind, const std::vector<int>& nices, double fill, double other_cpus) {
  // One process cannot use more than one CPU.
  const double share = std::min(0.95, std::max(0.05, cpus() * fill - other_cpus) / static_cast<double>(nices.size()));
  const int64_t work = std::max(kMillisecond, rounded(share * static_cast<double>(length_ns())));
  for (size_t i = 0; i < nices.size(); ++i) {
    // A few ms after the servers, which are the older ones, as on a real machine.
    const int64_t start = from_ns() + 5 * kMillisecond + rng("hog start", i).between(0, 10 * kMillisecond);
    add_process(kind, start, work, nices[i]);
  }
}

ParameterSpec wave_parameter(double ms) { return {"wave_ms", "ms", "time between waves of jobs", ms, 100, 10000}; }

}  // namespace pointsman

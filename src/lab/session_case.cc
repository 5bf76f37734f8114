#include "lab/session_case.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "learn/stats.h"

namespace pointsman {

namespace {

constexpr std::array<const char*, 2> kProcesses = {"stress", "helper"};

std::string class_of(const std::string& kind) {
  const size_t dot = kind.find('.');
  return dot == std::string::npos ? kind : kind.substr(dot + 1);
}

SessionClass sum_of(std::span<const SessionRun> runs, const std::string& name) {
  SessionClass sum;
  for (const SessionRun& run : runs) {
    const auto found = run.classes.find(name);
    if (found == run.classes.end()) continue;
    sum.jobs += found->second.jobs;
    sum.tat_s += found->second.tat_s;
    sum.rt_s += found->second.rt_s;
  }
  return sum;
}

double share_of(double sum, int n) { return n > 0 ? sum / n : 0; }

}  // namespace

int SessionRun::processes() const {
  int n = 0;
  for (const char* name : kProcesses) {
    if (const auto found = classes.find(name); found != classes.end()) n += found->second.jobs;
  }
  return n;
}

double SessionRun::mean_tat_s() const {
  double sum = 0;
  for (const char* name : kProcesses) {
    if (const auto found = classes.find(name); found != classes.end()) sum += found->second.tat_s;
  }
  return share_of(sum, processes());
}

Result<SessionRun> session_run_of(const EpisodeResult& result) {
  int64_t end_ns = -1;
  for (size_t i = 0; i < result.jobs.size(); ++i) {
    if (class_of(result.plan.kinds[result.plan.jobs[i].kind]) != "stress") continue;
    if (result.jobs[i].completed_ns < 0) return fail(ErrorCode::kCorrupt, "a stressor did not end");
    end_ns = std::max(end_ns, result.jobs[i].completed_ns);
  }
  if (end_ns < 0) return fail(ErrorCode::kCorrupt, "a run without stressors");
  SessionRun run;
  run.window_s = static_cast<double>(end_ns) / 1e9;
  for (size_t i = 0; i < result.jobs.size(); ++i) {
    const JobRecord& job = result.jobs[i];
    if (job.completed_ns < 0 || job.completed_ns > end_ns) continue;
    SessionClass& c = run.classes[class_of(result.plan.kinds[result.plan.jobs[i].kind])];
    ++c.jobs;
    c.tat_s += static_cast<double>(job.completed_ns - job.planned_ns) / 1e9;
    c.rt_s += static_cast<double>(job.first_run_ns - job.planned_ns) / 1e9;
  }
  return run;
}

SessionDifference difference(std::span<const SessionRun> base, std::span<const SessionRun> other) {
  double base_sum = 0, other_sum = 0, mixed_sum = 0;
  int base_jobs = 0, other_jobs = 0;
  for (const char* name : kProcesses) {
    const SessionClass b = sum_of(base, name), o = sum_of(other, name);
    base_sum += b.tat_s;
    base_jobs += b.jobs;
    other_sum += o.tat_s;
    other_jobs += o.jobs;
    mixed_sum += share_of(b.tat_s, b.jobs) * o.jobs;
  }
  SessionDifference out;
  if (base_sum <= 0 || other_sum <= 0 || mixed_sum <= 0) return out;
  const double base_mean = base_sum / base_jobs;
  out.total = std::log(other_sum / other_jobs / base_mean);
  out.by_mix = std::log(mixed_sum / other_jobs / base_mean);
  out.by_turnaround = out.total - out.by_mix;
  return out;
}

}  // namespace pointsman

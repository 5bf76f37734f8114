// Costs over the jobs of one run. Definitions: TAT = completion - arrival; RT = first run - arrival; slowdown = TAT / service; fairness of a job = 1 / slowdown.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace pointsman {

struct JobOutcome {
  int64_t tat_ns = 0, rt_ns = 0, service_ns = 0;
  uint16_t kind = 0, phase = 0;
};

struct Costs {
  int jobs = 0;
  double log_slowdown = 0;     // mean of ln(TAT / service): the default objective
  double mean_tat_s = 0, mean_rt_s = 0;
  double cv_fairness = 0;      // deviation (ddof 1) / mean of 1/slowdown
  double seed_l = 0;           // mean TAT [s] + mean RT [s] + CV of fairness, to the letter
  double mean_slowdown = 0;
  double p99_rt_short_s = 0;   // over jobs with service <= 5 ms; NaN when there are none
  double p99_tat_s = 0;
  double makespan_s = 0;       // set by the caller, who knows
};
inline constexpr int64_t kShortJobNs = 5'000'000;

Costs costs_of(std::span<const JobOutcome> jobs);

}  // namespace pointsman

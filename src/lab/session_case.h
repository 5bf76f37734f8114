// SessionCase: what a run of the family "remote" shows, as the seed's author measured it and as it should be looked at. The measure is the mean turnaround of all
// processes that ended while the experiment ran; short-lived helpers of an editor are processes too, so it moves when there are more or fewer of them, whatever
// happened to any one. Here it is taken apart: by class, by number, and into what the mix did and what the scheduler did.
// Pure.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "lab/episode.h"

namespace pointsman {

// Of one class of jobs ("stress", "key", ...) within the window of a run.
struct SessionClass {
  int jobs = 0;
  double tat_s = 0, rt_s = 0;  // sums
};

struct SessionRun {
  double window_s = 0;                         // until the last stressor has ended
  std::map<std::string, SessionClass> classes;  // those that ended in it
  // All of the classes that are processes: "stress" and "helper".
  [[nodiscard]] int processes() const;
  [[nodiscard]] double mean_tat_s() const;  // the seed's measure; 0 without processes
};

// Errors: kCorrupt (a run without stressors, or with one that did not end).
Result<SessionRun> session_run_of(const EpisodeResult& result);

// The difference of two arms' measures over the same draws, ln of the ratio, in two parts that add up: what it would be if only the numbers of processes differed
// (each class keeping the base's turnaround), and the rest.
struct SessionDifference {
  double total = 0, by_mix = 0, by_turnaround = 0;
};
SessionDifference difference(std::span<const SessionRun> base, std::span<const SessionRun> other);

}  // namespace pointsman

// Random structure: what a workload of the generator is made of, drawn by the SEED in the name of its family, random:SEED. Pure data; a run's own seed draws
// arrivals and times within it (families_random.cc). Private to this module.
// The grammar: workload = front | front front | front back | front front back | back
//              front = processes | workers | frames | requests | pairs | tree | gang
//              back = hogs | batch processes | gang
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/rng.h"

namespace pointsman {

// A distribution of times.
struct Spread {
  enum class Form : uint8_t { kFixed, kExponential, kLognormal, kPareto, kBimodal };
  Form form = Form::kFixed;
  double mean_ns = 0;
  double shape = 0;  // lognormal: sigma; pareto: alpha; bimodal: share of the short ones
  double ratio = 1;  // pareto: highest to lowest; bimodal: long to short

  // scale multiplies the mean. Within kLeastNs and kMostNs, whatever the tail.
  [[nodiscard]] int64_t draw(Rng& rng, double scale = 1) const;
  [[nodiscard]] std::string describe() const;
  static constexpr double kLeastNs = 100e3, kMostNs = 700e6;
};

// When the jobs of a component come. Their number is given by its share of the load.
struct Arrivals {
  enum class Form : uint8_t { kPoisson, kBursty, kWaves };
  Form form = Form::kPoisson;
  double period_ns = 0;   // bursty: mean of one on and one off time; waves: between waves
  double on_ratio = 1;    // bursty: share of the time that is on
  double spacing_ns = 0;  // waves: mean time between two jobs of a wave
  [[nodiscard]] std::string describe() const;
};

struct Component {
  enum class Shape : uint8_t { kProcesses, kWorkers, kFrames, kRequests, kPairs, kTree, kGang, kHogs };
  Shape shape = Shape::kProcesses;
  double share = 0;         // of the machine's CPU time
  Arrivals arrivals{};      // not of frames and hogs
  Spread size{};            // CPU time: of a job, a message, a child, a step; not of frames and hogs, whose share says it
  Spread burst{}, nap{};    // how a job's CPU time is divided; burst.mean_ns 0: not at all
  int number = 1;           // workers, threads of frames, connections, pairs, children, threads of a gang, hogs
  int steps = 1;            // of requests: round trips; of pairs: messages each way
  int parallel = 1;         // of a tree: children at a time
  bool each = false;        // requests: each is a process of its own; tree: each child is a job too; pairs: each is a job
  double period_ns = 0;     // of frames
  double jitter_ratio = 0;  // of frames
  double refill_ns = 0;     // CPU time lost by a change of CPU
  std::vector<int> nices{0};  // one after another
};

struct RandomStructure {
  std::vector<Component> components;
  [[nodiscard]] std::string describe() const;
};
RandomStructure draw_random_structure(uint64_t seed);

}  // namespace pointsman

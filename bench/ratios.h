// Runs the registered benchmarks and adds, below Google Benchmark's own table, how long each took as a ratio to a contender of the same run. A benchmark's name is
// CONTENDER or CONTENDER/ARGUMENT; ratios are taken within one argument.
#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

namespace pointsman::bench {

class Ratios : public benchmark::ConsoleReporter {
 public:
  explicit Ratios(std::string rival) : rival_(std::move(rival)) {}

  void ReportRuns(const std::vector<Run>& runs) override {
    ConsoleReporter::ReportRuns(runs);
    for (const Run& run : runs) {
      if (run.run_type != Run::RT_Aggregate || run.aggregate_name != "median") continue;
      const std::string& name = run.run_name.function_name;
      medians_.push_back({name, run.run_name.args, run.GetAdjustedRealTime(), run.GetAdjustedCPUTime()});
    }
  }

  void tell() const {
    std::printf("\nmedians as ratios to %s (CPU time is this thread's own; it means more than real time while others want the CPU):\n  %-24s %-10s %10s %10s\n", rival_.c_str(), "", "", "real", "CPU");
    for (const Median& mine : medians_)
      for (const Median& theirs : medians_)
        if (theirs.contender == rival_ && theirs.argument == mine.argument)
          std::printf("  %-24s %-10s %10.3f %10.3f\n", mine.contender.c_str(), mine.argument.c_str(), mine.real / theirs.real, mine.cpu / theirs.cpu);
  }

 private:
  struct Median {
    std::string contender, argument;
    double real = 0, cpu = 0;
  };
  std::string rival_;
  std::vector<Median> medians_;
};

inline double p99(const std::vector<double>& values) {
  std::vector<double> sorted = values;
  std::sort(sorted.begin(), sorted.end());
  return sorted.empty() ? 0 : sorted[std::min(sorted.size() - 1, sorted.size() * 99 / 100)];
}

// 20 repetitions: median, spread and p99 of their means.
inline benchmark::internal::Benchmark* contender(const char* name, void (*body)(benchmark::State&)) {
  return benchmark::RegisterBenchmark(name, body)->Repetitions(20)->DisplayAggregatesOnly()->ComputeStatistics("p99", p99)->UseRealTime();
}

inline int run(int argc, char** argv, const char* rival) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  Ratios reporter(rival);
  benchmark::RunSpecifiedBenchmarks(&reporter);
  reporter.tell();
  benchmark::Shutdown();
  return 0;
}

}  // namespace pointsman::bench

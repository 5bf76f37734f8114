// What does one sampling of all metrics cost, without the probe? At 50 ms a tick, 500 us would be the whole budget of one per cent of a CPU.
#include <cstdio>

#include "bench/ratios.h"
#include "bench/tick/naive.h"
#include "bench/tick/ours.h"

namespace {

using namespace pointsman;
using namespace pointsman::bench;

bool equal(const Snapshot& a, const Snapshot& b) {
  return a.cpu.all.user == b.cpu.all.user && a.cpu.all.idle == b.cpu.all.idle && a.cpu.each.size() == b.cpu.each.size() && a.cpu.switches == b.cpu.switches && a.cpu.forks == b.cpu.forks &&
         a.load.one_minute == b.load.one_minute && a.memory.total_bytes == b.memory.total_bytes && a.memory.available_bytes == b.memory.available_bytes &&
         a.paging.major_faults == b.paging.major_faults && a.paging.swapped_out_pages == b.paging.swapped_out_pages;
}

void naive(benchmark::State& state) {
  NaiveTick tick("/proc");
  for (auto unused : state) benchmark::DoNotOptimize(tick.tick());
}

void ours(benchmark::State& state) {
  Sampler sampler = our_tick("/proc", "/sys");
  for (auto unused : state) benchmark::DoNotOptimize(sampler.tick());
}

}  // namespace

int main(int argc, char** argv) {
  const std::string tree = POINTSMAN_SOURCE_DIR "/tests/data/root";
  NaiveTick theirs(tree + "/0/proc");
  Sampler mine = our_tick(tree + "/0/proc", tree + "/sys");
  if (!equal(theirs.tick(), mine.tick())) {
    std::fprintf(stderr, "the two do not read the same from %s\n", tree.c_str());
    return 1;
  }
  contender("naive", naive);
  contender("ours", ours);
  return run(argc, argv, "naive");
}

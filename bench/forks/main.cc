// What does an arrival cost that is a new task? It bounds how dense a plan's arrivals may be. The argument is how many MB the parent has in use.
#include <csignal>
#include <cstdio>
#include <cstring>
#include <vector>

#include "bench/forks/clone_vm.h"
#include "bench/forks/fork.h"
#include "bench/forks/thread.h"
#include "bench/forks/vfork.h"
#include "bench/ratios.h"

namespace {

using namespace pointsman::bench;

struct Contender {
  const char* name;
  void (*run)(Task&);
};
constexpr Contender kContenders[] = {{"fork", by_fork}, {"vfork", by_vfork}, {"clone_vm", by_clone_vm}, {"thread", by_thread}};

template <int kWhich>
void measure(benchmark::State& state) {
  std::vector<char> in_use(static_cast<size_t>(state.range(0)) << 20);
  std::memset(in_use.data(), 1, in_use.size());
  benchmark::DoNotOptimize(in_use.data());
  Task& task = shared_task();
  for (auto unused : state) {
    ++task.seed;
    kContenders[kWhich].run(task);
  }
}

}  // namespace

int main(int argc, char** argv) {
  Task& task = shared_task();
  for (const Contender& contender : kContenders) {
    task.seed += 77;
    contender.run(task);
    if (task.answer != answer_to(task.seed)) {
      std::fprintf(stderr, "%s gives another answer\n", contender.name);
      return 1;
    }
  }
  contender("fork", measure<0>)->Arg(1)->Arg(64);
  contender("vfork", measure<1>)->Arg(1)->Arg(64);
  contender("clone_vm", measure<2>)->Arg(1)->Arg(64);
  contender("thread", measure<3>)->Arg(1)->Arg(64);
  return run(argc, argv, "clone_vm");
}

#include "store/run.h"

#include <fmt/core.h>

#include <tuple>

namespace pointsman {

std::string describe(const RunKey& key) {
  return fmt::format("{} seed {} draw {} under {}", key.scenario, key.seed, key.draw, key.controller);
}

bool reads_before(const RunKey& a, const RunKey& b) {
  const auto order = [](const RunKey& k) {
    return std::tie(k.scenario, k.seed, k.draw, k.controller, k.kernel, k.binary, k.plan, k.qemu, k.snapshot);
  };
  return order(a) < order(b);
}

}  // namespace pointsman

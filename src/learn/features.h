// What a controller sees of one decision window, and how it is computed from two readings of the probe.
// Shapes: FeatureVector [kFeatures]; the active arm enters the networks apart, one-hot [kChoosable].
// Source of the choice: forward selection and permutation on a prototype's data; PSI, migrations and delay quantiles carried nothing.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "bpf/probe/probe.intf.h"

namespace pointsman {

inline constexpr int kFeatures = 20;
// Places of those that are looked at one by one.
inline constexpr size_t kForksFeature = 0, kWakeupsFeature = 2;
using FeatureVector = std::array<double, kFeatures>;
struct FeatureSpec {
  std::string_view name, unit, formula;
};
std::span<const FeatureSpec> feature_catalogue();  // kFeatures entries, in order

struct WindowInput {
  pm_probe before{}, after{};           // summed over the CPUs
  int64_t before_ns = 0, after_ns = 0;  // the probe's clock
  int cpus = 1;
};
// Finite for any input: a counter that went backwards counts as still, an empty window (after_ns <= before_ns) is all zeros.
FeatureVector features_of(const WindowInput& window);
// Fewer than 2 % of one CPU was used: nothing to decide.
bool nearly_idle(const WindowInput& window);

}  // namespace pointsman

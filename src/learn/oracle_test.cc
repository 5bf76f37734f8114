#include "learn/oracle.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/clock.h"
#include "base/rng.h"

namespace pointsman {
namespace {

constexpr ArmId kLas = 2, kAge = 3;
const std::map<std::string, ArmCosts> kCosts{
    {"batch", {0, -.3, .1, -.5, .1, 0}}, {"tail", {0, 0, -.4, .5, -.3, -.2}}, {"rpc", {0, .2, .3, .4, .3, .1}}};

std::vector<OraclePhase> phases(const std::vector<std::string>& families, int64_t length_ns = 5 * kSecond) {
  std::vector<OraclePhase> out;
  for (size_t p = 0; p < families.size(); ++p) out.push_back({families[p], static_cast<int64_t>(p) * length_ns, length_ns});
  return out;
}

std::string text(const std::vector<OraclePhase>& p, const OracleOptions& options) {
  const auto schedule = oracle_schedule(p, kCosts, options);
  EXPECT_TRUE(schedule) << schedule.error().message;
  return schedule_spec(*schedule);
}

TEST(Oracle, TakesEachPhasesBestArmALittleAhead) {
  EXPECT_EQ(text(phases({"batch", "tail", "rpc", "rpc", "batch"}), {}),
            "schedule:0=age,4998000000ns=las,9998000000ns=eevdf,19998000000ns=age");
  EXPECT_EQ(text(phases({"tail"}), {}), "schedule:0=las");
  EXPECT_EQ(text(phases({"batch", "tail"}), {.ahead_ns = 0}), "schedule:0=age,5000000000ns=las");
}

TEST(Oracle, StaysWhereACrossingDoesNotPay) {
  // eevdf gains .1 over ipre in rpc; coming from las it loses part of a phase of 5 s twice.
  EXPECT_EQ(text(phases({"tail", "rpc", "tail"}), {.warm_swap_ns = 100'000'000}), "schedule:0=las,4998000000ns=eevdf,9998000000ns=las");
  EXPECT_EQ(text(phases({"tail", "rpc", "tail"}, kSecond), {.warm_swap_ns = 900'000'000}),
            "schedule:0=las,998000000ns=ipre,1998000000ns=las");
}

TEST(Oracle, IsNeverBeatenByExhaustiveSearch) {
  Rng rng(5, "oracle");
  for (int trial = 0; trial < 40; ++trial) {
    std::map<std::string, ArmCosts> costs;
    std::vector<std::string> families;
    for (int p = 0; p < 4; ++p) {
      families.push_back("f" + std::to_string(p));
      for (double& c : costs[families.back()]) c = .5 * rng.normal();
      costs[families.back()][kEevdf] = 0;
    }
    // Free swaps: the sum of the phases' minima, and no entry that changes nothing.
    const auto p = phases(families);
    const auto schedule = oracle_schedule(p, costs, {});
    ASSERT_TRUE(schedule);
    double sum = 0, least = 0;
    auto controller = Schedule::create(*schedule);
    ASSERT_TRUE(controller);
    for (const OraclePhase& phase : p) {
      Context context;
      context.since_start_ns = phase.from_ns + kSecond;
      const auto arm = static_cast<size_t>((*controller)->decide(context).arm);
      sum += costs.at(phase.family)[arm];
      least += *std::min_element(costs.at(phase.family).begin(), costs.at(phase.family).end());
    }
    EXPECT_DOUBLE_EQ(sum, least);
    // Swaps that take time: as good as the best of all 6^4 paths.
    const OracleOptions slow{.hot_swap_ns = kSecond, .warm_swap_ns = 3 * kSecond};
    const auto total = [&](const std::vector<ArmId>& path) {
      double sum_of_path = 0;
      for (size_t q = 0; q < path.size(); ++q) {
        const ArmCosts& c = costs.at(families[q]);
        const double settled = c[static_cast<size_t>(path[q])];
        const bool swapped = q > 0 && path[q] != path[q - 1];
        const bool warm = swapped && (path[q] == kEevdf || path[q - 1] == kEevdf);
        const double meanwhile = !swapped ? settled : warm ? 0 : c[static_cast<size_t>(path[q - 1])];
        sum_of_path += settled + (warm ? .6 : .2) * std::max(0.0, meanwhile - settled);
      }
      return sum_of_path;
    };
    double cheapest = 1e9;
    for (int code = 0; code < 6 * 6 * 6 * 6; ++code)
      cheapest = std::min(cheapest, total({code % 6, code / 6 % 6, code / 36 % 6, code / 216}));
    const auto careful = Schedule::create(*oracle_schedule(p, costs, slow));
    std::vector<ArmId> path;
    for (const OraclePhase& phase : p) {
      Context context;
      context.since_start_ns = phase.from_ns;
      path.push_back((*careful)->decide(context).arm);
    }
    EXPECT_NEAR(total(path), cheapest, 1e-12);
  }
}

TEST(Oracle, CostsAreMeansOverTheBlocksOfAFamily) {
  Dataset matrix;
  matrix.blocks.push_back({.family = "a", .seed = 1, .log_cost = {1, 1.2, 1, 1, 1, 1}});
  matrix.blocks.push_back({.family = "a", .seed = 2, .log_cost = {0, .4, 0, 0, 0, 0}});
  EXPECT_NEAR(family_costs(matrix).at("a")[kDefaultArm], .3, 1e-12);
  EXPECT_EQ(family_costs(matrix).at("a")[kAge], 0);
}

TEST(Oracle, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(oracle_schedule(phases({"batch", "web"}), kCosts, {}).error().message, "the matrix has no costs of family 'web'");
  EXPECT_EQ(oracle_schedule({}, kCosts, {}).error().code, ErrorCode::kInvalidArgument);
  auto twice = phases({"batch", "tail"});
  twice[1].from_ns = 0;
  EXPECT_EQ(oracle_schedule(twice, kCosts, {}).error().message, "phase 2 (tail): phases have a length and follow one another");
}

}  // namespace
}  // namespace pointsman

#include "metrics/catalogue.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <set>

namespace pointsman {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;

// All topics were read; one second apart.
std::vector<Snapshot> plain(size_t n) {
  std::vector<Snapshot> out(n);
  for (size_t i = 0; i < n; ++i) {
    out[i].taken_ns = static_cast<int64_t>(100 + i) * kSecondNs;
    out[i].probe.moment_ns = out[i].taken_ns;
    for (auto& status : out[i].status) status.ok = true;
  }
  return out;
}
MetricValue value_of(std::span<const Snapshot> snapshots, std::string_view name) {
  for (auto& v : evaluate_metrics(snapshots)) {
    if (v.spec == find_metric(name)) return v;
  }
  ADD_FAILURE() << "no metric " << name;
  return {};
}

TEST(Catalogue, HasTheNineteenFeaturesByName) {
  const std::set<std::string_view> expected = {
      "T_vcsw_total_delta",    "T_nvcsw_total_delta",   "T_cpu_percent_avg",        "T_io_wait_percent_avg", "T_irq_percent_avg",
      "T_softirq_percent_avg", "T_run_queue_avg",       "T_active_threads_avg",     "T_blocked_threads_avg", "T_io_blocked_threads_avg",
      "T_mem_used_avg",        "T_mem_available",       "T_swap_used_avg",          "T_cache_mem_avg",       "T_buffers_mem_avg",
      "T_swap_in_total_delta", "T_swap_out_total_delta", "T_io_write_total_delta",  "T_io_read_total_delta"};
  std::set<std::string_view> found;
  for (const auto& spec : metric_catalogue()) {
    EXPECT_FALSE(spec.unit.empty() || spec.source.empty() || spec.formula.empty() || spec.eevdf.empty() || spec.ext.empty() || spec.psutil.empty()) << spec.name;
    EXPECT_EQ(spec.of_seed, spec.name.starts_with("T_")) << spec.name;
    if (!spec.of_seed) continue;
    EXPECT_TRUE(found.insert(spec.canonical).second) << spec.canonical;
  }
  EXPECT_EQ(found, expected);
}

TEST(Catalogue, FindsByAnyName) {
  EXPECT_EQ(find_metric("T_iowait_percent_avg"), find_metric("T_io_wait_percent_avg"));
  EXPECT_EQ(find_metric("T_io_wait_percent")->canonical, "T_io_wait_percent_avg");
  EXPECT_EQ(find_metric("T_mem_available_avg")->name, "T_mem_available");
  EXPECT_EQ(find_metric("T_nothing"), nullptr);
}

TEST(Catalogue, GaugesHaveAverageDeltaRateAndChange) {
  auto s = plain(3);
  for (size_t i = 0; i < 3; ++i) s[i].memory.available_bytes = 1000 + 200 * i;
  const auto v = value_of(s, "T_mem_available");
  EXPECT_DOUBLE_EQ(*v.avg, 1200);
  EXPECT_DOUBLE_EQ(*v.delta, 400);
  EXPECT_DOUBLE_EQ(*v.rate, 200);
  EXPECT_DOUBLE_EQ(*v.pct_change, 40);
  const auto one = value_of(std::span(s).first(1), "T_mem_available");
  EXPECT_DOUBLE_EQ(*one.avg, 1000);
  EXPECT_FALSE(one.delta || one.rate || one.pct_change);
}

TEST(Catalogue, NoChangeInPercentFromZeroAndNoneOfCounters) {
  auto s = plain(2);
  s[1].memory.swap_total_bytes = 50;  // from zero
  const auto gauge = value_of(s, "T_swap_used");
  EXPECT_DOUBLE_EQ(*gauge.delta, 50);
  EXPECT_FALSE(gauge.pct_change);
  s[0].disks.read_bytes = 100;
  s[1].disks.read_bytes = 300;
  const auto counter = value_of(s, "T_io_read_total");
  EXPECT_DOUBLE_EQ(*counter.delta, 200);
  EXPECT_DOUBLE_EQ(*counter.avg, 200);  // grew by that from one sample to the next
  EXPECT_DOUBLE_EQ(*counter.last, 300);
  EXPECT_FALSE(counter.pct_change);
}

TEST(Catalogue, CounterThatFallsIsNoGrowthAndIsTold) {
  auto s = plain(4);
  const uint64_t values[] = {~uint64_t{0} - 5, 10, 30, 20};
  for (size_t i = 0; i < 4; ++i) s[i].disks.written_bytes = values[i];
  const auto v = value_of(s, "T_io_write_total");
  EXPECT_DOUBLE_EQ(*v.delta, 20);
  EXPECT_DOUBLE_EQ(*v.rate, 20.0 / 3);
  EXPECT_EQ(v.backwards, 2);
}

TEST(Catalogue, SharesClipWhatGoesBackwards) {
  auto s = plain(2);
  s[0].cpu.all = {.user = 100, .nice = 0, .system = 100, .idle = 1000, .iowait = 50};
  s[1].cpu.all = {.user = 130, .nice = 0, .system = 110, .idle = 1060, .iowait = 40};  // iowait fell, as it may
  EXPECT_DOUBLE_EQ(*value_of(s, "T_cpu_percent").avg, 40);
  EXPECT_DOUBLE_EQ(*value_of(s, "T_io_wait_percent").avg, 0);
}

TEST(Catalogue, GuestTimeIsNotCountedTwice) {
  auto s = plain(2);
  s[1].cpu.all.user = 50;  // 40 of them in a guest
  s[1].cpu.all.guest = 40;
  s[1].cpu.all.idle = 50;
  EXPECT_DOUBLE_EQ(*value_of(s, "T_cpu_percent").avg, 50);
}

TEST(Catalogue, ShareOverUnequalIntervalsIsWeightedByTime) {
  auto s = plain(3);
  s[2].taken_ns = s[1].taken_ns + 3 * kSecondNs;
  s[1].cpu.all = {.user = 100};              // 1 s fully busy
  s[2].cpu.all = {.user = 100, .idle = 300};  // 3 s idle
  s[2].cpu.all.nice = 0;
  const auto v = value_of(s, "T_cpu_percent");
  EXPECT_DOUBLE_EQ(*v.avg, 25);
  EXPECT_DOUBLE_EQ(*v.delta, -100);
  EXPECT_DOUBLE_EQ(*v.pct_change, -100);
}

TEST(Catalogue, NoTickBetweenTwoSamplesIsNoShare) {
  auto s = plain(3);
  s[1].cpu.all = s[2].cpu.all = {.user = 30, .idle = 70};
  const auto v = value_of(s, "T_cpu_percent");
  EXPECT_DOUBLE_EQ(*v.avg, 30);
  EXPECT_FALSE(v.delta) << "there was but one interval with ticks";
  EXPECT_EQ(value_of(std::span(s).last(2), "T_cpu_percent").absent, "nothing of the kind happened");
}

TEST(Catalogue, RunQueueTakesTheBestSourceThereIs) {
  auto s = plain(2);
  s[1].schedstat.waiting_ns = 2'500'000'000;
  s[0].probe.sums.runnable = 3;  // three tasks runnable all the time, two CPUs busy: one waits
  s[0].probe.sums.runnable_moment_ns = 3 * static_cast<uint64_t>(s[0].probe.moment_ns);
  s[1].probe.sums = s[0].probe.sums;
  s[1].probe.sums.busy_ns = 2'000'000'000;
  s[0].cpu.running = s[1].cpu.running = 5;
  s[1].cpu.all.user = 200;
  EXPECT_DOUBLE_EQ(*value_of(s, "T_run_queue").avg, 2.5);
  EXPECT_EQ(value_of(s, "T_run_queue").via, "schedstat");
  s[1].of(Topic::kSchedstat).ok = false;
  EXPECT_DOUBLE_EQ(*value_of(s, "T_run_queue").avg, 1);
  EXPECT_EQ(value_of(s, "T_run_queue").via, "probe");
  s[0].of(Topic::kProbe).ok = false;
  EXPECT_DOUBLE_EQ(*value_of(s, "T_run_queue").avg, 5 - 200.0 / static_cast<double>(::sysconf(_SC_CLK_TCK)));
  EXPECT_EQ(value_of(s, "T_run_queue").via, "samples");
}

TEST(Catalogue, LevelsOfTheProbeAreWeightedByTime) {
  auto s = plain(3);
  for (auto& one : s) one.probe.states = true;
  // 30 alive all along; 2 of them run or wait. One blocks on I/O for a quarter of a second in the first interval, and the last 0.1 s.
  const auto at = [&](size_t i) { return static_cast<uint64_t>(s[i].probe.moment_ns); };
  for (size_t i = 0; i < 3; ++i) {
    pm_probe& p = s[i].probe.sums;
    p.alive = 30;
    p.alive_moment_ns = 30 * 5;
    p.runnable = 2;
    p.runnable_moment_ns = 2 * 7;
  }
  s[1].probe.sums.io_blocked_moment_ns = uint64_t{0} - 250'000'000;
  s[2].probe.sums.io_blocked = 1;
  s[2].probe.sums.io_blocked_moment_ns = at(2) - 100'000'000 - 250'000'000;
  EXPECT_DOUBLE_EQ(*value_of(s, "T_blocked_threads").avg, 28);
  EXPECT_EQ(value_of(s, "T_blocked_threads").via, "probe");
  EXPECT_NEAR(*value_of(s, "T_io_blocked_threads").avg, 0.35 / 2, 1e-12);
  for (auto& one : s) {
    one.probe.states = false;
    one.load.threads = 100;
    one.load.runnable = 4;
    one.cpu.io_blocked = 3;
  }
  EXPECT_DOUBLE_EQ(*value_of(s, "T_blocked_threads").avg, 96);
  EXPECT_EQ(value_of(s, "T_io_blocked_threads").via, "samples");
  EXPECT_DOUBLE_EQ(*value_of(s, "T_io_blocked_threads").avg, 3);
}

TEST(Catalogue, MeansOverEventsAreOneRatioOfSums) {
  auto s = plain(4);
  s[1].probe.sums.bursts = 1;  // one long burst, then 99 short ones, then none
  s[1].probe.sums.burst_us = 100'000;
  s[2].probe.sums = s[1].probe.sums;
  s[2].probe.sums.bursts += 99;
  s[2].probe.sums.bursts_5ms += 99;
  s[2].probe.sums.burst_us += 9'900;
  s[3].probe.sums = s[2].probe.sums;
  EXPECT_DOUBLE_EQ(*value_of(s, "burst_mean").avg, 1099);
  EXPECT_DOUBLE_EQ(*value_of(s, "burst_short_ratio").avg, 0.99);
  EXPECT_EQ(value_of(std::span(s).last(2), "burst_mean").absent, "nothing of the kind happened");
}

TEST(Catalogue, SwitchesFallBackOnTheWalkAndSayHowBiasedItIs) {
  auto s = plain(3);
  for (auto& one : s) {
    one.of(Topic::kProbe).ok = false;
    one.load.threads = one.walk.threads = 200;
  }
  s[1].of(Topic::kWalk).skipped = true;  // its values are those of an earlier tick
  s[2].walk.voluntary = 600;
  s[2].walk.involuntary = 40;
  s[2].walk.born = 3;
  s[2].cpu.forks = 10;
  const auto v = value_of(s, "T_vcsw_total");
  EXPECT_EQ(v.via, "walk");
  EXPECT_DOUBLE_EQ(*v.delta, 600);
  EXPECT_DOUBLE_EQ(*v.rate, 300);
  EXPECT_DOUBLE_EQ(*value_of(s, "T_nvcsw_total").delta, 40);
  EXPECT_NE(v.caveat.find("of 10 threads born meanwhile 7 were never met"), std::string::npos) << v.caveat;
  EXPECT_EQ(v.caveat.find("hidepid"), std::string::npos);
  s[2].load.threads = 400;
  EXPECT_NE(value_of(s, "T_vcsw_total").caveat.find("hidepid"), std::string::npos);
}

TEST(Catalogue, AbsenceSaysWhy) {
  auto s = plain(2);
  for (auto& one : s) one.of(Topic::kWalk) = {.ok = false, .duration_ns = 0, .trouble = "nor is there a walk"};
  s[1].of(Topic::kProbe) = {.ok = false, .duration_ns = 0, .trouble = "the probe needs root"};
  const auto v = value_of(s, "T_vcsw_total");
  EXPECT_FALSE(v.avg || v.delta || v.rate || v.pct_change);
  EXPECT_EQ(v.absent, "the probe needs root; nor is there a walk");
  EXPECT_EQ(value_of(std::span(s).first(1), "T_cpu_percent").absent, "needs two snapshots");
  EXPECT_EQ(value_of({}, "T_mem_used").absent, "no snapshot");
}

TEST(Catalogue, ClockThatStandsStillGivesNoRates) {
  auto s = plain(2);
  s[1].taken_ns = s[0].taken_ns;
  s[1].disks.read_bytes = 10;
  EXPECT_FALSE(value_of(s, "T_io_read_total").rate);
  EXPECT_EQ(value_of(s, "T_cpu_percent").absent, "no time passed between the snapshots");
}

TEST(Busiest, IsTheBusiestOfTheCpusThatWereThereBothTimes) {
  CpuTopic a, b;
  a.each = {{0, {.user = 0, .idle = 0}}, {1, {}}, {3, {}}};
  b.each = {{0, {.user = 30, .idle = 70}}, {2, {.user = 100}}, {3, {.user = 60, .idle = 40}}};
  EXPECT_DOUBLE_EQ(busiest_cpu_ratio(a, b), 0.6);
  EXPECT_DOUBLE_EQ(busiest_cpu_ratio(b, b), 0);
  EXPECT_DOUBLE_EQ(busiest_cpu_ratio({}, b), 0);
}

}  // namespace
}  // namespace pointsman
